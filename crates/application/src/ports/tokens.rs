//! Access tokens.

use errand_domain::account::User;
use errand_domain::{SessionId, Timestamp, UserId};
use uuid::Uuid;

use super::BoxError;

/// What an access token says (contract section 2).
#[derive(Debug, Clone)]
pub struct AccessClaims {
    /// `sub`, `user_id`, `email`, `username`.
    pub user: User,
    /// `sid`.
    pub session: SessionId,
    /// `jti`.
    pub id: Uuid,
    /// `iat`.
    pub issued_at: Timestamp,
    /// `exp`.
    pub expires_at: Timestamp,
}

/// What is believed of a token whose signature and claims are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Whose it is.
    pub user: UserId,
    /// The session that it was given to.
    pub session: SessionId,
}

/// Signs and verifies access tokens.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
pub trait TokenSigner: Send + Sync {
    /// The signed token.
    fn sign(&self, claims: &AccessClaims) -> Result<String, BoxError>;

    /// `None` unless everything about the token is right at this time. Never says what is wrong.
    fn verify(&self, token: &str, now: Timestamp) -> Option<VerifiedToken>;
}
