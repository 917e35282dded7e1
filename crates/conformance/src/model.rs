//! The in-memory model: the executable specification of the store ports.
//!
//! It is one `State` behind one lock, so that every call is one atomic step, and it leaves every decision to the
//! domain's own functions. What the ports leave open it decides as follows; the cases ask only for what is
//! marked **asked**.
//!
//! - **Asked:** task ids are 1, 2, 3, … for each owner. A repeated key uses none up; a deleted task's id is not
//!   given again. (Racing creations may leave gaps; only sequential ones are counted.)
//! - **Asked:** a repeated key with another body is still the first call's task.
//! - **Asked:** an owner that does not exist has an empty list and no sessions, not an error.
//! - **Asked:** `next` is `None` exactly if nothing more would be shown now, and the pages of a walk are filled
//!   to the limit while there is something to fill them with.
//! - **Asked:** `total` counts what the filter lets through at the moment of the page, wherever the page begins.
//! - By how much the change counter moves is open, as long as it goes up.
//! - **Asked:** `deleted_at` is the `at` of the deletion; the task in the trash is otherwise untouched, its
//!   version included.
//! - **Asked:** a replay changes nothing: neither `last_used_at` nor the expiry.
//! - **Asked:** "the last hour" of `ended` is of the store's own time: `delete` and `end_all` are given none.
//! - **Asked:** `ended` never names a session that lives.
//! - **Asked:** a registration that clashes with both address and name reports the address, in a race too.
//! - A session that has expired may or may not be counted by `end_all` and be named by `ended`: the store is
//!   not told the time. The model does both.
//! - **Asked:** an event that was noted is there after a while; the model does it at once.
//! - `rotate` with an `at` before the last use: the model takes `at` as it is. The cases do not turn the clock
//!   back there.
//! - `start` with a session that is older than 50 living ones ends that session itself at once.
//! - A walk is kept for ever; an adapter may forget it after an hour. A creation key is kept for ever; an
//!   adapter may forget it with its task.
//! - `After` belongs to the order of creation and `Walk` to the query that began it; other combinations mean
//!   nothing.

mod accounts;
pub(crate) mod changes;
mod events;
mod limits;
mod sessions;
mod tasks;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use errand_application::ports::DeletedTask;
use errand_domain::account::{PasswordHash, User};
use errand_domain::event::SecurityEvent;
use errand_domain::idempotency::IdempotencyKey;
use errand_domain::session::{Digest, RefreshState, Session};
use errand_domain::task::{Outcome, Task};
use errand_domain::{SessionId, TaskId, Timestamp, UserId};
use uuid::Uuid;

use crate::harness::{Harness, Stores};

/// All stores in memory. A clone is the same data.
#[derive(Clone, Default)]
pub struct Model {
    state: Arc<Mutex<State>>,
}

/// What the model holds.
#[derive(Default)]
pub(crate) struct State {
    /// The last account id given.
    pub(crate) last_user: i64,
    pub(crate) accounts: BTreeMap<UserId, Account>,
    /// Every session that was ended, in order; a cursor is a place in it.
    pub(crate) ended: Vec<SessionId>,
    /// When each known bucket is full again.
    pub(crate) limits: BTreeMap<Digest, Timestamp>,
}

/// One tenant: whatever is here cannot be reached without its id.
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) password: PasswordHash,
    pub(crate) disabled_at: Option<Timestamp>,
    pub(crate) sessions: BTreeMap<SessionId, Held>,
    /// By id, and so by time.
    pub(crate) events: BTreeMap<Uuid, SecurityEvent>,
    /// The last task id given.
    pub(crate) last_task: i64,
    pub(crate) tasks: BTreeMap<TaskId, Task>,
    pub(crate) deleted: BTreeMap<TaskId, DeletedTask>,
    /// What was erased, and when it was deleted.
    pub(crate) erased: BTreeMap<TaskId, Timestamp>,
    /// Creation keys and what they made.
    pub(crate) keys: BTreeMap<String, TaskId>,
    /// Requests that may come again, and what they came to.
    pub(crate) requests: BTreeMap<IdempotencyKey, (Timestamp, Digest, Vec<Outcome>)>,
    /// Remembered walks.
    pub(crate) walks: BTreeMap<Uuid, Vec<TaskId>>,
    /// The change counter.
    pub(crate) changes: i64,
    /// What the counter was when a task last changed, deleted or not.
    pub(crate) places: BTreeMap<TaskId, i64>,
    /// The last place of a deletion that was removed.
    pub(crate) forgotten: i64,
}

/// A session with its refresh tokens.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) session: Session,
    pub(crate) refresh: RefreshState,
}

impl Model {
    /// An empty model.
    pub fn new() -> Self {
        Self::default()
    }

    /// It as the ports.
    pub fn stores(&self) -> Stores {
        Stores {
            accounts: Arc::new(self.clone()),
            events: Arc::new(self.clone()),
            limits: Arc::new(self.clone()),
            sessions: Arc::new(self.clone()),
            tasks: Arc::new(self.clone()),
        }
    }

    /// The owner's change counter; `None` if the account is gone.
    pub fn change_counter(&self, owner: UserId) -> Option<i64> {
        self.with(|state| state.accounts.get(&owner).map(|account| account.changes))
    }

    /// One atomic step. A panic of a case in here leaves nothing half-done that another would see.
    pub(crate) fn with<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        step(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The model as a subject of its own cases, and an example of a harness.
pub struct ModelHarness(Model);

impl Harness for ModelHarness {
    async fn fresh() -> Self {
        Self(Model::new())
    }

    fn stores(&self) -> Stores {
        self.0.stores()
    }
}
