//! Use cases of sessions: proving who one is, seeing and ending sessions; and the making of grants, which
//! every way to sign in shares.

use std::sync::Arc;
use std::time::Duration;

use errand_domain::account::User;
use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_domain::session::{Session, expiry};
use errand_domain::{SessionId, Timestamp, UserId};
use secrecy::SecretString;

use crate::actor::Actor;
use crate::error::AppError;
use crate::events::{Recorder, log};
use crate::guard::SessionGuard;
use crate::limits::{Limiter, too_many_refreshes};
use crate::ports::{AccessClaims, NewSession, NextRefresh, Rotation, SessionStore, Start, TokenSigner};
use crate::refresh::RefreshToken;

/// What somebody who signed in is given.
#[derive(Debug)]
pub struct Grant {
    /// The signed access token.
    pub access_token: SecretString,
    /// How long it is valid.
    pub expires_in: Duration,
    /// To get the next grant with.
    pub refresh_token: SecretString,
    /// Who signed in.
    pub user: User,
}

/// Sessions and tokens.
pub struct SessionService {
    sessions: Arc<dyn SessionStore>,
    guard: Arc<SessionGuard>,
    signer: Arc<dyn TokenSigner>,
    limiter: Arc<Limiter>,
    recorder: Recorder,
    settings: SessionSettings,
}

/// What operators choose of sessions.
#[derive(Debug, Clone, Copy)]
pub struct SessionSettings {
    /// How long an access token lives.
    pub access_life: Duration,
    /// The most sessions of one user; one more ends the oldest.
    pub most_per_user: usize,
}

/// A session about to be started, with the secrets that only its client learns.
pub(crate) struct FreshSession {
    pub(crate) record: NewSession,
    family: [u8; 16],
    secret: [u8; 32],
}

impl SessionService {
    /// A service on these ports.
    pub fn new(
        sessions: Arc<dyn SessionStore>,
        guard: Arc<SessionGuard>,
        signer: Arc<dyn TokenSigner>,
        limiter: Arc<Limiter>,
        recorder: Recorder,
        settings: SessionSettings,
    ) -> Self {
        Self {
            sessions,
            guard,
            signer,
            limiter,
            recorder,
            settings,
        }
    }

    /// Who bears this access token. The only way to an [`Actor`].
    pub async fn authenticate(&self, access_token: &str) -> Result<Actor, AppError> {
        let verified = self
            .signer
            .verify(access_token, self.recorder.now())
            .ok_or(AppError::InvalidToken)?;
        if !self.guard.is_alive(verified.session).await? {
            return Err(AppError::InvalidToken);
        }
        Ok(Actor::new(verified.user, verified.session))
    }

    /// Whether an actor may still act; to be asked again after waiting for a client's body.
    pub async fn check_alive(&self, actor: &Actor) -> Result<(), AppError> {
        if self.guard.is_alive(actor.session()).await? {
            Ok(())
        } else {
            Err(AppError::InvalidToken)
        }
    }

    /// A new grant for a refresh token, which is used up by it.
    pub async fn refresh(&self, refresh_token: &SecretString, origin: &Origin) -> Result<Grant, AppError> {
        self.limiter.check_refresh(origin)?;
        let outcome = match RefreshToken::parse(refresh_token) {
            Some(presented) => self.rotate(&presented, origin).await,
            None => Err(AppError::InvalidRefreshToken),
        };
        if matches!(outcome, Err(AppError::InvalidRefreshToken)) {
            self.limiter.refused_refresh(origin).await?;
        }
        outcome
    }

    async fn rotate(&self, presented: &RefreshToken, origin: &Origin) -> Result<Grant, AppError> {
        let salt = self.recorder.bytes();
        let next = presented.successor(&salt);
        let reused = self
            .recorder
            .event(EventKind::RefreshTokenReused, origin, Some(presented.session));
        let now = reused.at;
        let rotation = self
            .sessions
            .rotate(
                presented.user,
                presented.session,
                &presented.family_digest(),
                &presented.token_digest(),
                &NextRefresh {
                    token: next.token_digest(),
                    salt,
                },
                &reused,
            )
            .await?;
        match rotation {
            Rotation::Rotated { session, user } => self.grant(user, &session.into(), &next, now),
            Rotation::Replayed { session, user, salt } => {
                self.grant(user, &session.into(), &presented.successor(&salt), now)
            }
            Rotation::Limited { wait } => Err(too_many_refreshes(wait)),
            Rotation::Reused => {
                self.guard.sessions_ended();
                log(Some(presented.user), &reused);
                Err(AppError::InvalidRefreshToken)
            }
            Rotation::Unknown => Err(AppError::InvalidRefreshToken),
        }
    }

