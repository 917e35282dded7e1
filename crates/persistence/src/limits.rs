//! Limits. The rows have no owner: a network tries names that nobody has.

use async_trait::async_trait;
use errand_application::ports::{Bucket, LimitStore, StoreError};
use errand_domain::Timestamp;
use errand_domain::limit::{Allowance, Take};
use errand_domain::session::Digest;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use crate::db::{Db, Tx};
use crate::error::Failure;
use crate::scope::Scope;
use crate::sql::Sql;

/// The port.
pub struct Limits(pub Db);

#[async_trait]
impl LimitStore for Limits {
    async fn take(&self, buckets: &[Bucket], at: Timestamp) -> Result<Vec<Take>, StoreError> {
        self.0
            .write(Scope::Everyone, (buckets.to_vec(), at), |tx, (buckets, at)| {
                Box::pin(take(tx, buckets, *at))
            })
            .await
    }

    async fn give_back(&self, buckets: &[Bucket]) -> Result<(), StoreError> {
        self.0
            .write(Scope::Everyone, buckets.to_vec(), |tx, buckets| {
                Box::pin(give_back(tx, buckets))
            })
            .await
    }
}

/// [`Allowance::take`] in one statement: the row is locked and judged as whoever came before left it.
/// `from` is when the bucket will be full as things stand, between now (`$1`) and its whole window from now.
macro_rules! take {
    ($least:literal, $greatest:literal) => {
        concat!(
            " ON CONFLICT (key) DO UPDATE SET full_at_micros = ",
            take!(from $least, $greatest),
            " + CASE WHEN ",
            take!(fits $least, $greatest),
            " THEN excluded.every_micros ELSE 0 END, allowed = ",
            take!(fits $least, $greatest),
            ", every_micros = excluded.every_micros, burst = excluded.burst \
             RETURNING key, full_at_micros, allowed"
        )
    };
    (from $least:literal, $greatest:literal) => {
        concat!(
            $greatest,
            "($1, ",
            $least,
            "(limits.full_at_micros, $1 + excluded.every_micros * excluded.burst))"
        )
    };
    (fits $least:literal, $greatest:literal) => {
        concat!(
            take!(from $least, $greatest),
            " + excluded.every_micros <= $1 + excluded.every_micros * excluded.burst"
        )
    };
}

const ON_CONFLICT: Sql = Sql {
    postgres: take!("least", "greatest"),
    sqlite: take!("min", "max"),
};

/// Full buckets are forgotten, a few at a time, and none that another is at: faster than attempts make new ones.
const FORGET: Sql = Sql {
    postgres: "DELETE FROM limits WHERE key IN (SELECT key FROM limits WHERE full_at_micros < $1 \
               ORDER BY full_at_micros LIMIT 20 FOR UPDATE SKIP LOCKED)",
    sqlite: "DELETE FROM limits WHERE key IN (SELECT key FROM limits WHERE full_at_micros < $1 \
             ORDER BY full_at_micros LIMIT 20)",
};

const GIVE_BACK: Sql =
    Sql::both("UPDATE limits SET full_at_micros = full_at_micros - every_micros WHERE key = $1");

#[derive(FromQueryResult)]
struct Row {
    key: Vec<u8>,
    full_at_micros: i64,
    allowed: bool,
}

/// In the order of their keys: two attempts that want the same buckets lock them one after the other.
fn sorted(buckets: &[Bucket]) -> Vec<Bucket> {
    let mut buckets = buckets.to_vec();
    buckets.sort_by_key(|bucket| bucket.key);
    buckets
}

fn key(digest: &Digest) -> Value {
    digest.0.to_vec().into()
}

async fn take(tx: &Tx, buckets: &[Bucket], at: Timestamp) -> Result<Vec<Take>, Failure> {
    let rows = Row::find_by_statement(upsert(tx.get_database_backend(), &sorted(buckets), at))
        .all(tx)
        .await?;
    tx.execute_raw(FORGET.with(tx, [at.micros().into()])).await?;
    let outcome = |bucket: &Bucket| {
        let row = rows.iter().find(|row| row.key == bucket.key.0);
        let full_at = row.and_then(|row| Timestamp::from_micros(row.full_at_micros));
        match (row, full_at) {
            (Some(row), Some(full_at)) if row.allowed => Ok(Take::Taken { full_at }),
            (Some(_), Some(full_at)) => Ok(refused(&bucket.allowance, full_at, at)),
            _ => Err(Failure::Corrupt {
                table: "limits",
                column: "full_at_micros",
            }),
        }
    };
    buckets.iter().map(outcome).collect()
}

fn refused(allowance: &Allowance, full_at: Timestamp, at: Timestamp) -> Take {
    let latest = at.plus(allowance.window());
    Take::Refused {
        full_at,
        wait: full_at.plus(allowance.every).since(latest),
    }
}

/// One row for each bucket; a new one has lost its first try.
fn upsert(backend: DbBackend, buckets: &[Bucket], at: Timestamp) -> Statement {
    let mut values: Vec<Value> = vec![at.micros().into()];
    let mut rows = Vec::new();
    for bucket in buckets {
        // Numbers of parameters, nothing else.
        let [key_at, every, burst] = [1, 2, 3].map(|n| format!("${}", values.len() + n));
        rows.push(format!(
            "({key_at}, CAST($1 AS bigint) + CAST({every} AS bigint), {every}, {burst}, true)"
        ));
        let micros = i64::try_from(bucket.allowance.every.as_micros()).unwrap_or(i64::MAX);
        values.extend([
            key(&bucket.key),
            micros.into(),
            i64::from(bucket.allowance.burst).into(),
        ]);
    }
    let on_conflict = match backend {
        DbBackend::Postgres => ON_CONFLICT.postgres,
        _ => ON_CONFLICT.sqlite,
    };
    let text = format!(
        "INSERT INTO limits (key, full_at_micros, every_micros, burst, allowed) VALUES {}{on_conflict}",
        rows.join(", ")
    );
    Statement::from_sql_and_values(backend, text, values)
}

async fn give_back(tx: &Tx, buckets: &[Bucket]) -> Result<(), Failure> {
    for bucket in sorted(buckets) {
        tx.execute_raw(GIVE_BACK.with(tx, [key(&bucket.key)])).await?;
    }
    Ok(())
}
