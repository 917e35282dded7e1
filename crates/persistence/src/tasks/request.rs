//! Requests that may come again.

use errand_application::ports::{Request, Worked};
use errand_domain::idempotency::{AT_ONCE, BYTES_MAX, KEPT, MOST, over};
use errand_domain::task::Outcome;
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Value};
use serde::{Deserialize, Serialize};

use crate::db::{Conn, Tx};
use crate::entities::tasks::Row;
use crate::error::Failure;
use crate::sql::Sql;

/// An outcome as it is kept. Later versions of errand read what this one wrote: only add.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Task(Box<Row>),
    Deleted(i64),
}

const CORRUPT: Failure = Failure::Corrupt {
    table: "idempotency_keys",
    column: "answer",
};

/// The request of this key, if it is not over, and the oldest time of all if there are as many as may be.
const KNOWN: Sql = Sql::both(
    "SELECT k.fingerprint, k.answer, (SELECT CASE WHEN count(*) >= $4 OR sum(o.size) >= $5 \
     THEN min(o.created_at) END FROM idempotency_keys o WHERE o.user_id = $1 AND o.created_at > $3) AS full_since \
     FROM task_counters c LEFT JOIN idempotency_keys k \
     ON k.user_id = c.user_id AND k.key = $2 AND k.created_at > $3 WHERE c.user_id = $1",
);

#[derive(FromQueryResult)]
struct Known {
    fingerprint: Option<Vec<u8>>,
    answer: Option<String>,
    full_since: Option<DateTimeUtc>,
}

/// What there is to answer without doing anything, if there is. The owner's row is locked: a request that came
/// first is done by now.
pub async fn known(
    tx: &Tx,
    owner: UserId,
    request: &Request,
    at: Timestamp,
) -> Result<Option<Worked>, Failure> {
    let values = [
        owner.0.into(),
        request.key.as_str().into(),
        over(at).as_chrono().into(),
        i64::from(MOST).into(),
        i64::from(BYTES_MAX).into(),
    ];
    let found = Known::find_by_statement(KNOWN.with(tx, values)).one(tx).await?;
    let Some(Known {
        fingerprint,
        answer,
        full_since,
    }) = found
    else {
        return Ok(None);
    };
    let (Some(fingerprint), Some(answer)) = (fingerprint, answer) else {
        let until = full_since.map(|since| Timestamp::new(since).plus(KEPT));
        return Ok(until.map(Worked::TooManyKeys));
    };
    if fingerprint != request.fingerprint.0 {
        return Ok(Some(Worked::Reused));
    }
    let kept: Vec<Kept> = serde_json::from_str(&answer).map_err(|_| CORRUPT)?;
    let outcomes = kept.into_iter().map(|kept| match kept {
        Kept::Task(row) => row.task().map(Outcome::task),
        Kept::Deleted(id) => Ok(Outcome::Deleted(TaskId(id))),
    });
    Ok(Some(Worked::Done {
        outcomes: outcomes.collect::<Result<_, _>>()?,
        replayed: true,
    }))
}

/// The answers that hold a task: what is looked for is there as nothing but the beginning of its row, because
/// quotes in a text are not bare.
const HOLDING: Sql = Sql {
    postgres: "SELECT key, answer FROM idempotency_keys WHERE user_id = $1 AND strpos(answer, $2) > 0",
    sqlite: "SELECT key, answer FROM idempotency_keys WHERE user_id = $1 AND instr(answer, $2) > 0",
};

const REPLACE: Sql =
    Sql::both("UPDATE idempotency_keys SET answer = $3, size = $4 WHERE user_id = $1 AND key = $2");

#[derive(FromQueryResult)]
struct Holding {
    key: String,
    answer: String,
}

/// The bytes of an answer, as they are counted.
fn size(answer: &str) -> Value {
    i32::try_from(answer.len()).unwrap_or(i32::MAX).into()
}

