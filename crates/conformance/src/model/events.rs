//! Security events in memory.

use async_trait::async_trait;
use errand_application::ports::{EventStore, StoreError};
use errand_domain::UserId;
use errand_domain::event::{KEPT, KEPT_FAILURES, SecurityEvent};
use uuid::Uuid;

use super::{Account, Model};

impl Account {
    /// Keeps an event, and of its class no more than may be.
    pub(crate) fn keep(&mut self, event: &SecurityEvent) {
        self.events.insert(event.id, event.clone());
        let failure = event.kind.is_failure();
        let most = if failure { KEPT_FAILURES } else { KEPT };
        let of_its_class = |event: &&SecurityEvent| event.kind.is_failure() == failure;
        let ids: Vec<Uuid> = self
            .events
            .values()
            .filter(of_its_class)
            .map(|event| event.id)
            .collect();
        let too_many = ids
            .len()
            .saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
        for id in ids.iter().take(too_many) {
            self.events.remove(id);
        }
    }
}

#[async_trait]
impl EventStore for Model {
    fn note(&self, owner: UserId, event: &SecurityEvent) {
        self.with(|state| {
            if let Some(account) = state.accounts.get_mut(&owner) {
                account.keep(event);
            }
        });
    }

    async fn list(&self, owner: UserId, most: u32) -> Result<Vec<SecurityEvent>, StoreError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(self.with(|state| {
            let account = state.accounts.get(&owner);
            let newest = account.into_iter().flat_map(|a| a.events.values().rev());
            newest.take(most).cloned().collect()
        }))
    }
}
