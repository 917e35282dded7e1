//! The store of sessions.

use std::time::Duration;

use async_trait::async_trait;
use errand_domain::account::User;
use errand_domain::event::SecurityEvent;
use errand_domain::session::{Digest, Session};
use errand_domain::{SessionId, Timestamp, UserId};

use super::StoreError;

/// A session to be started. It is used at its creation; its expiry is [`errand_domain::session::expiry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    /// Made by the service.
    pub id: SessionId,
    /// The client's own words.
    pub user_agent: Option<String>,
    /// Digest of the family value.
    pub family: Digest,
    /// Digest of the first refresh token.
    pub token: Digest,
    /// When.
    pub created_at: Timestamp,
}

/// The successor of a presented refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRefresh {
    /// Digest of the successor.
    pub token: Digest,
    /// What it was derived with.
    pub salt: [u8; 32],
}

/// What became of a presented refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// It was the current one and is replaced.
    Rotated {
        /// The session as it is now.
        session: Session,
        /// Its user.
        user: User,
    },
    /// It was replaced moments ago: give the same successor again, derived with `salt`.
    Replayed {
        /// The session.
        session: Session,
        /// Its user.
        user: User,
        /// Of the successor.
        salt: [u8; 32],
    },
    /// It is the current one, and it was used too often; nothing has changed.
    Limited {
        /// It may be used after this.
        wait: Duration,
    },
    /// An old one came back: the session has been ended.
    Reused,
    /// No living session has such a token.
    Unknown,
}

/// What became of the wish to start a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// It lives.
    Started {
        /// Older ones that ended to make room, oldest first.
        pushed_out: Vec<SessionId>,
    },
    /// The account is gone or disabled, or its `updated_at` has moved; nothing was done.
    Refused,
}

/// A place in the record of ended sessions; means something only to the store that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedCursor(pub i64);

/// Sessions that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which; one may come again in a later answer.
    pub sessions: Vec<SessionId>,
    /// For the next question.
    pub cursor: EndedCursor,
}

/// Sessions. A session is alive from its start until it is ended or `expires_at` has come. Whoever is given an
/// `event` keeps it in the same step, if what it is about happens.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Starts a session of somebody whose password was verified against the account as it was at
    /// `account_as_of` (its `updated_at`). Beyond `most` living ones the oldest (by creation, then id) end, and
    /// [`SecurityEvent::pushing_out`] is kept of each. A password changed meanwhile, or an account disabled, must not let anybody in.
    async fn start(
        &self,
        owner: UserId,
        account_as_of: Timestamp,
        session: &NewSession,
        most: usize,
        event: &SecurityEvent,
    ) -> Result<Start, StoreError>;

    /// Judges a refresh token by [`errand_domain::session::RefreshState::judge`] and acts on it: the current
    /// one is replaced by `next` at the time of the event and the expiry moves; a reused one ends the session
    /// (and that, with the event, stays, although the caller is refused). Of parallel calls with one token
    /// exactly one rotates. Nobody rotates a token of a disabled account.
    async fn rotate(
        &self,
        owner: UserId,
        id: SessionId,
        family: &Digest,
        token: &Digest,
        next: &NextRefresh,
        event: &SecurityEvent,
    ) -> Result<Rotation, StoreError>;

    /// The living sessions, oldest first.
    async fn list(&self, owner: UserId, at: Timestamp) -> Result<Vec<Session>, StoreError>;

    /// Ends one; `false` if there is no such living one at the time of the event.
    async fn end(&self, owner: UserId, id: SessionId, event: &SecurityEvent) -> Result<bool, StoreError>;

    /// Ends all; says how many.
    async fn end_all(&self, owner: UserId, event: &SecurityEvent) -> Result<u64, StoreError>;

    /// All users' sessions that were ended (in any way but expiry) since `after`; without it, within the
    /// last hour at least, the longest life of an access token. Must not miss one, whichever replica ended it
    /// and in whatever order the writes became visible; may repeat some.
    async fn ended(&self, after: Option<EndedCursor>) -> Result<Ended, StoreError>;
}