/// Erases a task from the answers that hold it. The requests stay known. The owner's row is locked.
pub async fn erase(tx: &Tx, owner: UserId, id: TaskId, at: Timestamp) -> Result<(), Failure> {
    let begins = format!("{{\"user_id\":{owner},\"id\":{id},");
    let values = [owner.0.into(), begins.into()];
    let holding = Holding::find_by_statement(HOLDING.with(tx, values))
        .all(tx)
        .await?;
    for Holding { key, answer } in holding {
        let kept: Vec<Kept> = serde_json::from_str(&answer).map_err(|_| CORRUPT)?;
        let kept = kept.into_iter().map(|kept| match kept {
            Kept::Task(row) if row.id == id.0 => {
                let erased = row.task()?.erased(at);
                Ok(Kept::Task(Box::new(Row::from(&erased))))
            }
            kept => Ok(kept),
        });
        let kept: Vec<Kept> = kept.collect::<Result<_, Failure>>()?;
        let answer = serde_json::to_string(&kept).map_err(|_| CORRUPT)?;
        let size = size(&answer);
        let values = [owner.0.into(), key.into(), answer.into(), size];
        tx.execute_raw(REPLACE.with(tx, values)).await?;
    }
    Ok(())
}

/// The owner's row first, as everywhere.
const PURGE: Sql = Sql {
    postgres: "DELETE FROM idempotency_keys WHERE user_id = \
               (SELECT user_id FROM task_counters WHERE user_id = $1 FOR NO KEY UPDATE) AND created_at <= $2",
    sqlite: "DELETE FROM idempotency_keys WHERE user_id = $1 AND created_at <= $2",
};

/// Forgets all that is over.
pub async fn purge(conn: &Conn<'_>, owner: UserId, at: Timestamp) -> Result<(), Failure> {
    let values = [owner.0.into(), over(at).as_chrono().into()];
    conn.execute_raw(PURGE.with(conn, values)).await?;
    Ok(())
}

/// In the place of one that is over, if there is one of this key.
macro_rules! remember {
    () => {
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, answer, size, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (user_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, \
         answer = excluded.answer, size = excluded.size, created_at = excluded.created_at"
    };
}

/// Some of what is over, the oldest first.
macro_rules! forget {
    ($key:literal, $over:literal, $most:literal) => {
        concat!(
            "DELETE FROM idempotency_keys WHERE user_id = $1 AND key <> ",
            $key,
            " AND key IN (SELECT k.key FROM idempotency_keys k WHERE k.user_id = $1 AND k.created_at <= ",
            $over,
            " ORDER BY k.created_at, k.key LIMIT ",
            $most,
            ")"
        )
    };
}

/// One statement, so that it is one round trip. SQLite knows none that does both.
const REMEMBER_AND_FORGET: &str = concat!("WITH gone AS (", forget!("$2", "$7", "$8"), ") ", remember!());

/// Keeps what a request came to, and forgets some of what is over.
pub async fn remember(
    tx: &Tx,
    owner: UserId,
    request: &Request,
    outcomes: &[Outcome],
    at: Timestamp,
) -> Result<(), Failure> {
    let kept = outcomes.iter().map(|outcome| match outcome {
        Outcome::Task(task) => Kept::Task(Box::new(Row::from(&**task))),
        Outcome::Deleted(id) => Kept::Deleted(id.0),
    });
    let answer = serde_json::to_string(&kept.collect::<Vec<_>>()).map_err(|_| CORRUPT)?;
    let size = size(&answer);
    let key = || request.key.as_str().into();
    let new = [
        owner.0.into(),
        key(),
        request.fingerprint.0.to_vec().into(),
        answer.into(),
        size,
        at.as_chrono().into(),
    ];
    let bounds = [over(at).as_chrono().into(), i64::from(AT_ONCE).into()];
    if tx.get_database_backend() == DbBackend::Postgres {
        let values = new.into_iter().chain(bounds);
        tx.execute_raw(Sql::both(REMEMBER_AND_FORGET).with(tx, values))
            .await?;
        return Ok(());
    }
    tx.execute_raw(Sql::both(remember!()).with(tx, new)).await?;
    let old = [owner.0.into(), key()].into_iter().chain(bounds);
    tx.execute_raw(Sql::both(forget!("$2", "$3", "$4")).with(tx, old))
        .await?;
    Ok(())
}
