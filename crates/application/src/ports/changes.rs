//! What the store of tasks says to those who follow the changes.

use errand_domain::TaskId;
use errand_domain::changes::ChangesPlace;
use errand_domain::task::Task;

/// What a follower has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Keep the task as it is here, whatever was kept of it.
    Upsert(Box<Task>),
    /// Forget the task, if it was kept.
    Delete(TaskId),
}

/// A page of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangesPage {
    /// In the order of their last change, each task at most once.
    pub changes: Vec<Change>,
    /// From where to go on.
    pub next: ChangesPlace,
    /// Whether there is more now.
    pub has_more: bool,
}
