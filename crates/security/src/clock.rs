use errand_application::ports::Clock;
use errand_domain::Timestamp;

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter behind the port")]
    fn now(&self) -> Timestamp {
        Timestamp::new(chrono::Utc::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_time_in_whole_microseconds() {
        let (a, b) = (SystemClock.now(), SystemClock.now());
        assert!(a > Timestamp::parse("2025-01-01T00:00:00Z").unwrap());
        assert!(b.since(a).as_secs() < 60);
        assert_eq!(Timestamp::from_micros(a.micros()), Some(a));
    }
}
