//! Threads for hashing, apart from those that serve requests, and the bounded queue before them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

use errand_application::ports::HasherError;
use tokio::sync::oneshot;

/// Places in the queue, for each thread that hashes.
pub(super) const PLACES_PER_THREAD: usize = 8;
/// How long a caller waits for its turn to have something hashed.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(2);

/// Ends its threads when it is dropped, after what they are at.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: usize,
    places: usize,
    wait: Duration,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    closed: bool,
}

trait Job: Send {
    /// Whether the caller still waits.
    fn is_wanted(&self) -> bool;
    fn run(self: Box<Self>);
}

struct Task<T, F> {
    work: F,
    starting: oneshot::Sender<()>,
    answering: oneshot::Sender<T>,
}

impl<T: Send, F: FnOnce() -> T + Send> Job for Task<T, F> {
    fn is_wanted(&self) -> bool {
        !self.starting.is_closed()
    }

    fn run(self: Box<Self>) {
        if self.starting.send(()).is_ok() {
            // The caller may have gone meanwhile; then nobody wants the answer.
            drop(self.answering.send((self.work)()));
        }
    }
}

impl Pool {
    /// So many may wait for so long.
    pub(super) fn start(threads: usize, places: usize, wait: Duration) -> io::Result<Self> {
        let pool = Self {
            shared: Arc::default(),
            threads,
            places,
            wait,
        };
        for number in 0..threads {
            let shared = Arc::clone(&pool.shared);
            thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// So many may be worked on or wait.
    pub(super) fn capacity(&self) -> usize {
        self.threads + self.places
    }

    /// Runs `work` on one of the threads.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, HasherError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (starting, started) = oneshot::channel();
        let (answering, answer) = oneshot::channel();
        self.enqueue(Box::new(Task {
            work,
            starting,
            answering,
        }))?;
        // Who gives up here closes the channel, by which the job is known to be unwanted.
        if tokio::time::timeout(self.wait, started).await.is_err() {
            return Err(HasherError::Overloaded);
        }
        answer
            .await
            .map_err(|_| HasherError::Failed("the hashing thread gave no answer".into()))
    }

    fn enqueue(&self, job: Box<dyn Job>) -> Result<(), HasherError> {
        let mut queue = self.shared.queue();
        if queue.jobs.len() >= self.places {
            queue.jobs.retain(|job| job.is_wanted());
        }
        if queue.jobs.len() >= self.places {
            return Err(HasherError::Overloaded);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.changed.notify_one();
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    // Nothing that can panic runs under the lock, so a poisoned queue is whole.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        lower_priority();
        while let Some(job) = self.next() {
            // The panic hook has logged it; unwinding closed the channel, which tells the caller.
            drop(catch_unwind(AssertUnwindSafe(|| job.run())));
        }
    }

    fn next(&self) -> Option<Box<dyn Job>> {
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A third of the processor time of a thread that serves requests, when both want it.
#[cfg(target_os = "linux")]
fn lower_priority() {
    const NICE: i32 = 5;
    // "The calling process" is the calling thread on Linux: setpriority(2), section "C library/kernel
    // differences". A service that is already nicer than that, or may not ask, is fine as well.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "hashing runs at the normal priority");
    }
}

/// Elsewhere the call would slow the whole process.
#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::Poll;

    use tokio::task::JoinSet;

    use super::*;

    /// A pool of one thread that is busy until the sender is dropped, and the call that makes it so.
    async fn busy() -> (Arc<Pool>, mpsc::Sender<()>, JoinSet<()>) {
        let pool = Arc::new(Pool::start(1, PLACES_PER_THREAD, MAX_WAIT).unwrap());
        let (release, wait) = mpsc::channel::<()>();
        let (running, runs) = oneshot::channel();
        let blocked = Arc::clone(&pool);
        let mut calls = JoinSet::new();
        calls.spawn(async move {
            let work = move || {
                running.send(()).unwrap();
                wait.recv().unwrap_err();
            };
            blocked.run(work).await.unwrap();
        });
        runs.await.unwrap();
        (pool, release, calls)
    }

    #[tokio::test]
    async fn a_panicking_job_fails_alone() {
        let pool = Pool::start(1, PLACES_PER_THREAD, MAX_WAIT).unwrap();
        let failed = pool.run(|| panic!("on purpose")).await;
        assert!(matches!(failed, Err::<(), _>(HasherError::Failed(_))));
        assert_eq!(pool.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let (pool, release, _calls) = busy().await;
        let mut waiting = JoinSet::new();
        for n in 0..PLACES_PER_THREAD {
            let pool = Arc::clone(&pool);
            waiting.spawn(async move { pool.run(move || n).await.unwrap() });
        }
        while pool.shared.queue().jobs.len() < PLACES_PER_THREAD {
            tokio::task::yield_now().await;
        }
        assert!(matches!(pool.run(|| 0).await, Err(HasherError::Overloaded)));
        drop(release);
        let mut answers = waiting.join_all().await;
        answers.sort_unstable();
        assert_eq!(answers, (0..PLACES_PER_THREAD).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn who_went_away_leaves_the_queue() {
        let (pool, release, _calls) = busy().await;
        let ran = Arc::new(AtomicUsize::new(0));
        let job = || {
            let ran = Arc::clone(&ran);
            move || ran.fetch_add(1, Ordering::SeqCst)
        };
        for _ in 0..PLACES_PER_THREAD * 3 {
            let mut call = Box::pin(pool.run(job()));
            // One poll puts it into the queue; dropping it is going away.
            std::future::poll_fn(|context| {
                assert!(call.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        drop(release);
        pool.run(job()).await.unwrap();
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_two_seconds_for_a_turn() {
        let pool = Pool {
            threads: 1,
            shared: Arc::default(),
            places: 1,
            wait: MAX_WAIT,
        };
        let started = std::time::Instant::now();
        assert!(matches!(pool.run(|| ()).await, Err(HasherError::Overloaded)));
        let waited = started.elapsed();
        assert!(waited >= MAX_WAIT && waited < MAX_WAIT * 2, "{waited:?}");
    }

    #[test]
    fn the_threads_end_with_the_pool() {
        let pool = Pool::start(2, PLACES_PER_THREAD, MAX_WAIT).unwrap();
        let shared = Arc::downgrade(&pool.shared);
        drop(pool);
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
