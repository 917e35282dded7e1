//! Password hashing.

use async_trait::async_trait;
use errand_domain::Fault;
use errand_domain::account::{Email, NewPassword, PasswordHash};
use secrecy::SecretString;

use super::BoxError;

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The password is right.
    pub matches: bool,
    /// The stored hash is of an old scheme or cost and should be renewed.
    pub outdated: bool,
}

/// How a hasher fails.
#[derive(Debug, thiserror::Error)]
pub enum HasherError {
    /// Its queue is full, or the wait was too long.
    #[error("too many passwords to hash")]
    Overloaded,
    /// Anything else.
    #[error("hashing failed")]
    Failed(#[source] BoxError),
}

/// Hashes passwords, apart from the threads that serve requests.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// [`NewPassword::parse`]: how easily a password is guessed takes a while to find out, and anybody may ask.
    async fn judge(
        &self,
        password: SecretString,
        email: &Email,
    ) -> Result<Result<NewPassword, Fault>, HasherError>;

    /// A hash in the current scheme and cost.
    async fn hash(&self, password: SecretString) -> Result<PasswordHash, HasherError>;

    /// Compares. Must take the same time whether there is a stored hash, a malformed one or none: somebody
    /// without an account must not be told apart from somebody with a wrong password.
    async fn verify(
        &self,
        password: SecretString,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, HasherError>;
}
