//! Limits with a defect.

use async_trait::async_trait;
use errand_application::ports::{Bucket, LimitStore, StoreError};
use errand_domain::Timestamp;
use errand_domain::limit::Take;

use super::{Broken, Defect};

#[async_trait]
impl LimitStore for Broken {
    async fn take(&self, buckets: &[Bucket], at: Timestamp) -> Result<Vec<Take>, StoreError> {
        if self.is(Defect::TakesInTwoSteps) {
            let known = self.model.with(|state| state.limits.clone());
            tokio::task::yield_now().await;
            return Ok(self.model.with(|state| {
                let take = |bucket: &Bucket| {
                    match known.get(&bucket.key) {
                        Some(full_at) => state.limits.insert(bucket.key, *full_at),
                        None => state.limits.remove(&bucket.key),
                    };
                    state.take(bucket, at)
                };
                buckets.iter().map(take).collect()
            }));
        }
        let takes = self.model.take(buckets, at).await?;
        if self.is(Defect::OneRefusesAll) && takes.iter().any(|t| matches!(t, Take::Refused { .. })) {
            self.model.give_back(buckets).await?;
        }
        Ok(takes)
    }

    async fn give_back(&self, buckets: &[Bucket]) -> Result<(), StoreError> {
        if self.is(Defect::GivesBackEverything) {
            self.model.with(|state| {
                for bucket in buckets {
                    state.limits.remove(&bucket.key);
                }
            });
        }
        self.model.give_back(buckets).await
    }
}