    /// The user's living sessions, oldest first.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Session>, AppError> {
        Ok(self.sessions.list(actor.user(), self.recorder.now()).await?)
    }

    /// Ends one of the user's sessions.
    pub async fn end(&self, actor: &Actor, id: SessionId, origin: &Origin) -> Result<(), AppError> {
        self.end_as(EventKind::SessionEnded, actor, id, origin).await
    }

    /// Ends the session of the token. Fine if it has just ended otherwise.
    pub async fn logout(&self, actor: &Actor, origin: &Origin) -> Result<(), AppError> {
        match self
            .end_as(EventKind::SignedOut, actor, actor.session(), origin)
            .await
        {
            Err(AppError::SessionNotFound) => Ok(()),
            result => result,
        }
    }

    async fn end_as(
        &self,
        kind: EventKind,
        actor: &Actor,
        id: SessionId,
        origin: &Origin,
    ) -> Result<(), AppError> {
        let event = self.recorder.event(kind, origin, Some(id));
        let ended = self.sessions.end(actor.user(), id, &event).await;
        // After an error too: it may have happened. Not for nothing: that would let one user keep all asking.
        if !matches!(ended, Ok(false)) {
            self.guard.sessions_ended();
        }
        if ended? {
            log(Some(actor.user()), &event);
            Ok(())
        } else {
            Err(AppError::SessionNotFound)
        }
    }

    /// Ends all the user's sessions.
    pub async fn end_all(&self, actor: &Actor, origin: &Origin) -> Result<u64, AppError> {
        let event = self
            .recorder
            .event(EventKind::AllSessionsEnded, origin, Some(actor.session()));
        let ended = self.sessions.end_all(actor.user(), &event).await;
        self.guard.sessions_ended();
        let ended = ended?;
        log(Some(actor.user()), &event);
        Ok(ended)
    }

    /// Starts a session for somebody who proved to be `user`, as the account was then.
    pub(crate) async fn start(&self, user: User, origin: &Origin) -> Result<Grant, AppError> {
        let fresh = self.fresh(origin);
        let event = self.began(EventKind::SignedIn, &fresh, origin);
        let most = self.settings.most_per_user;
        match self
            .sessions
            .start(user.id, user.updated_at, &fresh.record, most, &event)
            .await?
        {
            Start::Refused => Err(AppError::BadCredentials),
            Start::Started { pushed_out } => {
                if !pushed_out.is_empty() {
                    self.guard.sessions_ended();
                }
                log(Some(user.id), &event);
                for (n, session) in (0..).zip(pushed_out) {
                    log(Some(user.id), &event.pushing_out(n, session));
                }
                self.first_grant(user, &fresh)
            }
        }
    }

    /// A session that a store is yet to start.
    pub(crate) fn fresh(&self, origin: &Origin) -> FreshSession {
        let created_at = self.recorder.now();
        let id = SessionId(self.recorder.uuid(created_at));
        let [random, secret] = [self.recorder.bytes(), self.recorder.bytes()];
        let mut family = [0; 16];
        family.copy_from_slice(random.split_at(16).0);
        let token = RefreshToken::new(UserId(0), id, family, secret);
        let record = NewSession {
            id,
            user_agent: origin.user_agent().map(str::to_owned),
            family: token.family_digest(),
            token: token.token_digest(),
            created_at,
        };
        FreshSession {
            record,
            family,
            secret,
        }
    }

    /// The event with which a session begins.
    pub(crate) fn began(&self, kind: EventKind, fresh: &FreshSession, origin: &Origin) -> SecurityEvent {
        let session = &fresh.record;
        self.recorder
            .event_at(kind, origin, Some(session.id), session.created_at)
    }

    /// The first grant of a session that a store has started.
    pub(crate) fn first_grant(&self, user: User, fresh: &FreshSession) -> Result<Grant, AppError> {
        let token = RefreshToken::new(user.id, fresh.record.id, fresh.family, fresh.secret);
        let created_at = fresh.record.created_at;
        let lasting = Lasting {
            id: fresh.record.id,
            expires_at: expiry(created_at, created_at),
        };
        self.grant(user, &lasting, &token, created_at)
    }

    /// No access token outlives its session.
    fn grant(
        &self,
        user: User,
        session: &Lasting,
        refresh: &RefreshToken,
        now: Timestamp,
    ) -> Result<Grant, AppError> {
        let expires_at = now.plus(self.settings.access_life).min(session.expires_at);
        let claims = AccessClaims {
            user,
            session: session.id,
            id: self.recorder.uuid(now),
            issued_at: now,
            expires_at,
        };
        let access_token = SecretString::from(self.signer.sign(&claims).map_err(AppError::Internal)?);
        let expires_in = expires_at.since(now);
        Ok(Grant {
            access_token,
            expires_in,
            refresh_token: refresh.encode(),
            user: claims.user,
        })
    }
}

