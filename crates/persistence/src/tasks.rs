//! Tasks.
//!
//! Every write locks its owner's row of `task_counters` first, so that the writes of one owner come one after
//! the other and no two of them wait for each other. SQLite has one writer at a time anyway.

mod change;
mod changes;
mod create;
mod filter;
mod page;
mod request;
mod trash;
mod walk;
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use errand_application::ports::{
    ChangesPage, Created, Restored, StoreError, TaskStore, TrashPage, WalkSeed, Work, Worked, Written,
};
use errand_domain::changes::ChangesPlace;
use errand_domain::query::{TaskPage, TaskQuery};
use errand_domain::task::{Expected, NewTask, Recurrences, Task, TaskChange};
use errand_domain::trash::TrashPlace;
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::sea_query::{ArrayType, LockType};
use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, QueryFilter, QuerySelect, Select, Value};

use crate::db::{Conn, Db, Tx};
use crate::entities::task_counters;
use crate::entities::tasks::{Column, Entity, ROW, Row};
use crate::error::Failure;
use crate::scope::{Owned, Scope};

/// The columns of a [`Row`], for statements written by hand.
macro_rules! columns {
    () => {
        "user_id, id, title, description, priority, due_at, due_is_date, tags, completed_at, created_at, \
         updated_at, version, recurrence, recurrence_from, recurrence_meant, time_zone, handed_on, successor_id"
    };
}
use columns;

/// The port.
pub struct Tasks {
    pub db: Db,
    pub calendar: Arc<dyn Recurrences>,
}

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
        self.db
            .write_repeatable(Scope::Owner(owner), input, |conn, input| {
                Box::pin(create::run(conn, input))
            })
            .await
    }

    async fn find(&self, owner: UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.db
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
        page::page(&self.db, owner, query, seed).await
    }

    async fn changes(&self, owner: UserId) -> Result<i64, StoreError> {
        self.db
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
        self.db
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
        most: u32,
        at: Timestamp,
    ) -> Result<Written<Task>, StoreError> {
        let input = change::Input {
            owner,
            id,
            expected: expected.clone(),
            change: change.clone(),
            most,
            at,
        };
        change::change(&self.db, &self.calendar, input).await
    }

    async fn work(&self, owner: UserId, work: &Work) -> Result<Worked, StoreError> {
        work::work(&self.db, &self.calendar, owner, work.clone()).await
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
        trash::delete(&self.db, input).await
    }

    async fn trash(
        &self,
        owner: UserId,
        after: Option<TrashPlace>,
        limit: u32,
        at: Timestamp,
    ) -> Result<TrashPage, StoreError> {
        let input = (owner, after, limit, at);
        self.db
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
        trash::restore(&self.db, input).await
    }

    async fn erase(&self, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, StoreError> {
        self.db
            .write(Scope::Owner(owner), (owner, id, at), |tx, (owner, id, at)| {
                Box::pin(trash::erase(tx, *owner, *id, *at))
            })
            .await
    }

    async fn purge(&self, owner: UserId, most: u32, at: Timestamp) -> Result<u64, StoreError> {
        let input = (owner, most, at);
        // Run twice, or the first alone, they remove no more than is over.
        self.db
            .write_repeatable(Scope::Owner(owner), input, |conn, (owner, most, at)| {
                Box::pin(async move {
                    request::purge(conn, *owner, *at).await?;
                    trash::purge(conn, *owner, *most, *at).await
                })
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

/// Locks the owner's row, so that nobody else writes for the owner until the transaction ends; the last id given,
/// `None` if the account is gone. What a later statement reads is as the one before in the lock left it.
async fn lock(tx: &Tx, owner: UserId) -> Result<Option<i64>, Failure> {
    let last_id = task_counters::Entity::of(owner)
        .select_only()
        .column(task_counters::Column::LastTaskId)
        .lock(LockType::NoKeyUpdate)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(last_id)
}

/// The expected versions as one parameter; NULL for any.
fn versions(conn: &Conn<'_>, expected: &Expected) -> Value {
    let versions = match expected {
        Expected::Any => None,
        Expected::OneOf(versions) => Some(versions.as_slice()),
    };
    numbers(conn.get_database_backend(), versions)
}

/// Numbers as one parameter, so that one statement does for any number of them: an array, or JSON where there are
/// no arrays.
fn numbers(backend: DbBackend, numbers: Option<&[i64]>) -> Value {
    if backend == DbBackend::Postgres {
        let array = numbers.map(|numbers| numbers.iter().copied().map(Value::from).collect());
        return Value::Array(ArrayType::BigInt, array.map(Box::new));
    }
    let json = numbers.map(|numbers| serde_json::Value::from(numbers).to_string());
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
