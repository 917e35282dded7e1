//! Against another implementation: `tests/data/make.py` says how the files were made.

use errand_domain::task::Recurrences;
use errand_recurrence::CalendarRecurrences;

use crate::{chain, series};

const OCCURRENCES: usize = 10;

fn rows(file: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split('\t').collect())
}

/// `20261201` as `2026-12-01`, `20261201T100000Z` as `2026-12-01T10:00:00Z`.
fn spelled(text: &str) -> String {
    let date = format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..8]);
    match text.get(9..15) {
        Some(time) => format!("{date}T{}:{}:{}Z", &time[..2], &time[2..4], &time[4..]),
        None => date,
    }
}

fn check(rule: &str, start: &str, zone: Option<&str>, expected: &[&str]) {
    let series = series(rule, start, zone);
    let checked = CalendarRecurrences.check(&series);
    assert_eq!(checked, Ok(()), "{rule} from {start}");
    let expected: Vec<String> = expected.iter().map(|text| spelled(text)).collect();
    // One more shows whether the rule ends where it should.
    let more = usize::from(expected.len() < OCCURRENCES);
    let found = chain(series, expected.len() + more);
    assert_eq!(found, expected, "{rule} from {start} in {zone:?}");
}

#[test]
fn days_agree_with_dateutil() {
    let mut rules = 0;
    for row in rows(include_str!("../data/dates.tsv")) {
        let [rule, start, expected @ ..] = row.as_slice() else {
            panic!("a short row: {row:?}");
        };
        check(rule, start, None, expected);
        rules += 1;
    }
    assert_eq!(rules, 2500);
}

#[test]
fn times_agree_with_dateutil_and_zoneinfo() {
    let mut rules = 0;
    for row in rows(include_str!("../data/times.tsv")) {
        let [rule, zone, start, expected @ ..] = row.as_slice() else {
            panic!("a short row: {row:?}");
        };
        check(rule, &spelled(start), Some(zone), expected);
        rules += 1;
    }
    assert_eq!(rules, 700);
}
