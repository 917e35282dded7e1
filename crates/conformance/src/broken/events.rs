//! Security events with a defect.

use async_trait::async_trait;
use errand_application::ports::{EventStore, StoreError};
use errand_domain::UserId;
use errand_domain::event::{KEPT_FAILURES, SecurityEvent};

use super::{Broken, Defect};

#[async_trait]
impl EventStore for Broken {
    fn note(&self, owner: UserId, event: &SecurityEvent) {
        self.model.note(owner, event);
        if self.is(Defect::OneRingOfEvents) {
            self.model.with(|state| {
                let Some(account) = state.accounts.get_mut(&owner) else {
                    return;
                };
                while account.events.len() as u64 > KEPT_FAILURES {
                    account.events.pop_first();
                }
            });
        }
    }

    async fn list(&self, owner: UserId, most: u32) -> Result<Vec<SecurityEvent>, StoreError> {
        if self.is(Defect::EventsLeak) {
            return Ok(self.model.with(|state| {
                let all = state.accounts.values().flat_map(|a| a.events.values());
                let mut all: Vec<_> = all.cloned().collect();
                all.sort_by_key(|event| std::cmp::Reverse(event.id));
                all
            }));
        }
        EventStore::list(&self.model, owner, most).await
    }
}
