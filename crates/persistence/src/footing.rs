//! What has to be known of a database before the first unit of work: that the way to it keeps clients' statements
//! apart, that its schema is the program's, that its row-level security is the one that was asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use sea_orm::{ConnAcquireErr, DbBackend, DbErr, RuntimeErr};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tracing::Instrument;

use crate::error::Failure;
use crate::fence::Fence;
use crate::fit::{self, Fit};
use crate::pools::Pools;
use crate::preflight::{Mixed, PreflightError};
use crate::unfit::Unfit;

/// How long it may take to find out whether a pooler can be trusted: two connections and some twenty round trips.
const PREFLIGHT_WITHIN: Duration = Duration::from_secs(30);

/// What is known so far. Found out at the first use: the database may be asleep until then.
pub struct Footing {
    fence: Fence,
    /// Of a local file there is nothing to find out.
    is_local: bool,
    /// Whether program, settings and database fit together.
    fits: AtomicBool,
    /// Whether it is to be looked at once more.
    again: AtomicBool,
    /// Whether the way to the database keeps its clients' statements apart.
    trusted: Arc<AtomicBool>,
    /// Counts the doubts: what was found out before one does not count after it.
    doubts: Arc<AtomicU64>,
    /// Held by the one that finds out.
    trying_out: Arc<Mutex<()>>,
    unfit: watch::Sender<Option<Unfit>>,
    runtime: Handle,
}

impl Footing {
    /// Nothing is known yet.
    pub fn new(backend: DbBackend, fence: Fence) -> Self {
        let is_local = backend != DbBackend::Postgres;
        Self {
            fence,
            is_local,
            fits: AtomicBool::new(is_local),
            again: AtomicBool::new(false),
            trusted: Arc::default(),
            doubts: Arc::default(),
            trying_out: Arc::default(),
            unfit: watch::Sender::new(None),
            runtime: Handle::current(),
        }
    }

    /// Waits until somebody finds, from now on, that the database or the way to it is not what it has to be.
    pub async fn unfit(&self) -> Unfit {
        let mut seen = self.unfit.subscribe();
        loop {
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(unfit) = seen.borrow_and_update().clone() {
                return unfit;
            }
        }
    }

    /// Whether everything still fits is to be looked at again, by the next one alone; the others go on.
    pub fn look_again(&self) {
        self.again.store(!self.is_local, SeqCst);
    }

    /// Everything is to be found out again.
    pub fn doubt(&self) {
        self.doubts.fetch_add(1, SeqCst);
        self.trusted.store(false, SeqCst);
        self.fits.store(false, SeqCst);
    }

    /// Looks until everything is found right once, and when that is asked for. With policies that nobody asked for, tables look empty; without
    /// those that somebody asked for, the second lock is missing.
    pub async fn holds(&self, pools: &Arc<Pools>) -> Result<(), Failure> {
        let again = self.again.load(SeqCst) && self.again.swap(false, SeqCst);
        if self.fits.load(SeqCst) && !again {
            return Ok(());
        }
        let doubts = self.doubts.load(SeqCst);
        // First: what is seen otherwise may be the answer to another question.
        let fit = match self.is_trusted(pools).await? {
            Ok(()) => match fit::look(pools.read(), self.fence).await.map_err(Failure::from) {
                Ok(fit) => fit,
                Err(failure) if failure.is_of_mixed_statements() => Fit::Unfit(Mixed.into()),
                Err(failure) => return Err(failure),
            },
            Err(mixed) => Fit::Unfit(mixed.into()),
        };
        match fit {
            Fit::Fits => {
                self.fits.store(self.doubts.load(SeqCst) == doubts, SeqCst);
                Ok(())
            }
            Fit::Older(older) => Err(older.into()),
            Fit::Unfit(unfit) => {
                self.fits.store(false, SeqCst);
                self.unfit.send_replace(Some(unfit.clone()));
                Err(unfit.into())
            }
        }
    }

    /// One finds out, in its own time, and the others take its answer: over a long way it takes longer than they
    /// may wait.
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing is written, and it has its own bound"
    )]
    async fn is_trusted(&self, pools: &Arc<Pools>) -> Result<Result<(), Mixed>, Failure> {
        if self.trusted.load(SeqCst) {
            return Ok(Ok(()));
        }
        let Ok(turn) = Arc::clone(&self.trying_out).try_lock_owned() else {
            drop(self.trying_out.lock().await);
            let found = self.trusted.load(SeqCst);
            return found.then_some(Ok(())).ok_or(Failure::Untried);
        };
        let (trusted, pools) = (Arc::clone(&self.trusted), Arc::clone(pools));
        let doubts = Arc::clone(&self.doubts);
        let trying = async move {
            let _turn = turn;
            let before = doubts.load(SeqCst);
            let outcome = pools.preflight(PREFLIGHT_WITHIN).await;
            trusted.store(outcome.is_ok() && doubts.load(SeqCst) == before, SeqCst);
            outcome
        };
        match self.runtime.spawn(trying.in_current_span()).await {
            Ok(Ok(())) => Ok(Ok(())),
            Ok(Err(PreflightError::Mixed(mixed))) => Ok(Err(mixed)),
            Ok(Err(PreflightError::Driver(error))) => {
                Err(DbErr::Conn(RuntimeErr::SqlxError(error.into())).into())
            }
            Ok(Err(PreflightError::Timeout)) => Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout).into()),
            Err(_) => Err(Failure::Untried),
        }
    }
}
