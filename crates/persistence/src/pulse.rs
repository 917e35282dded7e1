//! What the requests themselves find out about the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use errand_application::ports::{Clock, Seen};
use errand_domain::Timestamp;

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
    /// And to the last answer.
    answered: AtomicU64,
}

impl Pulse {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            success: AtomicI64::new(NEVER),
            failure: AtomicI64::new(NEVER),
            started: Instant::now(),
            broke: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        }
    }

    pub fn success(&self) {
        self.success.store(self.clock.now().micros(), Relaxed);
        self.answered.store(self.elapsed(), Relaxed);
    }

    pub fn failure(&self) {
        self.failure.store(self.clock.now().micros(), Relaxed);
        self.broke.store(self.elapsed(), Relaxed);
    }

    /// Milliseconds from the start, never 0.
    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).map_or(u64::MAX, |millis| millis.max(1))
    }

    /// Whether the database has answered in this time.
    pub fn answered_within(&self, time: Duration) -> bool {
        let answered = self.answered.load(Relaxed);
        answered > 0 && Duration::from_millis(answered) + time >= self.started.elapsed()
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
        assert!(!pulse.answered_within(Duration::from_hours(1)));
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
        assert!(pulse.answered_within(Duration::from_hours(1)));
        assert!(!pulse.answered_within(Duration::ZERO));
    }
}
