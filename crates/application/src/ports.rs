//! What the services need of the outside.
//!
//! Every store method takes the owner first and is **one atomic step**: it happens as a whole or not at all,
//! is durable when it answers `Ok`, and goes on to its end even if the caller stops waiting. Something of
//! another owner behaves like something absent. No transaction crosses a port.

mod accounts;
mod changes;
mod clock;
mod events;
mod health;
mod imports;
mod limits;
mod passwords;
mod sessions;
mod tasks;
mod tokens;
mod trash;

pub use accounts::{AccountExport, AccountState, AccountStore, Credentials, NewAccount};
pub use changes::{Change, ChangesPage};
pub use clock::{Clock, Entropy};
pub use events::EventStore;
pub use health::{DatabaseHealth, Seen};
pub use imports::{Arrival, ArrivingTask, ArrivingUser, Holdings, ImportStore, KnownTask, KnownUser, Run};
pub use limits::{Bucket, LimitStore};
pub use passwords::{HasherError, PasswordHasher, Verdict};
pub use sessions::{Ended, EndedCursor, NewSession, NextRefresh, Rotation, SessionStore, Start};
pub use tasks::{Created, Request, TaskStore, WalkSeed, Work, Worked, Written};
pub use tokens::{AccessClaims, TokenSigner, VerifiedToken};
pub use trash::{DeletedTask, Restored, TrashPage};

#[cfg(any(test, feature = "test-support"))]
pub use {
    accounts::MockAccountStore,
    clock::{MockClock, MockEntropy},
    events::MockEventStore,
    health::MockDatabaseHealth,
    imports::MockImportStore,
    limits::MockLimitStore,
    passwords::MockPasswordHasher,
    sessions::MockSessionStore,
    tasks::MockTaskStore,
    tokens::MockTokenSigner,
};

/// An adapter's own error, kept as the source of a typed one.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How a store fails.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A value that must be unique is taken; nothing was written.
    #[error("{0:?} is taken")]
    Conflict(UniqueKey),
    /// The database answers others, and so many wait for it that this caller was not let in; nothing was done.
    #[error("too many wait for the database")]
    Crowded,
    /// The database did not answer in time or not at all; a write may or may not have taken effect.
    #[error("the database is unavailable")]
    Unavailable(#[source] BoxError),
    /// The database holds something that cannot be, or refused a statement that should be right.
    #[error("the database is broken")]
    Broken(#[source] BoxError),
}

/// What must be unique among all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UniqueKey {
    /// The address, case-folded.
    Email,
    /// The user name, in lower case.
    Username,
}
