//! The calendar behind tasks that repeat.

use errand_domain::task::{Next, Series};
use errand_domain::{FieldFault, Timestamp};

/// Says when a series goes on.
///
/// Nothing here waits or asks for the time, so that a store may call it within a unit of work. The search goes
/// 100 years ahead and no further, whatever the rule: a call takes 5 ms at the very most, and microseconds for
/// a series that has passed [`check`](Self::check).
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
pub trait Recurrences: Send + Sync {
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
