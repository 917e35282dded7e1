//! Whether prepared statements of several clients get mixed up on the way to the database.
//!
//! The driver calls them `sqlx_s_1`, `sqlx_s_2` … on every connection. A pooler that lends a server connection for
//! one transaction must keep the clients' names apart. One that does not mixes them up: a statement "already
//! exists" or "does not exist", or, without any error, another client's statement runs. That row may be another
//! user's. Nothing in the protocol tells a pooler from a server, so it is tried out.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError};
use sqlx::{ConnectOptions, Connection, Error as SqlxError};
use tokio::time::timeout;

/// The way to the database runs other statements than those it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the pooler in front of the database mixes up prepared statements, so that a query may get another one's rows: \
     let it keep track of them (PgBouncer 1.21 or later with max_prepared_statements above 0), or put the direct \
     URL in DATABASE_URL"
)]
pub struct Mixed;

/// Why the way to the database is not known to be safe.
#[derive(Debug, thiserror::Error)]
pub enum PreflightError {
    /// It is known not to be.
    #[error(transparent)]
    Mixed(#[from] Mixed),
    /// It could not be tried out.
    #[error(transparent)]
    Driver(SqlxError),
    /// The same, because it took too long.
    #[error("prepared statements could not be tried out in time")]
    Timeout,
}

/// Tries it out with two clients of its own: about twenty round trips. Connecting, and each answer, may take
/// `each`; all of it `within`.
pub async fn preflight(
    options: &PgConnectOptions,
    each: Duration,
    within: Duration,
) -> Result<(), PreflightError> {
    timeout(within, connected(options, each))
        .await
        .map_err(|_| PreflightError::Timeout)?
}

async fn connected(options: &PgConnectOptions, each: Duration) -> Result<(), PreflightError> {
    let connecting = async { tokio::try_join!(options.connect(), options.connect()) };
    let (one, other) = timeout(each, connecting)
        .await
        .map_err(|_| PreflightError::Timeout)?
        .map_err(PreflightError::Driver)?;
    let (mut one, mut other) = (Client { conn: one, each }, Client { conn: other, each });
    let outcome = try_out(&mut one, &mut other).await;
    // The answer is known; whether the goodbyes arrive is no part of it.
    let goodbyes = async { tokio::join!(one.conn.close(), other.conn.close()) };
    drop(timeout(each, goodbyes).await);
    outcome
}

/// One of the two.
struct Client {
    conn: PgConnection,
    /// How long an answer may take.
    each: Duration,
}

/// What the two clients ask. The first pair has one shape, so that a mix-up shows in the answer alone; the others
/// differ in the number and the types of what goes in and comes out.
const PAIRS: [(Question, Question); 3] = [
    (Question::AddOne, Question::AddTwo),
    (Question::Shout, Question::AddUp),
    (Question::Double, Question::Frame),
];

/// An idle pooler lends the connection that came back last: clients who take turns meet on it. A busy one gives
/// them others than those they prepared on: so they also ask at once.
async fn try_out(one: &mut Client, other: &mut Client) -> Result<(), PreflightError> {
    for (round, (first, second)) in (1..).zip(PAIRS) {
        first.ask(one, round).await?;
        second.ask(other, round).await?;
        first.ask(one, round + 10).await?;
    }
    tokio::try_join!(all(one, PAIRS.map(|(first, _)| first)), async {
        all(other, PAIRS.map(|(_, second)| second)).await
    })?;
    Ok(())
}

async fn all(client: &mut Client, questions: [Question; 3]) -> Result<(), PreflightError> {
    for (round, question) in (100..).zip(questions) {
        question.ask(client, round).await?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Question {
    AddOne,
    AddTwo,
    AddUp,
    Double,
    Shout,
    Frame,
}

impl Question {
    async fn ask(self, client: &mut Client, n: i64) -> Result<(), PreflightError> {
        timeout(client.each, self.is_answered(&mut client.conn, n))
            .await
            .map_err(|_| PreflightError::Timeout)?
            .map_err(judge)?
            .then_some(())
            .ok_or(Mixed.into())
    }

    async fn is_answered(self, conn: &mut PgConnection, n: i64) -> Result<bool, SqlxError> {
        let number = |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).bind(n);
        Ok(match self {
            Self::AddOne => number("SELECT $1::bigint + 1").fetch_one(conn).await? == n + 1,
            Self::AddTwo => number("SELECT $1::bigint + 2").fetch_one(conn).await? == n + 2,
            Self::AddUp => {
                let added = number("SELECT $1::bigint + $2::bigint + $3::bigint")
                    .bind(n)
                    .bind(7_i64);
                added.fetch_one(conn).await? == n + n + 7
            }
            Self::Double => {
                let row: (i64, i64) = sqlx::query_as("SELECT $1::bigint, $1::bigint * 2")
                    .bind(n)
                    .fetch_one(conn)
                    .await?;
                row == (n, n * 2)
            }
            Self::Shout => {
                let loud: String = sqlx::query_scalar("SELECT upper($1::text)")
                    .bind(format!("round {n}"))
                    .fetch_one(conn)
                    .await?;
                loud == format!("ROUND {n}")
            }
            Self::Frame => {
                let row: (String, i64, bool) =
                    sqlx::query_as("SELECT '<' || $1::text || '>', $2::bigint, true")
                        .bind(format!("round {n}"))
                        .bind(n)
                        .fetch_one(conn)
                        .await?;
                row == (format!("<round {n}>"), n, true)
            }
        })
    }
}

/// Nothing is wrong with the statements and what is bound to them: what says otherwise speaks of others.
fn judge(error: SqlxError) -> PreflightError {
    let mixed = match &error {
        SqlxError::Database(refused) => {
            let code = refused.code().unwrap_or_default();
            // A message that binds to a statement of another shape is a violation of the protocol; others of these
            // are the pooler's own (no server, no place).
            let binding = refused
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|refused| refused.routine() == Some("exec_bind_message"));
            matches!(code.as_ref(), "42P05" | "26000")
                || code.starts_with("22")
                || (code == "08P01" && binding)
        }
        SqlxError::RowNotFound
        | SqlxError::TypeNotFound { .. }
        | SqlxError::ColumnIndexOutOfBounds { .. }
        | SqlxError::ColumnNotFound(_)
        | SqlxError::ColumnDecode { .. }
        | SqlxError::Decode(_) => true,
        _ => false,
    };
    if mixed {
        Mixed.into()
    } else {
        PreflightError::Driver(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_of_the_statement_is_of_another() {
        assert!(matches!(
            judge(SqlxError::RowNotFound),
            PreflightError::Mixed(Mixed)
        ));
        let decode = SqlxError::ColumnDecode {
            index: "0".into(),
            source: "mismatched types".into(),
        };
        assert!(matches!(judge(decode), PreflightError::Mixed(Mixed)));
        let reset = SqlxError::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(matches!(judge(reset), PreflightError::Driver(SqlxError::Io(_))));
        assert!(matches!(
            judge(SqlxError::PoolTimedOut),
            PreflightError::Driver(SqlxError::PoolTimedOut)
        ));
    }

    fn options(database: &errand_testbed::TestDatabase) -> PgConnectOptions {
        let options: PgConnectOptions = database.url.parse().unwrap();
        options.ssl_root_cert(&database.ca_file)
    }

    #[tokio::test]
    async fn a_server_itself_mixes_nothing_up() {
        let database = errand_testbed::Postgres::shared().create_database().await;
        preflight(
            &options(&database),
            Duration::from_secs(30),
            Duration::from_secs(30),
        )
        .await
        .unwrap();
        let wrong = options(&database).password("wrong");
        let error = preflight(&wrong, Duration::from_secs(30), Duration::from_secs(30))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, PreflightError::Driver(SqlxError::Database(_))),
            "{error:?}"
        );
        let error = preflight(&options(&database), Duration::from_secs(30), Duration::ZERO)
            .await
            .unwrap_err();
        assert!(matches!(error, PreflightError::Timeout), "{error:?}");
    }

    /// Two clients on one server connection without anybody who keeps their names apart, as far as one client can
    /// play it: the names that the second one prepares are taken, or somebody else's statement stands behind them.
    #[tokio::test]
    async fn a_name_that_is_taken_and_a_statement_that_is_not_there_are_found() {
        let database = errand_testbed::Postgres::shared().create_database().await;
        let client = async || Client {
            conn: options(&database).connect().await.unwrap(),
            each: Duration::from_secs(30),
        };
        let mut one = client().await;
        let taken = "PREPARE sqlx_s_1 (bigint) AS SELECT 1";
        sqlx::raw_sql(taken).execute(&mut one.conn).await.unwrap();
        let error = Question::AddOne.ask(&mut one, 1).await.unwrap_err();
        assert!(matches!(error, PreflightError::Mixed(Mixed)), "{error:?}");

        for (swap, question) in [
            ("DEALLOCATE ALL", Question::AddTwo),
            (
                "DEALLOCATE ALL; PREPARE sqlx_s_1 (bigint) AS SELECT $1 + 1",
                Question::AddTwo,
            ),
            (
                "DEALLOCATE ALL; PREPARE sqlx_s_1 (bigint, text) AS SELECT $1, $2",
                Question::AddTwo,
            ),
            (
                "DEALLOCATE ALL; PREPARE sqlx_s_1 (boolean, text) AS SELECT $1, $2",
                Question::Frame,
            ),
            (
                "DEALLOCATE ALL; PREPARE sqlx_s_1 (text) AS SELECT 1::bigint, 2::bigint",
                Question::Shout,
            ),
        ] {
            let mut one = client().await;
            question.ask(&mut one, 1).await.unwrap();
            sqlx::raw_sql(swap).execute(&mut one.conn).await.unwrap();
            let error = question.ask(&mut one, 2).await.unwrap_err();
            assert!(matches!(error, PreflightError::Mixed(Mixed)), "{swap}: {error:?}");
        }
    }
}
