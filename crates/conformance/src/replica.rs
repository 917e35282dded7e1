//! Somebody's tasks elsewhere, made of nothing but the changes.

use std::collections::BTreeMap;

use errand_application::ports::{Change, ChangesPage};
use errand_domain::changes::ChangesPlace;
use errand_domain::task::Task;
use errand_domain::{TaskId, UserId};

use crate::fixtures::{filtered, follow};
use crate::harness::Stores;

/// What a follower has, and how far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Replica {
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    pub(crate) place: Option<ChangesPlace>,
}

impl Replica {
    /// Does what a page says.
    pub(crate) fn apply(&mut self, page: ChangesPage) {
        for change in page.changes {
            match change {
                Change::Upsert(task) => self.tasks.insert(task.id, *task),
                Change::Delete(id) => self.tasks.remove(&id),
            };
        }
        self.place = Some(page.next);
    }

    /// Reads and applies a page; `None` if the place has expired.
    pub(crate) async fn try_read(&mut self, stores: &Stores, owner: UserId, limit: u32) -> Option<bool> {
        let page = stores.tasks.changes_since(owner, self.place, limit).await;
        let page = page.unwrap()?;
        assert!(page.changes.len() <= limit as usize, "more than the limit");
        assert!(!page.has_more || page.changes.len() == limit as usize, "a gap");
        let has_more = page.has_more;
        self.apply(page);
        Some(has_more)
    }

    /// The same from a place that is known; whether there is more.
    pub(crate) async fn read(&mut self, stores: &Stores, owner: UserId, limit: u32) -> bool {
        let read = self.try_read(stores, owner, limit).await;
        read.expect("the place is known")
    }

    /// Reads to the end; the number of pages.
    pub(crate) async fn catch_up(&mut self, stores: &Stores, owner: UserId, limit: u32) -> usize {
        for pages in 1..1000 {
            if !self.read(stores, owner, limit).await {
                return pages;
            }
        }
        panic!("the changes do not end");
    }

    /// It has what the list shows.
    pub(crate) async fn is_equal(&self, stores: &Stores, owner: UserId) {
        let mut listed = follow(
            stores,
            owner,
            &filtered(errand_domain::query::TaskFilter::default()),
        )
        .await;
        listed.sort_by_key(|task| task.id);
        assert_eq!(self.tasks.values().cloned().collect::<Vec<_>>(), listed);
    }
}
