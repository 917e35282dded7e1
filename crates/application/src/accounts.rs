//! Use cases of accounts: register, sign in, change the password, take the data along, leave.

use std::sync::Arc;

use errand_domain::account::{Email, LoginName, NewPassword, PasswordHash, User, Username};
use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_domain::{Fault, FieldFault, UserId};
use secrecy::{ExposeSecret, SecretString};

use crate::actor::Actor;
use crate::error::AppError;
use crate::events::{Recorder, log};
use crate::guard::SessionGuard;
use crate::limits::Limiter;
use crate::ports::{
    AccountExport, AccountStore, Credentials, EventStore, NewAccount, PasswordHasher, StoreError, UniqueKey,
};
use crate::sessions::{Grant, SessionService};
use crate::turns::Turns;

/// How many made-up user names are tried before giving up. Each has nine million alternatives.
const USERNAME_TRIES: usize = 5;

/// More than are kept of anybody.
const EVENTS_SHOWN: u32 = 1000;

/// A wish to register, valid by its types.
#[derive(Debug)]
pub struct Register {
    /// The address.
    pub email: Email,
    /// The name; without one it is made from the address.
    pub username: Option<Username>,
    /// The password.
    pub password: NewPassword,
    /// From where.
    pub origin: Origin,
}

/// An attempt to sign in.
#[derive(Debug)]
pub struct Login {
    /// The account meant; `None` if no account can have that name, which must take as long to refuse.
    pub name: Option<LoginName>,
    /// The password tried.
    pub password: SecretString,
    /// From where.
    pub origin: Origin,
}

/// Accounts.
pub struct AccountService {
    accounts: Arc<dyn AccountStore>,
    events: Arc<dyn EventStore>,
    sessions: Arc<SessionService>,
    guard: Arc<SessionGuard>,
    hasher: Arc<dyn PasswordHasher>,
    limiter: Arc<Limiter>,
    recorder: Recorder,
    turns: Turns,
}

impl AccountService {
    /// A service on these ports.
    pub fn new(
        accounts: Arc<dyn AccountStore>,
        events: Arc<dyn EventStore>,
        sessions: Arc<SessionService>,
        guard: Arc<SessionGuard>,
        hasher: Arc<dyn PasswordHasher>,
        limiter: Arc<Limiter>,
        recorder: Recorder,
    ) -> Self {
        Self {
            accounts,
            events,
            sessions,
            guard,
            hasher,
            limiter,
            recorder,
            turns: Turns::default(),
        }
    }

    /// Whether a password may be that of a new account with this address. Asking counts for the network, since
    /// the answer takes a while.
    pub async fn judge(
        &self,
        password: SecretString,
        email: &Email,
        origin: &Origin,
    ) -> Result<Result<NewPassword, Fault>, AppError> {
        self.limiter.check_registration(origin)?;
        self.judged(password, email, origin).await
    }

    async fn judged(
        &self,
        password: SecretString,
        email: &Email,
        origin: &Origin,
    ) -> Result<Result<NewPassword, Fault>, AppError> {
        // What is seen at a glance costs nothing.
        if let Err(fault) = NewPassword::check_size(password.expose_secret()) {
            return Ok(Err(fault));
        }
        self.limiter.new_password(origin).await?;
        Ok(self.hasher.judge(password, email).await?)
    }

    /// Makes an account and signs it in. Of many who want one address at once only one is hashed for at a time,
    /// and none once the address is taken.
    pub async fn register(&self, command: Register) -> Result<Grant, AppError> {
        let attempt = self.limiter.registration(&command.origin).await?;
        match self.make(command).await {
            // Nobody was let in and nothing was learnt.
            Err(error @ (AppError::Overloaded | AppError::Unavailable(_))) => {
                self.limiter.settle(attempt, Err(error)).await
            }
            outcome => outcome,
        }
    }

