//! Tasks.
//!
//! Every write locks its owner's row of `task_counters` first, so that the writes of one owner come one after
//! the other and no two of them wait for each other. SQLite has one writer at a time anyway.

mod change;
mod create;
mod filter;
mod page;
mod walk;

use async_trait::async_trait;
use errand_application::ports::{Created, StoreError, TaskStore, WalkSeed, Written};
use errand_domain::query::{TaskPage, TaskQuery};
use errand_domain::task::{Expected, NewTask, Task, TaskChange};
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::sea_query::ArrayType;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, QueryFilter, QuerySelect, Select, Value};

use crate::db::{Conn, Db};
use crate::entities::tasks::{Column, Entity, ROW, Row};
use crate::error::Failure;
use crate::scope::{Owned, Scope};
use crate::sql::Sql;

/// The columns of a [`Row`], for statements written by hand.
macro_rules! columns {
    () => {
        "user_id, id, title, description, priority, due_at, due_is_date, tags, completed_at, created_at, \
         updated_at, version"
    };
}
use columns;

/// The port.
pub struct Tasks(pub Db);

#[async_trait]
impl TaskStore for Tasks {
    async fn create(
        &self,
        owner: UserId,
        key: &str,
        task: &NewTask,
        most: u32,
        at: Timestamp,
    ) -> Result<Created, StoreError> {
        let input = create::Creation {
            owner,
            key: key.to_owned(),
            task: task.clone(),
            most,
            at,
        };
        // By its key a creation that runs twice makes one task.
        self.0
            .write_repeatable(Scope::Owner(owner), input, |conn, input| {
                Box::pin(create::run(conn, input))
            })
            .await
    }

    async fn find(&self, owner: UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.0
            .read(Scope::Owner(owner), (owner, id), |conn, (owner, id)| {
                Box::pin(find(conn, *owner, *id))
            })
            .await
    }

    async fn page(
        &self,
        owner: UserId,
        query: &TaskQuery,
        seed: WalkSeed,
    ) -> Result<Option<TaskPage>, StoreError> {
        page::page(&self.0, owner, query, seed).await
    }

    async fn changes(&self, owner: UserId) -> Result<i64, StoreError> {
        self.0
            .read(Scope::Owner(owner), owner, |conn, owner| {
                Box::pin(page::changes(conn, *owner))
            })
            .await
    }

    async fn change_if(
        &self,
        owner: UserId,
        id: TaskId,
        expected: &Expected,
        change: &TaskChange,
        at: Timestamp,
    ) -> Result<Written<Task>, StoreError> {
        let input = change::Input {
            owner,
            id,
            expected: expected.clone(),
            change: change.clone(),
            at,
        };
        change::change(&self.0, input).await
    }

    async fn delete_if(
        &self,
        owner: UserId,
        id: TaskId,
        expected: &Expected,
        at: Timestamp,
    ) -> Result<Written<()>, StoreError> {
        let input = (owner, id, expected.clone(), at);
        self.0
            .write_one(Scope::Owner(owner), input, |conn, (owner, id, expected, at)| {
                Box::pin(delete(conn, *owner, *id, expected, *at))
            })
            .await
    }
}

/// The tasks of an owner that are not in the trash, as [`Row`]s.
fn living(owner: UserId) -> Select<Entity> {
    Entity::of(owner)
        .select_only()
        .columns(ROW)
        .filter(Column::DeletedAt.is_null())
}

async fn find(conn: &impl ConnectionTrait, owner: UserId, id: TaskId) -> Result<Option<Task>, Failure> {
    let row: Option<Row> = living(owner)
        .filter(Column::Id.eq(id.0))
        .into_model()
        .one(conn)
        .await?;
    row.map(Row::task).transpose()
}

const DELETE: Sql = Sql {
    postgres: "UPDATE tasks SET deleted_at = $3 \
               WHERE user_id = (SELECT user_id FROM task_counters WHERE user_id = $1 FOR NO KEY UPDATE) \
               AND id = $2 AND deleted_at IS NULL AND ($4 IS NULL OR version = ANY ($4))",
    sqlite: "UPDATE tasks SET deleted_at = $3 WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL \
             AND ($4 IS NULL OR version IN (SELECT value FROM json_each($4)))",
};

async fn delete(
    conn: &Conn<'_>,
    owner: UserId,
    id: TaskId,
    expected: &Expected,
    at: Timestamp,
) -> Result<Written<()>, Failure> {
    let values = [
        owner.0.into(),
        id.0.into(),
        at.as_chrono().into(),
        versions(conn, expected),
    ];
    let done = conn.execute_raw(DELETE.with(conn, values)).await?;
    if done.rows_affected() == 1 {
        return Ok(Written::Done(()));
    }
    not_written(conn, owner, id, expected).await
}

/// The expected versions as one parameter: an array, or JSON where there are no arrays; NULL for any.
fn versions(conn: &Conn<'_>, expected: &Expected) -> Value {
    let versions = match expected {
        Expected::Any => None,
        Expected::OneOf(versions) => Some(versions),
    };
    if conn.get_database_backend() == DbBackend::Postgres {
        let array = versions.map(|versions| versions.iter().copied().map(Value::from).collect());
        return Value::Array(ArrayType::BigInt, array.map(Box::new));
    }
    let json = versions.map(|versions| serde_json::Value::from(versions.as_slice()).to_string());
    json.into()
}

/// Why a statement wrote nothing. Nothing hangs on when this is looked at: who expected something and finds the
/// task has to read it again, whatever came in between.
async fn not_written<T>(
    conn: &Conn<'_>,
    owner: UserId,
    id: TaskId,
    expected: &Expected,
) -> Result<Written<T>, Failure> {
    if *expected == Expected::Any || find(conn, owner, id).await?.is_none() {
        return Ok(Written::Absent);
    }
    Ok(Written::Stale)
}
