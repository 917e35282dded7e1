//! What happened to an owner's tasks since a place.

use errand_application::ports::ChangesPage;
use errand_domain::UserId;
use errand_domain::changes::ChangesPlace;
use sea_orm::sea_query::{Expr, JoinType, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, ExprTrait, FromQueryResult, Order, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};

use crate::db::Conn;
use crate::entities::task_counters;
use crate::entities::tasks::{ChangeRow, ChangedRow, Column, Entity, ROW};
use crate::error::Failure;
use crate::scope::Owned;

/// The name of the changed tasks within the statement.
const CHANGED: &str = "changed";

/// The owner's counters and what changed behind a place, in one statement and so of one moment. Whoever writes
/// holds the row of the counters until the commit: every change up to the counter that is read here is there to
/// be read too.
fn statement(owner: UserId, seq: i64, most: u64) -> SelectStatement {
    let counter = |column| (task_counters::Entity, column);
    let place = [Column::ChangeSeq, Column::DeletedAt];
    let changed = Entity::of(owner)
        .select_only()
        .columns(ROW)
        .columns(place)
        .filter(Column::ChangeSeq.gt(seq))
        .order_by_asc(Column::ChangeSeq)
        .limit(most)
        .into_query();
    let mut statement = Query::select();
    statement
        .column(counter(task_counters::Column::ChangeCounter))
        .column(counter(task_counters::Column::PurgedSeq))
        .columns(ROW.into_iter().chain(place).map(|column| (CHANGED, column)))
        .from(task_counters::Entity)
        .join_subquery(JoinType::LeftJoin, changed, CHANGED, Expr::cust("1 = 1"))
        .and_where(Expr::col(counter(task_counters::Column::UserId)).eq(owner.0))
        // A join keeps no order by itself.
        .order_by((CHANGED, Column::ChangeSeq), Order::Asc);
    statement
}

pub async fn since(
    conn: &Conn<'_>,
    owner: UserId,
    since: Option<ChangesPlace>,
    limit: u32,
) -> Result<Option<ChangesPage>, Failure> {
    let seq = since.map_or(0, |place| place.seq);
    let statement = statement(owner, seq, u64::from(limit) + 1);
    let statement = conn.get_database_backend().build(&statement);
    let lines = ChangeRow::find_by_statement(statement).all(conn).await?;
    let Some((counter, forgotten)) = lines.first().map(|line| (line.change_counter, line.purged_seq)) else {
        // The account went.
        return Ok(Some(ChangesPage {
            changes: Vec::new(),
            next: since.unwrap_or(ChangesPlace::beginning(0)),
            has_more: false,
        }));
    };
    let place = since.unwrap_or(ChangesPlace::beginning(counter));
    if !place.is_known(counter, forgotten) {
        return Ok(None);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut changed: Vec<ChangedRow> = lines.into_iter().filter_map(|line| line.changed).collect();
    let has_more = changed.len() > limit;
    changed.truncate(limit);
    let told = if has_more {
        changed.last().map_or(place.seq, |row| row.change_seq)
    } else {
        counter
    };
    let changes: Result<Vec<_>, _> = changed.into_iter().map(ChangedRow::change).collect();
    Ok(Some(ChangesPage {
        changes: changes?,
        next: place.at(told),
        has_more,
    }))
}
