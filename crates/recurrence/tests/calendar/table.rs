//! The days that people ask about.

use chrono::{Datelike, Duration, NaiveDate};
use errand_domain::Timestamp;
use errand_domain::task::Recurrences;
use errand_domain::task::{Due, RecurrenceFrom};
use errand_recurrence::CalendarRecurrences;

use crate::{after, chain, follow, series};

#[track_caller]
fn expect(rule: &str, due: &str, expected: &[&str]) {
    assert_eq!(
        chain(series(rule, due, None), expected.len()),
        expected,
        "{rule} from {due}"
    );
}

#[track_caller]
fn ends(rule: &str, due: &str, expected: &[&str]) {
    assert_eq!(
        chain(series(rule, due, None), expected.len() + 1),
        expected,
        "{rule} from {due}"
    );
}

#[test]
fn ends_of_months() {
    // RFC 5545 passes over the months without the day.
    expect(
        "monthly",
        "2026-01-31",
        &["2026-03-31", "2026-05-31", "2026-07-31"],
    );
    expect("monthly", "2026-01-30", &["2026-03-30", "2026-04-30"]);
    expect("FREQ=MONTHLY;BYMONTHDAY=31", "2026-10-31", &["2026-12-31"]);
    let last = ["2026-02-28", "2026-03-31", "2026-04-30"];
    expect("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31", &last);
    expect(
        "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
        "2026-01-31",
        &last,
    );
    expect("FREQ=MONTHLY;BYMONTHDAY=-1", "2028-01-31", &["2028-02-29"]);
    expect(
        "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=-1",
        "2025-12-31",
        &["2026-02-28", "2026-04-30"],
    );
}

#[test]
fn leap_days() {
    expect("yearly", "2024-02-29", &["2028-02-29", "2032-02-29"]);
    expect("yearly", "2096-02-29", &["2104-02-29"]);
    expect(
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1",
        "2024-02-29",
        &["2025-02-28", "2026-02-28"],
    );
    expect("FREQ=YEARLY;BYYEARDAY=366", "2024-12-31", &["2028-12-31"]);
    expect(
        "FREQ=YEARLY;BYYEARDAY=60",
        "2023-03-01",
        &["2024-02-29", "2025-03-01"],
    );
    expect(
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
        "2044-02-29",
        &["2072-02-29", "2112-02-29"],
    );
    expect(
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
        "2044-02-29",
        &["2072-02-29"],
    );
}

#[test]
fn weeks_begin_where_the_rule_says() {
    // The example of RFC 5545 section 3.8.5.3.
    let rule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=";
    expect(
        &format!("{rule}MO"),
        "1997-08-05",
        &["1997-08-10", "1997-08-19", "1997-08-24"],
    );
    expect(
        &format!("{rule}SU"),
        "1997-08-05",
        &["1997-08-17", "1997-08-19", "1997-08-31"],
    );
    expect(
        "FREQ=WEEKLY;BYDAY=FR,MO",
        "2026-12-04",
        &["2026-12-07", "2026-12-11"],
    );
    expect("weekly", "2026-12-31", &["2027-01-07"]);
}

#[test]
fn weeks_have_numbers() {
    expect(
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "1997-05-12",
        &["1998-05-11", "1999-05-17"],
    );
    // Without a day of the week it is that of the start, not the whole week.
    expect(
        "FREQ=YEARLY;BYWEEKNO=20",
        "1997-05-14",
        &["1998-05-13", "1999-05-19"],
    );
    // Week 53 of 2020 ends in 2021; week 1 of 2020 begins in 2019.
    let week_53 = "FREQ=YEARLY;BYWEEKNO=53;BYDAY=WE,FR";
    expect(week_53, "2020-12-30", &["2021-01-01", "2026-12-30", "2027-01-01"]);
    // 2010 had 52 weeks.
    expect(
        "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SA",
        "2010-01-02",
        &["2016-01-02", "2021-01-02"],
    );
    expect(
        "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO",
        "2019-12-30",
        &["2021-01-04", "2022-01-03"],
    );
    expect(
        "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=FR",
        "2020-01-03",
        &["2021-01-01", "2021-12-31"],
    );
}

