//! One after the other for the same key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Hands out turns: at most one is held for a key at a time. Keys that nobody waits for take no memory.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl Turns {
    /// Waits for the turn; it ends when the guard is dropped. First come, first served.
    pub(crate) async fn take(&self, key: String) -> OwnedMutexGuard<()> {
        let turn = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|_, turn| turn.strong_count() > 0);
            let known = waiting.get(&key).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let fresh = Arc::new(AsyncMutex::new(()));
                waiting.insert(key, Arc::downgrade(&fresh));
                fresh
            })
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_turn_for_a_key_and_nothing_left_behind() {
        let turns = Turns::default();
        let first = turns.take("a".into()).await;
        let other = turns.take("b".into()).await;
        let mut second = Box::pin(turns.take("a".into()));
        assert!(
            tokio::time::timeout(Duration::from_millis(5), &mut second)
                .await
                .is_err(),
            "two turns at once"
        );
        drop(first);
        drop(second.await);
        drop(other);
        drop(turns.take("c".into()).await);
        assert_eq!(
            turns.0.lock().unwrap().len(),
            1,
            "only the last one, until the next comes"
        );
    }
}
