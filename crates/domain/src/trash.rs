//! The trash: where deleted tasks wait.

use std::time::Duration;

use crate::id::TaskId;
use crate::time::Timestamp;

/// So long a deleted task can be taken back.
pub const KEPT: Duration = Duration::from_hours(30 * 24);
/// The most deleted tasks of one user that are kept, whatever their age.
pub const MOST: u32 = 10_000;
/// So many that are not kept any longer go with one deletion, oldest first: more than come in with it.
pub const AT_ONCE: u32 = 20;

/// A place in the trash: behind this task, newest deletion first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrashPlace {
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// Tells those of one moment apart; greater ones come first.
    pub id: TaskId,
}

/// What was deleted then or earlier is over.
pub fn over(now: Timestamp) -> Timestamp {
    now.minus(KEPT)
}

/// When a deletion is over.
pub fn purge_at(deleted_at: Timestamp) -> Timestamp {
    deleted_at.plus(KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_is_over_when_it_says() {
        let at = Timestamp::parse("2026-11-23T07:00:00.000001Z").unwrap();
        assert_eq!(over(purge_at(at)), at);
        assert_eq!(
            purge_at(at),
            Timestamp::parse("2026-12-23T07:00:00.000001Z").unwrap()
        );
    }
}
