//! The store of tasks.

use async_trait::async_trait;
use errand_domain::changes::ChangesPlace;
use errand_domain::query::{TaskPage, TaskQuery};
use errand_domain::task::{Expected, NewTask, Task, TaskChange};
use errand_domain::trash::TrashPlace;
use errand_domain::{TaskId, Timestamp, UserId};
use uuid::Uuid;

use super::{ChangesPage, Restored, StoreError, TrashPage};

/// What a store needs to remember a walk (see [`errand_domain::query::PageStart::Walk`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalkSeed {
    /// The id that a new walk gets.
    pub id: Uuid,
    /// Now.
    pub at: Timestamp,
}

/// What became of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The task, made now or by an earlier call with the same key.
    Task(Task),
    /// The account is gone, or the key's task was deleted meanwhile.
    Gone,
    /// The owner has as many tasks as may be.
    Full,
}

impl Created {
    /// The task, if there is one.
    pub fn task(self) -> Option<Task> {
        match self {
            Self::Task(task) => Some(task),
            Self::Gone | Self::Full => None,
        }
    }
}

/// What became of a write that is meant for certain versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written<T> {
    /// It took effect.
    Done(T),
    /// The task has another version by now; nothing was written.
    Stale,
    /// There is no such task.
    Absent,
}

impl<T> Written<T> {
    /// What was written, if it was.
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(written) => Some(written),
            Self::Stale | Self::Absent => None,
        }
    }
}

/// Tasks. Every write that changes one moves its owner's change counter in the same step.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
#[async_trait]
pub trait TaskStore: Send + Sync {
    /// Makes a task as [`Task::new`] says, with the owner's next id, if the owner has fewer than `most` that are
    /// not deleted; creations that are under way at once may go beyond that by their number. Repeated with the
    /// same `key` it must give the task that the first call made, as it is now, and make no other.
    async fn create(
        &self,
        owner: UserId,
        key: &str,
        task: &NewTask,
        most: u32,
        at: Timestamp,
    ) -> Result<Created, StoreError>;

    /// One task; `None` for absent, deleted and other people's.
    async fn find(&self, owner: UserId, id: TaskId) -> Result<Option<Task>, StoreError>;

    /// A page: tasks that [`errand_domain::query::TaskFilter::matches`], in the order of
    /// [`errand_domain::query::Sort::compare`]. Followed through `next` to the end it shows every task that
    /// matches throughout exactly once, whatever is written meanwhile. In the order of creation `next` is
    /// `After`; in any other it is a walk, kept for an hour at least. `None` if the walk is no longer known. The tasks are as they
    /// were when the owner's change counter was what the page says.
    async fn page(
        &self,
        owner: UserId,
        query: &TaskQuery,
        seed: WalkSeed,
    ) -> Result<Option<TaskPage>, StoreError>;

    /// The owner's change counter; 0 for who is not there. Cheap: whoever polls asks for no more.
    async fn changes(&self, owner: UserId) -> Result<i64, StoreError>;

    /// What happened to the owner's tasks since a place, or since the beginning, `limit` of it at most. Who begins
    /// with nothing, applies every page and goes on from its `next`, has exactly the owner's tasks, those in the
    /// trash not among them, as they were at the moment of a page that says that there is no more; whatever is
    /// written meanwhile. `None` if deletions that the reader has not seen may have been forgotten (see
    /// [`ChangesPlace::is_known`]): never for who begins, nor before something is removed that was deleted after
    /// that. Nothing, and the place itself, for who is not there.
    async fn changes_since(
        &self,
        owner: UserId,
        since: Option<ChangesPlace>,
        limit: u32,
    ) -> Result<Option<ChangesPage>, StoreError>;

    /// Changes a task as [`Task::apply`] says, if its version is an expected one at that moment, and gives it as
    /// it is then; parallel changes never undo each other, and of those that expect one version only one that
    /// changes something is done. `Absent` for absent, deleted and other people's.
    async fn change_if(
        &self,
        owner: UserId,
        id: TaskId,
        expected: &Expected,
        change: &TaskChange,
        at: Timestamp,
    ) -> Result<Written<Task>, StoreError>;

    /// The same for whichever version there is.
    async fn change(
        &self,
        owner: UserId,
        id: TaskId,
        change: &TaskChange,
        at: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        let written = self.change_if(owner, id, &Expected::Any, change, at).await?;
        Ok(written.done())
    }

    /// Deletes a task, if its version is an expected one at that moment: it goes to the trash. `Absent` for
    /// absent, deleted and other people's. Whatever comes of it, what else the owner deleted and is over at `at` (see
    /// [`errand_domain::trash`]) or lies beneath the newest [`errand_domain::trash::MOST`] is removed, oldest
    /// first, [`errand_domain::trash::AT_ONCE`] at most.
    async fn delete_if(
        &self,
        owner: UserId,
        id: TaskId,
        expected: &Expected,
        at: Timestamp,
    ) -> Result<Written<()>, StoreError>;

    /// The same for whichever version there is; whether it was there.
    async fn delete(&self, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, StoreError> {
        let written = self.delete_if(owner, id, &Expected::Any, at).await?;
        Ok(written.done().is_some())
    }

    /// A page of the trash, behind a place in it: what is neither over at `at` nor erased, newest deletion first,
    /// then greater ids first.
    async fn trash(
        &self,
        owner: UserId,
        after: Option<TrashPlace>,
        limit: u32,
        at: Timestamp,
    ) -> Result<TrashPage, StoreError>;

    /// Takes a task out of the trash as [`Task::restore`] says, if the owner has fewer than `most` that are not
    /// deleted; restorations and creations under way at once may go beyond that by their number. `Absent` for what
    /// [`Self::trash`] would not show.
    async fn restore(
        &self,
        owner: UserId,
        id: TaskId,
        most: u32,
        at: Timestamp,
    ) -> Result<Restored, StoreError>;

    /// Erases what a task in the trash held, for good. That it was deleted stays known until that is over.
    /// `false` for what [`Self::trash`] would not show.
    async fn erase(&self, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, StoreError>;

    /// Removes what the owner deleted and is over at `at`, erased or not, oldest first, at most `most`; how many
    /// that were.
    async fn purge(&self, owner: UserId, most: u32, at: Timestamp) -> Result<u64, StoreError>;
}
