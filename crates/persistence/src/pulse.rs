//! What the requests themselves find out about the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use errand_application::ports::{Clock, Seen};
use errand_domain::Timestamp;

/// A database that many wait for and that gives no answer for so many milliseconds was away.
const QUIET: u64 = 1000;
/// So long a pool whose predecessor was given up, and that has not answered since, is kept.
pub const REPLACE_AGAIN_AFTER: Duration = Duration::from_secs(30);
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
    /// And to the first answer after the last broken connection, or after a while without any answer.
    again: AtomicU64,
    /// And to the last time that a pool was replaced; 0 for never.
    replaced: AtomicU64,
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
            again: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
        }
    }

    pub fn success(&self) {
        self.success.store(self.clock.now().micros(), Relaxed);
        let now = self.elapsed();
        let quiet = now.saturating_sub(self.answered.swap(now, Relaxed));
        if quiet > QUIET || self.again.load(Relaxed) <= self.broke.load(Relaxed) {
            self.again.store(now, Relaxed);
        }
    }

    /// Somebody got no answer in time. That may be for want of a place, and says nothing of connections.
    pub fn late(&self) {
        self.failure.store(self.clock.now().micros(), Relaxed);
    }

    /// A pool was replaced.
    pub fn replaced(&self) {
        self.replaced.store(self.elapsed(), Relaxed);
        self.failure();
    }

    /// Whether a pool that hangs may be replaced: the one before it was not just given up too, without any answer
    /// in between.
    pub fn may_replace(&self) -> bool {
        let [replaced, answered] = [&self.replaced, &self.answered].map(|at| at.load(Relaxed));
        let again = Duration::from_millis(replaced) + REPLACE_AGAIN_AFTER;
        replaced == 0 || answered > replaced || self.started.elapsed() >= again
    }

    /// A connection broke, or none was to be had.
    pub fn failure(&self) {
        self.failure.store(self.clock.now().micros(), Relaxed);
        self.broke.store(self.elapsed(), Relaxed);
    }

    /// Milliseconds from the start, never 0.
    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).map_or(u64::MAX, |millis| millis.max(1))
    }

    /// Whether the database has answered in this time, and has not been away since this time ago.
    pub fn is_steady_for(&self, time: Duration) -> bool {
        let [answered, again, broke] =
            [&self.answered, &self.again, &self.broke].map(|at| Duration::from_millis(at.load(Relaxed)));
        let now = self.started.elapsed();
        again > broke && answered + time >= now && again + time <= now
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
        assert!(!pulse.is_steady_for(Duration::ZERO));
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

    #[test]
    fn a_pool_is_not_replaced_twice_without_an_answer() {
        let pulse = Pulse::new(Arc::new(Fixed));
        assert!(pulse.may_replace());
        pulse.replaced();
        assert!(!pulse.may_replace());
        std::thread::park_timeout(Duration::from_millis(20));
        pulse.success();
        assert!(pulse.may_replace());
    }

    /// Callers who gave up waiting do not make a database look as if it were away: else nobody is ever told that
    /// there are too many.
    #[test]
    fn being_late_breaks_nothing() {
        let pulse = Pulse::new(Arc::new(Fixed));
        pulse.success();
        std::thread::park_timeout(Duration::from_millis(60));
        pulse.late();
        pulse.success();
        assert!(pulse.is_steady_for(Duration::from_millis(50)));
        assert!(!pulse.broke_within(Duration::from_hours(1)));
        assert!(pulse.seen().failure.is_some());
    }

    #[test]
    fn who_just_came_back_is_not_steady_yet() {
        const MOMENT: Duration = Duration::from_millis(200);
        let pulse = Pulse::new(Arc::new(Fixed));
        let wait = || std::thread::park_timeout(MOMENT * 2);
        pulse.success();
        assert!(!pulse.is_steady_for(Duration::from_hours(1)));
        wait();
        pulse.success();
        assert!(pulse.is_steady_for(MOMENT));
        pulse.failure();
        assert!(!pulse.is_steady_for(MOMENT), "it broke");
        wait();
        pulse.success();
        assert!(!pulse.is_steady_for(MOMENT), "it is back for less than that");
        wait();
        pulse.success();
        assert!(pulse.is_steady_for(MOMENT));
        assert!(!pulse.is_steady_for(Duration::ZERO), "and silent since");
        std::thread::park_timeout(Duration::from_millis(QUIET) + MOMENT);
        pulse.success();
        assert!(!pulse.is_steady_for(MOMENT), "it is back after a silence");
    }
}
