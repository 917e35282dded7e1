//! Tasks.
//!
//! Every write locks its owner's row of `task_counters` first, so that the writes of one owner come one after
//! the other and no two of them wait for each other. SQLite has one writer at a time anyway.

mod change;
mod changes;
mod create;
mod filter;
mod page;
mod trash;
mod walk;

use async_trait::async_trait;
use errand_application::ports::{
    ChangesPage, Created, Restored, StoreError, TaskStore, TrashPage, WalkSeed, Written,
};
use errand_domain::changes::ChangesPlace;
use errand_domain::query::{TaskPage, TaskQuery};
use errand_domain::task::{Expected, NewTask, Task, TaskChange};
use errand_domain::trash::TrashPlace;
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::sea_query::ArrayType;
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, QueryFilter, QuerySelect, Select, Value};

use crate::db::{Conn, Db};
use crate::entities::tasks::{Column, Entity, ROW, Row};
use crate::error::Failure;
use crate::scope::{Owned, Scope};

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

    async fn changes_since(
        &self,
        owner: UserId,
        since: Option<ChangesPlace>,
        limit: u32,
    ) -> Result<Option<ChangesPage>, StoreError> {
        self.0
            .read(
                Scope::Owner(owner),
                (owner, since, limit),
                |conn, (owner, since, limit)| Box::pin(changes::since(conn, *owner, *since, *limit)),
            )
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
        let input = trash::Deletion {
            owner,
            id,
            expected: expected.clone(),
            at,
        };
        trash::delete(&self.0, input).await
    }

    async fn trash(
        &self,
        owner: UserId,
        after: Option<TrashPlace>,
        limit: u32,
        at: Timestamp,
    ) -> Result<TrashPage, StoreError> {
        let input = (owner, after, limit, at);
        self.0
            .read(Scope::Owner(owner), input, |conn, (owner, after, limit, at)| {
                Box::pin(trash::page(conn, *owner, *after, *limit, *at))
            })
            .await
    }

    async fn restore(
        &self,
        owner: UserId,
        id: TaskId,
        most: u32,
        at: Timestamp,
    ) -> Result<Restored, StoreError> {
        let input = trash::Restoration { owner, id, most, at };
        trash::restore(&self.0, input).await
    }

    async fn erase(&self, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, StoreError> {
        self.0
            .write_one(Scope::Owner(owner), (owner, id, at), |conn, (owner, id, at)| {
                Box::pin(trash::erase(conn, *owner, *id, *at))
            })
            .await
    }

    async fn purge(&self, owner: UserId, most: u32, at: Timestamp) -> Result<u64, StoreError> {
        let input = (owner, most, at);
        // Run twice it removes no more than is over.
        self.0
            .write_repeatable(Scope::Owner(owner), input, |conn, (owner, most, at)| {
                Box::pin(trash::purge(conn, *owner, *most, *at))
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
