//! What the store of tasks says of the trash.

use errand_domain::Timestamp;
use errand_domain::task::Task;
use errand_domain::trash::{self, TrashPlace};

/// A task in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedTask {
    /// As it was when it was deleted.
    pub task: Task,
    /// When that was.
    pub deleted_at: Timestamp,
}

impl DeletedTask {
    /// When it is no longer kept.
    pub fn purge_at(&self) -> Timestamp {
        trash::purge_at(self.deleted_at)
    }

    /// Where it lies.
    pub fn place(&self) -> TrashPlace {
        TrashPlace {
            deleted_at: self.deleted_at,
            id: self.task.id,
        }
    }
}

/// A page of the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashPage {
    /// Newest deletion first.
    pub tasks: Vec<DeletedTask>,
    /// Behind what the next page begins, if there is more.
    pub next: Option<TrashPlace>,
}

/// What became of taking a task back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, and nearly always the task"
)]
pub enum Restored {
    /// It is there again.
    Task(Task),
    /// It is not in the trash.
    Absent,
    /// The owner has as many tasks as may be.
    Full,
}
