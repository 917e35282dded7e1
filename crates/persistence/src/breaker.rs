//! Keeps a database that refuses the settings from being asked for every request: each attempt may wake it, and
//! a hosted one counts them.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One attempt in this time.
const PAUSE: Duration = Duration::from_secs(10);

/// Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("not asked again yet, because it refused the settings: {reason}")]
pub struct Barred {
    /// Without values.
    reason: String,
}

/// Open from a refusal of the settings until a database answers.
pub struct Breaker {
    started: Instant,
    /// Milliseconds from the start to the next attempt; 0 if everybody may.
    next: AtomicU64,
    reason: Mutex<String>,
}

impl Breaker {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            next: AtomicU64::new(0),
            reason: Mutex::default(),
        }
    }

    /// Lets one more ask. Of many who come after the pause only one may.
    pub fn pass(&self) -> Result<(), Barred> {
        if self.admits_after(self.started.elapsed()) {
            return Ok(());
        }
        let reason = self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Err(Barred { reason })
    }

    fn admits_after(&self, elapsed: Duration) -> bool {
        let next = self.next.load(SeqCst);
        if next == 0 {
            return true;
        }
        let is_due = millis(elapsed) >= next;
        let later = millis(elapsed + PAUSE);
        is_due && self.next.compare_exchange(next, later, SeqCst, SeqCst).is_ok()
    }

    /// The settings were refused, for a reason that may be logged.
    pub fn open(&self, reason: String) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        self.next.store(millis(self.started.elapsed() + PAUSE), SeqCst);
    }

    /// Whatever is wrong now, it is not the settings.
    pub fn close(&self) {
        self.next.store(0, SeqCst);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_attempt_in_ten_seconds() {
        let breaker = Breaker::new();
        let at = |seconds| breaker.started.elapsed() + Duration::from_secs(seconds);
        assert!(breaker.admits_after(at(0)) && breaker.admits_after(at(0)));
        breaker.open("no".into());
        assert!(!breaker.admits_after(at(9)));
        assert!(breaker.admits_after(at(11)), "the next attempt");
        assert!(!breaker.admits_after(at(11)), "and no second one");
        assert!(!breaker.admits_after(at(20)));
        assert!(breaker.admits_after(at(22)));
        breaker.close();
        assert!(breaker.admits_after(at(22)) && breaker.admits_after(at(0)));
    }
}
