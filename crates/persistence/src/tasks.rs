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
use errand_application::ports::{Created, StoreError, TaskStore, WalkSeed};
use errand_domain::query::{TaskPage, TaskQuery};
use errand_domain::task::{NewTask, Task, TaskChange};
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, QuerySelect, Select};

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

    async fn change(
        &self,
        owner: UserId,
        id: TaskId,
        change: &TaskChange,
        at: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        change::change(&self.0, owner, id, change, at).await
    }

    async fn delete(&self, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, StoreError> {
        self.0
            .write_one(Scope::Owner(owner), (owner, id, at), |conn, (owner, id, at)| {
                Box::pin(delete(conn, *owner, *id, *at))
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
               AND id = $2 AND deleted_at IS NULL",
    sqlite: "UPDATE tasks SET deleted_at = $3 WHERE user_id = $1 AND id = $2 AND deleted_at IS NULL",
};

async fn delete(conn: &Conn<'_>, owner: UserId, id: TaskId, at: Timestamp) -> Result<bool, Failure> {
    let values = [owner.0.into(), id.0.into(), at.as_chrono().into()];
    let done = conn.execute_raw(DELETE.with(conn, values)).await?;
    Ok(done.rows_affected() == 1)
}
