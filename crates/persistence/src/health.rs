//! What the requests themselves found out about the database's health.

use async_trait::async_trait;
use errand_application::ports::{BoxError, DatabaseHealth, Seen, StoreError};
use sea_orm::{ConnectionTrait, Statement};

use crate::breaker::Barred;
use crate::db::{Conn, Db};
use crate::error::{Failure, Older, Refusal};
use crate::reach::Unreachable;
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
        // Somebody may have turned row-level security on meanwhile: tables then look empty.
        self.0.look_again();
        self.0
            .read(Scope::Everyone, (), |conn, ()| Box::pin(ask(conn)))
            .await
    }
}

/// Why a database gave no sign of life, or did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The server answered that user, password or database name are wrong: the settings are, no waiting helps.
    #[error("the database lets nobody in this way")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Steps of the schema are missing.
    #[error(transparent)]
    Older(Older),
    /// Settings, database and the way to it do not fit together.
    #[error(transparent)]
    Unfit(Unfit),
    /// There is no way to it.
    #[error(transparent)]
    Away(Unreachable),
    /// It has no tables yet, or those of an earlier version.
    #[error("the database does not have the tables of this version: run \"errand migrate up\"")]
    Unmigrated,
    /// The role may not do that.
    #[error("the role in DATABASE_URL may not do that")]
    Forbidden(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else, which may pass.
    #[error(transparent)]
    Unanswered(StoreError),
}

impl From<StoreError> for CheckError {
    fn from(error: StoreError) -> Self {
        let says = |source: &BoxError, what: fn(&Refusal) -> bool| source.downcast_ref().is_some_and(what);
        match error {
            StoreError::Unavailable(source) if says(&source, Refusal::is_of_entry) => Self::Refused(source),
            StoreError::Unavailable(source) if source.is::<Barred>() => Self::Refused(source),
            StoreError::Unavailable(source) if says(&source, Refusal::is_of_schema) => Self::Unmigrated,
            StoreError::Broken(source) if says(&source, Refusal::is_of_rights) => Self::Forbidden(source),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refusal_means_to_whoever_runs_errand() {
        let away = |code: &str| CheckError::from(StoreError::Unavailable(Refusal::with(code).into()));
        let broken = |code: &str| CheckError::from(StoreError::Broken(Refusal::with(code).into()));
        assert!(matches!(away("28P01"), CheckError::Refused(_)));
        for code in ["42P01", "42703"] {
            let told = away(code);
            assert!(matches!(told, CheckError::Unmigrated), "{told:?}");
            assert!(told.to_string().contains("errand migrate up"), "{told}");
        }
        assert!(matches!(broken("42501"), CheckError::Forbidden(_)));
        assert!(matches!(away("53300"), CheckError::Unanswered(_)));
        assert!(matches!(broken("42601"), CheckError::Unanswered(_)));
        let unfit = CheckError::from(StoreError::Unavailable(Unfit::Unasked.into()));
        assert_eq!(unfit.to_string(), Unfit::Unasked.to_string());
    }
}
