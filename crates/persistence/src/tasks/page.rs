//! One page of a list.

use errand_application::ports::{StoreError, WalkSeed};
use errand_domain::query::{PageStart, Sort, SortKey, TaskPage, TaskQuery};
use errand_domain::task::Task;
use errand_domain::{TaskId, Timestamp, UserId};
use sea_orm::sea_query::{Expr, Func, JoinType, NullOrdering, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, ExprTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait, Select,
};

use super::filter::{condition, matching, order, ordered};
use super::walk;
use crate::db::{Conn, Db};
use crate::entities::task_counters;
use crate::entities::tasks::{Column, Entity, PageRow, ROW, Row};
use crate::error::Failure;
use crate::scope::{Owned, Scope};

pub async fn page(
    db: &Db,
    owner: UserId,
    query: &TaskQuery,
    seed: WalkSeed,
) -> Result<Option<TaskPage>, StoreError> {
    let input = (owner, query.clone(), seed);
    let begun = if let PageStart::Walk { .. } = query.start {
        None
    } else {
        let (page, more) = db
            .read(Scope::Owner(owner), input.clone(), |conn, (owner, query, _)| {
                Box::pin(direct(conn, *owner, query))
            })
            .await?;
        if !more {
            return Ok(Some(page));
        }
        if query.sort.key == SortKey::CreatedAt {
            let next = page.tasks.last().map(|task| PageStart::After {
                created_at: task.created_at,
                id: task.id,
            });
            return Ok(Some(TaskPage { next, ..page }));
        }
        // The order may change under the reader's feet: remember it. The page is then the walk's first, read
        // again, so that what the reader sees and what it has still to see make one whole.
        let begun = db
            .write(Scope::Owner(owner), input.clone(), |tx, (owner, query, seed)| {
                Box::pin(walk::begin(tx, *owner, query, *seed))
            })
            .await?;
        if !begun {
            // The account went, and everything with it.
            return Ok(Some(TaskPage {
                tasks: Vec::new(),
                next: None,
                total: page.total.map(|_| 0),
                changes: 0,
            }));
        }
        Some(seed.id)
    };
    // Several statements, which must see one moment: the page is of the counter that it names.
    db.snapshot(
        Scope::Owner(owner),
        (input, begun),
        |tx, ((owner, query, _), begun)| {
            Box::pin(async move { along(&tx.into(), *owner, query, *begun).await })
        },
    )
    .await
}

/// The name of the tasks of a page within its statement.
const PAGE: &str = "page";

/// The tasks of a page, with the counter that they are of: one statement, which has a row even if the page has
/// none.
fn with_counter(owner: UserId, tasks: Select<Entity>, sort: Sort) -> SelectStatement {
    let counter = |column| (task_counters::Entity, column);
    let (column, order) = order(sort);
    let mut statement = Query::select();
    statement
        .column(counter(task_counters::Column::ChangeCounter))
        .columns(ROW.map(|column| (PAGE, column)))
        .from(task_counters::Entity)
        .join_subquery(
            JoinType::LeftJoin,
            // Names the column twice at most, which an order of the outside does not mind.
            tasks.column(Column::TitleFolded).into_query(),
            PAGE,
            Expr::cust("1 = 1"),
        )
        .and_where(Expr::col(counter(task_counters::Column::UserId)).eq(owner.0));
    // A join keeps no order by itself.
    if sort.key == SortKey::DueDate {
        statement.order_by_with_nulls((PAGE, column), order.clone(), NullOrdering::Last);
    } else {
        statement.order_by((PAGE, column), order.clone());
    }
    statement.order_by((PAGE, Column::Id), order);
    statement
}

/// The page as the table stands, and whether there is more.
async fn direct(conn: &Conn<'_>, owner: UserId, query: &TaskQuery) -> Result<(TaskPage, bool), Failure> {
    let mut select = matching(conn, owner, query);
    match query.start {
        PageStart::Offset(0) | PageStart::Walk { .. } => {}
        PageStart::Offset(offset) => select = select.offset(u64::from(offset)),
        PageStart::After { created_at, id } => {
            select = select.filter(behind(created_at, id, query.sort.descending));
        }
    }
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let tasks = ordered(select, query.sort).limit(u64::from(query.limit) + 1);
    let statement = with_counter(owner, tasks, query.sort);
    let statement = conn.get_database_backend().build(&statement);
    let lines = PageRow::find_by_statement(statement).all(conn).await?;
    let changes = lines.first().map_or(0, |line| line.change_counter);
    let rows: Vec<Row> = lines.into_iter().filter_map(|line| line.row).collect();
    let more = rows.len() > limit;
    let tasks: Result<Vec<Task>, _> = rows.into_iter().take(limit).map(Row::task).collect();
    let page = TaskPage {
        tasks: tasks?,
        next: None,
        // Read later, and so never older than the counter.
        total: total(conn, owner, query).await?,
        changes,
    };
    Ok((page, more))
}

/// A page of a walk that was just begun, or of the one that the query names.
async fn along(
    conn: &Conn<'_>,
    owner: UserId,
    query: &TaskQuery,
    begun: Option<uuid::Uuid>,
) -> Result<Option<TaskPage>, Failure> {
    let (PageStart::Offset(offset) | PageStart::Walk { offset, .. }) = query.start else {
        return Ok(None);
    };
    let ((_, PageStart::Walk { id, .. }) | (Some(id), _)) = (begun, query.start) else {
        return Ok(None);
    };
    let Some((tasks, next)) = walk::read(conn, owner, query, id, offset).await? else {
        return Ok(None);
    };
    Ok(Some(TaskPage {
        tasks,
        next: next.map(|offset| PageStart::Walk { id, offset }),
        total: total(conn, owner, query).await?,
        changes: changes(conn, owner).await?,
    }))
}

/// The owner's change counter; 0 for who is not there.
pub async fn changes(conn: &Conn<'_>, owner: UserId) -> Result<i64, Failure> {
    let counter: Option<i64> = task_counters::Entity::of(owner)
        .select_only()
        .column(task_counters::Column::ChangeCounter)
        .into_tuple()
        .one(conn)
        .await?;
    Ok(counter.unwrap_or_default())
}

fn behind(created_at: Timestamp, id: TaskId, descending: bool) -> Expr {
    let place = Expr::tuple([Expr::col(Column::CreatedAt), Expr::col(Column::Id)]);
    let last = Expr::tuple([Expr::value(created_at.as_chrono()), Expr::value(id.0)]);
    if descending {
        place.lt(last)
    } else {
        place.gt(last)
    }
}

async fn total(conn: &Conn<'_>, owner: UserId, query: &TaskQuery) -> Result<Option<u64>, Failure> {
    if !query.count {
        return Ok(None);
    }
    let count: Option<i64> = Entity::of(owner)
        .select_only()
        .expr(Func::count(Expr::val(1)))
        .filter(Column::DeletedAt.is_null())
        .filter(condition(&query.filter, conn.get_database_backend()))
        .into_tuple()
        .one(conn)
        .await?;
    Ok(Some(count.map_or(0, i64::cast_unsigned)))
}
