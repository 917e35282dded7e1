//! The store of limits.

use async_trait::async_trait;
use errand_domain::Timestamp;
use errand_domain::limit::{Allowance, Take};
use errand_domain::session::Digest;

use super::StoreError;

/// A bucket: which, and by what rule it empties and fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Tells nothing of whom or what is limited.
    pub key: Digest,
    /// The rule; always the same for one key.
    pub allowance: Allowance,
}

/// Buckets, shared by all replicas.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
#[async_trait]
pub trait LimitStore: Send + Sync {
    /// Takes one out of each of some different buckets by [`Allowance::take`]; what came of it, in their order.
    /// Of parallel calls none may take what another took. One that is refused leaves the others taken.
    async fn take(&self, buckets: &[Bucket], at: Timestamp) -> Result<Vec<Take>, StoreError>;

    /// Puts one back into each by [`Allowance::give_back`]. A bucket that is not known is full already.
    async fn give_back(&self, buckets: &[Bucket]) -> Result<(), StoreError>;
}
