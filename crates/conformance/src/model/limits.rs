//! Limits in memory.

use async_trait::async_trait;
use errand_application::ports::{Bucket, LimitStore, StoreError};
use errand_domain::Timestamp;
use errand_domain::limit::Take;

use super::{Model, State};

impl State {
    /// Takes one out of a bucket.
    pub(crate) fn take(&mut self, bucket: &Bucket, at: Timestamp) -> Take {
        let take = bucket.allowance.take(self.limits.get(&bucket.key).copied(), at);
        let (Take::Taken { full_at } | Take::Refused { full_at, .. }) = take;
        self.limits.insert(bucket.key, full_at);
        take
    }
}

#[async_trait]
impl LimitStore for Model {
    async fn take(&self, buckets: &[Bucket], at: Timestamp) -> Result<Vec<Take>, StoreError> {
        Ok(self.with(|state| buckets.iter().map(|bucket| state.take(bucket, at)).collect()))
    }

    async fn give_back(&self, buckets: &[Bucket]) -> Result<(), StoreError> {
        self.with(|state| {
            for bucket in buckets {
                if let Some(full_at) = state.limits.get_mut(&bucket.key) {
                    *full_at = bucket.allowance.give_back(*full_at);
                }
            }
        });
        Ok(())
    }
}
