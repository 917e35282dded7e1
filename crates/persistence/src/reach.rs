//! Why PostgreSQL cannot be reached: what the driver says of it, without what the URL says.

use std::time::Duration;

use sea_orm::DbErr;
use sqlx::{ConnectOptions, Error as SqlxError};
use tokio::time::timeout;

use crate::connect::{Settings, postgres_options};
use crate::error::{Deadline, Failure, Unconnected, words};
use crate::url::{DatabaseUrl, Target};

/// Who asks for the reason has waited already.
const WITHIN: Duration = Duration::from_secs(3);
/// A database that sleeps wakes within that.
const GREETING: Duration = Duration::from_secs(10);

/// PostgreSQL cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database of {variable} cannot be reached: {cause} (errand doctor tells more)")]
pub struct Unreachable {
    /// That says where it is.
    variable: &'static str,
    cause: String,
}

impl Unreachable {
    /// `variable` says where it is.
    pub fn new(variable: &'static str, cause: Option<String>) -> Self {
        Self {
            variable,
            cause: cause.unwrap_or_else(|| Deadline.to_string()),
        }
    }
}

/// Whether there was no connection, as far as the error tells.
pub fn is_in_question(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    match error.downcast_ref::<DbErr>() {
        Some(error) => Failure::is_of_no_connection(error),
        None => error.is::<Deadline>() || error.is::<Unconnected>(),
    }
}

/// Why there is no connection: what the error tells or, if that is no more than that the time was up (the pool
/// goes on trying until then), what one more try does. Nothing if that one succeeds.
pub async fn cause(
    error: &(dyn std::error::Error + Send + Sync + 'static),
    url: &DatabaseUrl,
    settings: &Settings,
) -> Option<String> {
    if let Some(told) = error.downcast_ref::<Unconnected>() {
        return Some(told.to_string());
    }
    let Target::Postgres(url) = url.target() else {
        return None;
    };
    let options = match postgres_options(url, settings) {
        Ok(options) => options,
        Err(error) => return Some(error.to_string()),
    };
    match timeout(WITHIN.min(settings.deadline), options.connect()).await {
        // Dropped without a farewell: whoever asks is about to end.
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(words(&error)),
        Err(_) => Some(Deadline.to_string()),
    }
}

/// Greets PostgreSQL once, so that a wrong place shows at once and not when a unit of work gives up. A server that
/// refuses is there, and says so again to whoever asks it something.
pub async fn greet(settings: &Settings) -> Result<(), Unreachable> {
    let Target::Postgres(url) = settings.url.target() else {
        return Ok(());
    };
    let away = |cause| Err(Unreachable::new("DATABASE_URL", cause));
    let options = match postgres_options(url, settings) {
        Ok(options) => options,
        Err(error) => return away(Some(error.to_string())),
    };
    match timeout(GREETING.min(settings.deadline), options.connect()).await {
        Ok(Ok(_) | Err(SqlxError::Database(_))) => Ok(()),
        Ok(Err(error)) => away(Some(words(&error))),
        Err(_) => away(None),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnAcquireErr, RuntimeErr};

    use super::*;
    use crate::error::redacted;

    async fn told(error: DbErr, url: &str) -> Option<String> {
        let settings = Settings::new(DatabaseUrl::parse(url).unwrap());
        cause(&*redacted(error), &settings.url, &settings).await
    }

    #[tokio::test]
    async fn the_cause_without_the_host() {
        // Nobody listens there once the listener is gone.
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let nobody = format!("postgres://ann:hunter22@127.0.0.1:{port}/todo");
        let timed_out = DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        let refused = told(timed_out, &nobody).await.unwrap();
        assert!(refused.starts_with("Connection refused"), "{refused}");
        let strange = SqlxError::Tls("certificate not valid for name \"db.example\"".into());
        let strange = told(DbErr::Conn(RuntimeErr::SqlxError(strange.into())), &nobody).await;
        let strange = strange.unwrap();
        assert!(
            strange.contains("certificate") && !strange.contains("db.example"),
            "{strange}"
        );
    }

    #[tokio::test]
    async fn a_database_that_can_be_reached_is_not_blamed() {
        let database = errand_testbed::Postgres::shared().create_database().await;
        let mut settings = Settings::new(DatabaseUrl::parse(&database.url).unwrap());
        settings.ca_file = Some(database.ca_file.clone());
        assert_eq!(cause(&Deadline, &settings.url, &settings).await, None);
    }
}
