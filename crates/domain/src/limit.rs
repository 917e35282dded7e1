//! How often something may be tried.

use std::time::Duration;

use crate::time::Timestamp;

/// A bucket that holds `burst` tries and gets one back `every` so often.
///
/// All that is kept of one is when it will be full again (the generic cell rate algorithm, ITU-T I.371): a time
/// that has passed, and none at all, is a full bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The most tries at once; at least 1.
    pub burst: u32,
    /// After which time one is given back.
    pub every: Duration,
}

/// What came of taking one try out of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// There was one. Afterwards the bucket is full again at this time.
    Taken {
        /// To be kept.
        full_at: Timestamp,
    },
    /// There was none, and there will be one after this wait.
    Refused {
        /// To be kept: what was kept before, or less if the clock went back.
        full_at: Timestamp,
        /// Never zero.
        wait: Duration,
    },
}

impl Allowance {
    /// How long an empty bucket takes to fill.
    pub fn window(&self) -> Duration {
        self.every * self.burst
    }

    /// Takes one out of the bucket that was to be full at `full_at`.
    pub fn take(&self, full_at: Option<Timestamp>, now: Timestamp) -> Take {
        // A bucket cannot lack more than it holds: the clock went back since.
        let latest = now.plus(self.window());
        let from = full_at.map_or(now, |at| at.clamp(now, latest));
        let then = from.plus(self.every);
        if then <= latest {
            Take::Taken { full_at: then }
        } else {
            Take::Refused {
                full_at: from,
                wait: then.since(latest),
            }
        }
    }

    /// Puts one back.
    pub fn give_back(&self, full_at: Timestamp) -> Timestamp {
        full_at.minus(self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWANCE: Allowance = Allowance {
        burst: 3,
        every: Duration::from_secs(10),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    /// Takes at these times, and says which were refused for how long.
    fn take(times: &[i64]) -> Vec<Option<u64>> {
        let mut kept = None;
        let takes = times.iter().map(|time| match ALLOWANCE.take(kept, at(*time)) {
            Take::Taken { full_at } => {
                kept = Some(full_at);
                None
            }
            Take::Refused { full_at, wait } => {
                kept = Some(full_at);
                Some(wait.as_secs())
            }
        });
        takes.collect()
    }

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        assert_eq!(
            take(&[0, 0, 0, 0, 4, 9, 10, 10, 20, 100, 100, 100, 100]),
            [
                None,
                None,
                None,
                Some(10),
                Some(6),
                Some(1),
                None,
                Some(10),
                None,
                None,
                None,
                None,
                Some(10)
            ]
        );
    }

    #[test]
    fn a_clock_that_goes_back_shuts_nobody_out_for_long() {
        assert_eq!(
            take(&[1_000_000, 1_000_000, 0, 10, 20]),
            [None, None, Some(10), None, None]
        );
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let Take::Taken { full_at } = ALLOWANCE.take(Some(at(20)), at(0)) else {
            panic!("one is left")
        };
        assert_eq!(full_at, at(30));
        let full_at = ALLOWANCE.give_back(full_at);
        assert_eq!(
            ALLOWANCE.take(Some(full_at), at(0)),
            Take::Taken { full_at: at(30) }
        );
    }
}
