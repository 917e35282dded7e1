use std::time::{Duration, Instant};

use errand_application::ports::Clock;
use errand_domain::Timestamp;

/// The operating system's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    /// Its monotonic time begins now.
    fn default() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter behind the port")]
    fn now(&self) -> Timestamp {
        Timestamp::new(chrono::Utc::now())
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_time_in_whole_microseconds() {
        let (a, b) = (SystemClock::default().now(), SystemClock::default().now());
        assert!(a > Timestamp::parse("2025-01-01T00:00:00Z").unwrap());
        assert!(b.since(a).as_secs() < 60);
        assert_eq!(Timestamp::from_micros(a.micros()), Some(a));
    }
}
