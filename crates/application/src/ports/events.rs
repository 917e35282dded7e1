//! The store of security events.

use async_trait::async_trait;
use errand_domain::UserId;
use errand_domain::event::SecurityEvent;

use super::StoreError;

/// Security events. Most are written by the store calls that they are about, in the same step. Of each user the
/// newest [`errand_domain::event::KEPT`] are kept, and apart from them the newest
/// [`errand_domain::event::KEPT_FAILURES`] of those that are failures.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Keeps an event that is about no other call, soon: nobody waits for it, so that the time of an answer does
    /// not tell whether there is an account to keep it for. Nothing happens if the account is gone.
    fn note(&self, owner: UserId, event: &SecurityEvent);

    /// The newest events, at most so many, newest (greatest id) first.
    async fn list(&self, owner: UserId, most: u32) -> Result<Vec<SecurityEvent>, StoreError>;
}
