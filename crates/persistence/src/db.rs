//! The one way to a connection: every unit of work runs in a task of its own.
//!
//! A future that is dropped while the driver waits for `BEGIN` leaves the connection in the pool with an open
//! transaction (sqlx 0.9.0); what the next borrowers write is acknowledged and lost. A client that hangs up
//! drops futures at any point. So nothing outside can drop a unit: the caller waits for its task, up to a
//! deadline, and may go; the unit comes to its end. Only before there is a place for it a caller may leave
//! without a trace: so no queue of work builds up that nobody waits for any more.

mod attempt;

use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use errand_application::ports::StoreError;
use sea_orm::{
    DatabaseExecutor, DatabaseTransaction, DbBackend, IsolationLevel, SqliteTransactionMode,
    TransactionOptions,
};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::Instrument;

use crate::breaker::Breaker;
use crate::error::{Class, Deadline, Failure};
use crate::fence::Fence;
use crate::footing::Footing;
use crate::pools::Pools;
use crate::pulse::{Pulse, REPLACE_AGAIN_AFTER};
use crate::scope::Scope;
use crate::unfit::Unfit;
use attempt::{Stopped, Try, jittered, statements, transaction};

/// What a unit of single statements runs on: a connection or a transaction.
pub type Conn<'c> = DatabaseExecutor<'c>;
/// What a unit of several statements runs in.
pub type Tx = DatabaseTransaction;
/// A unit of work under way.
pub type Unit<'c, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'c>>;

/// So often a unit is tried that the database or a broken connection took back.
const TRIES: u32 = 3;
/// The first wait between two tries; later ones are longer.
const PAUSE: Duration = Duration::from_millis(100);
const LONG_PAUSE: Duration = Duration::from_millis(400);

/// More than what a server may need to notice that a unit was given up, and than all pauses between tries.
const SLACK: Duration = Duration::from_secs(30);

/// The database, as the repositories may use it.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    pools: RwLock<Arc<Pools>>,
    /// As many places as there are connections.
    reading: Arc<Semaphore>,
    /// The same places, unless writers have a connection of their own.
    writing: Arc<Semaphore>,
    deadline: Duration,
    pulse: Arc<Pulse>,
    fence: Fence,
    /// Before it holds no unit runs.
    footing: Footing,
    breaker: Breaker,
    /// Where units run and their connections live. A caller's own runtime may be a server's worker, which ends
    /// before its units do.
    runtime: Handle,
}

/// A unit that was given up together with its pool.
#[derive(Debug, thiserror::Error)]
#[error("the database kept a connection waiting for too long")]
struct Hung;

