//! Fixtures for the services' tests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use errand_domain::account::{Email, PasswordHash, User, Username};
use errand_domain::event::Origin;
use errand_domain::limit::Take;
use errand_domain::session::Digest;
use errand_domain::task::{Next, Recurrences, Series, TimeZone};
use errand_domain::{FieldFault, SessionId, Timestamp, UserId};
use uuid::Uuid;

use crate::actor::Actor;
use crate::events::Recorder;
use crate::ports::{Bucket, Clock, Credentials, Entropy, LimitStore, StoreError};

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

/// A calendar on which nothing comes again, and that knows UTC alone.
pub(crate) struct Never;

impl Recurrences for Never {
    fn knows(&self, zone: &TimeZone) -> bool {
        zone.as_str() == "UTC"
    }

    fn check(&self, _: &Series) -> Result<(), Vec<FieldFault>> {
        Ok(())
    }

    fn next(&self, _: &Series, _: Timestamp) -> Option<Next> {
        None
    }
}

/// 1, 2, 3, …
#[derive(Default)]
pub(crate) struct SequentialEntropy(Mutex<u8>);

impl Entropy for SequentialEntropy {
    fn bytes(&self) -> [u8; 32] {
        let mut n = self.0.lock().unwrap();
        *n = n.wrapping_add(1);
        [*n; 32]
    }
}

/// Of this clock and of randomness that counts.
pub(crate) fn recorder(clock: &Arc<FixedClock>) -> Recorder {
    Recorder::new(clock.clone(), Arc::new(SequentialEntropy::default()))
}

/// Buckets by the domain's rule; counts how often it was asked.
#[derive(Default)]
pub(crate) struct Buckets {
    full_at: Mutex<HashMap<Digest, Timestamp>>,
    pub(crate) asked: Mutex<usize>,
}

#[async_trait]
impl LimitStore for Buckets {
    async fn take(&self, buckets: &[Bucket], at: Timestamp) -> Result<Vec<Take>, StoreError> {
        *self.asked.lock().unwrap() += 1;
        let mut kept = self.full_at.lock().unwrap();
        let take = |bucket: &Bucket| {
            let take = bucket.allowance.take(kept.get(&bucket.key).copied(), at);
            let (Take::Taken { full_at } | Take::Refused { full_at, .. }) = take;
            kept.insert(bucket.key, full_at);
            take
        };
        Ok(buckets.iter().map(take).collect())
    }

    async fn give_back(&self, buckets: &[Bucket]) -> Result<(), StoreError> {
        let mut kept = self.full_at.lock().unwrap();
        for bucket in buckets {
            if let Some(full_at) = kept.get_mut(&bucket.key) {
                *full_at = bucket.allowance.give_back(*full_at);
            }
        }
        Ok(())
    }
}

/// Somebody at this address.
pub(crate) fn from(address: &str) -> Origin {
    Origin::new(Some(address.parse().unwrap()), Some("test"))
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
        disabled_at: None,
    }
}
