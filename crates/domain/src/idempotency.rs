//! Requests that may come again: the key that a client gives them.

use std::time::Duration;

use crate::fault::Fault;
use crate::time::Timestamp;

/// The most characters of a key.
pub const KEY_MAX_CHARS: usize = 255;
/// So long a key is known: 24 hours for certain, though replicas tell the time differently.
pub const KEPT: Duration = Duration::from_hours(25);
/// The most keys of one user that are known at a time.
pub const MOST: u32 = 10_000;
/// The most bytes of all their answers; the last one may go beyond.
pub const BYTES_MAX: u32 = 64 * 1024 * 1024;
/// So many that are no longer known go with each new one: more than come in.
pub const AT_ONCE: u32 = 20;

/// What a client calls a request, so that it is done once however often it is sent
/// (draft-ietf-httpapi-idempotency-key-header). 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && (1..=KEY_MAX_CHARS).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Fault::new(
            "invalid-key",
            format!("must have 1 to {KEY_MAX_CHARS} visible ASCII characters"),
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key that came with its request then or earlier is not known any more.
pub fn over(now: Timestamp) -> Timestamp {
    now.minus(KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible() {
        for good in ["1", "~!\"#", &"x".repeat(255)] {
            assert_eq!(IdempotencyKey::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "ü", "a\n", &"x".repeat(256)] {
            assert_eq!(
                IdempotencyKey::parse(bad).unwrap_err().code,
                "invalid-key",
                "{bad}"
            );
        }
    }
}
