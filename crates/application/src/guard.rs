//! Revocation: which sessions have ended, known without asking the database at every request.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use errand_domain::{SessionId, Timestamp};
use tokio::sync::Mutex;

use crate::error::AppError;
use crate::ports::{Clock, EndedCursor, SessionStore};

/// How old the knowledge may be. With the look-up itself this keeps a revocation made elsewhere under 1 s.
const FRESH: Duration = Duration::from_millis(900);
/// An ended session is remembered until no access token of it can be valid any more (60 minutes at most).
const REMEMBER: Duration = Duration::from_mins(65);

/// Knows the ended sessions. Asks the store at most once per [`FRESH`] and only when somebody wants to know, so
/// that an idle service leaves its database asleep. If the store cannot be asked, nobody is let in.
pub struct SessionGuard {
    store: Arc<dyn SessionStore>,
    clock: Arc<dyn Clock>,
    known: RwLock<Known>,
    asking: Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// When the store was last asked; `None` if it must be asked before anything is believed.
    asked_at: Option<Timestamp>,
    cursor: Option<EndedCursor>,
    ended: HashMap<SessionId, Timestamp>,
    /// Counts the local endings, so that an answer asked for before one does not count as fresh after it.
    marks: u64,
}

impl SessionGuard {
    /// A guard that knows nothing yet.
    pub fn new(store: Arc<dyn SessionStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            known: RwLock::default(),
            asking: Mutex::new(()),
        }
    }

    /// Whether a session may still act.
    pub async fn is_alive(&self, session: SessionId) -> Result<bool, AppError> {
        if let Some(alive) = self.look(session) {
            return Ok(alive);
        }
        let _only_one_asks = self.asking.lock().await;
        if let Some(alive) = self.look(session) {
            return Ok(alive);
        }
        self.ask().await?;
        Ok(!self.read(|known| known.ended.contains_key(&session)))
    }

    /// To be called after this process ended sessions: the next look asks the store.
    pub fn sessions_ended(&self) {
        self.write(|known| {
            known.asked_at = None;
            known.marks += 1;
        });
    }

    fn look(&self, session: SessionId) -> Option<bool> {
        let now = self.clock.now();
        self.read(|known| {
            if known.ended.contains_key(&session) {
                return Some(false);
            }
            // A clock that went back makes the knowledge old, not young.
            known
                .asked_at
                .filter(|at| *at <= now && now.since(*at) < FRESH)
                .map(|_| true)
        })
    }

    async fn ask(&self) -> Result<(), AppError> {
        let (cursor, marks) = self.read(|known| (known.cursor, known.marks));
        let asked_at = self.clock.now();
        let answer = self.store.ended(cursor).await?;
        self.write(|known| {
            known.cursor = Some(answer.cursor);
            known.ended.retain(|_, seen| asked_at.since(*seen) < REMEMBER);
            for session in answer.sessions {
                known.ended.entry(session).or_insert(asked_at);
            }
            if known.marks == marks {
                known.asked_at = Some(asked_at);
            }
        });
        Ok(())
    }

    // A poisoned lock holds a map that is still whole: every write below is a plain assignment or insertion.
    fn read<T>(&self, f: impl FnOnce(&Known) -> T) -> T {
        f(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, f: impl FnOnce(&mut Known)) {
        f(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Ended, MockSessionStore, StoreError};
    use crate::test_support::{FixedClock, session};

    fn guard(store: MockSessionStore) -> (SessionGuard, Arc<FixedClock>) {
        let clock = Arc::new(FixedClock::default());
        (SessionGuard::new(Arc::new(store), clock.clone()), clock)
    }

    fn ended(sessions: Vec<SessionId>, cursor: i64) -> Ended {
        Ended {
            sessions,
            cursor: EndedCursor(cursor),
        }
    }

    #[tokio::test]
    async fn asks_once_while_fresh_and_goes_on_from_the_cursor() {
        let mut store = MockSessionStore::new();
        store
            .expect_ended()
            .withf(Option::is_none)
            .times(1)
            .returning(|_| Ok(ended(vec![session(2)], 5)));
        store
            .expect_ended()
            .withf(|after| *after == Some(EndedCursor(5)))
            .times(1)
            .returning(|_| Ok(ended(vec![session(1)], 6)));
        let (guard, clock) = guard(store);
        for _ in 0..3 {
            assert!(guard.is_alive(session(1)).await.unwrap());
            assert!(!guard.is_alive(session(2)).await.unwrap());
        }
        clock.advance(Duration::from_secs(1));
        assert!(!guard.is_alive(session(1)).await.unwrap());
        assert!(!guard.is_alive(session(2)).await.unwrap(), "remembered");
    }

    #[tokio::test]
    async fn a_local_ending_counts_at_once() {
        let mut store = MockSessionStore::new();
        store.expect_ended().times(1).returning(|_| Ok(ended(vec![], 1)));
        store
            .expect_ended()
            .times(1)
            .returning(|_| Ok(ended(vec![session(1)], 2)));
        let (guard, _) = guard(store);
        assert!(guard.is_alive(session(1)).await.unwrap());
        guard.sessions_ended();
        assert!(!guard.is_alive(session(1)).await.unwrap());
    }

    #[tokio::test]
    async fn lets_nobody_in_when_the_store_is_silent() {
        let mut store = MockSessionStore::new();
        store.expect_ended().times(1).returning(|_| Ok(ended(vec![], 1)));
        store
            .expect_ended()
            .times(1)
            .returning(|_| Err(StoreError::Unavailable("gone".into())));
        let (guard, clock) = guard(store);
        assert!(guard.is_alive(session(1)).await.unwrap());
        clock.advance(Duration::from_secs(2));
        assert!(matches!(
            guard.is_alive(session(1)).await,
            Err(AppError::Unavailable(_))
        ));
    }
}
