//! Accounts with a defect.

use async_trait::async_trait;
use errand_application::ports::{
    AccountExport, AccountState, AccountStore, Credentials, NewAccount, NewSession, StoreError, UniqueKey,
};
use errand_domain::account::{LoginName, PasswordHash, User};
use errand_domain::event::SecurityEvent;
use errand_domain::{Timestamp, UserId};

use super::{Broken, Defect};
use crate::model::State;

impl Broken {
    /// What this store thinks is taken.
    fn thinks_taken(&self, state: &State, account: &NewAccount) -> Option<UniqueKey> {
        let others = || state.accounts.values().map(|a| &a.user);
        match self.defect {
            Defect::FoldsAddressesByAscii => {
                let key = |text: &str| text.to_ascii_lowercase();
                let mine = key(account.email.as_str());
                others()
                    .any(|u| key(u.email.as_str()) == mine)
                    .then_some(UniqueKey::Email)
            }
            Defect::NamesByLetterCase => {
                let taken = state.taken(account);
                taken.filter(|key| {
                    *key == UniqueKey::Email || others().any(|u| u.username == account.username)
                })
            }
            Defect::ReportsNameFirst => {
                let name = others().any(|u| u.username.key() == account.username.key());
                let taken = state.taken(account);
                taken.map(|key| if name { UniqueKey::Username } else { key })
            }
            _ => state.taken(account),
        }
    }
}

#[async_trait]
impl AccountStore for Broken {
    async fn register(
        &self,
        account: &NewAccount,
        session: Option<NewSession>,
        event: &SecurityEvent,
    ) -> Result<User, StoreError> {
        if let Some(key) = self.model.with(|state| self.thinks_taken(state, account)) {
            return Err(StoreError::Conflict(key));
        }
        if self.is(Defect::RegistersInTwoSteps) {
            tokio::task::yield_now().await;
        }
        Ok(self.model.with(|state| {
            if self.is(Defect::ReusesAccountIds) {
                state.last_user = state.accounts.keys().last().map_or(0, |id| id.0);
            }
            let mut made = account.clone();
            if self.is(Defect::CutsMicroseconds) {
                let millis = made.created_at.micros() / 1000;
                made.created_at = Timestamp::from_micros(millis * 1000).unwrap();
            }
            let user = state.add(&made, session.as_ref(), event);
            let left_behind = self.left_behind.lock().unwrap().remove(&user.email.key());
            if let Some(tasks) = left_behind.filter(|_| self.is(Defect::KeepsTasksOfDeleted))
                && let Some(added) = state.accounts.get_mut(&user.id)
            {
                added.tasks = tasks;
            }
            user
        }))
    }

    async fn credentials(&self, name: &LoginName) -> Result<Option<Credentials>, StoreError> {
        self.model.credentials(name).await
    }

    async fn find(&self, owner: UserId) -> Result<Option<Credentials>, StoreError> {
        AccountStore::find(&self.model, owner).await
    }

    async fn change_password(
        &self,
        owner: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
        session: Option<NewSession>,
        event: &SecurityEvent,
    ) -> Result<bool, StoreError> {
        let stored = AccountStore::find(&self.model, owner).await?;
        let Some(stored) = stored.map(|credentials| credentials.password) else {
            return Ok(false);
        };
        match self.defect {
            Defect::IgnoresExpectedHash => {
                self.model
                    .change_password(owner, &stored, new, session, event)
                    .await
            }
            Defect::ChangesPasswordInTwoSteps => {
                if stored != *expected {
                    return Ok(false);
                }
                tokio::task::yield_now().await;
                let now = AccountStore::find(&self.model, owner).await?.unwrap().password;
                self.model.change_password(owner, &now, new, session, event).await
            }
            Defect::KeepsSessionsOnPasswordChange => Ok(self.model.with(|state| {
                let account = state.accounts.get_mut(&owner);
                let Some(account) = account.filter(|a| a.password == *expected) else {
                    return false;
                };
                account.password = new.clone();
                account.user.updated_at = event.at.following(account.user.updated_at);
                account.add_session(session.as_ref().unwrap());
                account.keep(event);
                true
            })),
            _ => {
                self.model
                    .change_password(owner, expected, new, session, event)
                    .await
            }
        }
    }

    async fn renew_hash(
        &self,
        owner: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let renewed = self.model.renew_hash(owner, expected, new).await?;
        if renewed && self.is(Defect::RenewalMovesTime) {
            self.model.with(|state| {
                if let Some(account) = state.accounts.get_mut(&owner) {
                    account.user.updated_at = account.user.updated_at.following(account.user.updated_at);
                }
            });
        }
        Ok(renewed)
    }

    async fn delete(&self, owner: UserId, expected: &PasswordHash) -> Result<bool, StoreError> {
        let recorded = self.model.with(|state| {
            let tasks = state
                .accounts
                .get(&owner)
                .map(|a| (a.user.email.key(), a.tasks.clone()));
            self.left_behind.lock().unwrap().extend(tasks);
            state.ended.len()
        });
        let now = self
            .model
            .with(|state| state.accounts.get(&owner).map(|a| a.password.clone()));
        let proven = now
            .filter(|_| self.is(Defect::DeletesUnproven))
            .unwrap_or_else(|| expected.clone());
        let deleted = AccountStore::delete(&self.model, owner, &proven).await?;
        if self.is(Defect::DeletesAccountSilently) {
            self.model.with(|state| state.ended.truncate(recorded));
        }
        Ok(deleted)
    }

    async fn export(&self, owner: UserId, at: Timestamp) -> Result<Option<AccountExport>, StoreError> {
        let mut export = self.model.export(owner, at).await?;
        if let Some(export) = &mut export
            && self.is(Defect::ExportsExpiredSessions)
        {
            export.sessions = self.model.with(|state| {
                let held = state
                    .accounts
                    .get(&owner)
                    .into_iter()
                    .flat_map(|a| a.sessions.values());
                held.map(|h| h.session.clone()).collect()
            });
        }
        if let Some(export) = &mut export
            && self.is(Defect::ExportsNoEvents)
        {
            export.events.clear();
        }
        Ok(export)
    }

    async fn disable(&self, owner: UserId, event: &SecurityEvent) -> Result<bool, StoreError> {
        let before = self.model.with(|state| {
            let account = state.accounts.get(&owner);
            account.map(|a| (a.sessions.clone(), state.ended.len()))
        });
        let disabled = self.model.disable(owner, event).await?;
        if let Some((sessions, recorded)) = before
            && self.is(Defect::DisablesSilently)
        {
            self.model.with(|state| {
                state.accounts.get_mut(&owner).unwrap().sessions = sessions;
                state.ended.truncate(recorded);
            });
        }
        Ok(disabled)
    }

    async fn enable(&self, owner: UserId, event: &SecurityEvent) -> Result<bool, StoreError> {
        self.model.enable(owner, event).await
    }

    async fn accounts(&self, after: Option<UserId>, most: u32) -> Result<Vec<AccountState>, StoreError> {
        self.model.accounts(after, most).await
    }
}
