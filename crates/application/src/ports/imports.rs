//! The store of what comes in from other applications.

use async_trait::async_trait;
use errand_domain::account::{Email, PasswordHash, Username};
use errand_domain::session::Digest;
use errand_domain::task::{NewTask, Task};
use errand_domain::{TaskId, Timestamp, UserId};
use uuid::Uuid;

use super::{Credentials, StoreError};

/// A run of the import of one source, as the database remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// By this the receipts of this source know this database.
    pub id: Uuid,
    /// Counts the runs, from 1, and never down; what comes in carries it.
    pub number: i64,
    /// Counts how often a run was begun or gone on with: of two at once the later one has the source.
    pub turn: i64,
}

/// A user who comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivingUser {
    /// Of the row at the source.
    pub key: String,
    /// The wanted id; another one is given if it is taken.
    pub id: Option<UserId>,
    /// Unique by [`Username::key`].
    pub username: Username,
    /// Unique by [`Email::key`].
    pub email: Email,
    /// What the source has of the password.
    pub password: PasswordHash,
    /// As the source says.
    pub created_at: Timestamp,
    /// The same.
    pub updated_at: Timestamp,
    /// Of the above, but for key, id and password.
    pub hash: Digest,
    /// Of the stored password.
    pub password_digest: Digest,
    /// Of [`Email::key`].
    pub email_digest: Digest,
}

/// A task that comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrivingTask {
    /// Of the row at the source.
    pub key: String,
    /// The wanted id; another one is given unless it is greater than all that its owner was given before.
    pub id: Option<TaskId>,
    /// What it holds.
    pub content: NewTask,
    /// When it was done; `None` while it is open.
    pub completed_at: Option<Timestamp>,
    /// As the source says.
    pub created_at: Timestamp,
    /// The same.
    pub updated_at: Timestamp,
    /// Of the above, but for key and id.
    pub hash: Digest,
}

/// What became of a user who was to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// With this id.
    In(UserId),
    /// Another account has the address.
    EmailTaken,
    /// Another account has the name.
    UsernameTaken,
}

/// A user who came in, as it was recorded then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownUser {
    /// See [`ArrivingUser::key`].
    pub key: String,
    /// Who it is here.
    pub id: UserId,
    /// See [`Run::number`].
    pub run: i64,
    /// The run that last gave it what the source had by then.
    pub followed: Option<i64>,
    /// See [`ArrivingUser::hash`].
    pub hash: Digest,
    /// See [`ArrivingUser::password_digest`].
    pub password_digest: Digest,
    /// See [`ArrivingUser::email_digest`].
    pub email_digest: Digest,
    /// See [`ArrivingUser::created_at`].
    pub created_at: Timestamp,
}

/// A task that came in, as it was recorded then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTask {
    /// See [`ArrivingTask::key`].
    pub key: String,
    /// Which one it is here.
    pub id: TaskId,
    /// See [`Run::number`].
    pub run: i64,
    /// The run that last gave it what the source had by then.
    pub followed: Option<i64>,
    /// See [`ArrivingTask::hash`].
    pub hash: Digest,
    /// Whether it is here as it came in; not if it was changed, deleted or removed.
    pub untouched: bool,
}

/// What is here now of a user who came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// The account.
    pub account: Credentials,
    /// Counts the changes of all tasks.
    pub changes: i64,
    /// So many tasks, those in the trash included.
    pub tasks: u64,
}

/// Imports. Nothing of it is safe from whoever may call it: for the administration alone.
///
/// A user or task that came in stays known by the key that it has at the source, as long as its owner is here:
/// what is brought twice comes in once, and what was removed here does not come back.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
#[async_trait]
pub trait ImportStore: Send + Sync {
    /// Begins a run: the one before if that was not finished, else the next. `id` is for a source that is new.
    async fn begin(&self, source: &str, id: Uuid) -> Result<Run, StoreError>;

    /// The last run that was begun, if there is any.
    async fn last(&self, source: &str) -> Result<Option<Run>, StoreError>;

    /// The run came to its end: the next one is another. Nothing is done if somebody else has its turn.
    async fn finish(&self, source: &str, run: Run) -> Result<(), StoreError>;

