//! The store of tasks.

use async_trait::async_trait;
use errand_domain::changes::ChangesPlace;
use errand_domain::idempotency::IdempotencyKey;
use errand_domain::query::{TaskPage, TaskQuery};
use errand_domain::session::Digest;
use errand_domain::task::{Expected, NewTask, Operation, Outcome, Refusal, Task, TaskChange};
use errand_domain::trash::TrashPlace;
use errand_domain::{FieldFault, TaskId, Timestamp, UserId};
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
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, and nearly always the task"
)]
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
    /// The owner has as many tasks as may be, and one was to follow.
    Full,
    /// It would not be a task any more.
    Invalid(Vec<FieldFault>),
    /// It is more than may be done at once.
    TooMuch,
}

impl<T> From<Refusal> for Written<T> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Absent => Self::Absent,
            Refusal::Stale => Self::Stale,
            Refusal::Full => Self::Full,
            Refusal::Invalid(faults) => Self::Invalid(faults),
            Refusal::TooMuch => Self::TooMuch,
        }
    }
}

impl<T> Written<T> {
    /// What was written, if it was.
    pub fn done(self) -> Option<T> {
        match self {
            Self::Done(written) => Some(written),
            Self::Stale | Self::Absent | Self::Full | Self::Invalid(_) | Self::TooMuch => None,
        }
    }
}

/// What a request is known by when it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its name, among those of its user.
    pub key: IdempotencyKey,
    /// Of what it asks for.
    pub fingerprint: Digest,
}

/// Operations that are done together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// One after the other.
    pub operations: Vec<Operation>,
    /// By what they are known when they come again.
    pub request: Option<Request>,
    /// The most tasks of a user.
    pub most: u32,
    /// Now.
    pub at: Timestamp,
}

/// What became of operations that are done together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worked {
    /// All are done.
    Done {
        /// What each came to.
        outcomes: Vec<Outcome>,
        /// Whether that was the last time, and these are the outcomes of then.
        replayed: bool,
    },
    /// None is done, because of these, by their place.
    Refused(Vec<(usize, Refusal)>),
    /// The key is that of a request that asked for something else.
    Reused,
    /// The owner has as many keys as may be, until then.
    TooManyKeys(Timestamp),
    /// The account is gone.
    Gone,
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
    /// changes something is done. `Absent` for absent, deleted and other people's. What completing a task that
    /// repeats makes, and what undoing that takes back, is done in the same step (see
    /// [`errand_domain::task::Board`]); `Full` if the owner has `most` tasks already and one was to follow.
    async fn change_if(
        &self,
        owner: UserId,
        id: TaskId,
        expected: &Expected,
        change: &TaskChange,
        most: u32,
        at: Timestamp,
    ) -> Result<Written<Task>, StoreError>;

    /// The same for whichever version there is, and without a bound.
    async fn change(
        &self,
        owner: UserId,
        id: TaskId,
        change: &TaskChange,
        at: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        let written = self
            .change_if(owner, id, &Expected::Any, change, u32::MAX, at)
            .await?;
        Ok(written.done())
    }

    /// Does operations one after the other as [`errand_domain::task::Board`] does them, all in one step or none.
    /// What so many deletions remove beside (see [`Self::delete_if`]) is removed after the last.
    ///
    /// A request that is known is not done again: of parallel ones with one key one is done, and all are given what
    /// it came to. It is known in the same step in which it is done, for [`errand_domain::idempotency::KEPT`] at
    /// least; one that was refused is not. Beyond [`errand_domain::idempotency::MOST`] keys or
    /// [`errand_domain::idempotency::BYTES_MAX`] of answers further ones are refused. Operations that name tasks with
    /// too much text may all be refused with [`Refusal::TooMuch`].
    async fn work(&self, owner: UserId, work: &Work) -> Result<Worked, StoreError>;

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

    /// Erases what a task in the trash held, for good, from what is answered to known requests as well. That it was deleted stays known until that is over.
    /// `false` for what [`Self::trash`] would not show.
    async fn erase(&self, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, StoreError>;

    /// Removes what the owner deleted and is over at `at`, erased or not, oldest first, at most `most`; how many
    /// that were. Requests that are no longer known go as well.
    async fn purge(&self, owner: UserId, most: u32, at: Timestamp) -> Result<u64, StoreError>;
}
