//! How a task repeats.

use chrono::NaiveDateTime;

use crate::fault::Fault;

mod parse;
mod rule;
mod zone;

use super::due::Due;
pub use rule::{COUNT_MAX, Day, End, Frequency, INTERVAL_MAX, LIST_MAX, RULE_MAX_CHARS, Rule, WEEKDAYS_MAX};
pub use zone::{TIME_ZONE_MAX_CHARS, TimeZone};

/// What the next due date is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecurrenceFrom {
    /// The due date: the series keeps its rhythm, however late a task was done.
    #[default]
    Due,
    /// The day of the completion, as if the series began on it. A due time keeps its time of day.
    Completion,
}

impl RecurrenceFrom {
    /// Reads `due` or `completion`, in any letter case.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        [Self::Due, Self::Completion]
            .into_iter()
            .find(|from| from.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Fault::new("invalid-value", "must be due or completion"))
    }

    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Completion => "completion",
        }
    }
}

/// All that decides when a task that repeats is due next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// When it repeats.
    pub rule: Rule,
    /// What is counted from.
    pub from: RecurrenceFrom,
    /// When the task is due that is open now.
    pub due: Due,
    /// See [`Next::meant`]. Counts only while it still leads to `due`, so that nobody need empty it when due
    /// date or zone change.
    pub meant: Option<NaiveDateTime>,
    /// Where a due time keeps its time of day, and where the day of a completion is told; `None` is UTC.
    pub zone: Option<TimeZone>,
}

/// What follows in a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// When the successor is due.
    pub due: Due,
    /// The successor's rule: one fewer of `COUNT`, otherwise the same.
    pub rule: Rule,
    /// The wall-clock time that the rule means, if the clock skips it and `due` is therefore later. Without it
    /// a chore at 02:30 would stay at 03:30 ever after.
    pub meant: Option<NaiveDateTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_one_or_the_other() {
        assert_eq!(RecurrenceFrom::parse("DUE"), Ok(RecurrenceFrom::default()));
        assert_eq!(
            RecurrenceFrom::parse("completion"),
            Ok(RecurrenceFrom::Completion)
        );
        assert_eq!(RecurrenceFrom::parse("").unwrap_err().code, "invalid-value");
    }
}
