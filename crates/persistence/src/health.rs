//! What the requests themselves found out about the database's health.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use errand_application::ports::{Clock, DatabaseHealth, Seen, StoreError};
use errand_domain::Timestamp;
use sea_orm::{ConnectionTrait, Statement};

use crate::db::{Conn, Db};
use crate::error::{Failure, Refusal};

/// No time yet.
const NEVER: i64 = i64::MIN;

/// When the database last answered and last did not.
pub struct Pulse {
    clock: Arc<dyn Clock>,
    success: AtomicI64,
    failure: AtomicI64,
    started: Instant,
    /// Milliseconds from the start to the last broken connection; 0 for none.
    broke: AtomicU64,
}

impl Pulse {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            success: AtomicI64::new(NEVER),
            failure: AtomicI64::new(NEVER),
            started: Instant::now(),
            broke: AtomicU64::new(0),
        }
    }

    pub fn success(&self) {
        self.success.store(self.clock.now().micros(), Relaxed);
    }

    pub fn failure(&self) {
        self.failure.store(self.clock.now().micros(), Relaxed);
        let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.broke.store(since.max(1), Relaxed);
    }

    /// Whether a connection that idled so long was idle already when another one broke: what broke that one
    /// may have broken this one too.
    pub fn broke_within(&self, idle: Duration) -> bool {
        let broke = self.broke.load(Relaxed);
        broke > 0 && idle + Duration::from_millis(broke) >= self.started.elapsed()
    }

    pub fn seen(&self) -> Seen {
        let read =
            |time: &AtomicI64| Timestamp::from_micros(time.load(Relaxed)).filter(|t| t.micros() != NEVER);
        Seen {
            success: read(&self.success),
            failure: read(&self.failure),
        }
    }
}

/// The port.
pub struct Health(pub Db);

#[async_trait]
impl DatabaseHealth for Health {
    fn seen(&self) -> Seen {
        self.0.pulse().seen()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.read((), |conn, ()| Box::pin(ask(conn))).await
    }
}

/// Why a database gave no sign of life.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The server answered that user, password or database name are wrong: the settings are, no waiting helps.
    #[error("the database lets nobody in this way")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else, which may pass.
    #[error(transparent)]
    Unanswered(StoreError),
}

impl From<StoreError> for CheckError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(source)
                if source.downcast_ref::<Refusal>().is_some_and(Refusal::is_of_entry) =>
            {
                Self::Refused(source)
            }
            other => Self::Unanswered(other),
        }
    }
}

async fn ask(conn: &Conn) -> Result<(), Failure> {
    conn.query_one_raw(Statement::from_string(conn.get_database_backend(), "SELECT 1"))
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(7).unwrap()
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn remembers_both() {
        let pulse = Pulse::new(Arc::new(Fixed));
        assert_eq!(pulse.seen(), Seen::default());
        assert!(!pulse.broke_within(Duration::from_hours(1)));
        pulse.success();
        pulse.failure();
        let at = Timestamp::from_micros(7);
        assert_eq!(
            pulse.seen(),
            Seen {
                success: at,
                failure: at
            }
        );
        assert!(pulse.broke_within(Duration::from_hours(1)));
        std::thread::park_timeout(Duration::from_millis(20));
        assert!(!pulse.broke_within(Duration::ZERO), "used since");
    }
}
