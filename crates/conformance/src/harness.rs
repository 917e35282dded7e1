//! How the suite opens an adapter.

use std::sync::Arc;

use errand_application::ports::{AccountStore, EventStore, LimitStore, SessionStore, TaskStore};

/// The stores of one adapter, on one and the same data.
#[derive(Clone)]
pub struct Stores {
    /// Accounts.
    pub accounts: Arc<dyn AccountStore>,
    /// Security events.
    pub events: Arc<dyn EventStore>,
    /// Limits.
    pub limits: Arc<dyn LimitStore>,
    /// Sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Tasks.
    pub tasks: Arc<dyn TaskStore>,
}

/// Opens an adapter for one case. Dropping it cleans up.
pub trait Harness: Send + Sync + Sized + 'static {
    /// Opens it on fresh, empty data that nobody else uses.
    fn fresh() -> impl Future<Output = Self> + Send;

    /// Its stores.
    fn stores(&self) -> Stores;
}
