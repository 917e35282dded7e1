//! Tasks on both sides.

use errand_domain::TaskId;
use errand_domain::query::{PageStart, TaskPage, TaskQuery};

use super::history::{Event, MOST_TASKS};
use super::world::{Different, Place, WALK_LIFE, World, fine};

impl World {
    pub(super) async fn task(&mut self, event: &Event) -> Result<(), Different> {
        let (model, store) = (self.model_stores.tasks.clone(), self.store.tasks.clone());
        match event {
            Event::Create { who, key, task, late } => {
                let (who, now) = (self.people.get(*who), self.time(*late));
                let key = format!("key {key} of {}", self.epoch);
                let made = model.create(who.model, &key, task, MOST_TASKS, now).await;
                self.same(made, store.create(who.store, &key, task, MOST_TASKS, now).await)
                    .map(drop)
            }
            Event::Find { who, task } => {
                let (who, id) = (self.people.get(*who), TaskId(*task));
                self.same(model.find(who.model, id).await, store.find(who.store, id).await)
                    .map(drop)
            }
            Event::Change {
                who,
                task,
                change,
                late,
            } => {
                let (who, id, now) = (self.people.get(*who), TaskId(*task), self.time(*late));
                let changed = model.change(who.model, id, change, now).await;
                self.same(changed, store.change(who.store, id, change, now).await)
                    .map(drop)
            }
            Event::Delete { who, task } => {
                let (who, id, now) = (self.people.get(*who), TaskId(*task), self.now);
                let deleted = model.delete(who.model, id, now).await;
                self.same(deleted, store.delete(who.store, id, now).await)
                    .map(drop)
            }
            Event::Page { who, query } => {
                let start = PageStart::Offset(query.offset);
                let place = Place {
                    owner: *who,
                    query: TaskQuery {
                        filter: query.filter.clone(),
                        sort: query.sort,
                        start,
                        limit: query.limit,
                        count: query.count,
                    },
                    model: start,
                    store: start,
                    begun_at: self.now,
                };
                self.read(place).await
            }
            Event::NextPage { who, place } => {
                if self.places.is_empty() {
                    return Ok(());
                }
                let place = self.places.remove(place % self.places.len());
                match who {
                    // Somebody else tries the reader's place; the reader goes on from it later.
                    Some(who) => {
                        let stolen = Place {
                            owner: *who,
                            query: place.query.clone(),
                            ..place
                        };
                        let forgotten = self.places.len();
                        self.read(stolen).await?;
                        self.places.truncate(forgotten);
                        self.places.push(place);
                        Ok(())
                    }
                    None => self.read(place).await,
                }
            }
            _ => Ok(()),
        }
    }

    /// Reads a page on both sides and remembers where the next begins.
    async fn read(&mut self, place: Place) -> Result<(), Different> {
        let (who, seed) = (self.people.get(place.owner), self.seed());
        let [for_model, for_store] = [place.model, place.store].map(|start| TaskQuery {
            start,
            ..place.query.clone()
        });
        let model = fine(self.model_stores.tasks.page(who.model, &for_model, seed).await)?;
        let store = fine(self.store.tasks.page(who.store, &for_store, seed).await)?;
        if store.is_none() && self.now.since(place.begun_at) > WALK_LIFE {
            return Ok(());
        }
        let next = |page: &Option<TaskPage>| page.as_ref().and_then(|page| page.next);
        let (model_next, store_next) = (next(&model), next(&store));
        // How far into a walk a place is, each side counts for itself.
        let alike = match (model_next, store_next) {
            (Some(PageStart::Walk { id, .. }), Some(PageStart::Walk { id: other, .. })) => id == other,
            (model, store) => model == store,
        };
        if !alike {
            return Err(format!(
                "the next page is {model_next:?} and in the store {store_next:?}"
            ));
        }
        let without = |page: Option<TaskPage>| page.map(|page| TaskPage { next: None, ..page });
        self.same(Ok(without(model)), Ok(without(store)))?;
        if let (Some(model), Some(store)) = (model_next, store_next) {
            self.places.push(Place {
                model,
                store,
                ..place
            });
        }
        Ok(())
    }
}
