use aws_lc_rs::rand;
use errand_application::ports::Entropy;

/// A generator that fails once may have been interrupted; one that fails this often is broken.
const TRIES: usize = 8;

/// The operating system's generator of randomness, by way of aws-lc.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// Ends the process if there is no randomness to be had: every key, salt and id would be predictable, and
    /// no caller could do better.
    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for _ in 0..TRIES {
            if fill(&mut bytes) {
                return bytes;
            }
        }
        tracing::error!("the system gives no randomness; ending");
        std::process::abort()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the adapter behind the port")]
fn fill(bytes: &mut [u8]) -> bool {
    rand::fill(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn never_repeats_and_uses_every_bit() {
        let drawn: Vec<[u8; 32]> = (0..1000).map(|_| SystemEntropy.bytes()).collect();
        assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), 1000);
        for byte in 0..32 {
            let (ones, zeros) = drawn.iter().fold((0, 0), |(ones, zeros), draw| {
                (ones | draw[byte], zeros | !draw[byte])
            });
            assert_eq!((ones, zeros), (0xff, 0xff), "byte {byte} has stuck bits");
        }
    }
}
