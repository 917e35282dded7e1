//! Making a task.

use errand_application::ports::Created;
use errand_domain::task::{Description, Due, NewTask, TimeZone};
use errand_domain::{Timestamp, UserId};
use sea_orm::{ColumnTrait, PaginatorTrait, QueryFilter};

use super::{columns, living};
use crate::db::Conn;
use crate::entities::task_counters;
use crate::entities::tasks::{Column, Entity, Row, tag_keys, tags};
use crate::error::Failure;
use crate::scope::Owned;
use crate::sql::{Sql, returned};

pub struct Creation {
    pub owner: UserId,
    pub key: String,
    pub task: NewTask,
    pub most: u32,
    pub at: Timestamp,
}

/// The id is one more than the owner's last; the insert's trigger moves it on. A creation that waited for
/// another of the same owner takes the id from the counter as that one left it.
///
/// Who has never made as many tasks as may be (`$14`) cannot have too many; only others are counted.
///
/// `NOT EXISTS` spares a repeated key the trigger, which PostgreSQL fires before it looks for conflicts;
/// `ON CONFLICT` is for the key that another transaction brings in between.
macro_rules! create {
    ($lock:literal) => {
        concat!(
            "INSERT INTO tasks (user_id, id, creation_key, title, title_folded, description, \
             description_folded, priority, due_at, due_is_date, tags, tag_keys, completed_at, created_at, \
             updated_at, version, change_seq, recurrence, recurrence_from, time_zone) \
             SELECT c.user_id, c.last_task_id + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, 1, 0, \
             $15, $16, $17 \
             FROM task_counters c WHERE c.user_id = $1 \
             AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.user_id = $1 AND t.creation_key = $2) \
             AND (c.last_task_id < $14 OR (SELECT count(*) FROM tasks t WHERE t.user_id = $1 \
             AND t.deleted_at IS NULL) < $14)",
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

pub async fn run(conn: &Conn<'_>, input: &Creation) -> Result<Created, Failure> {
    let Creation {
        owner,
        key,
        task,
        most,
        at,
    } = input;
    let recurrence = task.recurrence.as_ref();
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
        i64::from(*most).into(),
        recurrence.map(|recurrence| recurrence.rule.to_string()).into(),
        recurrence.map(|recurrence| recurrence.from.as_str()).into(),
        task.time_zone.as_ref().map(TimeZone::as_str).into(),
    ];
    let made: Option<Row> = returned(conn, CREATE.with(conn, values)).await?;
    if let Some(row) = made {
        return row.task().map(Created::Task);
    }
    // The key is known, the owner has enough, or the account is gone.
    let of_key = Entity::of(*owner).filter(Column::CreationKey.eq(key));
    let known: Option<Row> = living(*owner)
        .filter(Column::CreationKey.eq(key))
        .into_model()
        .one(conn)
        .await?;
    if let Some(row) = known {
        return row.task().map(Created::Task);
    }
    let counters = task_counters::Entity::of(*owner);
    if of_key.count(conn).await? == 0 && counters.count(conn).await? > 0 {
        return Ok(Created::Full);
    }
    Ok(Created::Gone)
}
