//! What the requests themselves found out about the database's health.

use async_trait::async_trait;
use errand_application::ports::{DatabaseHealth, Seen, StoreError};
use sea_orm::{ConnectionTrait, Statement};

use crate::db::{Conn, Db};
use crate::error::{Failure, Older, Refusal};
use crate::scope::Scope;
use crate::unfit::Unfit;

/// The port.
pub struct Health(pub Db);

#[async_trait]
impl DatabaseHealth for Health {
    fn seen(&self) -> Seen {
        self.0.pulse().seen()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0
            .read(Scope::Everyone, (), |conn, ()| Box::pin(ask(conn)))
            .await
    }
}

/// Why a database gave no sign of life.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The server answered that user, password or database name are wrong: the settings are, no waiting helps.
    #[error("the database lets nobody in this way")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Steps of the schema are missing.
    #[error(transparent)]
    Older(Older),
    /// The database has row-level security and the settings say otherwise, or the other way round.
    #[error(transparent)]
    Unfit(Unfit),
    /// Anything else, which may pass.
    #[error(transparent)]
    Unanswered(StoreError),
}

impl From<StoreError> for CheckError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(source)
                if source.downcast_ref::<Refusal>().is_some_and(Refusal::is_of_entry) =>
            {
                Self::Refused(source)
            }
            StoreError::Unavailable(source) if source.is::<Older>() => match source.downcast::<Older>() {
                Ok(older) => Self::Older(*older),
                Err(source) => Self::Unanswered(StoreError::Unavailable(source)),
            },
            StoreError::Unavailable(source) if source.is::<Unfit>() => match source.downcast::<Unfit>() {
                Ok(unfit) => Self::Unfit(*unfit),
                Err(source) => Self::Unanswered(StoreError::Unavailable(source)),
            },
            other => Self::Unanswered(other),
        }
    }
}

async fn ask(conn: &Conn<'_>) -> Result<(), Failure> {
    conn.query_one_raw(Statement::from_string(conn.get_database_backend(), "SELECT 1"))
        .await?;
    Ok(())
}
