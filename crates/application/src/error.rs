//! The one error type of the services: kinds with stable codes.

use std::time::Duration;

use errand_domain::FieldFault;

use crate::ports::{BoxError, HasherError, StoreError, UniqueKey};

/// What can go wrong in a use case. `http` matches it exhaustively to a status.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Values that break a rule; all of them.
    #[error("invalid values")]
    Invalid(Vec<FieldFault>),
    /// Another account has this address.
    #[error("email already registered")]
    EmailTaken,
    /// Another account has this name.
    #[error("username already taken")]
    UsernameTaken,
    /// Sign-in failed; deliberately says no more.
    #[error("incorrect email or password")]
    BadCredentials,
    /// The password given to confirm a change is not the account's.
    #[error("the current password is not correct")]
    WrongPassword,
    /// No valid access token: broken, expired, revoked, or its user is gone.
    #[error("the access token is not valid")]
    InvalidToken,
    /// No valid refresh token.
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    /// The path names another user than the token.
    #[error("the path is another user's")]
    WrongUser,
    /// This user has no such task.
    #[error("task not found")]
    TaskNotFound,
    /// The task has another version than the writer expects.
    #[error("the task has changed meanwhile")]
    Stale,
    /// The key is that of a request that asked for something else.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// This user has no such session.
    #[error("session not found")]
    SessionNotFound,
    /// The place that a cursor points to is no longer remembered.
    #[error("the cursor has expired")]
    CursorExpired,
    /// Too many attempts of this kind.
    #[error("too many attempts ({})", .0.policy)]
    Limited(Limited),
    /// As many idempotency keys of the user are known as may be.
    #[error("too many idempotency keys")]
    TooManyKeys(Limited),
    /// The user has as many tasks as may be.
    #[error("the user has {most} tasks already")]
    TooManyTasks {
        /// So many.
        most: u32,
    },
    /// Too much to do right now; trying again later helps.
    #[error("overloaded")]
    Overloaded,
    /// Something that the service needs does not answer. Whether a write took effect is unknown.
    #[error("unavailable")]
    Unavailable(#[source] BoxError),
    /// A defect of errand or of its data.
    #[error("internal error")]
    Internal(#[source] BoxError),
}

/// Which limit was met, and when there is room again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// The name of the limit, stable.
    pub policy: &'static str,
    /// So many at once,
    pub burst: u32,
    /// and so many again after this.
    pub window: Duration,
    /// The next one is let through after this.
    pub wait: Duration,
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(UniqueKey::Email) => Self::EmailTaken,
            StoreError::Conflict(UniqueKey::Username) => Self::UsernameTaken,
            StoreError::Crowded => Self::Overloaded,
            StoreError::Unavailable(source) => Self::Unavailable(source),
            StoreError::Broken(source) => Self::Internal(source),
        }
    }
}

impl From<HasherError> for AppError {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Overloaded => Self::Overloaded,
            HasherError::Failed(source) => Self::Internal(source),
        }
    }
}
