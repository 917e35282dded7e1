//! Tasks that come in.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use errand_application::ports::{ArrivingTask, ArrivingUser, KnownTask};
use errand_domain::task::Task;
use errand_domain::{TaskId, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::LockType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel,
    PaginatorTrait, QueryFilter, QuerySelect, Value,
};

use super::texts;
use crate::db::{Conn, Tx};
use crate::entities::imported_users::digest;
use crate::entities::tasks::{Column, Entity, Model, ROW, Row};
use crate::entities::{imported_tasks, task_counters};
use crate::error::Failure;
use crate::scope::Owned;
use crate::sql::Sql;

/// SQLite takes 32,766 values in a statement.
const ROWS_OF_SQLITE: usize = 1_000;

/// Somebody's tasks that are not in yet, each with its id.
pub struct Owner<'a> {
    pub id: UserId,
    /// Of one who comes in now.
    pub user: Option<&'a ArrivingUser>,
    /// The counters before.
    changes: i64,
    last_id: i64,
    tasks: Vec<(TaskId, &'a ArrivingTask)>,
}

impl<'a> Owner<'a> {
    /// One who had nothing.
    pub fn new(id: UserId, begun: i64, user: &'a ArrivingUser, tasks: &'a [ArrivingTask]) -> Self {
        let tasks: Vec<_> = tasks.iter().collect();
        Self {
            id,
            user: Some(user),
            changes: begun,
            last_id: 0,
            tasks: numbered(tasks, 0),
        }
    }

    /// Where the changes were counted from, of one who comes in now.
    pub fn begun(&self) -> i64 {
        self.changes
    }

    pub fn task_ids(&self) -> Vec<TaskId> {
        self.tasks.iter().map(|(id, _)| *id).collect()
    }

    /// The counters as they have to be when the tasks are written: before them, or, where nothing counts a row on its
    /// own, after them.
    pub fn counters(&self, backend: DbBackend) -> (i64, i64) {
        if backend != DbBackend::Postgres {
            return (self.changes, self.last_id);
        }
        let highest = self.tasks.iter().map(|(id, _)| id.0).max().unwrap_or_default();
        (
            self.changes + i64::try_from(self.tasks.len()).unwrap_or(i64::MAX),
            self.last_id.max(highest),
        )
    }
}

/// Each with the id that it wants, or, if that may have been given before, one that nobody wants. Up to the last one
/// any may: what had it can be gone without a trace.
fn numbered<'a>(tasks: Vec<&'a ArrivingTask>, last_id: i64) -> Vec<(TaskId, &'a ArrivingTask)> {
    let mut taken = HashSet::new();
    let wanted = tasks.iter().filter_map(|task| task.id).map(|id| id.0);
    let mut last = wanted.max().unwrap_or_default().max(last_id);
    let number = |task: &'a ArrivingTask| {
        let wanted = task.id.filter(|id| id.0 > last_id && taken.insert(id.0));
        let id = wanted.unwrap_or_else(|| {
            last += 1;
            TaskId(last)
        });
        (id, task)
    };
    tasks.into_iter().map(number).collect()
}

#[derive(FromQueryResult)]
struct KnownRow {
    source_key: String,
    task_id: i64,
    run: i64,
    content_hash: Vec<u8>,
    followed_run: Option<i64>,
    untouched: bool,
}

impl KnownRow {
    fn known(self) -> Result<KnownTask, Failure> {
        Ok(KnownTask {
            key: self.source_key,
            id: TaskId(self.task_id),
            run: self.run,
            followed: self.followed_run,
            hash: digest(&self.content_hash).ok_or(Failure::Corrupt {
                table: "imported_tasks",
                column: "content_hash",
            })?,
            untouched: self.untouched,
        })
    }
}

macro_rules! known {
    ($which:literal) => {
        concat!(
            "SELECT i.source_key, i.task_id, i.run, i.content_hash, i.followed_run, \
             (t.version IS NOT NULL AND t.version = i.version AND t.deleted_at IS NULL) AS untouched \
             FROM imported_tasks i LEFT JOIN tasks t ON t.user_id = i.user_id AND t.id = i.task_id \
             WHERE i.user_id = $1 AND ",
            $which
        )
    };
}

const KNOWN: Sql = Sql {
    postgres: known!("i.source_key IN (SELECT unnest($2))"),
    sqlite: known!("i.source_key IN (SELECT value FROM json_each($2))"),
};
const BROUGHT: Sql = Sql::both(known!(
    "i.run = $2 AND i.source_key > $3 ORDER BY i.source_key LIMIT 1000"
));

pub async fn known(
    conn: &impl ConnectionTrait,
    owner: UserId,
    keys: &[String],
) -> Result<Vec<KnownTask>, Failure> {
    let values = [owner.0.into(), texts(conn.get_database_backend(), keys)];
    let rows = KnownRow::find_by_statement(KNOWN.with(conn, values))
        .all(conn)
        .await?;
    rows.into_iter().map(KnownRow::known).collect()
}