    async fn make(&self, command: Register) -> Result<Grant, AppError> {
        let Register {
            email,
            username,
            password,
            origin,
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
            let session = self.sessions.fresh(&origin);
            let event = self.sessions.began(EventKind::Registered, &session, &origin);
            let account = NewAccount {
                email: email.clone(),
                username: name,
                password: hash.clone(),
                created_at: session.record.created_at,
            };
            match self
                .accounts
                .register(&account, Some(session.record.clone()), &event)
                .await
            {
                Ok(user) => {
                    log(Some(user.id), &event);
                    return self.sessions.first_grant(user, &session);
                }
                Err(StoreError::Conflict(UniqueKey::Username)) if !chosen => {
                    name = Username::derived(&email, Some(self.suffix()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::UsernameTaken)
    }

    /// Signs in. Unknown account, disabled account, wrong password and unusable hash are one answer, after the
    /// same work.
    pub async fn login(&self, command: Login) -> Result<Grant, AppError> {
        let attempt = self
            .limiter
            .sign_in(command.name.as_ref(), &command.origin)
            .await?;
        let outcome = self.sign_in(command).await;
        self.limiter.settle(attempt, outcome).await
    }

    async fn sign_in(&self, command: Login) -> Result<Grant, AppError> {
        let Login {
            name,
            password,
            origin,
        } = command;
        let found = match &name {
            Some(name) => self.accounts.credentials(name).await?,
            None => None,
        };
        let stored = found.as_ref().map(|c| c.password.clone());
        let verdict = self.hasher.verify(password.clone(), stored).await?;
        let user = found.as_ref().map(|c| c.user.id);
        let admitted = found.filter(|c| verdict.matches && c.disabled_at.is_none());
        let Some(credentials) = admitted else {
            self.note(user, EventKind::SignInFailed, &origin);
            return Err(AppError::BadCredentials);
        };
        if verdict.outdated
            && let Err(error) = self.renew_hash(&credentials, password).await
        {
            // The next login tries again.
            tracing::warn!(%error, user_id = credentials.user.id.0, "a password hash could not be renewed");
        }
        self.sessions.start(credentials.user, &origin).await
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
        origin: &Origin,
    ) -> Result<Grant, AppError> {
        let Credentials {
            user,
            password: stored,
            ..
        } = self.credentials(actor).await?;
        let same = current.expose_secret() == new.expose_secret();
        let new = if same {
            Err(Fault::new("unchanged", "must differ from the current password"))
        } else {
            self.judged(new, &user.email, origin).await?
        };
        let new = new.map_err(|fault| AppError::Invalid(vec![FieldFault::new("new_password", fault)]))?;
        self.confirm(actor, current, &stored, origin).await?;
        let hash = self.hasher.hash(new.secret().clone()).await?;
        let session = self.sessions.fresh(origin);
        let event = self.sessions.began(EventKind::PasswordChanged, &session, origin);
        let changed = self
            .accounts
            .change_password(user.id, &stored, &hash, Some(session.record.clone()), &event)
            .await;
        self.guard.sessions_ended();
        // Somebody else changed it since: what was proven is no longer true.
        if !changed? {
            return Err(AppError::WrongPassword);
        }
        log(Some(user.id), &event);
        self.sessions.first_grant(
            User {
                updated_at: event.at.following(user.updated_at),
                ..user
            },
            &session,
        )
    }

    /// The newest security events of the acting user, newest first.
    pub async fn events(&self, actor: &Actor) -> Result<Vec<SecurityEvent>, AppError> {
        Ok(self.events.list(actor.user(), EVENTS_SHOWN).await?)
    }

    /// Everything held of the acting user.
    pub async fn export(&self, actor: &Actor) -> Result<AccountExport, AppError> {
        self.accounts
            .export(actor.user(), self.recorder.now())
            .await?
            .ok_or(AppError::InvalidToken)
    }

    /// Removes the acting user's account with everything in it.
    pub async fn delete(
        &self,
        actor: &Actor,
        password: SecretString,
        origin: &Origin,
    ) -> Result<(), AppError> {
        let Credentials { password: stored, .. } = self.credentials(actor).await?;
        self.confirm(actor, password, &stored, origin).await?;
        // It took a while: an account that was disabled meanwhile is no longer its user's to remove.
        self.sessions.check_alive(actor).await?;
        let deleted = self.accounts.delete(actor.user(), &stored).await;
        self.guard.sessions_ended();
        // The password was changed since: what was proven is no longer true.
        if deleted? {
            tracing::info!(
                event = "account-deleted",
                user_id = actor.user().0,
                "security event"
            );
            Ok(())
        } else {
            Err(AppError::WrongPassword)
        }
    }

    /// Whether somebody who is signed in knows the password as well; guessing is limited as it is at sign-in.
    async fn confirm(
        &self,
        actor: &Actor,
        password: SecretString,
        stored: &PasswordHash,
        origin: &Origin,
    ) -> Result<(), AppError> {
        let attempt = self.limiter.confirmation(actor.user(), origin).await?;
        let outcome = match self.hasher.verify(password, Some(stored.clone())).await {
            Ok(verdict) if verdict.matches => Ok(()),
            Ok(_) => {
                self.note(Some(actor.user()), EventKind::PasswordRefused, origin);
                Err(AppError::WrongPassword)
            }
            Err(error) => Err(error.into()),
        };
        self.limiter.settle(attempt, outcome).await
    }

    fn note(&self, user: Option<UserId>, kind: EventKind, origin: &Origin) {
        let event = self.recorder.event(kind, origin, None);
        log(user, &event);
        if let Some(user) = user {
            self.events.note(user, &event);
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
        let [a, b, c, d, ..] = self.recorder.bytes();
        1_000_000 + u32::from_be_bytes([a, b, c, d]) % 9_000_000
    }
}

#[cfg(test)]
mod tests;
