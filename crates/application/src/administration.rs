//! Use cases of the administration: accounts from the outside, without being signed in to them.

use std::sync::Arc;

use errand_domain::account::{Email, LoginName, User, Username};
use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_domain::{Fault, UserId};
use secrecy::SecretString;

use crate::events::{Recorder, log};
use crate::ports::{
    AccountState, AccountStore, HasherError, NewAccount, PasswordHasher, StoreError, UniqueKey,
};

/// Which account is meant.
#[derive(Debug, Clone)]
pub enum Which {
    /// The one that is signed in to by this name.
    Name(LoginName),
    /// The one with this id.
    Id(UserId),
}

/// An account that is as was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// The account.
    pub user: User,
    /// Whether it was otherwise before.
    pub changed: bool,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// A password that may not be.
    #[error("the password {0}")]
    Password(#[from] Fault),
    /// Another account has this address.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// Another account has this name.
    #[error("another account has this user name")]
    UsernameTaken,
    /// The account changed at the same moment.
    #[error("the account was changed at the same moment; try again")]
    Raced,
    /// Hashing.
    #[error(transparent)]
    Hasher(#[from] HasherError),
    /// The store.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for AdministrationError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(UniqueKey::Email) => Self::EmailTaken,
            StoreError::Conflict(UniqueKey::Username) => Self::UsernameTaken,
            other => Self::Store(other),
        }
    }
}

/// The administration of accounts. Whoever can call it may do everything; running replicas learn what ended from
/// the record of ended sessions.
pub struct AdministrationService {
    accounts: Arc<dyn AccountStore>,
    hasher: Arc<dyn PasswordHasher>,
    recorder: Recorder,
}

impl AdministrationService {
    /// A service on these ports.
    pub fn new(accounts: Arc<dyn AccountStore>, hasher: Arc<dyn PasswordHasher>, recorder: Recorder) -> Self {
        Self {
            accounts,
            hasher,
            recorder,
        }
    }

    /// Accounts with a greater id than `after`, by id, at most `most`.
    pub async fn list(
        &self,
        after: Option<UserId>,
        most: u32,
    ) -> Result<Vec<AccountState>, AdministrationError> {
        Ok(self.accounts.accounts(after, most).await?)
    }

    /// Makes an account without a session. Without a name one is made from the address.
    pub async fn create(
        &self,
        email: Email,
        username: Option<Username>,
        password: SecretString,
    ) -> Result<User, AdministrationError> {
        let password = self.hasher.judge(password, &email).await??;
        let event = self.event(EventKind::Registered);
        let account = NewAccount {
            username: username.unwrap_or_else(|| Username::derived(&email, None)),
            email,
            password: self.hasher.hash(password.secret().clone()).await?,
            created_at: event.at,
        };
        let user = self.accounts.register(&account, None, &event).await?;
        log(Some(user.id), &event);
        Ok(user)
    }

    /// Lets nobody sign in to an account any more; its sessions end.
    pub async fn disable(&self, which: &Which) -> Result<Switched, AdministrationError> {
        let user = self.find(which).await?;
        let event = self.event(EventKind::Disabled);
        let changed = self.accounts.disable(user.id, &event).await?;
        self.switched(user, changed, &event).await
    }

    /// Lets its user sign in again.
    pub async fn enable(&self, which: &Which) -> Result<Switched, AdministrationError> {
        let user = self.find(which).await?;
        let event = self.event(EventKind::Enabled);
        let changed = self.accounts.enable(user.id, &event).await?;
        self.switched(user, changed, &event).await
    }

    async fn switched(
        &self,
        user: User,
        changed: bool,
        event: &SecurityEvent,
    ) -> Result<Switched, AdministrationError> {
        if changed {
            log(Some(user.id), event);
        } else {
            // Or gone meanwhile.
            self.find(&Which::Id(user.id)).await?;
        }
        Ok(Switched { user, changed })
    }

    /// Sets another password; all sessions end, and a disabled account stays so.
    pub async fn set_password(
        &self,
        which: &Which,
        password: SecretString,
    ) -> Result<User, AdministrationError> {
        let user = self.find(which).await?;
        let password = self.hasher.judge(password, &user.email).await??;
        let hash = self.hasher.hash(password.secret().clone()).await?;
        let event = self.event(EventKind::PasswordSet);
        // The hash is read as late as can be: a sign-in may renew it at any time.
        let stored = self.accounts.find(user.id).await?;
        let stored = stored.ok_or(AdministrationError::NoAccount)?.password;
        if !self
            .accounts
            .change_password(user.id, &stored, &hash, None, &event)
            .await?
        {
            return Err(AdministrationError::Raced);
        }
        log(Some(user.id), &event);
        Ok(user)
    }