pub async fn brought(
    conn: &Conn<'_>,
    owner: UserId,
    run: i64,
    after: &str,
) -> Result<Vec<KnownTask>, Failure> {
    let values = [owner.0.into(), run.into(), after.into()];
    let rows = KnownRow::find_by_statement(BROUGHT.with(conn, values))
        .all(conn)
        .await?;
    rows.into_iter().map(KnownRow::known).collect()
}

pub async fn count_known(conn: &Conn<'_>, owner: UserId) -> Result<u64, Failure> {
    Ok(imported_tasks::Entity::of(owner).count(conn).await?)
}

pub async fn living(conn: &Conn<'_>, owner: UserId, ids: &[TaskId]) -> Result<Vec<Task>, Failure> {
    let rows: Vec<Row> = Entity::of(owner)
        .select_only()
        .columns(ROW)
        .filter(Column::DeletedAt.is_null())
        .filter(Column::Id.is_in(ids.iter().map(|id| id.0)))
        .into_model()
        .all(conn)
        .await?;
    rows.into_iter().map(Row::task).collect()
}

/// `None` if the account is gone.
pub async fn bring(
    tx: &Tx,
    owner: UserId,
    run: i64,
    tasks: &[ArrivingTask],
) -> Result<Option<Vec<TaskId>>, Failure> {
    let Some(counters) = hold(tx, owner).await? else {
        return Ok(None);
    };
    let keys: Vec<String> = tasks.iter().map(|task| task.key.clone()).collect();
    let known = known(tx, owner, &keys).await?;
    let mut ids: HashMap<&str, TaskId> = known.iter().map(|task| (task.key.as_str(), task.id)).collect();
    let coming: Vec<_> = tasks
        .iter()
        .filter(|task| !ids.contains_key(task.key.as_str()))
        .collect();
    if !coming.is_empty() {
        let owner = Owner {
            id: owner,
            user: None,
            changes: counters.change_counter,
            last_id: counters.last_task_id,
            tasks: numbered(coming, counters.last_task_id),
        };
        write(tx, run, std::slice::from_ref(&owner)).await?;
        count(tx, &owner).await?;
        ids.extend(owner.tasks.iter().map(|(id, task)| (task.key.as_str(), *id)));
    }
    let ids = tasks
        .iter()
        .filter_map(|task| ids.get(task.key.as_str()).copied());
    Ok(Some(ids.collect()))
}

/// The counters, of which nobody else has a hold until the transaction ends.
pub async fn hold(tx: &Tx, owner: UserId) -> Result<Option<task_counters::Model>, Failure> {
    let counters = task_counters::Entity::of(owner)
        .lock(LockType::NoKeyUpdate)
        .one(tx)
        .await?;
    Ok(counters)
}

const COUNT: Sql =
    Sql::both("UPDATE task_counters SET change_counter = $2, last_task_id = $3 WHERE user_id = $1");

/// Where nothing counts a row on its own.
async fn count(tx: &Tx, owner: &Owner<'_>) -> Result<(), Failure> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let (changes, last_id) = owner.counters(DbBackend::Postgres);
        let values = [owner.id.0.into(), changes.into(), last_id.into()];
        tx.execute_raw(COUNT.with(tx, values)).await?;
    }
    Ok(())
}

/// The rows of their tasks, and that they came in.
pub async fn write(tx: &Tx, run: i64, owners: &[Owner<'_>]) -> Result<(), Failure> {
    let rows = owners.iter().flat_map(|owner| {
        let numbers = owner.changes + 1..;
        owner
            .tasks
            .iter()
            .zip(numbers)
            .map(|((id, task), number)| Arrived {
                row: Model {
                    change_seq: number,
                    ..Model::living(&at_home(owner.id, *id, task, 1))
                },
                task,
            })
    });
    let rows: Vec<Arrived<'_>> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    if tx.get_database_backend() == DbBackend::Postgres {
        return write_at_once(tx, run, &rows).await;
    }
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let (tasks, came): (Vec<_>, Vec<_>) = rows
            .by_ref()
            .take(ROWS_OF_SQLITE)
            .map(|arrived| {
                let came = imported_tasks::ActiveModel {
                    user_id: Set(arrived.row.user_id),
                    source_key: Set(arrived.task.key.clone()),
                    task_id: Set(arrived.row.id),
                    run: Set(run),
                    content_hash: Set(arrived.task.hash.0.to_vec()),
                    version: Set(arrived.row.version),
                    followed_run: Set(None),
                };
                (arrived.row.into_active_model().reset_all(), came)
            })
            .unzip();
        Entity::insert_many(tasks).exec_without_returning(tx).await?;
        imported_tasks::Entity::insert_many(came)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

struct Arrived<'a> {
    row: Model,
    task: &'a ArrivingTask,
}

