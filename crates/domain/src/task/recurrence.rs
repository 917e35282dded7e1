//! How a task repeats.

use chrono::NaiveDateTime;

use crate::fault::{Fault, FieldFault};
use crate::time::Timestamp;

mod parse;
mod rule;
mod zone;

use super::due::Due;
use crate::id::TaskId;
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

/// How a task repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// When.
    pub rule: Rule,
    /// What is counted from.
    pub from: RecurrenceFrom,
    /// See [`Series::meant`].
    pub meant: Option<NaiveDateTime>,
}

impl Recurrence {
    /// By this rule, from nothing but what is seen of the task.
    pub fn new(rule: Rule, from: RecurrenceFrom) -> Self {
        Self {
            rule,
            from,
            meant: None,
        }
    }
}

/// What a task that was completed has given on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOn {
    /// How it repeated. It does so again when it is reopened, unless the successor goes its own way by then.
    pub recurrence: Recurrence,
    /// The task that followed; `None` if it was the last.
    pub successor: Option<TaskId>,
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

/// The calendar behind tasks that repeat.
///
/// Nothing here waits or asks for the time, so that a store may call it within a unit of work. The search goes
/// 100 years ahead and no further, whatever the rule: a call takes 5 ms at the very most, and microseconds for
/// a series that has passed [`check`](Self::check).
pub trait Recurrences: Send + Sync {
    /// Whether there is such a zone.
    fn knows(&self, zone: &TimeZone) -> bool;

    /// What is wrong with the fields of a series together: a `time_zone` that does not exist; a `recurrence`
    /// that does not fit the kind of the due date, or that does not occur within 100 years after it
    /// (`COUNT` and `UNTIL` aside, which may well make this the last one).
    fn check(&self, series: &Series) -> Result<(), Vec<FieldFault>>;

    /// What follows when the open task of the series is done at `completed_at`; `None` when the series ends:
    /// by `COUNT`, by `UNTIL`, or with the year 9999.
    ///
    /// * Counted from the due date: the first occurrence after it, be it long past.
    /// * Counted from the completion: the first after its day in the zone of the series, as if the series began
    ///   on that day (the place of `INTERVAL`, and the day if the rule names none). A rule that names its days
    ///   does not give the same day again, nor an earlier one, to who was early. Of a rule that names none, a
    ///   month without the day has it on its last.
    /// * A date is a day of the calendar in every zone. A time keeps its time of day in the zone of the series;
    ///   one that the clock skips is later by the gap, one that comes twice is the first.
    fn next(&self, series: &Series, completed_at: Timestamp) -> Option<Next>;
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