impl Db {
    /// Units run where this is called.
    pub fn new(pools: Pools, deadline: Duration, pulse: Arc<Pulse>, fence: Fence) -> Self {
        let (readers, writers) = pools.sizes();
        let reading = Arc::new(Semaphore::new(readers));
        let writing = writers.map_or_else(|| Arc::clone(&reading), |n| Arc::new(Semaphore::new(n)));
        let footing = Footing::new(pools.backend(), fence);
        Self(Arc::new(Inner {
            pools: RwLock::new(Arc::new(pools)),
            reading,
            writing,
            deadline,
            pulse,
            fence,
            footing,
            breaker: Breaker::new(),
            runtime: Handle::current(),
        }))
    }

    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.0.pulse)
    }

    pub fn backend(&self) -> DbBackend {
        self.pools().backend()
    }

    /// Has the next unit look whether program, settings and database still fit together.
    pub fn look_again(&self) {
        self.0.footing.look_again();
    }

    /// For a unit that learns only on its way whose rows it is about.
    pub fn fence(&self) -> Fence {
        self.0.fence
    }

    /// Waits for a unit that finds, from now on, that the database or the way to it is not what it has to be.
    pub async fn unfit(&self) -> Unfit {
        self.0.footing.unfit().await
    }

    /// Nothing that a unit did shows later than this after it was called: one deadline to get a place, one in
    /// which a last try may begin, that try until it is given up, and what the server takes to notice. (The
    /// local file of SQLite has no limit but that its disk answers.)
    pub fn longest_unit(&self) -> Duration {
        self.0.deadline * 2 + self.patience() * 2 + REPLACE_AGAIN_AFTER + SLACK
    }

    /// Whoever waits so long for a place beside a database that answers others is told that there are too many.
    fn crowded_after(&self) -> Duration {
        self.0.deadline * 2 / 5
    }

    /// After this a try counts as hung. Its caller is still there to be told, and whatever it holds is free again
    /// within a deadline of the database's return.
    fn patience(&self) -> Duration {
        self.0.deadline * 9 / 10
    }

    /// Statements that only read.
    pub async fn read<I, T, F>(&self, scope: Scope, input: I, unit: F) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Conn<'c>, &'c I) -> Unit<'c, T> + Copy + Send + Sync + 'static,
    {
        let fence = self.0.fence;
        self.shielded(&self.0.reading, input, move |pools, input| {
            Box::pin(async move {
                statements(pools.read(), fence, scope, input, unit)
                    .await
                    .map_err(|stopped| Stopped {
                        harmless: true,
                        ..stopped
                    })
            })
        })
        .await
    }

    /// Statements that read the same moment.
    pub async fn snapshot<I, T, F>(&self, scope: Scope, input: I, unit: F) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Tx, &'c I) -> Unit<'c, T> + Copy + Send + Sync + 'static,
    {
        let fence = self.0.fence;
        self.shielded(&self.0.reading, input, move |pools, input| {
            let options = TransactionOptions {
                // A transaction of SQLite reads one moment anyway.
                isolation_level: (pools.backend() == DbBackend::Postgres)
                    .then_some(IsolationLevel::RepeatableRead),
                ..TransactionOptions::default()
            };
            Box::pin(transaction(pools.read(), options, fence, scope, input, unit))
        })
        .await
    }

    /// Exactly one statement that writes, in the transaction that every statement is. One with `RETURNING` goes
    /// through [`crate::sql::returned`]: SQLite commits after the last row, and that may fail.
    pub async fn write_one<I, T, F>(&self, scope: Scope, input: I, unit: F) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Conn<'c>, &'c I) -> Unit<'c, T> + Copy + Send + Sync + 'static,
    {
        self.write_statement(scope, input, unit, false).await
    }

    /// The same for a statement that does nothing more if it runs again: one whose answer was lost may.
    pub async fn write_repeatable<I, T, F>(&self, scope: Scope, input: I, unit: F) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Conn<'c>, &'c I) -> Unit<'c, T> + Copy + Send + Sync + 'static,
    {
        self.write_statement(scope, input, unit, true).await
    }

    async fn write_statement<I, T, F>(
        &self,
        scope: Scope,
        input: I,
        unit: F,
        repeatable: bool,
    ) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Conn<'c>, &'c I) -> Unit<'c, T> + Copy + Send + Sync + 'static,
    {
        let fence = self.0.fence;
        self.shielded(&self.0.writing, input, move |pools, input| {
            Box::pin(async move {
                statements(pools.write(), fence, scope, input, unit)
                    .await
                    .map_err(|stopped| Stopped {
                        harmless: repeatable || stopped.harmless,
                        ..stopped
                    })
            })
        })
        .await
    }

    /// Statements that take effect together or not at all.
    pub async fn write<I, T, F>(&self, scope: Scope, input: I, unit: F) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Tx, &'c I) -> Unit<'c, T> + Copy + Send + Sync + 'static,
    {
        self.write_all(scope, input, false, unit).await
    }

    /// The same. What does nothing more if it runs again is `repeatable`: then a commit whose answer was lost is
    /// no end.
    pub async fn write_all<I, T, F>(
        &self,
        scope: Scope,
        input: I,
        repeatable: bool,
        unit: F,
    ) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Tx, &'c I) -> Unit<'c, T> + Copy + Send + Sync + 'static,
    {
        let fence = self.0.fence;
        self.shielded(&self.0.writing, input, move |pools, input| {
            let options = TransactionOptions {
                // SQLite would otherwise find out at the first write that another process wrote meanwhile.
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            Box::pin(async move {
                transaction(pools.write(), options, fence, scope, input, unit)
                    .await
                    .map_err(|stopped| Stopped {
                        harmless: repeatable || stopped.harmless,
                        ..stopped
                    })
            })
        })
        .await
    }

    /// The same, soon, for a caller who does not wait; a failure is only logged.
    #[expect(clippy::disallowed_methods, reason = "a unit of work, shielded like all")]
    pub fn aside<I, F>(&self, scope: Scope, input: I, unit: F)
    where
        I: Send + Sync + 'static,
        F: for<'c> Fn(&'c Tx, &'c I) -> Unit<'c, ()> + Copy + Send + Sync + 'static,
    {
        let db = self.clone();
        let work = async move {
            if let Err(error) = db.write(scope, input, unit).await {
                tracing::warn!(%error, "what nobody waited for was not written");
            }
        };
        self.0.runtime.spawn(work.in_current_span());
    }

    /// Waits until all units that have a place are done and closes the connections; gives up after `within`.
    pub async fn close(&self, within: Duration) {
        let done = async {
            let (readers, writers) = self.pools().sizes();
            let all = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            drop(self.0.reading.acquire_many(all(readers)).await);
            drop(self.0.writing.acquire_many(all(writers.unwrap_or(readers))).await);
            self.pools().close().await;
        };
        if timeout(within, done).await.is_err() {
            tracing::warn!("database connections were still busy at the end");
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the shield: the only place that spawns"
    )]
    async fn shielded<I, T, F>(&self, places: &Arc<Semaphore>, input: I, run: F) -> Result<T, StoreError>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c Pools, &'c I) -> Try<'c, T> + Send + Sync + 'static,
    {
        let unit = async {
            let Some(place) = self.place(places).await else {
                return Ok(Err(StoreError::Crowded));
            };
            let db = self.clone();
            let task = async move {
                let outcome = db.tries(&input, run).await;
                drop(place);
                outcome
            };
            self.0.runtime.spawn(task.in_current_span()).await
        };
        match timeout(self.0.deadline, unit).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(join)) if join.is_panic() => Err(StoreError::Broken("a unit of work panicked".into())),
            Ok(Err(cancelled)) => Err(StoreError::Unavailable(cancelled.into())),
            Err(_) => {
                self.0.pulse.late();
                Err(StoreError::Unavailable(Deadline.into()))
            }
        }
    }

    /// Waits for a place, unless so many wait that there is no use. A database that answers nobody is waited for:
    /// it may be waking up. So is one that woke up a moment ago: who has gathered before it is no crowd yet.
    async fn place(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let mut coming = std::pin::pin!(Arc::clone(places).acquire_owned());
        let patience = self.crowded_after();
        loop {
            match timeout(patience, &mut coming).await {
                Ok(place) => return place.ok(),
                Err(_) if self.0.pulse.is_steady_for(patience) => return None,
                Err(_) => {}
            }
        }
    }

    async fn tries<I, T, F>(&self, input: &I, run: F) -> Result<T, StoreError>
    where
        I: Sync,
        F: for<'c> Fn(&'c Pools, &'c I) -> Try<'c, T> + Sync,
    {
        let started = Instant::now();
        let (mut tries, mut pause) = (1, PAUSE);
        loop {
            let pools = self.pools();
            self.0.breaker.pass().map_err(Failure::from)?;
            let patience = match pools.backend() {
                DbBackend::Postgres => self.patience(),
                // Nothing of a local file hangs but the disk.
                _ => Duration::MAX,
            };
            let holds = timeout(patience, self.0.footing.holds(&pools)).await;
            let outcome = match holds.unwrap_or(Err(Failure::Untried)) {
                Ok(()) => {
                    let mut unit = run(&pools, input);
                    loop {
                        match timeout(patience, &mut unit).await {
                            Ok(outcome) => break outcome,
                            // First the pool, then the unit: nobody may borrow the connection after it.
                            Err(_) if self.give_up(&pools) => {
                                drop(unit);
                                return Err(StoreError::Unavailable(Hung.into()));
                            }
                            // Its caller is told already; its place is not free before it ends.
                            Err(_) => {}
                        }
                    }
                }
                Err(failure) => Err(Stopped::untouched(failure)),
            };
            let Stopped { failure, harmless } = match outcome {
                Ok(value) => {
                    self.0.pulse.success();
                    self.0.breaker.close();
                    return Ok(value);
                }
                Err(stopped) => stopped,
            };
            let class = failure.class();
            if class == Class::Misconfigured {
                self.0.breaker.open(failure.told());
            } else if !failure.is_unsent() {
                self.0.breaker.close();
            }
            match class {
                Class::Lost | Class::Unavailable | Class::Misconfigured => self.0.pulse.failure(),
                Class::Again | Class::Conflict(_) | Class::Broken => self.0.pulse.success(),
            }
            if failure.is_of_mixed_statements() {
                tracing::error!(
                    "a prepared statement was not the one that was prepared: the pooler is tried out again"
                );
                self.0.footing.doubt();
                // The driver remembers what it has prepared on each.
                self.replace(&pools);
            }
            // Full, and yet with none to lend: some have kept their places in the pool for good.
            if failure.is_for_want_of_a_connection() && pools.is_full() {
                self.give_up(&pools);
            }
            let worth_it = matches!(class, Class::Again | Class::Lost) && harmless;
            // Whoever found nobody has tried nothing: a database that restarts or wakes may take seconds. The
            // driver does the same where a connection is refused.
            let knocked = class == Class::Lost && failure.is_unsent();
            let is_over = if knocked {
                // As long as the caller is still there to be told why.
                started.elapsed() + pause >= self.patience()
            } else {
                tries == TRIES || started.elapsed() >= self.0.deadline
            };
            if !worth_it || is_over {
                return Err(failure.into());
            }
            tracing::debug!(tries, ?class, "a unit of work runs again");
            if class == Class::Lost {
                // A server that restarts or wakes needs a moment; one that chose a victim is done.
                tokio::time::sleep(jittered(pause)).await;
                pause = LONG_PAUSE;
            }
            tries += u32::from(!knocked);
        }
    }

    fn pools(&self) -> Arc<Pools> {
        Arc::clone(&self.0.pools.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The driver never gives up on a peer that fell silent, and a connection that is dropped meanwhile keeps
    /// its place in the pool for good. So a pool with a hung connection is let go as a whole; whether it was. Not
    /// one after the other: a server that is busy with what was given up would only get more of it.
    fn give_up(&self, hung: &Arc<Pools>) -> bool {
        if Arc::ptr_eq(&self.pools(), hung) && !self.0.pulse.may_replace() {
            return false;
        }
        self.replace(hung);
        true
    }

    /// All its connections by new ones, unless that has happened.
    fn replace(&self, old: &Arc<Pools>) {
        let mut current = self.0.pools.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&current, old) {
            tracing::warn!("the connections to the database are replaced");
            old.retire();
            *current = Arc::new(old.reopened());
            self.0.pulse.replaced();
        }
    }
}
