//! Revocation: which sessions have ended, known without asking the database at every request.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use errand_domain::SessionId;
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

/// Times are the monotonic clock's: a wall clock that is set must not bring a session back.
#[derive(Default)]
struct Known {
    /// When the question was put whose answer holds; `None` if a new one is needed.
    as_of: Option<Duration>,
    cursor: Option<EndedCursor>,
    ended: HashMap<SessionId, Duration>,
    /// Questions are numbered: how many were put, and the last that was answered and that failed. One whose
    /// asker went away is neither.
    asked: u64,
    answered: u64,
    failed: u64,
    /// Counts the local endings: an answer asked for before one does not count as fresh after it.
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

    /// Whether a session may still act. Of many who ask at once one asks the store, and all take that answer: one
    /// that was asked for after they came. A failure need not be: nobody waits for another one after it.
    pub async fn is_alive(&self, session: SessionId) -> Result<bool, AppError> {
        if let Some(alive) = self.look(session) {
            return Ok(alive);
        }
        let (asked, failure) = self.read(|known| (known.asked, known.failed));
        let _only_one_asks = self.asking.lock().await;
        // A question that was put after this caller came serves this caller, however long its answer took.
        let (answered, failed) = self.read(|known| (known.answered > asked, known.failed > failure));
        if failed && !answered {
            return Err(AppError::Unavailable(
                "the ended sessions could not be asked for".into(),
            ));
        }
        if !answered {
            self.ask().await?;
        }
        Ok(self.read(|known| !known.ended.contains_key(&session)))
    }

    /// To be called after this process ended sessions: the next look asks the store.
    pub fn sessions_ended(&self) {
        self.write(|known| {
            known.as_of = None;
            known.marks += 1;
        });
    }

    fn look(&self, session: SessionId) -> Option<bool> {
        let now = self.clock.monotonic();
        self.read(|known| {
            if known.ended.contains_key(&session) {
                return Some(false);
            }
            known
                .as_of
                .filter(|at| now.saturating_sub(*at) < FRESH)
                .map(|_| true)
        })
    }

    async fn ask(&self) -> Result<(), AppError> {
        let as_of = self.clock.monotonic();
        let (mut question, mut marks, mut cursor) = (0, 0, None);
        self.write(|known| {
            known.asked += 1;
            (question, marks, cursor) = (known.asked, known.marks, known.cursor);
        });
        let answer = self.store.ended(cursor).await;
        self.write(|known| match &answer {
            Err(_) => known.failed = question,
            Ok(answer) => {
                known.answered = question;
                known.cursor = Some(answer.cursor);
                known
                    .ended
                    .retain(|_, seen| as_of.saturating_sub(*seen) < REMEMBER);
                for session in &answer.sessions {
                    known.ended.entry(*session).or_insert(as_of);
                }
                if known.marks == marks {
                    known.as_of = Some(as_of);
                }
            }
        });
        answer?;
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use errand_domain::event::SecurityEvent;
    use errand_domain::session::{Digest, Session};
    use errand_domain::{Timestamp, UserId};
    use tokio::sync::Notify;

    use super::*;
    use crate::ports::{Ended, MockSessionStore, NewSession, NextRefresh, Rotation, Start, StoreError};
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

    /// A store whose answer comes when it is told to.
    fn slow(answers: usize, outcome: fn() -> Result<Ended, StoreError>) -> (SlowStore, Arc<Notify>) {
        let release = Arc::new(Notify::new());
        (
            SlowStore {
                left: AtomicUsize::new(answers),
                release: release.clone(),
                outcome,
            },
            release,
        )
    }

    struct SlowStore {
        left: AtomicUsize,
        release: Arc<Notify>,
        outcome: fn() -> Result<Ended, StoreError>,
    }

    #[async_trait]
    impl SessionStore for SlowStore {
        async fn start(
            &self,
            _: UserId,
            _: Timestamp,
            _: &NewSession,
            _: usize,
            _: &SecurityEvent,
        ) -> Result<Start, StoreError> {
            unreachable!("a guard only asks")
        }

        async fn rotate(
            &self,
            _: UserId,
            _: SessionId,
            _: &Digest,
            _: &Digest,
            _: &NextRefresh,
            _: &SecurityEvent,
        ) -> Result<Rotation, StoreError> {
            unreachable!("a guard only asks")
        }

        async fn list(&self, _: UserId, _: Timestamp) -> Result<Vec<Session>, StoreError> {
            unreachable!("a guard only asks")
        }

        async fn end(&self, _: UserId, _: SessionId, _: &SecurityEvent) -> Result<bool, StoreError> {
            unreachable!("a guard only asks")
        }

        async fn end_all(&self, _: UserId, _: &SecurityEvent) -> Result<u64, StoreError> {
            unreachable!("a guard only asks")
        }

        async fn ended(&self, _: Option<EndedCursor>) -> Result<Ended, StoreError> {
            self.answer().await
        }
    }

    impl SlowStore {
        async fn answer(&self) -> Result<Ended, StoreError> {
            assert!(self.left.fetch_sub(1, Ordering::SeqCst) > 0, "asked too often");
            self.release.notified().await;
            (self.outcome)()
        }
    }

    async fn ask_many(guard: &Arc<SessionGuard>, release: &Notify) -> Vec<Result<bool, AppError>> {
        let mut waiting = tokio::task::JoinSet::new();
        for n in 0..50 {
            let guard = guard.clone();
            waiting.spawn(async move { guard.is_alive(session(n)).await });
        }
        for _ in 0..2 {
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            release.notify_one();
        }
        waiting.join_all().await
    }

    #[tokio::test]
    async fn many_who_wait_share_an_answer_and_a_failure() {
        let clock = Arc::new(FixedClock::default());
        let (store, release) = slow(2, || Ok(ended(vec![session(7)], 1)));
        let guard = Arc::new(SessionGuard::new(Arc::new(store), clock.clone()));
        let answers = ask_many(&guard, &release).await;
        assert_eq!(answers.iter().filter(|a| matches!(a, Ok(true))).count(), 49);

        // One question: whoever came while it was under way would wait for a second one as long again.
        let (store, release) = slow(1, || Err(StoreError::Unavailable("gone".into())));
        let guard = Arc::new(SessionGuard::new(Arc::new(store), clock));
        let answers = ask_many(&guard, &release).await;
        assert!(answers.iter().all(|a| matches!(a, Err(AppError::Unavailable(_)))));
    }

    #[tokio::test]
    async fn a_question_whose_asker_went_away_is_put_again() {
        let mut store = MockSessionStore::new();
        store.expect_ended().times(1).returning(|_| Ok(ended(vec![], 1)));
        let (guard, _) = guard(store);
        let (slow, _release) = slow(1, || Ok(ended(vec![], 1)));
        let abandoned = SessionGuard::new(Arc::new(slow), Arc::new(FixedClock::default()));
        let gone = tokio::time::timeout(Duration::from_millis(5), abandoned.is_alive(session(1))).await;
        assert!(gone.is_err());
        assert_eq!(
            abandoned.read(|known| (known.asked, known.answered, known.failed)),
            (1, 0, 0)
        );
        assert!(guard.is_alive(session(1)).await.unwrap());
    }
}
