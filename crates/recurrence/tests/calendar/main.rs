//! What `CalendarRecurrences` answers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code: a failed expectation is the point"
)]

mod agreement;
mod clocks;
mod hostile;
mod table;
mod zones;

use errand_domain::Timestamp;
use errand_domain::task::Recurrences;
use errand_domain::task::{Due, Next, RecurrenceFrom, Rule, Series, TimeZone};
use errand_recurrence::CalendarRecurrences;

fn series(rule: &str, due: &str, zone: Option<&str>) -> Series {
    Series {
        rule: Rule::parse(rule).unwrap_or_else(|fault| panic!("{rule}: {fault}")),
        from: RecurrenceFrom::Due,
        due: Due::parse(due).unwrap(),
        meant: None,
        zone: zone.map(|zone| TimeZone::parse(zone).unwrap()),
    }
}

/// The series after its open task is done, if it goes on. When it is done must not matter.
fn after(series: &Series) -> Option<Series> {
    let at = |text| Timestamp::parse(text).unwrap();
    let next = CalendarRecurrences.next(series, at("2001-02-03T04:05:06Z"));
    assert_eq!(next, CalendarRecurrences.next(series, at("2099-01-01T00:00:00Z")));
    next.map(|next| follow(series, next))
}

fn follow(series: &Series, next: Next) -> Series {
    let Next { due, rule, meant } = next;
    Series {
        rule,
        due,
        meant,
        ..series.clone()
    }
}

/// The next `count` due dates, each counted from the one before it.
fn chain(mut series: Series, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    while found.len() < count
        && let Some(next) = after(&series)
    {
        found.push(next.due.to_string());
        series = next;
    }
    found
}
