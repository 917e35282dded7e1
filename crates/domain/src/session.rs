//! Sessions and the rules of their refresh tokens.
//!
//! A refresh token is replaced at every use (RFC 9700 section 4.14.2). Of a session only digests are kept: of
//! its family (a random value in every token of the session), of the current token and of the one before.

use std::fmt;
use std::time::Duration;

use crate::id::{SessionId, UserId};
use crate::limit::{Allowance, Take};
use crate::time::Timestamp;

/// A session that nobody uses ends after this.
pub const IDLE_LIFE: Duration = Duration::from_hours(14 * 24);
/// Every session ends after this, however often it is used.
pub const ABSOLUTE_LIFE: Duration = Duration::from_hours(30 * 24);
/// So long the token before the current one is answered with the current one again: the answer to its first
/// use may have been lost on the way.
pub const REPLAY_GRACE: Duration = Duration::from_secs(10);
/// The most sessions a user has unless configured otherwise; one more ends the oldest.
pub const MAX_PER_USER: usize = 50;

/// How often one session may be refreshed: no honest client comes near.
pub const REFRESHES: Allowance = Allowance {
    burst: 60,
    every: Duration::from_secs(10),
};

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// A login that lasts, as its user may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The session's id, `sid` in access tokens.
    pub id: SessionId,
    /// Whose it is.
    pub owner: UserId,
    /// The client's own words, cut to 200 characters.
    pub user_agent: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// The last sign-in or refresh.
    pub last_used_at: Timestamp,
    /// When it ends unless it is used before.
    pub expires_at: Timestamp,
}

/// When a session that began then and is used now ends.
pub fn expiry(created_at: Timestamp, used_at: Timestamp) -> Timestamp {
    used_at.plus(IDLE_LIFE).min(created_at.plus(ABSOLUTE_LIFE))
}

/// What is kept of a session's refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshState {
    /// Counts the rotations. Order is by this counter, never by a clock.
    pub generation: i64,
    /// Digest of the value that every token of the session carries.
    pub family: Digest,
    /// Digest of the token that may be used now.
    pub current: Digest,
    /// Digest of the token before it.
    pub previous: Option<Digest>,
    /// With the previous token's secret this gives the current one; worthless alone.
    pub salt: [u8; 32],
    /// When `previous` was replaced by `current`.
    pub rotated_at: Timestamp,
    /// When the bucket of [`REFRESHES`] is full again.
    pub full_at: Option<Timestamp>,
}

/// What a presented refresh token turns out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// The current one: rotate.
    Current,
    /// The current one or its parent, too soon after too many others; nothing has changed.
    Limited {
        /// It may be used after this.
        wait: Duration,
    },
    /// The one just before, within the grace: the answer was lost; give the same successor again.
    Replayed,
    /// An older one of this session, or the one before after the grace: stolen or copied. The session ends.
    Reused,
    /// Not of this session.
    Foreign,
}

impl RefreshState {
    /// Judges a token by the digests of its two parts.
    pub fn judge(&self, family: &Digest, token: &Digest, now: Timestamp) -> Presented {
        if self.family != *family {
            Presented::Foreign
        } else if self.current == *token {
            match REFRESHES.take(self.full_at, now) {
                Take::Taken { .. } => Presented::Current,
                Take::Refused { wait, .. } => Presented::Limited { wait },
            }
        } else if self.previous.as_ref() == Some(token) && now.since(self.rotated_at) <= REPLAY_GRACE {
            match REFRESHES.take(self.full_at, now) {
                Take::Taken { .. } => Presented::Replayed,
                Take::Refused { wait, .. } => Presented::Limited { wait },
            }
        } else {
            Presented::Reused
        }
    }

    /// The state after the current token was replaced.
    #[must_use]
    pub fn rotated(&self, next: Digest, salt: [u8; 32], now: Timestamp) -> Self {
        Self {
            generation: self.generation + 1,
            family: self.family,
            current: next,
            previous: Some(self.current),
            salt,
            rotated_at: now,
            full_at: Some(self.full_after(now)),
        }
    }

    /// When the bucket is full again after one more use.
    pub fn full_after(&self, now: Timestamp) -> Timestamp {
        match REFRESHES.take(self.full_at, now) {
            Take::Taken { full_at } | Take::Refused { full_at, .. } => full_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    fn digest(n: u8) -> Digest {
        Digest([n; 32])
    }

    #[test]
    fn only_the_direct_parent_is_forgiven_and_not_for_long() {
        let family = digest(9);
        let first = RefreshState {
            generation: 0,
            family,
            current: digest(1),
            previous: None,
            salt: [0; 32],
            rotated_at: at(0),
            full_at: None,
        };
        assert_eq!(first.judge(&family, &digest(1), at(5)), Presented::Current);
        assert_eq!(first.judge(&family, &digest(2), at(5)), Presented::Reused);
        assert_eq!(first.judge(&digest(8), &digest(1), at(5)), Presented::Foreign);

        let second = first.rotated(digest(2), [1; 32], at(10));
        assert_eq!(second.judge(&family, &digest(2), at(10)), Presented::Current);
        assert_eq!(second.judge(&family, &digest(1), at(20)), Presented::Replayed);
        assert_eq!(second.judge(&family, &digest(1), at(21)), Presented::Reused);

        let third = second.rotated(digest(3), [2; 32], at(11));
        assert_eq!(third.judge(&family, &digest(1), at(11)), Presented::Reused);
        assert_eq!((third.generation, third.previous), (2, Some(digest(2))));
    }

    #[test]
    fn a_flood_of_refreshes_waits_and_loses_nothing() {
        let family = digest(9);
        let mut state = RefreshState {
            generation: 0,
            family,
            current: digest(0),
            previous: None,
            salt: [0; 32],
            rotated_at: at(0),
            full_at: None,
        };
        for n in 0..60 {
            assert_eq!(state.judge(&family, &digest(n), at(0)), Presented::Current);
            state = state.rotated(digest(n + 1), [0; 32], at(0));
        }
        let wait = Duration::from_secs(10);
        assert_eq!(
            state.judge(&family, &digest(60), at(0)),
            Presented::Limited { wait }
        );
        assert_eq!(
            state.judge(&family, &digest(59), at(0)),
            Presented::Limited { wait }
        );
        assert_eq!(state.judge(&family, &digest(60), at(10)), Presented::Current);
    }

    #[test]
    fn a_session_ends_idle_or_old() {
        assert_eq!(expiry(at(0), at(0)), at(14 * 86_400));
        assert_eq!(expiry(at(0), at(20 * 86_400)), at(30 * 86_400));
    }
}
