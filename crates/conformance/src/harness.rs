//! How the suite opens an adapter.

use std::sync::Arc;

use errand_application::ports::{AccountStore, SessionStore, TaskStore};

/// The three stores of one adapter, on one and the same data.
#[derive(Clone)]
pub struct Stores {
    /// Accounts.
    pub accounts: Arc<dyn AccountStore>,
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