/// A session and when it ends.
struct Lasting {
    id: SessionId,
    expires_at: Timestamp,
}

impl From<Session> for Lasting {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            expires_at: session.expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::ports::{Ended, EndedCursor, MockSessionStore, MockTokenSigner, VerifiedToken};
    use crate::test_support::{Buckets, FixedClock, actor, at, from, recorder, session, user};

    fn service(store: MockSessionStore, signer: MockTokenSigner) -> SessionService {
        let (store, clock) = (Arc::new(store), Arc::new(FixedClock::default()));
        let guard = Arc::new(SessionGuard::new(store.clone(), clock.clone()));
        let limiter = Limiter::new(Arc::new(Buckets::default()), clock.clone(), Vec::new(), 9);
        SessionService::new(
            store,
            guard,
            Arc::new(signer),
            Arc::new(limiter),
            recorder(&clock),
            SessionSettings {
                access_life: Duration::from_mins(15),
                most_per_user: 50,
            },
        )
    }

    fn signing() -> MockTokenSigner {
        let mut signer = MockTokenSigner::new();
        signer
            .expect_sign()
            .returning(|claims| Ok(format!("token of {}", claims.user.id)));
        signer
    }

    fn session_of(owner: i64) -> Session {
        let now = at(0);
        Session {
            id: session(1),
            owner: UserId(owner),
            user_agent: None,
            created_at: now,
            last_used_at: now,
            expires_at: now.plus(Duration::from_mins(10)),
        }
    }

    fn here() -> Origin {
        from("192.0.2.1")
    }

    fn presented() -> RefreshToken {
        RefreshToken::new(UserId(7), session(1), [1; 16], [2; 32])
    }

    #[tokio::test]
    async fn a_bad_token_costs_no_look_up() {
        let mut signer = MockTokenSigner::new();
        signer.expect_verify().returning(|_, _| None);
        let service = service(MockSessionStore::new(), signer);
        assert!(matches!(
            service.authenticate("x").await,
            Err(AppError::InvalidToken)
        ));
    }

    #[tokio::test]
    async fn an_ended_session_is_no_actor() {
        let mut signer = MockTokenSigner::new();
        signer.expect_verify().returning(|_, _| {
            Some(VerifiedToken {
                user: UserId(7),
                session: session(1),
            })
        });
        let mut store = MockSessionStore::new();
        store.expect_ended().returning(|_| {
            Ok(Ended {
                sessions: vec![session(1)],
                cursor: EndedCursor(1),
            })
        });
        assert!(matches!(
            service(store, signer).authenticate("x").await,
            Err(AppError::InvalidToken)
        ));
    }

    #[tokio::test]
    async fn rotation_gives_the_successor_of_what_was_presented() {
        let mut store = MockSessionStore::new();
        store
            .expect_rotate()
            .withf(|owner, id, family, token, next, _| {
                let p = presented();
                *owner == UserId(7)
                    && *id == session(1)
                    && *family == p.family_digest()
                    && *token == p.token_digest()
                    && next.token == p.successor(&next.salt).token_digest()
            })
            .times(1)
            .returning(|_, _, _, _, _, _| {
                Ok(Rotation::Rotated {
                    session: session_of(7),
                    user: user(7),
                })
            });
        let grant = service(store, signing())
            .refresh(&presented().encode(), &here())
            .await
            .unwrap();
        assert_eq!(grant.access_token.expose_secret(), "token of 7");
        assert_eq!(
            grant.expires_in,
            Duration::from_mins(10),
            "no longer than the session"
        );
        assert_eq!(
            RefreshToken::parse(&grant.refresh_token).unwrap().family_digest(),
            presented().family_digest()
        );
    }

