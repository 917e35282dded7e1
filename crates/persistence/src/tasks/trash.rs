//! The trash: deleted tasks, for as long as they are kept.

use errand_application::ports::{DeletedTask, Restored, StoreError, TrashPage, Written};
use errand_domain::task::{Expected, Task};
use errand_domain::trash::{self, TrashPlace};
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Select, Statement, Value,
};

use super::{columns, living, lock, not_written, request, versions};
use crate::db::{Conn, Db, Tx};
use crate::entities::tasks::{Column, Entity, ROW, Row, TrashRow};
use crate::error::Failure;
use crate::scope::{Owned, Scope};
use crate::sql::{Sql, returned};

/// The row that every writer of the owner's tasks locks first.
macro_rules! owner {
    () => {
        "(SELECT user_id FROM task_counters WHERE user_id = $1 FOR NO KEY UPDATE)"
    };
}

/// The newest of what is no longer kept, because so many (`$most`) are newer. Who was never given so many ids
/// cannot have too many.
macro_rules! beneath_the_newest {
    ($most:literal) => {
        concat!(
            "CASE WHEN (SELECT last_task_id FROM task_counters WHERE user_id = $1) > ",
            $most,
            " THEN (SELECT d.deleted_at FROM tasks d WHERE d.user_id = $1 AND d.deleted_at IS NOT NULL \
             ORDER BY d.deleted_at DESC, d.id DESC LIMIT 1 OFFSET ",
            $most,
            ") END"
        )
    };
}

/// One statement, so that it is one round trip; the common table of the lock comes before both that write.
const DELETE: &str = concat!(
    "WITH owner AS MATERIALIZED ",
    owner!(),
    ", bound AS MATERIALIZED (SELECT greatest($5, ",
    beneath_the_newest!("$6"),
    ") AS at), gone AS (DELETE FROM tasks WHERE user_id = (SELECT user_id FROM owner) \
     AND id IN (SELECT t.id FROM tasks t WHERE t.user_id = $1 AND t.deleted_at <= (SELECT at FROM bound) \
     ORDER BY t.deleted_at, t.id LIMIT $7) AND deleted_at <= (SELECT at FROM bound)) \
     UPDATE tasks SET deleted_at = $3 WHERE user_id = (SELECT user_id FROM owner) \
     AND id = $2 AND deleted_at IS NULL AND ($4 IS NULL OR version = ANY ($4))"
);

/// The removal alone.
macro_rules! sweep {
    ($greatest:literal) => {
        concat!(
            "DELETE FROM tasks WHERE user_id = $1 AND id IN (SELECT t.id FROM tasks t WHERE t.user_id = $1 \
             AND t.deleted_at <= ",
            $greatest,
            "($2, coalesce(",
            beneath_the_newest!("$3"),
            ", $2)) ORDER BY t.deleted_at, t.id LIMIT $4)"
        )
    };
}

const SWEEP: Sql = Sql {
    postgres: sweep!("greatest"),
    sqlite: sweep!("max"),
};

/// Removes what so many deletions remove. The owner's row is locked.
pub async fn sweep(tx: &Tx, owner: UserId, at: Timestamp, deletions: usize) -> Result<(), Failure> {
    let most = i64::try_from(deletions).unwrap_or(i64::MAX);
    let values = [
        owner.0.into(),
        trash::over(at).as_chrono().into(),
        i64::from(trash::MOST).into(),
        most.saturating_mul(trash::AT_ONCE.into()).into(),
    ];
    tx.execute_raw(SWEEP.with(tx, values)).await?;
    Ok(())
}

const DELETE_ALONE: &str = "UPDATE tasks SET deleted_at = $3 WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL \
     AND ($4 IS NULL OR version IN (SELECT value FROM json_each($4)))";

pub struct Deletion {
    pub owner: UserId,
    pub id: TaskId,
    pub expected: Expected,
    pub at: Timestamp,
}

pub async fn delete(db: &Db, input: Deletion) -> Result<Written<()>, StoreError> {
    let scope = Scope::Owner(input.owner);
    match db.backend() {
        DbBackend::Postgres => {
            db.write_one(scope, input, |conn, input| {
                Box::pin(in_one_statement(conn, input))
            })
            .await
        }
        // It knows no statement that does both.
        _ => {
            db.write(scope, input, |tx, input| Box::pin(in_two_statements(tx, input)))
                .await
        }
    }
}

