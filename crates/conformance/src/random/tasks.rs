//! Tasks on both sides.

use std::cmp::Ordering;

use errand_application::ports::Work;
use errand_domain::TaskId;
use errand_domain::query::{PageStart, TaskPage, TaskQuery};

use crate::fixtures::request;

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
                expected,
                change,
                late,
            } => {
                let (who, id, now) = (self.people.get(*who), TaskId(*task), self.time(*late));
                let changed = model
                    .change_if(who.model, id, expected, change, MOST_TASKS, now)
                    .await;
                let in_store = store
                    .change_if(who.store, id, expected, change, MOST_TASKS, now)
                    .await;
                self.same(changed, in_store).map(drop)
            }
            Event::Work { who, key, operations } => {
                let (who, now) = (self.people.get(*who), self.now);
                let request = key.map(|key| request(&format!("{key}"), operations));
                let work = Work {
                    operations: operations.clone(),
                    request,
                    most: MOST_TASKS,
                    at: now,
                };
                let worked = model.work(who.model, &work).await;
                self.same(worked, store.work(who.store, &work).await).map(drop)
            }
            Event::Delete { who, task, expected } => {
                let (who, id, now) = (self.people.get(*who), TaskId(*task), self.now);
                let deleted = model.delete_if(who.model, id, expected, now).await;
                let in_store = store.delete_if(who.store, id, expected, now).await;
                self.same(deleted, in_store).map(drop)
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

    pub(super) async fn trash(&mut self, event: &Event) -> Result<(), Different> {
        let (model, store) = (self.model_stores.tasks.clone(), self.store.tasks.clone());
        let now = self.now;
        match event {
            Event::Trash { who, limit } => {
                let who = self.people.get(*who);
                let mut after = None;
                loop {
                    let page = model.trash(who.model, after, *limit, now).await;
                    let in_store = store.trash(who.store, after, *limit, now).await;
                    after = self.same(page, in_store)?.next;
                    if after.is_none() {
                        return Ok(());
                    }
                }
            }
            Event::Restore { who, task } => {
                let (who, id) = (self.people.get(*who), TaskId(*task));
                let restored = model.restore(who.model, id, MOST_TASKS, now).await;
                let in_store = store.restore(who.store, id, MOST_TASKS, now).await;
                self.same(restored, in_store).map(drop)
            }
            Event::Erase { who, task } => {
                let (who, id) = (self.people.get(*who), TaskId(*task));
                let erased = model.erase(who.model, id, now).await;
                self.same(erased, store.erase(who.store, id, now).await).map(drop)
            }
            Event::Purge { who } => {
                let who = self.people.get(*who);
                let purged = model.purge(who.model, 2, now).await;
                self.same(purged, store.purge(who.store, 2, now).await).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The counter of a page is the owner's, and has moved if the model's has since the last page.
    async fn counted(
        &mut self,
        owner: usize,
        model: Option<&TaskPage>,
        store: Option<&TaskPage>,
    ) -> Result<(), Different> {
        let (Some(model), Some(store)) = (model, store) else {
            return Ok(());
        };
        let now = fine(self.store.tasks.changes(self.people.get(owner).store).await)?;
        let last = self.counters.insert(owner, (model.changes, store.changes));
        let moved = last.is_none_or(|(before, in_store)| match model.changes.cmp(&before) {
            // The account went.
            Ordering::Less => true,
            Ordering::Equal => store.changes >= in_store,
            Ordering::Greater => store.changes > in_store,
        });
        if store.changes == now && moved {
            return Ok(());
        }
        Err(format!(
            "the page is of counter {}, the owner's is {now}; before it was {last:?} in model and store",
            store.changes
        ))
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
        self.counted(place.owner, model.as_ref(), store.as_ref()).await?;
        // By how much a counter moves is the store's own affair.
        let without = |page: Option<TaskPage>| {
            page.map(|page| TaskPage {
                next: None,
                changes: 0,
                ..page
            })
        };
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
