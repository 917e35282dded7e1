//! Accounts in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use errand_application::ports::{
    AccountExport, AccountState, AccountStore, Credentials, NewAccount, NewSession, StoreError, UniqueKey,
};
use errand_domain::account::{LoginName, PasswordHash, User};
use errand_domain::event::SecurityEvent;
use errand_domain::{Timestamp, UserId};

use super::{Account, Model, State};

impl State {
    /// What of a new account is taken, the address first.
    pub(crate) fn taken(&self, account: &NewAccount) -> Option<UniqueKey> {
        let users = || self.accounts.values().map(|a| &a.user);
        if users().any(|u| u.email.key() == account.email.key()) {
            Some(UniqueKey::Email)
        } else if users().any(|u| u.username.key() == account.username.key()) {
            Some(UniqueKey::Username)
        } else {
            None
        }
    }

    /// Adds an account that takes nobody's place.
    pub(crate) fn add(
        &mut self,
        account: &NewAccount,
        session: Option<&NewSession>,
        event: &SecurityEvent,
    ) -> User {
        self.last_user += 1;
        let user = User {
            id: UserId(self.last_user),
            username: account.username.clone(),
            email: account.email.clone(),
            created_at: account.created_at,
            updated_at: account.created_at,
        };
        let mut added = Account {
            user: user.clone(),
            password: account.password.clone(),
            disabled_at: None,
            sessions: BTreeMap::new(),
            events: BTreeMap::new(),
            last_task: 0,
            tasks: BTreeMap::new(),
            deleted: BTreeMap::new(),
            keys: BTreeMap::new(),
            requests: BTreeMap::new(),
            walks: BTreeMap::new(),
            changes: 0,
            places: BTreeMap::new(),
            forgotten: 0,
            erased: BTreeMap::new(),
        };
        if let Some(session) = session {
            added.add_session(session);
        }
        added.keep(event);
        self.accounts.insert(user.id, added);
        user
    }
}

impl Account {
    /// The account as its user signs in to it.
    pub(crate) fn credentials(&self) -> Credentials {
        Credentials {
            user: self.user.clone(),
            password: self.password.clone(),
            disabled_at: self.disabled_at,
        }
    }

    /// Everything held but secrets.
    pub(crate) fn export(&self, at: Timestamp) -> AccountExport {
        AccountExport {
            user: self.user.clone(),
            sessions: self.living(at),
            tasks: self.tasks.values().cloned().collect(),
            deleted: self.deleted.values().cloned().collect(),
            events: self.events.values().cloned().collect(),
        }
    }
}

#[async_trait]
impl AccountStore for Model {
    async fn register(
        &self,
        account: &NewAccount,
        session: Option<NewSession>,
        event: &SecurityEvent,
    ) -> Result<User, StoreError> {
        self.with(|state| match state.taken(account) {
            Some(key) => Err(StoreError::Conflict(key)),
            None => Ok(state.add(account, session.as_ref(), event)),
        })
    }

    async fn credentials(&self, name: &LoginName) -> Result<Option<Credentials>, StoreError> {
        let meant = |user: &User| match name {
            LoginName::Email(email) => user.email.key() == email.key(),
            LoginName::Username(username) => user.username.key() == username.key(),
        };
        Ok(self.with(|state| {
            let mut accounts = state.accounts.values();
            accounts.find(|a| meant(&a.user)).map(Account::credentials)
        }))
    }

    async fn find(&self, owner: UserId) -> Result<Option<Credentials>, StoreError> {
        Ok(self.with(|state| state.accounts.get(&owner).map(Account::credentials)))
    }

    async fn change_password(
        &self,
        owner: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
        session: Option<NewSession>,
        event: &SecurityEvent,
    ) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            let Some(account) = state.accounts.get_mut(&owner) else {
                return false;
            };
            if account.password != *expected || session.is_some() && account.disabled_at.is_some() {
                return false;
            }
            account.password = new.clone();
            account.user.updated_at = event.at.following(account.user.updated_at);
            state.ended.extend(account.end_all());
            if let Some(session) = &session {
                account.add_session(session);
            }
            account.keep(event);
            true
        }))
    }

    async fn renew_hash(
        &self,
        owner: UserId,
        expected: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            let account = state.accounts.get_mut(&owner);
            let Some(account) = account.filter(|a| a.password == *expected) else {
                return false;
            };
            account.password = new.clone();
            true
        }))
    }

    async fn delete(&self, owner: UserId, expected: &PasswordHash) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            if state
                .accounts
                .get(&owner)
                .is_none_or(|account| account.password != *expected)
            {
                return false;
            }
            let Some(mut account) = state.accounts.remove(&owner) else {
                return false;
            };
            state.ended.extend(account.end_all());
            true
        }))
    }

    async fn export(&self, owner: UserId, at: Timestamp) -> Result<Option<AccountExport>, StoreError> {
        Ok(self.with(|state| state.accounts.get(&owner).map(|account| account.export(at))))
    }

    async fn disable(&self, owner: UserId, event: &SecurityEvent) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            let account = state.accounts.get_mut(&owner);
            let Some(account) = account.filter(|a| a.disabled_at.is_none()) else {
                return false;
            };
            account.disabled_at = Some(event.at);
            state.ended.extend(account.end_all());
            account.keep(event);
            true
        }))
    }

    async fn enable(&self, owner: UserId, event: &SecurityEvent) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            let account = state.accounts.get_mut(&owner);
            let Some(account) = account.filter(|a| a.disabled_at.is_some()) else {
                return false;
            };
            account.disabled_at = None;
            account.keep(event);
            true
        }))
    }

    async fn accounts(&self, after: Option<UserId>, most: u32) -> Result<Vec<AccountState>, StoreError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(self.with(|state| {
            let listed = state
                .accounts
                .values()
                .filter(|account| after.is_none_or(|after| account.user.id > after));
            listed
                .take(most)
                .map(|account| AccountState {
                    user: account.user.clone(),
                    disabled_at: account.disabled_at,
                })
                .collect()
        }))
    }
}