/// Counted from Monday they are those of ISO 8601, which chrono knows.
#[test]
fn numbers_of_weeks_are_those_of_iso_8601() {
    for week in 1..=53_u32 {
        let mut expected = NaiveDate::from_ymd_opt(1999, 12, 31).unwrap();
        let mut series = series(
            &format!("FREQ=YEARLY;BYWEEKNO={week};BYDAY=MO,TU,WE,TH,FR,SA,SU"),
            "1999-12-31",
            None,
        );
        for _ in 0..30 {
            loop {
                expected += Duration::days(1);
                if expected.iso_week().week() == week {
                    break;
                }
            }
            series = after(&series).unwrap();
            assert_eq!(series.due, Due::Date(expected), "week {week}");
        }
    }
}

#[test]
fn places_in_a_step() {
    let workdays = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1";
    expect(
        workdays,
        "2026-10-30",
        &["2026-11-30", "2026-12-31", "2027-01-29"],
    );
    expect(
        "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=1,3",
        "2026-11-01",
        &["2026-11-08", "2026-12-05", "2026-12-12"],
    );
    // The second of three days, also of the week in which the series begins.
    let second = "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2";
    expect(second, "2026-11-04", &["2026-11-11", "2026-11-18"]);
    expect(
        "FREQ=YEARLY;BYDAY=FR;BYMONTHDAY=13;BYSETPOS=1",
        "2026-02-13",
        &["2027-08-13", "2028-10-13"],
    );
    expect(
        "FREQ=DAILY;BYDAY=MO,TH;BYSETPOS=-1",
        "2026-11-02",
        &["2026-11-05", "2026-11-09"],
    );
    expect(
        "FREQ=DAILY;INTERVAL=2;BYMONTH=11,12",
        "2026-11-29",
        &["2026-12-01", "2026-12-03"],
    );
}

