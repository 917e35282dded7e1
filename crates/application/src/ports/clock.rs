//! Time and randomness.

use std::time::Duration;

use errand_domain::Timestamp;

/// The time.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
pub trait Clock: Send + Sync {
    /// Now, in whole microseconds.
    fn now(&self) -> Timestamp;

    /// Time since some moment of this process; goes on evenly, whatever is done to the wall clock.
    fn monotonic(&self) -> Duration;
}

/// Cryptographically secure randomness.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
pub trait Entropy: Send + Sync {
    /// 256 fresh random bits.
    fn bytes(&self) -> [u8; 32];
}
