//! Replicas of people's tasks.

use errand_domain::task::Task;

use super::accounts::TRASH_LIFE;
use super::people::{InModelIds, Pair};
use super::world::{Different, World, fine};
use crate::fixtures::at;
use crate::replica::Replica;

impl World {
    /// Reads so many pages of somebody's changes from the store. With nothing left to read the replica must be
    /// what the model holds; in which steps it got there is the store's own affair.
    pub(super) async fn follow(&mut self, who: Pair, limit: u32, pages: usize) -> Result<(), Different> {
        let mut replica = self.replicas.remove(&who.store).unwrap_or_default();
        for _ in 0..pages {
            if !self.read_changes(who, &mut replica, limit).await? {
                self.is_equal(who, &replica)?;
                break;
            }
        }
        self.replicas.insert(who.store, replica);
        Ok(())
    }

    /// Reads and applies one page; whether there is more.
    async fn read_changes(&self, who: Pair, replica: &mut Replica, limit: u32) -> Result<bool, Different> {
        let store = self.store.tasks.clone();
        let mut page = fine(store.changes_since(who.store, replica.place, limit).await)?;
        if page.is_none() {
            if self.now.since(at(0)) <= TRASH_LIFE {
                return Err(format!("{:?} has expired", replica.place));
            }
            *replica = Replica::default();
            page = fine(store.changes_since(who.store, None, limit).await)?;
        }
        let Some(page) = page.in_model_ids(&self.people) else {
            return Err("the beginning has expired".to_owned());
        };
        let (told, limit, has_more) = (page.changes.len(), limit as usize, page.has_more);
        if told > limit || has_more && told < limit {
            return Err(format!("a page of {told}, and more: {has_more}"));
        }
        replica.apply(page);
        Ok(has_more)
    }

    fn is_equal(&self, who: Pair, replica: &Replica) -> Result<(), Different> {
        let held = self.model.with(|state| {
            let account = state.accounts.get(&who.model)?;
            Some(account.tasks.values().cloned().collect::<Vec<Task>>())
        });
        let kept: Vec<Task> = replica.tasks.values().cloned().collect();
        match held {
            Some(held) if held != kept => Err(format!(
                "the model holds\n  {held:?}\nand the replica\n  {kept:?}"
            )),
            // Who is gone is told nothing any more.
            _ => Ok(()),
        }
    }
}