/// The task as its owner has it.
pub fn at_home(owner: UserId, id: TaskId, task: &ArrivingTask, version: i64) -> Task {
    Task {
        completed_at: task.completed_at,
        updated_at: task.updated_at,
        version,
        ..Task::new(owner, id, task.content.clone(), task.created_at)
    }
}

const COUNTED: Sql = Sql::both("SELECT set_config('errand.counted', 'on', true)");

/// One statement for any number of rows, each column an array. What it says of the changes is right because the
/// owners' counters are held.
const WRITE: Sql = Sql::both(
    "WITH came AS (INSERT INTO imported_tasks (user_id, task_id, source_key, run, content_hash, version) \
     SELECT x.user_id, x.id, x.key, $24, decode(x.hash, 'hex'), 1 \
     FROM unnest($1::bigint[], $2::bigint[], $22::text[], $23::text[]) AS x(user_id, id, key, hash)) \
     INSERT INTO tasks (user_id, id, creation_key, title, title_folded, description, description_folded, priority, \
     due_at, due_is_date, tags, tag_keys, completed_at, created_at, updated_at, version, change_seq, recurrence, \
     recurrence_from, recurrence_meant, time_zone) \
     SELECT x.user_id, x.id, x.creation_key, x.title, x.title_folded, x.description, x.description_folded, \
     x.priority, x.due_at, x.due_is_date, x.tags, x.tag_keys, x.completed_at, x.created_at, x.updated_at, x.version, \
     x.change_seq, x.recurrence, x.recurrence_from, x.recurrence_meant, x.time_zone \
     FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
     $8::smallint[], $9::timestamptz[], $10::boolean[], $11::text[], $12::text[], $13::timestamptz[], \
     $14::timestamptz[], $15::timestamptz[], $16::bigint[], $17::bigint[], $18::text[], $19::text[], \
     $20::timestamp[], $21::text[]) AS x(user_id, id, creation_key, title, title_folded, description, \
     description_folded, priority, due_at, due_is_date, tags, tag_keys, completed_at, created_at, updated_at, version, \
     change_seq, recurrence, recurrence_from, recurrence_meant, time_zone)",
);

async fn write_at_once(tx: &Tx, run: i64, rows: &[Arrived<'_>]) -> Result<(), Failure> {
    tx.execute_raw(COUNTED.with(tx, [])).await?;
    let of = |column: &dyn Fn(&Model) -> Cell| array(rows.iter().map(|arrived| column(&arrived.row)));
    let time = |at: chrono::DateTime<chrono::Utc>| plain(at.to_rfc3339());
    let maybe = |text: &Option<String>| text.as_deref().map_or(Cell::Null, quoted);
    let values = [
        of(&|row| plain(row.user_id)),
        of(&|row| plain(row.id)),
        of(&|row| quoted(&row.creation_key)),
        of(&|row| quoted(&row.title)),
        of(&|row| quoted(&row.title_folded)),
        of(&|row| maybe(&row.description)),
        of(&|row| maybe(&row.description_folded)),
        of(&|row| plain(row.priority)),
        of(&|row| row.due_at.map_or(Cell::Null, time)),
        of(&|row| plain(row.due_is_date)),
        of(&|row| quoted(&row.tags)),
        of(&|row| quoted(&row.tag_keys)),
        of(&|row| row.completed_at.map_or(Cell::Null, time)),
        of(&|row| time(row.created_at)),
        of(&|row| time(row.updated_at)),
        of(&|row| plain(row.version)),
        of(&|row| plain(row.change_seq)),
        of(&|row| maybe(&row.recurrence)),
        of(&|row| maybe(&row.recurrence_from)),
        of(&|row| {
            row.recurrence_meant
                .map_or(Cell::Null, |at| quoted(&at.to_string()))
        }),
        of(&|row| maybe(&row.time_zone)),
        array(rows.iter().map(|arrived| quoted(&arrived.task.key))),
        array(rows.iter().map(|arrived| plain(hex(&arrived.task.hash.0)))),
        run.into(),
    ];
    tx.execute_raw(WRITE.with(tx, values)).await?;
    Ok(())
}

/// One element of an array, as PostgreSQL writes it.
enum Cell {
    Null,
    Text(String),
}

fn plain(value: impl Display) -> Cell {
    Cell::Text(value.to_string())
}

fn quoted(text: &str) -> Cell {
    let mut cell = String::with_capacity(text.len() + 2);
    cell.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            cell.push('\\');
        }
        cell.push(c);
    }
    cell.push('"');
    Cell::Text(cell)
}

/// A column of many rows as one text: the driver would make a value of each cell.
fn array(cells: impl Iterator<Item = Cell>) -> Value {
    let mut text = String::from("{");
    for cell in cells {
        if text.len() > 1 {
            text.push(',');
        }
        match cell {
            Cell::Null => text.push_str("NULL"),
            Cell::Text(cell) => text.push_str(&cell),
        }
    }
    text.push('}');
    text.into()
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
