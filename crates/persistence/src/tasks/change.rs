//! Changing a task.
//!
//! PostgreSQL does it in one statement, one round trip, unless the change concerns a series. SQLite, without round
//! trips and without a way to add a microsecond to a time stamp, lets the domain do it, while nobody else can
//! write; so does PostgreSQL with series. The conformance cases hold both against the same model.

use std::sync::Arc;

use errand_application::ports::{StoreError, Written};
use errand_domain::task::{
    Completion, Description, Due, Expected, Operation, Outcome, Priority, Recurrences, Task, TaskChange,
    TimeZone, Title,
};
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::DbBackend;

use super::{columns, find, not_written, versions, work};
use crate::db::{Conn, Db, Tx};
use crate::entities::tasks::{Row, tag_keys, tags};
use crate::error::Failure;
use crate::scope::Scope;
use crate::sql::{Sql, returned};

pub struct Input {
    pub owner: UserId,
    pub id: TaskId,
    pub expected: Expected,
    pub change: TaskChange,
    pub most: u32,
    pub at: Timestamp,
}

pub async fn change(
    db: &Db,
    calendar: &Arc<dyn Recurrences>,
    input: Input,
) -> Result<Written<Task>, StoreError> {
    let scope = Scope::Owner(input.owner);
    let input = Arc::new(input);
    let begins_series = matches!(input.change.rule, Some(Some(_)));
    if db.backend() == DbBackend::Postgres && !begins_series {
        let written = db
            .write_one(scope, Arc::clone(&input), |conn, input| {
                Box::pin(in_one_statement(conn, input))
            })
            .await?;
        if let Some(written) = written {
            return Ok(written);
        }
    }
    db.write(scope, (input, Arc::clone(calendar)), |tx, (input, calendar)| {
        Box::pin(by_the_domain(tx, input, &**calendar))
    })
    .await
}

// The new values, by columns of the row itself: if another change came first, PostgreSQL evaluates them again
// on what that one left.
macro_rules! description {
    () => {
        "CASE WHEN $6 THEN $7 ELSE description END"
    };
}
macro_rules! due_at {
    () => {
        "CASE WHEN $10 THEN $11 ELSE due_at END"
    };
}
macro_rules! due_is_date {
    () => {
        "CASE WHEN $10 THEN $12 ELSE due_is_date END"
    };
}
macro_rules! time_zone {
    () => {
        "CASE WHEN $17 THEN $18 ELSE time_zone END"
    };
}
macro_rules! completed_at {
    () => {
        "CASE $15 WHEN 0 THEN NULL WHEN 1 THEN coalesce(completed_at, $3) \
         WHEN 2 THEN CASE WHEN completed_at IS NULL THEN $3 END ELSE completed_at END"
    };
}
macro_rules! changed {
    () => {
        concat!(
            "ROW(coalesce($4, title), ",
            description!(),
            ", coalesce($9, priority), ",
            due_at!(),
            ", ",
            due_is_date!(),
            ", coalesce($13, tags), ",
            completed_at!(),
            ", ",
            time_zone!(),
            ") IS DISTINCT FROM ROW(title, description, priority, due_at, due_is_date, tags, completed_at, \
             time_zone)"
        )
    };
}

const CHANGE: &str = concat!(
    "UPDATE tasks SET title = coalesce($4, title), title_folded = coalesce($5, title_folded), description = ",
    description!(),
    ", description_folded = CASE WHEN $6 THEN $8 ELSE description_folded END, \
     priority = coalesce($9, priority), due_at = ",
    due_at!(),
    ", due_is_date = ",
    due_is_date!(),
    ", tags = coalesce($13, tags), tag_keys = coalesce($14, tag_keys), completed_at = ",
    completed_at!(),
    ", time_zone = ",
    time_zone!(),
    ", version = CASE WHEN ",
    changed!(),
    " THEN version + 1 ELSE version END, updated_at = CASE WHEN ",
    changed!(),
    " THEN greatest($3, updated_at + interval '1 microsecond') ELSE updated_at END \
     WHERE user_id = (SELECT user_id FROM task_counters WHERE user_id = $1 FOR NO KEY UPDATE) \
     AND id = $2 AND deleted_at IS NULL AND ($16 IS NULL OR version = ANY ($16)) \
     AND NOT ($19 AND (recurrence IS NOT NULL OR handed_on IS NOT NULL)) RETURNING ",
    columns!()
);

/// `None` if the change concerns a series: then nothing is done.
async fn in_one_statement(conn: &Conn<'_>, input: &Input) -> Result<Option<Written<Task>>, Failure> {
    // Destructured, so that a new field cannot be forgotten.
    let TaskChange {
        title,
        description,
        priority,
        due,
        time_zone,
        tags: new_tags,
        rule: _,
        recurrence_from: _,
        completion,
    } = &input.change;
    let new_description = description.as_ref().and_then(Option::as_ref);
    let new_due = due.flatten();
    let new_zone = time_zone.as_ref().and_then(Option::as_ref);
    let completion: Option<i16> = completion.map(|completion| match completion {
        Completion::Set(false) => 0,
        Completion::Set(true) => 1,
        Completion::Toggle => 2,
    });
    let concerns_series = input.change.concerns_series();
    let values = [
        input.owner.0.into(),
        input.id.0.into(),
        input.at.as_chrono().into(),
        title.as_ref().map(Title::as_str).into(),
        title.as_ref().map(Title::folded).into(),
        description.is_some().into(),
        new_description.map(Description::as_str).into(),
        new_description.map(Description::folded).into(),
        priority.map(Priority::rank).into(),
        due.is_some().into(),
        new_due.map(|due| due.position().as_chrono()).into(),
        new_due.is_some_and(Due::is_date).into(),
        new_tags.as_ref().map(tags).into(),
        new_tags.as_ref().map(tag_keys).into(),
        completion.into(),
        versions(conn, &input.expected),
        time_zone.is_some().into(),
        new_zone.map(TimeZone::as_str).into(),
        concerns_series.into(),
    ];
    let row: Option<Row> = returned(conn, Sql::both(CHANGE).with(conn, values)).await?;
    if let Some(row) = row {
        return row.task().map(Written::Done).map(Some);
    }
    if concerns_series {
        // Whatever it is now: the domain looks again, and nobody writes meanwhile.
        let found = find(conn, input.owner, input.id).await?;
        return Ok(match found {
            None => Some(Written::Absent),
            Some(task) if input.expected.admits(task.version) => None,
            Some(_) => Some(Written::Stale),
        });
    }
    not_written(conn, input.owner, input.id, &input.expected)
        .await
        .map(Some)
}

async fn by_the_domain(tx: &Tx, input: &Input, calendar: &dyn Recurrences) -> Result<Written<Task>, Failure> {
    let operation = Operation::Change(input.id, input.expected.clone(), input.change.clone());
    let Some(unit) = work::begin(tx, input.owner).await? else {
        return Ok(Written::Absent);
    };
    let outcome = unit.run(tx, &[operation], input.most, input.at, calendar).await?;
    Ok(match outcome {
        Ok(mut outcomes) => match outcomes.pop() {
            Some(Outcome::Task(task)) => Written::Done(*task),
            _ => Written::Absent,
        },
        Err(mut refusals) => refusals
            .pop()
            .map_or(Written::Absent, |(_, refusal)| refusal.into()),
    })
}
