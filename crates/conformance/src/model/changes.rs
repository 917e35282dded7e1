//! Changes in memory.

use errand_application::ports::{Change, ChangesPage};
use errand_domain::TaskId;
use errand_domain::changes::ChangesPlace;

use super::Account;

impl Account {
    /// A task has changed, or has gone to the trash or from it.
    pub(crate) fn moved(&mut self, id: TaskId) {
        self.changes += 1;
        self.places.insert(id, self.changes);
    }

    /// Deletions are removed, and with them that they were.
    pub(crate) fn forget(&mut self, ids: impl IntoIterator<Item = TaskId>) {
        let places = ids.into_iter().filter_map(|id| self.places.remove(&id));
        if let Some(newest) = places.max() {
            self.changes += 1;
            self.forgotten = self.forgotten.max(newest);
        }
    }

    /// What happened since a place that is known.
    pub(crate) fn changes_since(&self, since: Option<ChangesPlace>, limit: u32) -> Option<ChangesPage> {
        let place = since.unwrap_or(ChangesPlace::beginning(self.changes));
        place
            .is_known(self.changes, self.forgotten)
            .then(|| self.told(place, limit))
    }

    /// What happened since a place.
    pub(crate) fn told(&self, place: ChangesPlace, limit: u32) -> ChangesPage {
        let places = self.places.iter().map(|(id, seq)| (*seq, *id));
        let mut behind: Vec<_> = places.filter(|(seq, _)| *seq > place.seq).collect();
        behind.sort_unstable();
        let limit = limit as usize;
        let has_more = behind.len() > limit;
        behind.truncate(limit);
        let last = behind.last().filter(|_| has_more);
        let next = place.at(last.map_or(self.changes, |(seq, _)| *seq));
        let change = |(_, id)| match self.tasks.get(&id) {
            Some(task) => Change::Upsert(Box::new(task.clone())),
            None => Change::Delete(id),
        };
        ChangesPage {
            changes: behind.into_iter().map(change).collect(),
            next,
            has_more,
        }
    }
}

/// What is told to somebody who is not there.
pub(crate) fn nothing_since(since: Option<ChangesPlace>) -> ChangesPage {
    ChangesPage {
        changes: Vec::new(),
        next: since.unwrap_or(ChangesPlace::beginning(0)),
        has_more: false,
    }
}
