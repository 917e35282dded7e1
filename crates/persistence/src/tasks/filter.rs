//! `TaskFilter::matches` and `Sort::compare` in SQL.

use errand_domain::UserId;
use errand_domain::query::{Sort, SortKey, TaskFilter, TaskQuery};
use errand_domain::task::Priority;
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::sea_query::{Func, NullOrdering};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, ExprTrait, Order, QueryFilter, QueryOrder, Select,
};

use super::living;
use crate::entities::tasks::{Column, Entity, tag_pattern};

/// The conditions of a filter.
pub fn condition(filter: &TaskFilter, backend: DbBackend) -> Condition {
    // Destructured, so that a new condition cannot be forgotten.
    let TaskFilter {
        completed,
        priorities,
        tag_keys,
        words,
        due_before,
        due_after,
    } = filter;
    let mut all = Condition::all()
        .add_option(completed.map(|done| {
            if done {
                Column::CompletedAt.is_not_null()
            } else {
                Column::CompletedAt.is_null()
            }
        }))
        // A task without a due date is neither before nor after anything, and NULL compares so.
        .add_option(due_before.map(|bound| Column::DueAt.lt(bound.as_chrono())))
        .add_option(due_after.map(|bound| Column::DueAt.gt(bound.as_chrono())));
    if !priorities.is_empty() {
        all = all.add(Column::Priority.is_in(priorities.iter().copied().map(Priority::rank)));
    }
    if !tag_keys.is_empty() {
        let patterns = tag_keys.iter().filter_map(|key| tag_pattern(key));
        all = all.add(patterns.fold(never(), |any, pattern| {
            any.add(contains(Column::TagKeys, &pattern, backend))
        }));
    }
    words.iter().fold(all, |all, word| {
        // PostgreSQL cannot take the character, and no task has it.
        let found = if word.contains('\0') {
            never()
        } else {
            Condition::any()
                .add(contains(Column::TitleFolded, word, backend))
                .add(contains(Column::DescriptionFolded, word, backend))
        };
        all.add(found)
    })
}

/// The column that a list is ordered by, and the direction of that and of the ids.
pub fn order(sort: Sort) -> (Column, Order) {
    let order = if sort.descending { Order::Desc } else { Order::Asc };
    let column = match sort.key {
        SortKey::CreatedAt => Column::CreatedAt,
        SortKey::UpdatedAt => Column::UpdatedAt,
        SortKey::Title => Column::TitleFolded,
        SortKey::DueDate => Column::DueAt,
        SortKey::Priority => Column::Priority,
    };
    (column, order)
}

/// The order of a list.
pub fn ordered(select: Select<Entity>, sort: Sort) -> Select<Entity> {
    let (column, order) = order(sort);
    let select = if sort.key == SortKey::DueDate {
        select.order_by_with_nulls(column, order.clone(), NullOrdering::Last)
    } else {
        select.order_by(column, order.clone())
    };
    select.order_by(Column::Id, order)
}

/// False, until something is added.
fn never() -> Condition {
    Condition::any().add(Expr::cust("1 = 0"))
}

/// Byte for byte: nothing in the text means anything, unlike with `LIKE`.
fn contains(column: Column, text: &str, backend: DbBackend) -> SimpleExpr {
    let position = match backend {
        DbBackend::Postgres => "strpos",
        _ => "instr",
    };
    Func::cust(position).arg(Expr::col(column)).arg(text).gt(0)
}

/// All that the filter lets through.
pub fn matching(conn: &impl ConnectionTrait, owner: UserId, query: &TaskQuery) -> Select<Entity> {
    living(owner).filter(condition(&query.filter, conn.get_database_backend()))
}
