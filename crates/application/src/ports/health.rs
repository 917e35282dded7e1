//! What is known of the database's health without asking it.

use async_trait::async_trait;
use errand_domain::Timestamp;

use super::StoreError;

/// When real requests last reached the database, or failed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The last answer of the database.
    pub success: Option<Timestamp>,
    /// The last time that it could not be had.
    pub failure: Option<Timestamp>,
}

/// Knowledge of the database's health.
#[cfg_attr(any(test, feature = "test-support"), mockall::automock)]
#[async_trait]
pub trait DatabaseHealth: Send + Sync {
    /// From memory; must not touch the database, which may be asleep and must stay so.
    fn seen(&self) -> Seen;

    /// Asks the database for a sign of life.
    async fn ping(&self) -> Result<(), StoreError>;
}
