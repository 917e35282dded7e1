//! Operations that are done together: read by one statement, done by the domain, written by one statement a kind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use errand_application::ports::{StoreError, Work, Worked};
use errand_domain::task::{Board, Fate, Operation, Outcome, Piece, Recurrences, Refusal, TEXT_MAX, Task};
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::ActiveValue::NotSet;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IntoActiveModel,
    PaginatorTrait, QueryFilter, Value,
};

use super::{columns, living, lock, numbers, request, trash};
use crate::db::{Db, Tx};
use crate::entities::tasks::{ActiveModel, Column, Entity, Model, Row};
use crate::error::Failure;
use crate::scope::{Owned, Scope};
use crate::sql::Sql;

pub async fn work(
    db: &Db,
    calendar: &Arc<dyn Recurrences>,
    owner: UserId,
    work: Work,
) -> Result<Worked, StoreError> {
    let scope = Scope::Owner(owner);
    // A request that is known by its key does nothing when it runs again.
    let repeatable = work.request.is_some();
    let input = (owner, work, Arc::clone(calendar));
    db.write_all(scope, input, repeatable, |tx, (owner, work, calendar)| {
        Box::pin(run(tx, *owner, work, &**calendar))
    })
    .await
}

async fn run(tx: &Tx, owner: UserId, work: &Work, calendar: &dyn Recurrences) -> Result<Worked, Failure> {
    let Some(unit) = begin(tx, owner).await? else {
        return Ok(Worked::Gone);
    };
    if let Some(known) = &work.request
        && let Some(answer) = request::known(tx, owner, known, work.at).await?
    {
        return Ok(answer);
    }
    let done = unit
        .run(tx, &work.operations, work.most, work.at, calendar)
        .await?;
    let outcomes = match done {
        Ok(outcomes) => outcomes,
        Err(refusals) => return Ok(Worked::Refused(refusals)),
    };
    if let Some(new) = &work.request {
        request::remember(tx, owner, new, &outcomes, work.at).await?;
    }
    Ok(Worked::Done {
        outcomes,
        replayed: false,
    })
}

/// The tasks of one owner, whom nobody else writes for until the transaction ends.
pub struct Unit {
    owner: UserId,
    last_id: i64,
}

/// What follows in a series is a search, and others may wait for its end: of ordinary rules a thousand take some
/// milliseconds, of hostile ones seconds.
const SEARCHING_MAX: Duration = Duration::from_secs(1);

/// `None` if the account is gone.
pub async fn begin(tx: &Tx, owner: UserId) -> Result<Option<Unit>, Failure> {
    let last_id = lock(tx, owner).await?;
    Ok(last_id.map(|last_id| Unit { owner, last_id }))
}

impl Unit {
    /// Does all operations, or says which ones were refused and does none.
    pub async fn run(
        self,
        tx: &Tx,
        operations: &[Operation],
        most: u32,
        at: Timestamp,
        calendar: &dyn Recurrences,
    ) -> Result<Result<Vec<Outcome>, Vec<(usize, Refusal)>>, Failure> {
        let Self { owner, last_id } = self;
        let Some(tasks) = concerned(tx, owner, operations).await? else {
            return Ok(Err(vec![(0, Refusal::TooMuch)]));
        };
        // Who was never given so many ids cannot have so many tasks; only others are counted.
        let given = last_id.saturating_add(i64::try_from(operations.len()).unwrap_or(i64::MAX));
        let count = if given > i64::from(most) {
            living(owner).count(tx).await?
        } else {
            0
        };
        let mut board = Board::new(owner, TaskId(last_id), count, most, tasks, at, calendar);
        let mut outcomes = Vec::with_capacity(operations.len());
        let mut refusals = Vec::new();
        let mut searching = Duration::ZERO;
        for (place, operation) in operations.iter().enumerate() {
            let begun = Instant::now();
            let outcome = if searching < SEARCHING_MAX {
                board.run(operation)
            } else {
                Err(Refusal::TooMuch)
            };
            searching += begun.elapsed();
            match outcome {
                Ok(outcome) => outcomes.push(outcome),
                Err(refusal) => refusals.push((place, refusal)),
            }
        }
        if !refusals.is_empty() {
            return Ok(Err(refusals));
        }
        let gone = write(tx, owner, board.pieces(), at).await?;
        if gone > 0 {
            trash::sweep(tx, owner, at, gone).await?;
        }
        Ok(Ok(outcomes))
    }
}

macro_rules! is_concerned {
    ($ids:literal) => {
        concat!(
            "user_id = $1 AND deleted_at IS NULL AND id IN (",
            $ids,
            " UNION SELECT t.successor_id FROM tasks t WHERE t.user_id = $1 AND t.id IN (",
            $ids,
            "))"
        )
    };
}
macro_rules! concerned {
    ($ids:literal) => {
        concat!("SELECT ", columns!(), " FROM tasks WHERE ", is_concerned!($ids))
    };
}

const CONCERNED: Sql = Sql {
    postgres: concerned!("SELECT unnest($2)"),
    sqlite: concerned!("SELECT value FROM json_each($2)"),
};

macro_rules! text {
    ($ids:literal, $bytes_of_title:literal, $bytes_of_description:literal) => {
        concat!(
            "SELECT CAST(coalesce(sum(",
            $bytes_of_title,
            " + coalesce(",
            $bytes_of_description,
            ", 0)), 0) AS bigint) AS bytes FROM tasks WHERE ",
            is_concerned!($ids)
        )
    };
}

