//! `errand purge`: removes what was deleted and is no longer kept.

use std::time::Duration;

use errand_application::purge::Purged;
use errand_persistence::MigrateError;

use crate::config::Config;
use crate::failure::Failure;
use crate::{output, wire};

/// How long open work may take when a command is done.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Removes everybody's, and says how many.
pub async fn run(config: &Config) -> Result<(), Failure> {
    let database = wire::existing_database(&config.database).await?;
    let outcome = async {
        // As at every start: the file may be of an earlier version.
        if config.database.url.sqlite_path().is_some() {
            match database.migrate().await {
                // Later versions only add.
                Ok(_) | Err(MigrateError::Newer(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match wire::purge(&database).run().await {
            Ok(purged) => Ok(purged),
            Err(error) => Err(database.explain(error).await.into()),
        }
    };
    let outcome: Result<Purged, Failure> = outcome.await;
    database.close(CLOSE_WITHIN).await;
    let Purged { tasks, users } = outcome?;
    output::print(&format!("removed {tasks} deleted tasks of {users} users\n"))?;
    Ok(())
}
