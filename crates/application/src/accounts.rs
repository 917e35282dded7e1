//! Use cases of accounts: register, sign in, change the password, take the data along, leave.

use std::sync::Arc;

use errand_domain::account::{Email, LoginName, NewPassword, User, Username};
use errand_domain::{Fault, FieldFault};
use secrecy::{ExposeSecret, SecretString};

use crate::actor::Actor;
use crate::error::AppError;
use crate::guard::SessionGuard;
use crate::ports::{
    AccountExport, AccountStore, Clock, Credentials, Entropy, NewAccount, PasswordHasher, StoreError,
    UniqueKey,
};
use crate::sessions::{Grant, SessionService};
use crate::turns::Turns;

/// How many made-up user names are tried before giving up. Each has nine million alternatives.
const USERNAME_TRIES: usize = 5;

/// A wish to register, valid by its types.
#[derive(Debug)]
pub struct Register {
    /// The address.
    pub email: Email,
    /// The name; without one it is made from the address.
    pub username: Option<Username>,
    /// The password.
    pub password: NewPassword,
    /// The client's own words.
    pub user_agent: Option<String>,
}

/// An attempt to sign in.
#[derive(Debug)]
pub struct Login {
    /// The account meant; `None` if no account can have that name, which must take as long to refuse.
    pub name: Option<LoginName>,
    /// The password tried.
    pub password: SecretString,
    /// The client's own words.
    pub user_agent: Option<String>,
}

/// Accounts.
pub struct AccountService {
    accounts: Arc<dyn AccountStore>,
    sessions: Arc<SessionService>,
    guard: Arc<SessionGuard>,
    hasher: Arc<dyn PasswordHasher>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    turns: Turns,
}

impl AccountService {
    /// A service on these ports.
    pub fn new(
        accounts: Arc<dyn AccountStore>,
        sessions: Arc<SessionService>,
        guard: Arc<SessionGuard>,
        hasher: Arc<dyn PasswordHasher>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            accounts,
            sessions,
            guard,
            hasher,
            clock,
            entropy,
            turns: Turns::default(),
        }
    }

    /// Makes an account and signs it in. Of many who want one address at once only one is hashed for at a time,
    /// and none once the address is taken.
    pub async fn register(&self, command: Register) -> Result<Grant, AppError> {
        let Register {
            email,
            username,
            password,
            user_agent,
        } = command;
        let _turn = self.turns.take(email.key()).await;
        if self
            .accounts
            .credentials(&LoginName::Email(email.clone()))
            .await?
            .is_some()
        {
            return Err(AppError::EmailTaken);
        }
        let hash = self.hasher.hash(password.secret().clone()).await?;
        let chosen = username.is_some();
        let mut name = username.unwrap_or_else(|| Username::derived(&email, None));
        for _ in 0..USERNAME_TRIES {
            let session = self.sessions.fresh(user_agent.clone());
            let account = NewAccount {
                email: email.clone(),
                username: name,
                password: hash.clone(),
                created_at: session.record.created_at,
            };
            match self.accounts.register(&account, &session.record).await {
                Ok(user) => return self.sessions.first_grant(user, &session),
                Err(StoreError::Conflict(UniqueKey::Username)) if !chosen => {
                    name = Username::derived(&email, Some(self.suffix()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::UsernameTaken)
    }

    /// Signs in. Unknown account, wrong password and unusable hash are one answer, after the same work.
    pub async fn login(&self, command: Login) -> Result<Grant, AppError> {
        let Login {
            name,
            password,
            user_agent,
        } = command;
        let found = match &name {
            Some(name) => self.accounts.credentials(name).await?,
            None => None,
        };
        let stored = found.as_ref().map(|c| c.password.clone());
        let verdict = self.hasher.verify(password.clone(), stored).await?;
        let credentials = found
            .filter(|_| verdict.matches)
            .ok_or(AppError::BadCredentials)?;
        if verdict.outdated
            && let Err(error) = self.renew_hash(&credentials, password).await
        {
            // The next login tries again.
            tracing::warn!(%error, user_id = credentials.user.id.0, "a password hash could not be renewed");
        }
        self.sessions.start(credentials.user, user_agent).await
    }

    /// The acting user's account.
    pub async fn me(&self, actor: &Actor) -> Result<User, AppError> {
        Ok(self.credentials(actor).await?.user)
    }

    /// Changes the password; every session ends, and a new one is granted.
    pub async fn change_password(
        &self,
        actor: &Actor,
        current: SecretString,
        new: SecretString,
        user_agent: Option<String>,
    ) -> Result<Grant, AppError> {
        let Credentials {
            user,
            password: stored,
        } = self.credentials(actor).await?;
        let same = current.expose_secret() == new.expose_secret();
        let new = NewPassword::parse(new, &user.email).and_then(|new| {
            let fault = || Fault::new("unchanged", "must differ from the current password");
            if same { Err(fault()) } else { Ok(new) }
        });
        let new = new.map_err(|fault| AppError::Invalid(vec![FieldFault::new("new_password", fault)]))?;
        if !self.hasher.verify(current, Some(stored.clone())).await?.matches {
            return Err(AppError::WrongPassword);
        }
        let hash = self.hasher.hash(new.secret().clone()).await?;
        let session = self.sessions.fresh(user_agent);
        let now = self.clock.now();
        let changed = self
            .accounts
            .change_password(user.id, &stored, &hash, &session.record, now)
            .await;
        self.guard.sessions_ended();
        // Somebody else changed it since: what was proven is no longer true.
        if !changed? {
            return Err(AppError::WrongPassword);
        }
        self.sessions.first_grant(
            User {
                updated_at: now.following(user.updated_at),
                ..user
            },
            &session,
        )
    }

    /// Everything held of the acting user.
    pub async fn export(&self, actor: &Actor) -> Result<AccountExport, AppError> {
        self.accounts
            .export(actor.user(), self.clock.now())
            .await?
            .ok_or(AppError::InvalidToken)
    }

    /// Removes the acting user's account with everything in it.
    pub async fn delete(&self, actor: &Actor, password: SecretString) -> Result<(), AppError> {
        let Credentials { password: stored, .. } = self.credentials(actor).await?;
        if !self.hasher.verify(password, Some(stored.clone())).await?.matches {
            return Err(AppError::WrongPassword);
        }
        let deleted = self.accounts.delete(actor.user(), &stored).await;
        self.guard.sessions_ended();
        // The password was changed since: what was proven is no longer true.
        if deleted? {
            Ok(())
        } else {
            Err(AppError::WrongPassword)
        }
    }

    async fn credentials(&self, actor: &Actor) -> Result<Credentials, AppError> {
        self.accounts
            .find(actor.user())
            .await?
            .ok_or(AppError::InvalidToken)
    }

    async fn renew_hash(&self, credentials: &Credentials, password: SecretString) -> Result<(), AppError> {
        let hash = self.hasher.hash(password).await?;
        // Losing this race is fine: another login renewed it, or the password was changed.
        self.accounts
            .renew_hash(credentials.user.id, &credentials.password, &hash)
            .await?;
        Ok(())
    }

    fn suffix(&self) -> u32 {
        let [a, b, c, d, ..] = self.entropy.bytes();
        1_000_000 + u32::from_be_bytes([a, b, c, d]) % 9_000_000
    }
}

#[cfg(test)]
mod tests;