/// The length of what they hold. That of a text is counted in characters by SQLite.
const TEXT: Sql = Sql {
    postgres: text!(
        "SELECT unnest($2)",
        "octet_length(title)",
        "octet_length(description)"
    ),
    sqlite: text!(
        "SELECT value FROM json_each($2)",
        "length(CAST(title AS blob))",
        "length(CAST(description AS blob))"
    ),
};

/// So few tasks hold no more text than may be read at once.
const FEW: usize = 50;

#[derive(FromQueryResult)]
struct Text {
    bytes: i64,
}

/// Whether so many ids are of more text than may be read at once.
async fn is_too_much(tx: &Tx, values: [Value; 2]) -> Result<bool, Failure> {
    let text = Text::find_by_statement(TEXT.with(tx, values)).one(tx).await?;
    let bytes = text.map_or(0, |text| usize::try_from(text.bytes).unwrap_or_default());
    Ok(bytes > 2 * TEXT_MAX)
}

/// The living tasks that the operations name, and those that follow them; `None` if they are too much.
async fn concerned(tx: &Tx, owner: UserId, operations: &[Operation]) -> Result<Option<Vec<Task>>, Failure> {
    let named = operations.iter().filter_map(|operation| match operation {
        Operation::Create(_) => None,
        Operation::Change(id, ..) | Operation::Delete(id, _) => Some(id.0),
    });
    let named: Vec<i64> = named.collect();
    if named.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let values = || [owner.0.into(), numbers(tx.get_database_backend(), Some(&named))];
    if named.len() > FEW && is_too_much(tx, values()).await? {
        return Ok(None);
    }
    let rows = Row::find_by_statement(CONCERNED.with(tx, values()))
        .all(tx)
        .await?;
    let tasks: Result<Vec<_>, _> = rows.into_iter().map(Row::task).collect();
    tasks.map(Some)
}

/// How many are no longer among the living.
async fn write(
    tx: &Tx,
    owner: UserId,
    pieces: impl Iterator<Item = &Piece>,
    at: Timestamp,
) -> Result<usize, Failure> {
    let (made, changed): (Vec<_>, Vec<_>) = pieces
        .filter(|piece| piece.is_written())
        .partition(|piece| piece.is_new());
    let gone = made
        .iter()
        .chain(&changed)
        .filter(|piece| piece.fate != Fate::Living);
    let gone = gone.count();
    let rows = |pieces: Vec<&Piece>| {
        pieces
            .into_iter()
            .map(|piece| Model::of(piece, at))
            .collect::<Vec<_>>()
    };
    let (made, changed) = (rows(made), rows(changed));
    if tx.get_database_backend() == DbBackend::Postgres {
        for (sql, rows) in [(INSERT, made), (UPDATE, changed)] {
            if !rows.is_empty() {
                let json = serde_json::to_string(&rows).map_err(|_| UNWRITABLE)?;
                tx.execute_raw(Sql::both(sql).with(tx, [owner.0.into(), json.into()]))
                    .await?;
            }
        }
        return Ok(gone);
    }
    for row in made {
        let row = row.into_active_model().reset_all();
        Entity::insert(row).exec_without_returning(tx).await?;
    }
    for row in changed {
        let id = row.id;
        let row = ActiveModel {
            user_id: NotSet,
            id: NotSet,
            creation_key: NotSet,
            change_seq: NotSet,
            ..row.into_active_model().reset_all()
        };
        Entity::update_of(owner)
            .filter(Column::Id.eq(id))
            .set(row)
            .exec(tx)
            .await?;
    }
    Ok(gone)
}

const UNWRITABLE: Failure = Failure::Corrupt {
    table: "tasks",
    column: "*",
};

/// The rows of an array of objects.
macro_rules! rows {
    () => {
        "json_to_recordset($2::json) AS x(id bigint, creation_key text, title text, title_folded text, \
         description text, description_folded text, priority smallint, due_at timestamptz, due_is_date boolean, \
         tags text, tag_keys text, completed_at timestamptz, created_at timestamptz, updated_at timestamptz, \
         version bigint, deleted_at timestamptz, erased_at timestamptz, recurrence text, recurrence_from text, \
         recurrence_meant timestamp, time_zone text, handed_on text, successor_id bigint)"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO tasks (user_id, id, creation_key, title, title_folded, description, description_folded, \
     priority, due_at, due_is_date, tags, tag_keys, completed_at, created_at, updated_at, version, change_seq, \
     deleted_at, erased_at, recurrence, recurrence_from, recurrence_meant, time_zone, handed_on, successor_id) \
     SELECT $1, x.id, x.creation_key, x.title, x.title_folded, x.description, x.description_folded, \
     x.priority, x.due_at, x.due_is_date, x.tags, x.tag_keys, x.completed_at, x.created_at, x.updated_at, \
     x.version, 0, x.deleted_at, x.erased_at, x.recurrence, x.recurrence_from, x.recurrence_meant, \
     x.time_zone, x.handed_on, x.successor_id FROM ",
    rows!()
);

const UPDATE: &str = concat!(
    "UPDATE tasks SET title = x.title, title_folded = x.title_folded, description = x.description, \
     description_folded = x.description_folded, priority = x.priority, due_at = x.due_at, \
     due_is_date = x.due_is_date, tags = x.tags, tag_keys = x.tag_keys, completed_at = x.completed_at, \
     created_at = x.created_at, updated_at = x.updated_at, version = x.version, deleted_at = x.deleted_at, \
     erased_at = x.erased_at, recurrence = x.recurrence, recurrence_from = x.recurrence_from, \
     recurrence_meant = x.recurrence_meant, time_zone = x.time_zone, handed_on = x.handed_on, \
     successor_id = x.successor_id FROM ",
    rows!(),
    " WHERE tasks.user_id = $1 AND tasks.id = x.id"
);