    /// Removes an account with everything in it.
    pub async fn delete(&self, which: &Which) -> Result<User, AdministrationError> {
        let user = self.find(which).await?;
        let stored = self.accounts.find(user.id).await?;
        let stored = stored.ok_or(AdministrationError::NoAccount)?.password;
        if !self.accounts.delete(user.id, &stored).await? {
            return Err(AdministrationError::Raced);
        }
        tracing::info!(event = "account-deleted", user_id = user.id.0, "security event");
        Ok(user)
    }

    /// The account that is meant.
    pub async fn find(&self, which: &Which) -> Result<User, AdministrationError> {
        let found = match which {
            Which::Name(name) => self.accounts.credentials(name).await?,
            Which::Id(id) => self.accounts.find(*id).await?,
        };
        Ok(found.ok_or(AdministrationError::NoAccount)?.user)
    }

    fn event(&self, kind: EventKind) -> SecurityEvent {
        self.recorder.event(kind, &Origin::default(), None)
    }
}

#[cfg(test)]
mod tests {
    use errand_domain::account::{NewPassword, PasswordHash};

    use super::AdministrationError::{NoAccount, Raced};
    use super::*;
    use crate::ports::{MockAccountStore, MockPasswordHasher};
    use crate::test_support::{FixedClock, credentials, recorder, user};

    fn service(accounts: MockAccountStore) -> AdministrationService {
        let mut hasher = MockPasswordHasher::new();
        hasher
            .expect_judge()
            .returning(|password, email| Ok(NewPassword::parse(password, email)));
        hasher
            .expect_hash()
            .returning(|_| Ok(PasswordHash::new("new".into())));
        let recorder = recorder(&Arc::new(FixedClock::default()));
        AdministrationService::new(Arc::new(accounts), Arc::new(hasher), recorder)
    }

    fn knowing_ann() -> MockAccountStore {
        let mut accounts = MockAccountStore::new();
        accounts.expect_find().returning(|id| {
            let known = id == UserId(1);
            Ok(known.then(|| credentials(1)))
        });
        accounts
    }

    const ANN: Which = Which::Id(UserId(1));

    fn password(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn an_account_is_made_without_a_session() {
        let mut accounts = MockAccountStore::new();
        accounts
            .expect_register()
            .withf(|account, session, event| {
                let made = account.username.as_str() == "ann" && account.password.as_str() == "new";
                made && session.is_none() && event.kind == EventKind::Registered
            })
            .times(1)
            .returning(|_, _, _| Ok(user(1)));
        let email = Email::parse("ann@example.com").unwrap();
        let service = service(accounts);
        let made = service.create(email, None, password("a fine long passphrase"));
        assert_eq!(made.await.unwrap().id, UserId(1));
    }

    #[tokio::test]
    async fn the_policy_holds_for_the_administration_too() {
        let accounts = knowing_ann();
        let service = service(accounts);
        for bad in ["short", "password", "ann@example.com"] {
            let set = service.set_password(&ANN, password(bad)).await;
            assert!(matches!(set, Err(AdministrationError::Password(_))), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_set_password_starts_no_session() {
        let mut accounts = knowing_ann();
        accounts
            .expect_change_password()
            .withf(|_, old, new, session, event| {
                let replaced = old.as_str() == "stored" && new.as_str() == "new";
                replaced && session.is_none() && event.kind == EventKind::PasswordSet
            })
            .times(1)
            .returning(|_, _, _, _, _| Ok(true));
        let service = service(accounts);
        let set = service.set_password(&ANN, password("a fine long passphrase"));
        assert!(set.await.is_ok());
    }

    #[tokio::test]
    async fn what_is_so_already_is_no_failure() {
        let mut accounts = knowing_ann();
        for changes in [true, false] {
            accounts
                .expect_disable()
                .times(1)
                .returning(move |_, _| Ok(changes));
            accounts
                .expect_enable()
                .times(1)
                .returning(move |_, _| Ok(changes));
        }
        let service = service(accounts);
        for changed in [true, false] {
            let disabled = service.disable(&ANN).await.unwrap();
            let enabled = service.enable(&ANN).await.unwrap();
            assert_eq!((disabled.changed, enabled.changed), (changed, changed));
            assert_eq!(disabled.user.id, UserId(1));
        }
    }

    #[tokio::test]
    async fn an_account_that_goes_meanwhile_is_not_there() {
        let mut accounts = MockAccountStore::new();
        accounts
            .expect_find()
            .times(1)
            .returning(|_| Ok(Some(credentials(1))));
        accounts.expect_find().times(1).returning(|_| Ok(None));
        accounts.expect_disable().returning(|_, _| Ok(false));
        assert!(matches!(service(accounts).disable(&ANN).await, Err(NoAccount)));
    }

    #[tokio::test]
    async fn what_is_not_there_or_changes_meanwhile_is_said() {
        let mut accounts = knowing_ann();
        accounts.expect_delete().returning(|_, _| Ok(false));
        let service = service(accounts);
        assert!(matches!(service.delete(&ANN).await, Err(Raced)));
        assert!(matches!(
            service.delete(&Which::Id(UserId(2))).await,
            Err(NoAccount)
        ));
    }
}
