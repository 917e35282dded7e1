//! Clocks that jump, on both hemispheres.

use errand_domain::task::Recurrences;
use errand_domain::task::TimeZone;
use errand_recurrence::CalendarRecurrences;

use crate::{after, chain, series};

#[track_caller]
fn expect(zone: &str, rule: &str, due: &str, expected: &[&str]) {
    let found = chain(series(rule, due, Some(zone)), expected.len());
    assert_eq!(found, expected, "{rule} from {due} in {zone}");
}

#[test]
fn the_time_of_day_stays() {
    // 09:00 in winter and in summer.
    let expected = ["2026-03-29T07:00:00Z", "2026-03-30T07:00:00Z"];
    expect("Europe/Berlin", "daily", "2026-03-28T08:00:00Z", &expected);
    let expected = ["2026-11-01T14:00:00Z", "2026-11-02T14:00:00Z"];
    expect("America/New_York", "daily", "2026-10-31T13:00:00Z", &expected);
    let expected = ["2026-04-03T23:00:00Z", "2026-04-05T00:00:00Z"];
    expect(
        "Australia/Sydney",
        "weekly",
        "2026-03-27T22:00:00Z",
        &["2026-04-03T22:00:00Z"],
    );
    expect("Australia/Sydney", "daily", "2026-04-02T23:00:00Z", &expected);
    // In no zone the hour of UTC stays.
    let found = chain(series("daily", "2026-03-28T08:00:00.123456Z", None), 1);
    assert_eq!(found, ["2026-03-29T08:00:00.123456Z"]);
}

/// The skipped time is later by the gap, and the day after it is what it was.
#[test]
fn a_time_that_the_clock_skips() {
    for (zone, due, expected) in [
        // 02:30, which is 03:30 on that day.
        (
            "Europe/Berlin",
            "2026-03-28T01:30:00Z",
            ["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"],
        ),
        (
            "America/New_York",
            "2026-03-07T07:30:00Z",
            ["2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"],
        ),
        // 02:00 of 4 October, to the second.
        (
            "Australia/Sydney",
            "2026-10-02T16:00:00Z",
            ["2026-10-03T16:00:00Z", "2026-10-04T15:00:00Z"],
        ),
        // Midnight of 6 September: the day begins at 01:00.
        (
            "America/Santiago",
            "2026-09-05T04:00:00Z",
            ["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"],
        ),
        // 02:15, which is 02:45 there: half an hour is skipped.
        (
            "Australia/Lord_Howe",
            "2026-10-02T15:45:00Z",
            ["2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"],
        ),
    ] {
        expect(zone, "daily", due, &expected);
        let skipped = after(&series("daily", due, Some(zone))).unwrap();
        assert!(skipped.meant.is_some(), "{zone}");
        assert_eq!(after(&skipped).unwrap().meant, None, "{zone}");
    }
}

#[test]
fn what_was_meant_counts_only_for_the_due_date_it_led_to() {
    let skipped = after(&series("daily", "2026-03-28T01:30:00Z", Some("Europe/Berlin"))).unwrap();
    assert_eq!(skipped.meant.unwrap().to_string(), "2026-03-29 02:30:00");
    let mut moved = skipped.clone();
    moved.due = errand_domain::task::Due::parse("2026-03-29T10:00:00Z").unwrap();
    assert_eq!(after(&moved).unwrap().due.to_string(), "2026-03-30T10:00:00Z");
    let mut elsewhere = skipped;
    elsewhere.zone = Some(TimeZone::parse("Asia/Tokyo").unwrap());
    assert_eq!(after(&elsewhere).unwrap().due.to_string(), "2026-03-30T01:30:00Z");
}

#[test]
fn a_time_that_comes_twice_is_the_first() {
    for (zone, due, expected) in [
        (
            "Europe/Berlin",
            "2026-10-24T00:30:00Z",
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            "America/New_York",
            "2026-10-31T05:30:00Z",
            ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        ),
        (
            "Australia/Sydney",
            "2026-04-03T15:30:00Z",
            ["2026-04-04T15:30:00Z", "2026-04-05T16:30:00Z"],
        ),
        (
            "America/Santiago",
            "2026-04-04T02:30:00Z",
            ["2026-04-05T02:30:00Z", "2026-04-06T03:30:00Z"],
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-03T14:45:00Z",
            ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
        ),
    ] {
        expect(zone, "daily", due, &expected);
    }
    // Due at the second 02:30: the next is the next day's, not the first of the same.
    let second = "2026-10-25T01:30:00Z";
    expect("Europe/Berlin", "daily", second, &["2026-10-26T01:30:00Z"]);
}

/// Samoa had no 30 December 2011.
#[test]
fn a_day_that_the_calendar_skips() {
    let expected = [
        "2011-12-29T20:00:00Z",
        "2011-12-30T20:00:00Z",
        "2011-12-31T20:00:00Z",
    ];
    expect("Pacific/Apia", "daily", "2011-12-28T20:00:00Z", &expected);
    // On the 30th, each month.
    let expected = ["2011-12-30T20:00:00Z", "2012-01-29T20:00:00Z"];
    expect("Pacific/Apia", "monthly", "2011-11-30T20:00:00Z", &expected);
}

#[test]
fn only_zones_that_exist() {
    for good in [
        "UTC",
        "Europe/Berlin",
        "America/Argentina/Buenos_Aires",
        "US/Eastern",
        "Etc/GMT+3",
    ] {
        assert_eq!(
            CalendarRecurrences.check(&series("daily", "2026-01-01", Some(good))),
            Ok(())
        );
    }
    for bad in ["Mars/Olympus", "europe/berlin", "W", "Europe/Berlin/"] {
        let faults = CalendarRecurrences
            .check(&series("daily", "2026-01-01", Some(bad)))
            .unwrap_err();
        let found: Vec<_> = faults.iter().map(|f| (f.field.as_ref(), f.fault.code)).collect();
        assert_eq!(found, [("time_zone", "unknown-time-zone")], "{bad}");
    }
}
