//! Changes with a defect.

use errand_application::ports::{Change, ChangesPage, StoreError, TaskStore};
use errand_domain::changes::ChangesPlace;
use errand_domain::{TaskId, UserId};

use super::{Broken, Defect};

impl Broken {
    pub(super) async fn broken_changes(
        &self,
        owner: UserId,
        since: Option<ChangesPlace>,
        limit: u32,
    ) -> Result<Option<ChangesPage>, StoreError> {
        let owner = self.model.with(|state| {
            let other = state.accounts.iter().find(|(_, a)| !a.places.is_empty());
            other
                .filter(|_| self.is(Defect::ChangesLeak))
                .map_or(owner, |(other, _)| *other)
        });
        let counter = self.model.change_counter(owner);
        if counter.is_none() && self.is(Defect::ExpiresWithAccount) {
            return Ok(None);
        }
        let page = match (since, counter) {
            (Some(place), Some(counter)) if self.forgives(place, counter) => self
                .model
                .with(|state| Some(state.accounts.get(&owner)?.told(place, limit))),
            (Some(place), _) if self.is(Defect::BeginningExpires) => {
                let place = ChangesPlace {
                    base: place.base.min(place.seq),
                    ..place
                };
                let page = self.model.changes_since(owner, Some(place), limit).await?;
                page.map(|page| ChangesPage {
                    next: ChangesPlace {
                        base: place.base,
                        ..page.next
                    },
                    ..page
                })
            }
            _ => self.model.changes_since(owner, since, limit).await?,
        };
        let Some(mut page) = page else {
            return Ok(None);
        };
        match self.defect {
            Defect::TellsNoDeletion => page.changes.retain(|change| matches!(change, Change::Upsert(_))),
            Defect::SkipsTheRest => page.next.seq = counter.unwrap_or_default(),
            Defect::FollowsCounterAfterwards if !page.has_more => {
                tokio::task::yield_now().await;
                page.next.seq = self.model.change_counter(owner).unwrap_or_default();
            }
            Defect::TellsDeletedTask => self.model.with(|state| {
                let account = state.accounts.get(&owner);
                for change in &mut page.changes {
                    if let Change::Delete(id) = change
                        && let Some(deleted) = account.and_then(|a| a.deleted.get(id))
                    {
                        *change = Change::Upsert(Box::new(deleted.task.clone()));
                    }
                }
            }),
            _ => {}
        }
        Ok(Some(page))
    }

    /// Tells what it should not tell any more.
    fn forgives(&self, place: ChangesPlace, counter: i64) -> bool {
        let ahead = place.seq.max(place.base) > counter;
        self.is(Defect::NoPlaceExpires) && !ahead || self.is(Defect::WaitsForPlace) && ahead
    }

    /// A task's place among the changes.
    pub(super) fn place(&self, owner: UserId, id: TaskId) -> Option<i64> {
        self.model
            .with(|state| state.accounts.get(&owner)?.places.get(&id).copied())
    }

    /// With this defect a task stays at the place where it was.
    pub(super) fn keep_place(&self, defect: Defect, owner: UserId, id: TaskId, place: Option<i64>) {
        let Some(place) = place.filter(|_| self.is(defect)) else {
            return;
        };
        self.model.with(|state| {
            let account = state.accounts.get_mut(&owner)?;
            account.places.insert(id, place)
        });
    }
}
