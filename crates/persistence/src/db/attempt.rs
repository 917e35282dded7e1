//! One try of a unit of work, and what can be said of it if it fails.

use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr, TransactionOptions, TransactionTrait};

use super::{Conn, Tx, Unit};
use crate::error::{Class, Failure};
use crate::fence::Fence;
use crate::scope::Scope;

/// One try that failed.
pub struct Stopped {
    pub failure: Failure,
    /// Nothing of it can have taken effect, or once more would change nothing.
    pub harmless: bool,
}

impl Stopped {
    pub fn untouched(failure: Failure) -> Self {
        Self {
            failure,
            harmless: true,
        }
    }
}

pub type Try<'c, T> = Pin<Box<dyn Future<Output = Result<T, Stopped>> + Send + 'c>>;

/// Each takes effect by itself; behind a fence all together, because a scope ends with its transaction.
pub async fn statements<I, T, F>(
    conn: &DatabaseConnection,
    fence: Fence,
    scope: Scope,
    input: &I,
    unit: F,
) -> Result<T, Stopped>
where
    I: Sync,
    F: for<'c> Fn(&'c Conn<'c>, &'c I) -> Unit<'c, T> + Copy + Send + Sync + 'static,
{
    if fence.is_on() {
        let options = TransactionOptions::default();
        return transaction(conn, options, fence, scope, input, |tx, input| {
            Box::pin(async move { unit(&tx.into(), input).await })
        })
        .await;
    }
    unit(&conn.into(), input).await.map_err(|failure| Stopped {
        harmless: failure.is_unsent() || failure.class() == Class::Again,
        failure,
    })
}

pub async fn transaction<I, T, F>(
    conn: &DatabaseConnection,
    options: TransactionOptions,
    fence: Fence,
    scope: Scope,
    input: &I,
    unit: F,
) -> Result<T, Stopped>
where
    F: for<'c> Fn(&'c Tx, &'c I) -> Unit<'c, T>,
{
    let tx = conn
        .begin_with_options(options)
        .await
        .map_err(|error| Stopped::untouched(error.into()))?;
    let outcome = match fence.around(&tx, scope).await {
        Ok(()) => unit(&tx, input).await,
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(value) => match tx.commit().await {
            Ok(()) => Ok(value),
            // Whether a commit without an answer took effect, nobody knows.
            Err(error) => {
                let failure = Failure::from(error);
                Err(Stopped {
                    harmless: failure.class() == Class::Again,
                    failure,
                })
            }
        },
        Err(failure) => {
            if let Err(error) = tx.rollback().await {
                report(error);
            }
            Err(Stopped::untouched(failure))
        }
    }
}

/// A rollback that failed. The pools let no connection back in that the driver believes to be in a transaction.
fn report(error: DbErr) {
    let class = Failure::from(error).class();
    // A broken connection was reported when it broke, and the server rolls back by itself.
    if class == Class::Lost {
        tracing::debug!(?class, "a rollback failed");
    } else {
        tracing::warn!(?class, "a rollback failed, the connection is given up");
    }
}

/// Half of it or more: those who failed together do not come back together.
pub fn jittered(pause: Duration) -> Duration {
    // The keys of a new map are random, which is all that is needed here.
    let random = RandomState::new().hash_one(()) % 1024;
    pause / 2 + pause / 2 * u32::try_from(random).unwrap_or_default() / 1024
}