    /// Whether somebody or something is here that a later run of the source brought.
    async fn came_later(&self, source: &str, run: i64) -> Result<bool, StoreError>;

    /// Nothing of this run is left: it is not gone on with. A source of which nobody is left is forgotten.
    async fn take_back(&self, source: &str, run: i64) -> Result<(), StoreError>;

    /// Ids up to this one are given to nobody who registers.
    async fn reserve(&self, last: UserId) -> Result<(), StoreError>;

    /// Those of these users who are in, in no order.
    async fn known_users(&self, source: &str, keys: &[String]) -> Result<Vec<KnownUser>, StoreError>;

    /// Which of these cannot come in, as far as others have their address or name; in their order.
    async fn collisions(&self, users: &[ArrivingUser]) -> Result<Vec<Option<Arrival>>, StoreError>;

    /// Brings in users, each with tasks: all of them in one step, but for those whose address or name is taken.
    /// What became of each, in their order, with the ids of the tasks in theirs. Of users who are in already only
    /// the tasks come in, as with [`Self::bring_tasks`]. No two users may want the same address or name. Fails with
    /// `Conflict` if somebody took one meanwhile.
    async fn bring(
        &self,
        source: &str,
        run: i64,
        users: &[(ArrivingUser, Vec<ArrivingTask>)],
    ) -> Result<Vec<(Arrival, Vec<TaskId>)>, StoreError>;

    /// Brings in more tasks of a user who is in; their ids in their order. Those that are known keep what they
    /// have. `None` if the account is gone.
    async fn bring_tasks(
        &self,
        owner: UserId,
        run: i64,
        tasks: &[ArrivingTask],
    ) -> Result<Option<Vec<TaskId>>, StoreError>;

    /// Those of these tasks that are known, in no order.
    async fn known_tasks(&self, owner: UserId, keys: &[String]) -> Result<Vec<KnownTask>, StoreError>;

    /// Those whom or of whom something a run brought, with the number of those tasks: some, in the order of their
    /// ids, after this one.
    async fn brought(
        &self,
        source: &str,
        run: i64,
        after: UserId,
    ) -> Result<Vec<(KnownUser, u64)>, StoreError>;

    /// What a run brought of a user's tasks: some, in the order of their keys, after this one.
    async fn brought_tasks(&self, owner: UserId, run: i64, after: &str)
    -> Result<Vec<KnownTask>, StoreError>;

    /// How many tasks of a user are known.
    async fn count_known(&self, owner: UserId) -> Result<u64, StoreError>;

    /// Gives a user who came in what the source has by now, but for the id. `false`, and nothing done, if the account
    /// is no longer as in `expected`. Fails with `Conflict` if address or name is taken.
    async fn follow_user(
        &self,
        run: i64,
        expected: &Credentials,
        user: &ArrivingUser,
    ) -> Result<bool, StoreError>;

    /// Gives tasks that came in what the source has by now; which of them, in their order. Those that are no longer
    /// as they came in are let alone.
    async fn follow_tasks(
        &self,
        owner: UserId,
        run: i64,
        tasks: &[ArrivingTask],
    ) -> Result<Vec<bool>, StoreError>;

    /// What is here of a user. `None` if the account is gone.
    async fn holdings(&self, owner: UserId) -> Result<Option<Holdings>, StoreError>;

    /// Those of these tasks that are here and not in the trash, in no order.
    async fn tasks(&self, owner: UserId, ids: &[TaskId]) -> Result<Vec<Task>, StoreError>;

    /// Removes a user with everything, as if they had never come in; their sessions end. `false`, and nothing
    /// done, if the account is gone, did not come in from this source, or is no longer as in `expected`, if that is
    /// given.
    async fn remove_user(
        &self,
        source: &str,
        owner: UserId,
        expected: Option<Holdings>,
    ) -> Result<bool, StoreError>;

    /// Removes those of these tasks that came in with this run and forgets that they did; how many. Unless
    /// `forced`, those that are no longer as they came in stay.
    async fn remove_tasks(
        &self,
        owner: UserId,
        run: i64,
        keys: &[String],
        forced: bool,
    ) -> Result<u64, StoreError>;
}