    #[tokio::test]
    async fn a_replay_gives_the_same_successor_again() {
        let mut store = MockSessionStore::new();
        store.expect_rotate().returning(|_, _, _, _, _, _| {
            Ok(Rotation::Replayed {
                session: session_of(7),
                user: user(7),
                salt: [5; 32],
            })
        });
        let grant = service(store, signing())
            .refresh(&presented().encode(), &here())
            .await
            .unwrap();
        let given = RefreshToken::parse(&grant.refresh_token).unwrap();
        assert_eq!(
            given.token_digest(),
            presented().successor(&[5; 32]).token_digest()
        );
    }

    #[tokio::test]
    async fn reuse_and_nonsense_are_refused_alike() {
        let mut store = MockSessionStore::new();
        store
            .expect_rotate()
            .times(1)
            .returning(|_, _, _, _, _, _| Ok(Rotation::Reused));
        store
            .expect_rotate()
            .times(1)
            .returning(|_, _, _, _, _, _| Ok(Rotation::Unknown));
        let service = service(store, MockTokenSigner::new());
        for token in [
            presented().encode(),
            presented().encode(),
            SecretString::from("nonsense"),
        ] {
            assert!(matches!(
                service.refresh(&token, &here()).await,
                Err(AppError::InvalidRefreshToken)
            ));
        }
    }

    #[tokio::test]
    async fn a_network_with_too_many_refused_tokens_is_not_looked_at_any_more() {
        let service = service(MockSessionStore::new(), MockTokenSigner::new());
        let nonsense = SecretString::from("nonsense");
        for _ in 0..50 {
            assert!(matches!(
                service.refresh(&nonsense, &here()).await,
                Err(AppError::InvalidRefreshToken)
            ));
        }
        for token in [nonsense, presented().encode()] {
            assert!(matches!(
                service.refresh(&token, &here()).await,
                Err(AppError::Limited(_))
            ));
        }
    }

    #[tokio::test]
    async fn a_session_that_is_refreshed_too_often_is_told_to_wait() {
        let mut store = MockSessionStore::new();
        let wait = Duration::from_secs(7);
        store
            .expect_rotate()
            .returning(move |_, _, _, _, _, _| Ok(Rotation::Limited { wait }));
        let refused = service(store, MockTokenSigner::new())
            .refresh(&presented().encode(), &here())
            .await;
        assert!(matches!(refused, Err(AppError::Limited(limited)) if limited.wait == wait));
    }

    #[tokio::test]
    async fn a_logout_and_another_ending_are_told_apart() {
        let mut store = MockSessionStore::new();
        for kind in [EventKind::SignedOut, EventKind::SessionEnded] {
            store
                .expect_end()
                .withf(move |_, id, event| event.kind == kind && event.session == Some(*id))
                .times(1)
                .returning(|_, _, _| Ok(true));
        }
        let service = service(store, MockTokenSigner::new());
        assert!(service.logout(&actor(7), &here()).await.is_ok());
        assert!(service.end(&actor(7), session(9), &here()).await.is_ok());
    }

    #[tokio::test]
    async fn logout_is_idempotent_and_ending_a_foreign_session_is_not_found() {
        let mut store = MockSessionStore::new();
        store.expect_end().returning(|_, _, _| Ok(false));
        let mut signer = MockTokenSigner::new();
        let alive = VerifiedToken {
            user: UserId(7),
            session: session(1),
        };
        signer.expect_verify().returning(move |_, _| Some(alive));
        // One look-up: ending what does not exist must not make everybody ask again.
        store.expect_ended().times(1).returning(|_| {
            Ok(Ended {
                sessions: vec![],
                cursor: EndedCursor(1),
            })
        });
        let service = service(store, signer);
        assert!(service.authenticate("x").await.is_ok());
        assert!(service.logout(&actor(7), &here()).await.is_ok());
        assert!(matches!(
            service.end(&actor(7), session(9), &here()).await,
            Err(AppError::SessionNotFound)
        ));
        assert!(service.authenticate("x").await.is_ok());
    }
}
