//! Whether the service can do its work, without waking a sleeping database to find out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use errand_domain::Timestamp;

use crate::ports::{Clock, DatabaseHealth};

/// A deep check asks the database at most this often.
const DEEP_CHECK_EVERY: Duration = Duration::from_secs(10);

/// A failure that is older says nothing any more. A balancer that sends no requests to who is not ready would
/// never find out that the database is back.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// Readiness.
pub struct HealthService {
    database: Arc<dyn DatabaseHealth>,
    clock: Arc<dyn Clock>,
    last_deep: Mutex<Option<Timestamp>>,
}

impl HealthService {
    /// A service on these ports.
    pub fn new(database: Arc<dyn DatabaseHealth>, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            clock,
            last_deep: Mutex::new(None),
        }
    }

    /// Ready unless the last thing seen of the database was a failure, less than 10 s ago. With `deep` the database is asked, at
    /// most once per 10 s; in between the answer is from memory.
    pub async fn is_ready(&self, deep: bool) -> bool {
        if deep && self.claim_deep_check() {
            return self.database.ping().await.is_ok();
        }
        let seen = self.database.seen();
        seen.failure
            .filter(|failure| self.clock.now().since(*failure) < STALE_AFTER)
            .is_none_or(|failure| seen.success.is_some_and(|success| success > failure))
    }

    fn claim_deep_check(&self) -> bool {
        let now = self.clock.now();
        let mut last = self.last_deep.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|at| at > now || now.since(at) >= DEEP_CHECK_EVERY);
        if due {
            *last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{MockDatabaseHealth, Seen, StoreError};
    use crate::test_support::{FixedClock, at};

    #[tokio::test]
    async fn answers_from_memory() {
        for (success, failure, ready) in [
            (None, None, true),
            (Some(2), Some(1), true),
            (Some(1), Some(2), false),
            (None, Some(1), false),
        ] {
            let mut database = MockDatabaseHealth::new();
            database.expect_seen().returning(move || Seen {
                success: success.map(at),
                failure: failure.map(at),
            });
            database.expect_ping().never();
            let service = HealthService::new(Arc::new(database), Arc::new(FixedClock::default()));
            assert_eq!(service.is_ready(false).await, ready);
        }
    }

    #[tokio::test]
    async fn an_old_failure_keeps_nobody_away() {
        let clock = Arc::new(FixedClock::default());
        let failure = clock.now();
        let mut database = MockDatabaseHealth::new();
        database.expect_seen().returning(move || Seen {
            success: None,
            failure: Some(failure),
        });
        let service = HealthService::new(Arc::new(database), clock.clone());
        clock.advance(STALE_AFTER / 2);
        assert!(!service.is_ready(false).await);
        clock.advance(STALE_AFTER / 2);
        assert!(service.is_ready(false).await);
    }

    #[tokio::test]
    async fn deep_checks_are_rare() {
        let clock = Arc::new(FixedClock::default());
        let mut database = MockDatabaseHealth::new();
        database.expect_seen().returning(Seen::default);
        database
            .expect_ping()
            .times(2)
            .returning(|| Err(StoreError::Unavailable("gone".into())));
        let service = HealthService::new(Arc::new(database), clock.clone());
        assert!(!service.is_ready(true).await);
        assert!(service.is_ready(true).await);
        clock.advance(DEEP_CHECK_EVERY);
        assert!(!service.is_ready(true).await);
    }
}
