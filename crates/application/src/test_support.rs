//! Fixtures for the services' tests.

use std::sync::Mutex;
use std::time::Duration;

use errand_domain::account::{Email, PasswordHash, User, Username};
use errand_domain::{SessionId, Timestamp, UserId};
use uuid::Uuid;

use crate::actor::Actor;
use crate::ports::{Clock, Credentials, Entropy};

/// A clock that moves when it is told to; starts at [`at`] 0.
pub(crate) struct FixedClock(Mutex<Timestamp>);

impl Default for FixedClock {
    fn default() -> Self {
        Self(Mutex::new(at(0)))
    }
}

impl FixedClock {
    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.plus(by);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.now().since(at(0))
    }
}

/// 1, 2, 3, …
#[derive(Default)]
pub(crate) struct SequentialEntropy(Mutex<u8>);

impl Entropy for SequentialEntropy {
    fn bytes(&self) -> [u8; 32] {
        let mut n = self.0.lock().unwrap();
        *n += 1;
        [*n; 32]
    }
}

/// Seconds after the start of the tests' time.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z")
        .unwrap()
        .plus(Duration::from_secs(seconds))
}

pub(crate) fn session(n: u128) -> SessionId {
    SessionId(Uuid::from_u128(n))
}

pub(crate) fn actor(user: i64) -> Actor {
    Actor::new(UserId(user), session(1))
}

pub(crate) fn user(id: i64) -> User {
    User {
        id: UserId(id),
        username: Username::parse("ann").unwrap(),
        email: Email::parse("ann@example.com").unwrap(),
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(crate) fn credentials(id: i64) -> Credentials {
    Credentials {
        user: user(id),
        password: PasswordHash::new("stored".into()),
    }
}