#[test]
fn days_of_the_week_by_number() {
    expect(
        "FREQ=MONTHLY;BYDAY=2TU",
        "2026-11-10",
        &["2026-12-08", "2027-01-12"],
    );
    expect("FREQ=MONTHLY;BYDAY=-1FR", "2026-11-27", &["2026-12-25"]);
    expect(
        "FREQ=MONTHLY;BYDAY=5SA",
        "2026-10-31",
        &["2027-01-30", "2027-05-29"],
    );
    expect(
        "FREQ=YEARLY;BYDAY=20MO",
        "1997-05-19",
        &["1998-05-18", "1999-05-17"],
    );
    expect("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "2026-11-26", &["2027-11-25"]);
}

#[test]
fn count_and_until_end_a_series() {
    ends("FREQ=DAILY;COUNT=3", "2026-12-30", &["2026-12-31", "2027-01-01"]);
    ends("FREQ=DAILY;COUNT=1", "2026-12-30", &[]);
    // The open task counts, even on a day that the rule does not have.
    ends("FREQ=WEEKLY;BYDAY=MO;COUNT=2", "2026-11-25", &["2026-11-30"]);
    ends(
        "FREQ=WEEKLY;UNTIL=20261215",
        "2026-12-01",
        &["2026-12-08", "2026-12-15"],
    );
    ends("FREQ=WEEKLY;UNTIL=20261214", "2026-12-01", &["2026-12-08"]);
    ends("FREQ=WEEKLY;UNTIL=20200101", "2026-12-01", &[]);
    let at = "2026-12-01T10:00:00Z";
    ends("FREQ=DAILY;UNTIL=20261202T100000Z", at, &["2026-12-02T10:00:00Z"]);
    ends("FREQ=DAILY;UNTIL=20261202T095959Z", at, &[]);
    let last = after(&series("FREQ=DAILY;COUNT=3", "2026-12-30", None)).unwrap();
    assert_eq!(last.rule.to_string(), "FREQ=DAILY;COUNT=2");
    ends("daily", "9999-12-30", &["9999-12-31"]);
    ends("daily", "9999-12-30T12:00:00Z", &["9999-12-31T12:00:00Z"]);
    expect("daily", "0001-01-01", &["0001-01-02"]);
    expect("weekly", "0001-01-01T00:00:00Z", &["0001-01-08T00:00:00Z"]);
    expect("FREQ=YEARLY;BYMONTHDAY=1", "9900-12-31", &["9901-01-01"]);
}

/// Rule, due, zone, completed, next.
type Completed = (
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
    &'static str,
);

const COMPLETED: &[Completed] = &[
    (
        "FREQ=DAILY;INTERVAL=3",
        "2026-12-01",
        None,
        "2026-12-10T12:00:00Z",
        "2026-12-13",
    ),
    // Early: three days from then, even if that is the old due date or before it.
    (
        "FREQ=DAILY;INTERVAL=3",
        "2026-12-11",
        None,
        "2026-12-08T12:00:00Z",
        "2026-12-11",
    ),
    ("daily", "2026-12-11", None, "2026-12-01T12:00:00Z", "2026-12-02"),
    ("weekly", "2026-12-01", None, "2026-12-10T12:00:00Z", "2026-12-17"),
    // The day of the completion is told in the zone of the series.
    ("daily", "2026-12-01", None, "2026-12-10T23:30:00Z", "2026-12-11"),
    (
        "daily",
        "2026-12-01",
        Some("Europe/Berlin"),
        "2026-12-10T23:30:00Z",
        "2026-12-12",
    ),
    (
        "daily",
        "2026-12-01",
        Some("America/New_York"),
        "2026-12-10T03:00:00Z",
        "2026-12-10",
    ),
    // A due time keeps its time of day.
    (
        "daily",
        "2026-12-01T08:00:00Z",
        None,
        "2026-12-10T06:00:00Z",
        "2026-12-11T08:00:00Z",
    ),
    (
        "monthly",
        "2026-07-15T07:00:00Z",
        Some("Europe/Berlin"),
        "2026-10-20T20:00:00Z",
        "2026-11-20T08:00:00Z",
    ),
    // A named day is the next of its name, never the one that was done early.
    (
        "FREQ=WEEKLY;BYDAY=MO",
        "2026-12-07",
        None,
        "2026-12-10T12:00:00Z",
        "2026-12-14",
    ),
    (
        "FREQ=WEEKLY;BYDAY=MO",
        "2026-12-07",
        None,
        "2026-12-06T12:00:00Z",
        "2026-12-14",
    ),
    (
        "FREQ=WEEKLY;BYDAY=MO",
        "2026-12-07",
        None,
        "2026-11-02T12:00:00Z",
        "2026-12-14",
    ),
    (
        "FREQ=WEEKLY;BYDAY=MO",
        "2026-12-07",
        None,
        "2026-12-14T12:00:00Z",
        "2026-12-21",
    ),
    (
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO",
        "2026-12-07",
        None,
        "2026-12-10T12:00:00Z",
        "2026-12-21",
    ),
    (
        "FREQ=MONTHLY;BYMONTHDAY=1",
        "2026-12-01",
        None,
        "2026-12-20T12:00:00Z",
        "2027-01-01",
    ),
    // A day that only the completion names is the last of a month without it.
    (
        "monthly",
        "2026-01-15",
        None,
        "2026-01-31T12:00:00Z",
        "2026-02-28",
    ),
    (
        "monthly",
        "2026-01-15",
        None,
        "2026-01-30T12:00:00Z",
        "2026-02-28",
    ),
    (
        "monthly",
        "2026-01-15",
        None,
        "2026-03-31T12:00:00Z",
        "2026-04-30",
    ),
    (
        "FREQ=MONTHLY;INTERVAL=12",
        "2026-01-15",
        None,
        "2028-02-29T12:00:00Z",
        "2029-02-28",
    ),
    (
        "FREQ=YEARLY;BYMONTH=2,3",
        "2026-02-15",
        None,
        "2026-01-31T12:00:00Z",
        "2026-02-28",
    ),
    ("yearly", "2026-01-15", None, "2028-02-29T12:00:00Z", "2029-02-28"),
    ("yearly", "2026-01-15", None, "2026-05-31T12:00:00Z", "2027-05-31"),
];

#[test]
fn a_completion_begins_the_series_anew() {
    for (rule, due, zone, completed, expected) in COMPLETED {
        let mut series = series(rule, due, *zone);
        series.from = RecurrenceFrom::Completion;
        let completed = Timestamp::parse(completed).unwrap();
        let next = CalendarRecurrences.next(&series, completed).unwrap();
        assert_eq!(
            next.due.to_string(),
            *expected,
            "{rule}, due {due}, done {completed}"
        );
    }
}

#[test]
fn a_completion_counts_down_and_ends_too() {
    let mut series = series("FREQ=DAILY;INTERVAL=2;COUNT=2", "2026-12-01", None);
    series.from = RecurrenceFrom::Completion;
    let done = Timestamp::parse("2026-12-05T12:00:00Z").unwrap();
    let next = CalendarRecurrences.next(&series, done).unwrap();
    assert_eq!(next.due.to_string(), "2026-12-07");
    let series = follow(&series, next);
    assert_eq!(CalendarRecurrences.next(&series, done), None);
}
