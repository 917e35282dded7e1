//! The runs of an import, and the ids that its users may have.

use std::collections::HashMap;
use std::sync::Arc;

use errand_application::ports::{KnownUser, Run, StoreError};
use errand_domain::UserId;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement, TransactionTrait};
use uuid::Uuid;

use crate::connect::{Settings, open_for_migrations};
use crate::db::{Conn, Tx};
use crate::entities::imported_users;
use crate::error::Failure;
use crate::pulse::Pulse;
use crate::sql::{Sql, returned};

const BEGIN: Sql = Sql::both(
    "INSERT INTO imports (source, id, run, finished, turn) VALUES ($1, $2, 1, false, 1) ON CONFLICT (source) DO UPDATE \
     SET run = imports.run + CASE WHEN imports.finished THEN 1 ELSE 0 END, finished = false, turn = imports.turn + 1 RETURNING id, run, turn",
);
const LAST: Sql = Sql::both("SELECT id, run, turn FROM imports WHERE source = $1");
const FINISH: Sql =
    Sql::both("UPDATE imports SET finished = true WHERE source = $1 AND run = $2 AND turn = $3");
const TAKE_BACK: Sql = Sql::both("UPDATE imports SET finished = true WHERE source = $1 AND run = $2");
const LATER: Sql = Sql::both(
    "SELECT 1 AS one FROM imported_users u WHERE u.source = $1 AND (u.run > $2 OR EXISTS (SELECT 1 FROM \
     imported_tasks t WHERE t.user_id = u.user_id AND t.run > $2)) LIMIT 1",
);
/// Only once nobody is left: a number that is given again would bring the receipts of before to life.
const FORGET: Sql = Sql::both(
    "DELETE FROM imports WHERE source = $1 AND finished AND NOT EXISTS (SELECT 1 FROM imported_users u \
     WHERE u.source = $1)",
);

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    run: i64,
    turn: i64,
}

impl Row {
    fn run(self) -> Run {
        Run {
            id: self.id,
            number: self.run,
            turn: self.turn,
        }
    }
}

pub async fn begin(conn: &Conn<'_>, source: &str, id: Uuid) -> Result<Run, Failure> {
    let row: Option<Row> = returned(conn, BEGIN.with(conn, [source.into(), id.into()])).await?;
    row.map(Row::run).ok_or(Failure::Corrupt {
        table: "imports",
        column: "*",
    })
}

pub async fn last(conn: &Conn<'_>, source: &str) -> Result<Option<Run>, Failure> {
    let row = Row::find_by_statement(LAST.with(conn, [source.into()]));
    Ok(row.one(conn).await?.map(Row::run))
}

pub async fn finish(conn: &Conn<'_>, source: &str, run: Run) -> Result<(), Failure> {
    let values = [source.into(), run.number.into(), run.turn.into()];
    conn.execute_raw(FINISH.with(conn, values)).await?;
    Ok(())
}

pub async fn came_later(conn: &Conn<'_>, source: &str, run: i64) -> Result<bool, Failure> {
    let found = conn
        .query_all_raw(LATER.with(conn, [source.into(), run.into()]))
        .await?;
    Ok(!found.is_empty())
}

const BROUGHT: Sql = Sql::both(
    "SELECT u.* FROM imported_users u WHERE u.source = $1 AND u.user_id > $3 AND (u.run = $2 OR EXISTS (SELECT 1 \
     FROM imported_tasks t WHERE t.user_id = u.user_id AND t.run = $2)) ORDER BY u.user_id LIMIT 500",
);
const COUNTED: Sql = Sql::both(
    "SELECT user_id, count(*) AS tasks FROM imported_tasks WHERE run = $1 AND user_id > $2 AND user_id <= $3 \
     GROUP BY user_id",
);

#[derive(FromQueryResult)]
struct Counted {
    user_id: i64,
    tasks: i64,
}

pub async fn brought(
    conn: &Conn<'_>,
    source: &str,
    run: i64,
    after: UserId,
) -> Result<Vec<(KnownUser, u64)>, Failure> {
    let values = [source.into(), run.into(), after.0.into()];
    let users = imported_users::Model::find_by_statement(BROUGHT.with(conn, values))
        .all(conn)
        .await?;
    let last = users.last().map_or(after.0, |user| user.user_id);
    let values = [run.into(), after.0.into(), last.into()];
    let counts = Counted::find_by_statement(COUNTED.with(conn, values))
        .all(conn)
        .await?;
    let counts: HashMap<i64, i64> = counts.into_iter().map(|row| (row.user_id, row.tasks)).collect();
    let counted = |user: imported_users::Model| {
        let tasks = counts.get(&user.user_id).copied().unwrap_or_default();
        Ok((user.known()?, u64::try_from(tasks).unwrap_or_default()))
    };
    users.into_iter().map(counted).collect()
}

pub async fn take_back(tx: &Tx, source: &str, run: i64) -> Result<(), Failure> {
    tx.execute_raw(TAKE_BACK.with(tx, [source.into(), run.into()]))
        .await?;
    tx.execute_raw(FORGET.with(tx, [source.into()])).await?;
    Ok(())
}

/// Nobody registers meanwhile: who has taken a number from the sequence has the table too.
const HOLD: &str = "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE";
const RESERVE: &str = "SELECT setval(pg_get_serial_sequence('users', 'id'), $1) WHERE $1 > coalesce((SELECT \
     last_value FROM pg_sequences WHERE format('%I.%I', schemaname, sequencename) = \
     pg_get_serial_sequence('users', 'id')), 0)";

pub async fn reserve(settings: &Settings, pulse: Arc<Pulse>, last: UserId) -> Result<(), StoreError> {
    let pools = open_for_migrations(settings, pulse).await;
    let pools = pools.map_err(|error| StoreError::Broken(error.into()))?;
    let done: Result<(), DbErr> = async {
        let tx = pools.write().begin().await?;
        tx.execute_unprepared(HOLD).await?;
        let reserving = Statement::from_sql_and_values(DbBackend::Postgres, RESERVE, [last.0.into()]);
        tx.query_all_raw(reserving).await?;
        tx.commit().await
    }
    .await;
    pools.close().await;
    done.map_err(|error| Failure::from(error).into())
}

const RAISE: Sql = Sql::both("UPDATE sqlite_sequence SET seq = max(seq, $1) WHERE name = 'users'");
const SET: Sql = Sql::both(
    "INSERT INTO sqlite_sequence (name, seq) SELECT 'users', $1 \
     WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'users')",
);

pub async fn reserve_in_file(tx: &Tx, last: UserId) -> Result<(), Failure> {
    for statement in [RAISE, SET] {
        tx.execute_raw(statement.with(tx, [last.0.into()])).await?;
    }
    Ok(())
}
