//! Changing a task.
//!
//! PostgreSQL does it in one statement, one round trip. SQLite, without round trips and without a way to add a
//! microsecond to a time stamp, reads the task, lets the domain change it and writes it back, while nobody
//! else can write. The conformance cases hold both against the same model.

use errand_application::ports::{StoreError, Written};
use errand_domain::task::{Completion, Description, Due, Expected, Task, TaskChange, Title};
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbBackend, QueryFilter, UpdateMany};

use super::{columns, find, not_written, versions};
use crate::db::{Conn, Db, Tx};
use crate::entities::tasks::{Column, Entity, Row, tag_keys, tags};
use crate::error::Failure;
use crate::scope::{Owned, Scope};
use crate::sql::{Sql, returned};

pub struct Input {
    pub owner: UserId,
    pub id: TaskId,
    pub expected: Expected,
    pub change: TaskChange,
    pub at: Timestamp,
}

pub async fn change(db: &Db, input: Input) -> Result<Written<Task>, StoreError> {
    let scope = Scope::Owner(input.owner);
    match db.backend() {
        DbBackend::Postgres => {
            db.write_one(scope, input, |conn, input| {
                Box::pin(in_one_statement(conn, input))
            })
            .await
        }
        _ => {
            db.write(scope, input, |tx, input| Box::pin(by_the_domain(tx, input)))
                .await
        }
    }
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
            ") IS DISTINCT FROM ROW(title, description, priority, due_at, due_is_date, tags, completed_at)"
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
    ", version = CASE WHEN ",
    changed!(),
    " THEN version + 1 ELSE version END, updated_at = CASE WHEN ",
    changed!(),
    " THEN greatest($3, updated_at + interval '1 microsecond') ELSE updated_at END \
     WHERE user_id = (SELECT user_id FROM task_counters WHERE user_id = $1 FOR NO KEY UPDATE) \
     AND id = $2 AND deleted_at IS NULL AND ($16 IS NULL OR version = ANY ($16)) RETURNING ",
    columns!()
);

async fn in_one_statement(conn: &Conn<'_>, input: &Input) -> Result<Written<Task>, Failure> {
    // Destructured, so that a new field cannot be forgotten.
    let TaskChange {
        title,
        description,
        priority,
        due,
        tags: new_tags,
        completion,
    } = &input.change;
    let new_description = description.as_ref().and_then(Option::as_ref);
    let new_due = due.flatten();
    let completion: Option<i16> = completion.map(|completion| match completion {
        Completion::Set(false) => 0,
        Completion::Set(true) => 1,
        Completion::Toggle => 2,
    });
    let values = [
        input.owner.0.into(),
        input.id.0.into(),
        input.at.as_chrono().into(),
        title.as_ref().map(Title::as_str).into(),
        title.as_ref().map(Title::folded).into(),
        description.is_some().into(),
        new_description.map(Description::as_str).into(),
        new_description.map(Description::folded).into(),
        priority.map(errand_domain::task::Priority::rank).into(),
        due.is_some().into(),
        new_due.map(|due| due.position().as_chrono()).into(),
        new_due.is_some_and(Due::is_date).into(),
        new_tags.as_ref().map(tags).into(),
        new_tags.as_ref().map(tag_keys).into(),
        completion.into(),
        versions(conn, &input.expected),
    ];
    let row: Option<Row> = returned(conn, Sql::both(CHANGE).with(conn, values)).await?;
    match row {
        Some(row) => row.task().map(Written::Done),
        None => not_written(conn, input.owner, input.id, &input.expected).await,
    }
}

async fn by_the_domain(tx: &Tx, input: &Input) -> Result<Written<Task>, Failure> {
    let Some(mut task) = find(tx, input.owner, input.id).await? else {
        return Ok(Written::Absent);
    };
    if !input.expected.admits(task.version) {
        return Ok(Written::Stale);
    }
    if task.apply(&input.change, input.at) {
        written(&task).exec(tx).await?;
    }
    Ok(Written::Done(task))
}

fn written(task: &Task) -> UpdateMany<Entity> {
    let Task {
        id,
        owner,
        title,
        description,
        priority,
        due,
        tags: new_tags,
        completed_at,
        created_at: _,
        updated_at,
        version,
    } = task;
    let description_folded = description.as_ref().map(Description::folded);
    let description = description.as_ref().map(Description::as_str);
    let due_at = due.map(|due| due.position().as_chrono());
    let completed_at = completed_at.map(Timestamp::as_chrono);
    Entity::update_of(*owner)
        .filter(Column::Id.eq(id.0))
        .col_expr(Column::Title, Expr::value(title.as_str()))
        .col_expr(Column::TitleFolded, Expr::value(title.folded()))
        .col_expr(Column::Description, Expr::value(description))
        .col_expr(Column::DescriptionFolded, Expr::value(description_folded))
        .col_expr(Column::Priority, Expr::value(priority.rank()))
        .col_expr(Column::DueAt, Expr::value(due_at))
        .col_expr(Column::DueIsDate, Expr::value(due.is_some_and(Due::is_date)))
        .col_expr(Column::Tags, Expr::value(tags(new_tags)))
        .col_expr(Column::TagKeys, Expr::value(tag_keys(new_tags)))
        .col_expr(Column::CompletedAt, Expr::value(completed_at))
        .col_expr(Column::UpdatedAt, Expr::value(updated_at.as_chrono()))
        .col_expr(Column::Version, Expr::value(*version))
}
