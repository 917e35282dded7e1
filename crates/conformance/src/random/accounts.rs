//! Accounts on both sides.

use std::collections::BTreeSet;
use std::time::Duration;

use errand_application::ports::{NewAccount, StoreError, UniqueKey};
use errand_domain::Timestamp;

use super::history::{ADDRESSES, Event, NAMES};
use super::people::Pair;
use super::world::{Different, World, fine};
use crate::fixtures::{email, hash, login, username};

/// So long a deleted task must be kept at least; how long more is the adapter's affair.
pub(super) const TRASH_LIFE: Duration = Duration::from_hours(24);

impl World {
    pub(super) async fn account(&mut self, event: &Event) -> Result<(), Different> {
        let (model, store) = (self.model_stores.accounts.clone(), self.store.accounts.clone());
        let stored = |n: usize| hash(["first", "second"][n]);
        match *event {
            Event::Register { address, name, hash } => {
                let account = NewAccount {
                    email: email(ADDRESSES[address]),
                    username: username(NAMES[name]),
                    password: stored(hash),
                    created_at: self.now,
                };
                let (session, incident) = (self.session(), self.incident());
                let made = taken(model.register(&account, Some(session.clone()), &incident).await)?;
                let also = taken(store.register(&account, Some(session.clone()), &incident).await)?;
                match (made, also) {
                    (Ok(made), Ok(also)) => {
                        self.people.add(made.id, also.id);
                        self.remember(self.people.all().len() - 1, &session);
                        self.same(Ok(made), Ok(also)).map(drop)
                    }
                    (Err(made), Err(also)) if made == also => Ok(()),
                    (made, also) => Err(format!("the model says {made:?} and the store {also:?}")),
                }
            }
            Event::Credentials { name } => {
                let name = login(ADDRESSES.iter().chain(&NAMES).nth(name).unwrap());
                self.same(model.credentials(&name).await, store.credentials(&name).await)
                    .map(drop)
            }
            Event::Account { who } => {
                let who = self.people.get(who);
                self.same(model.find(who.model).await, store.find(who.store).await)
                    .map(drop)
            }
            Event::ChangePassword { who, expected, new } => {
                let (pair, session) = (self.people.get(who), self.session());
                let (expected, new, incident) = (stored(expected), stored(new), self.incident());
                let changed = self.same(
                    model
                        .change_password(pair.model, &expected, &new, Some(session.clone()), &incident)
                        .await,
                    store
                        .change_password(pair.store, &expected, &new, Some(session.clone()), &incident)
                        .await,
                )?;
                if changed {
                    self.remember(who, &session);
                }
                Ok(())
            }
            Event::RenewHash { who, expected, new } => {
                let (who, expected, new) = (self.people.get(who), stored(expected), stored(new));
                let renewed = model.renew_hash(who.model, &expected, &new).await;
                self.same(renewed, store.renew_hash(who.store, &expected, &new).await)
                    .map(drop)
            }
            Event::DeleteAccount { who } => {
                let who = self.people.get(who);
                let (Some(kept), Some(also)) = (
                    fine(model.find(who.model).await)?,
                    fine(store.find(who.store).await)?,
                ) else {
                    let nobodys = stored(0);
                    let deleted = model.delete(who.model, &nobodys).await;
                    return self
                        .same(deleted, store.delete(who.store, &nobodys).await)
                        .map(drop);
                };
                let deleted = model.delete(who.model, &kept.password).await;
                self.same(deleted, store.delete(who.store, &also.password).await)
                    .map(drop)
            }
            Event::Disable { who } => {
                let (who, incident) = (self.people.get(who), self.incident());
                let disabled = model.disable(who.model, &incident).await;
                self.same(disabled, store.disable(who.store, &incident).await)
                    .map(drop)
            }
            Event::Enable { who } => {
                let (who, incident) = (self.people.get(who), self.incident());
                let enabled = model.enable(who.model, &incident).await;
                self.same(enabled, store.enable(who.store, &incident).await)
                    .map(drop)
            }
            Event::Export { who } => self.export(self.people.get(who)).await,
            _ => Ok(()),
        }
    }

    /// Compares all that is held of somebody. Old trash may be gone from the store.
    pub(super) async fn export(&self, who: Pair) -> Result<(), Different> {
        let mut model = self.model_stores.accounts.export(who.model, self.now).await;
        let store = self.store.accounts.export(who.store, self.now).await;
        if let (Ok(Some(model)), Ok(Some(store))) = (&mut model, &store) {
            let kept: BTreeSet<_> = store.deleted.iter().map(|d| d.task.id).collect();
            let old = |at: Timestamp| self.now.since(at) > TRASH_LIFE;
            model
                .deleted
                .retain(|d| kept.contains(&d.task.id) || !old(d.deleted_at));
        }
        self.same(model, store).map(drop)
    }
}

/// An answer or what is taken, where another failure is none.
fn taken<T>(answer: Result<T, StoreError>) -> Result<Result<T, UniqueKey>, Different> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(StoreError::Conflict(key)) => Ok(Err(key)),
        Err(error) => fine(Err(error)),
    }
}
