//! The store of accounts.

use async_trait::async_trait;
use errand_domain::account::{Email, LoginName, PasswordHash, User, Username};
use errand_domain::event::SecurityEvent;
use errand_domain::session::Session;
use errand_domain::task::Task;
use errand_domain::{Timestamp, UserId};

use super::{DeletedTask, NewSession, StoreError};

/// An account to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// The address; unique by [`Email::key`].
    pub email: Email,
    /// The name; unique by [`Username::key`].
    pub username: Username,
    /// Of its password.
    pub password: PasswordHash,
    /// When.
    pub created_at: Timestamp,
}

/// An account with what is needed to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// Its stored hash.
    pub password: PasswordHash,
    /// Since when nobody may sign in to it.
    pub disabled_at: Option<Timestamp>,
}

/// An account as the administration sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// The account.
    pub user: User,
    /// Since when nobody may sign in to it.
    pub disabled_at: Option<Timestamp>,
}

/// Everything that is held of one user, but for secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountExport {
    /// The account.
    pub user: User,
    /// Its living sessions, oldest first.
    pub sessions: Vec<Session>,
    /// Its tasks by id.
    pub tasks: Vec<Task>,
    /// Its deleted tasks by id, without what was erased.
    pub deleted: Vec<DeletedTask>,
    /// Its security events, oldest first.
    pub events: Vec<SecurityEvent>,
}

/// Accounts. Whoever is given an `event` keeps it in the same step, if what it is about happens.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes an account, and its first session if one is given. Fails with `Conflict` if address or name is
    /// taken, the address reported first; of parallel attempts exactly one must succeed.
    async fn register(
        &self,
        account: &NewAccount,
        session: Option<NewSession>,
        event: &SecurityEvent,
    ) -> Result<User, StoreError>;

    /// The account that a sign-in name means.
    async fn credentials(&self, name: &LoginName) -> Result<Option<Credentials>, StoreError>;

    /// The account with its stored hash, by id.
    async fn find(&self, owner: UserId) -> Result<Option<Credentials>, StoreError>;

    /// Replaces the stored hash if it still is `expected`, ends **every** session and starts `session`, if one
    /// is given, at the time of the event (which `updated_at` follows). `false`, and nothing done, if the hash is
    /// another by now, or if a session is to start and the account is disabled.
    async fn change_password(
        &self,
        owner: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
        session: Option<NewSession>,
        event: &SecurityEvent,
    ) -> Result<bool, StoreError>;

    /// Replaces the stored hash by one of the same password if it still is `expected`. `updated_at` stays.
    async fn renew_hash(
        &self,
        owner: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError>;

    /// Removes the account with everything that is the user's, if its stored hash still is `expected`; its
    /// sessions end. `false`, and nothing done, if the account is gone or the hash is another by now. An id is
    /// never given again.
    async fn delete(&self, owner: UserId, expected: &PasswordHash) -> Result<bool, StoreError>;

    /// Everything held of the user as of one moment; sessions that live at `at`. `None` if the account is gone.
    async fn export(&self, owner: UserId, at: Timestamp) -> Result<Option<AccountExport>, StoreError>;

    /// Lets nobody sign in any more, from the time of the event, and ends every session. `false`, and nothing
    /// done, if the account is gone or disabled already. `updated_at` stays.
    async fn disable(&self, owner: UserId, event: &SecurityEvent) -> Result<bool, StoreError>;

    /// Lets the user sign in again. `false`, and nothing done, if the account is gone or is not disabled.
    async fn enable(&self, owner: UserId, event: &SecurityEvent) -> Result<bool, StoreError>;

    /// All accounts with a greater id than `after`, by id, at most `most`. For the administration alone.
    async fn accounts(&self, after: Option<UserId>, most: u32) -> Result<Vec<AccountState>, StoreError>;
}
