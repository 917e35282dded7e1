//! Making a task.

use errand_domain::task::{Description, Due, NewTask, Task};
use errand_domain::{Timestamp, UserId};
use sea_orm::{ColumnTrait, QueryFilter};

use super::{columns, living};
use crate::db::Conn;
use crate::entities::tasks::{Column, Row, tag_keys, tags};
use crate::error::Failure;
use crate::sql::{Sql, returned};

pub struct Creation {
    pub owner: UserId,
    pub key: String,
    pub task: NewTask,
    pub at: Timestamp,
}

/// The id is one more than the owner's last; the insert's trigger moves it on. A creation that waited for
/// another of the same owner takes the id from the counter as that one left it.
///
/// `NOT EXISTS` spares a repeated key the trigger, which PostgreSQL fires before it looks for conflicts;
/// `ON CONFLICT` is for the key that another transaction brings in between.
macro_rules! create {
    ($lock:literal) => {
        concat!(
            "INSERT INTO tasks (user_id, id, creation_key, title, title_folded, description, \
             description_folded, priority, due_at, due_is_date, tags, tag_keys, completed_at, created_at, \
             updated_at, version, change_seq) \
             SELECT c.user_id, c.last_task_id + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, 1, 0 \
             FROM task_counters c WHERE c.user_id = $1 \
             AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.user_id = $1 AND t.creation_key = $2)",
            $lock,
            " ON CONFLICT (user_id, creation_key) DO NOTHING RETURNING ",
            columns!()
        )
    };
}

const CREATE: Sql = Sql {
    postgres: create!(" FOR NO KEY UPDATE OF c"),
    sqlite: create!(""),
};

pub async fn run(conn: &Conn<'_>, input: &Creation) -> Result<Option<Task>, Failure> {
    let Creation { owner, key, task, at } = input;
    let values = [
        owner.0.into(),
        key.as_str().into(),
        task.title.as_str().into(),
        task.title.folded().into(),
        task.description.as_ref().map(Description::as_str).into(),
        task.description.as_ref().map(Description::folded).into(),
        task.priority.rank().into(),
        task.due.map(|due| due.position().as_chrono()).into(),
        task.due.is_some_and(Due::is_date).into(),
        tags(&task.tags).into(),
        tag_keys(&task.tags).into(),
        task.completed.then(|| at.as_chrono()).into(),
        at.as_chrono().into(),
    ];
    let made: Option<Row> = returned(conn, CREATE.with(conn, values)).await?;
    if let Some(row) = made {
        return row.task().map(Some);
    }
    // The key is known, or the account is gone.
    let known: Option<Row> = living(*owner)
        .filter(Column::CreationKey.eq(key))
        .into_model()
        .one(conn)
        .await?;
    known.map(Row::task).transpose()
}
