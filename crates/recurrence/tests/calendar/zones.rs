//! The zone of the server has no say: everything again in processes that live elsewhere.

use std::process::Command;

use chrono::{Local, NaiveDate, Offset, TimeZone as _};

/// As POSIX writes them, so that no files are needed: the sign is the other way round.
const ZONES: [(&str, i32); 4] = [
    ("UTC0", 0),
    ("<+14>-14", 14 * 3600),
    ("<-11>11", -11 * 3600),
    ("CET-1CEST,M3.5.0,M10.5.0/3", 3600),
];
/// What the child expects of its clock.
const EXPECTED: &str = "ERRAND_TEST_OFFSET";

#[expect(clippy::disallowed_methods, reason = "a test that starts itself again")]
fn expected() -> Option<String> {
    std::env::var(EXPECTED).ok()
}

#[test]
fn the_server_may_live_anywhere() {
    if let Some(expected) = expected() {
        let winter = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap().into();
        let offset = Local.offset_from_utc_datetime(&winter).fix().local_minus_utc();
        assert_eq!(
            offset.to_string(),
            expected,
            "this process does not live where it should"
        );
        return;
    }
    for (zone, offset) in ZONES {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["agreement::", "table::", "clocks::", "zones::"])
            .env("TZ", zone)
            .env(EXPECTED, offset.to_string())
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success(), "{zone}: {output}");
        assert!(
            output.contains("agreement::days_agree_with_dateutil ... ok"),
            "{output}"
        );
        assert!(
            output.contains("zones::the_server_may_live_anywhere ... ok"),
            "{output}"
        );
    }
}