async fn in_one_statement(conn: &Conn<'_>, input: &Deletion) -> Result<Written<()>, Failure> {
    let bounds = [
        trash::over(input.at).as_chrono().into(),
        i64::from(trash::MOST).into(),
        i64::from(trash::AT_ONCE).into(),
    ];
    let values = deletion(conn, input).into_iter().chain(bounds);
    let statement = Sql::both(DELETE).with(conn, values);
    deleted(conn, input, statement).await
}

async fn in_two_statements(tx: &Tx, input: &Deletion) -> Result<Written<()>, Failure> {
    sweep(tx, input.owner, input.at, 1).await?;
    let conn = &tx.into();
    let statement = Sql::both(DELETE_ALONE).with(conn, deletion(conn, input));
    deleted(conn, input, statement).await
}

fn deletion(conn: &Conn<'_>, input: &Deletion) -> [Value; 4] {
    [
        input.owner.0.into(),
        input.id.0.into(),
        input.at.as_chrono().into(),
        versions(conn, &input.expected),
    ]
}

async fn deleted(conn: &Conn<'_>, input: &Deletion, statement: Statement) -> Result<Written<()>, Failure> {
    let done = conn.execute_raw(statement).await?;
    if done.rows_affected() == 1 {
        return Ok(Written::Done(()));
    }
    not_written(conn, input.owner, input.id, &input.expected).await
}

/// What the trash shows at a time.
fn kept(owner: UserId, at: Timestamp) -> Select<Entity> {
    Entity::of(owner)
        .select_only()
        .columns(ROW)
        .column(Column::DeletedAt)
        .filter(Column::DeletedAt.gt(trash::over(at).as_chrono()))
        .filter(Column::ErasedAt.is_null())
}

pub async fn page(
    conn: &Conn<'_>,
    owner: UserId,
    after: Option<TrashPlace>,
    limit: u32,
    at: Timestamp,
) -> Result<TrashPage, Failure> {
    let mut select = kept(owner, at);
    if let Some(place) = after {
        select = select.filter(behind(place));
    }
    let rows: Vec<TrashRow> = select
        .order_by_desc(Column::DeletedAt)
        .order_by_desc(Column::Id)
        .limit(u64::from(limit) + 1)
        .into_model()
        .all(conn)
        .await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    let tasks = rows.into_iter().take(limit).map(TrashRow::deleted);
    let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
    let next = tasks.last().map(DeletedTask::place).filter(|_| more);
    Ok(TrashPage { tasks, next })
}

fn behind(place: TrashPlace) -> SimpleExpr {
    let columns = Expr::tuple([Expr::col(Column::DeletedAt), Expr::col(Column::Id)]);
    let last = Expr::tuple([Expr::value(place.deleted_at.as_chrono()), Expr::value(place.id.0)]);
    columns.lt(last)
}

/// As with a creation (`create.rs`), only an owner who was given more ids than tasks may be is counted.
const RESTORE: &str = concat!(
    "UPDATE tasks SET deleted_at = NULL, version = version + 1, \
     updated_at = greatest($3, updated_at + interval '1 microsecond') \
     WHERE user_id = (SELECT c.user_id FROM task_counters c WHERE c.user_id = $1 AND (c.last_task_id <= $5 \
     OR (SELECT count(*) FROM tasks t WHERE t.user_id = $1 AND t.deleted_at IS NULL) < $5) \
     FOR NO KEY UPDATE OF c) \
     AND id = $2 AND deleted_at > $4 AND erased_at IS NULL RETURNING ",
    columns!()
);

pub struct Restoration {
    pub owner: UserId,
    pub id: TaskId,
    pub most: u32,
    pub at: Timestamp,
}

pub async fn restore(db: &Db, input: Restoration) -> Result<Restored, StoreError> {
    let scope = Scope::Owner(input.owner);
    match db.backend() {
        DbBackend::Postgres => {
            db.write_one(scope, input, |conn, input| {
                Box::pin(restore_in_one_statement(conn, input))
            })
            .await
        }
        // As in `change.rs`: a microsecond cannot be added there.
        _ => {
            db.write(scope, input, |tx, input| {
                Box::pin(restore_by_the_domain(tx, input))
            })
            .await
        }
    }
}

async fn restore_in_one_statement(conn: &Conn<'_>, input: &Restoration) -> Result<Restored, Failure> {
    let values = [
        input.owner.0.into(),
        input.id.0.into(),
        input.at.as_chrono().into(),
        trash::over(input.at).as_chrono().into(),
        i64::from(input.most).into(),
    ];
    let row: Option<Row> = returned(conn, Sql::both(RESTORE).with(conn, values)).await?;
    if let Some(row) = row {
        return row.task().map(Restored::Task);
    }
    let there = kept(input.owner, input.at).filter(Column::Id.eq(input.id.0));
    let there: Option<TrashRow> = there.into_model().one(conn).await?;
    Ok(there.map_or(Restored::Absent, |_| Restored::Full))
}

async fn restore_by_the_domain(tx: &Tx, input: &Restoration) -> Result<Restored, Failure> {
    let found = kept(input.owner, input.at).filter(Column::Id.eq(input.id.0));
    let found: Option<TrashRow> = found.into_model().one(tx).await?;
    let Some(found) = found else {
        return Ok(Restored::Absent);
    };
    if living(input.owner).count(tx).await? >= u64::from(input.most) {
        return Ok(Restored::Full);
    }
    let mut task: Task = found.row.task()?;
    task.restore(input.at);
    Entity::update_of(input.owner)
        .filter(Column::Id.eq(input.id.0))
        .col_expr(
            Column::DeletedAt,
            Expr::value(None::<chrono::DateTime<chrono::Utc>>),
        )
        .col_expr(Column::Version, Expr::value(task.version))
        .col_expr(Column::UpdatedAt, Expr::value(task.updated_at.as_chrono()))
        .exec(tx)
        .await?;
    Ok(Restored::Task(task))
}

/// What is left can be read by a version of errand that knows nothing of erasing. The owner's row is locked.
const ERASE: Sql = Sql::both(
    "UPDATE tasks SET erased_at = $3, title = 'erased', title_folded = 'erased', description = NULL, \
     description_folded = NULL, priority = 1, due_at = NULL, due_is_date = false, tags = '[]', \
     tag_keys = '', completed_at = NULL, created_at = deleted_at, updated_at = deleted_at, \
     recurrence = NULL, recurrence_from = NULL, recurrence_meant = NULL, time_zone = NULL, \
     handed_on = NULL, successor_id = NULL, version = version + 1 \
     WHERE user_id = $1 AND id = $2 AND deleted_at > $4 AND erased_at IS NULL",
);

pub async fn erase(tx: &Tx, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, Failure> {
    if lock(tx, owner).await?.is_none() {
        return Ok(false);
    }
    let values = [
        owner.0.into(),
        id.0.into(),
        at.as_chrono().into(),
        trash::over(at).as_chrono().into(),
    ];
    let done = tx.execute_raw(ERASE.with(tx, values)).await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    request::erase(tx, owner, id, at).await?;
    Ok(true)
}

macro_rules! purge {
    ($owner:expr) => {
        concat!(
            "DELETE FROM tasks WHERE user_id = ",
            $owner,
            " AND id IN (SELECT t.id FROM tasks t WHERE t.user_id = $1 AND t.deleted_at <= $2 \
             ORDER BY t.deleted_at, t.id LIMIT $3) AND deleted_at <= $2"
        )
    };
}

const PURGE: Sql = Sql {
    postgres: purge!(owner!()),
    sqlite: purge!("$1"),
};

pub async fn purge(conn: &Conn<'_>, owner: UserId, most: u32, at: Timestamp) -> Result<u64, Failure> {
    let values = [
        owner.0.into(),
        trash::over(at).as_chrono().into(),
        i64::from(most).into(),
    ];
    let done = conn.execute_raw(PURGE.with(conn, values)).await?;
    Ok(done.rows_affected())
}
