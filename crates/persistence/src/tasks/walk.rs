//! Walks: remembered orders.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use errand_application::ports::WalkSeed;
use errand_domain::query::TaskQuery;
use errand_domain::task::Task;
use errand_domain::{TaskId, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, Select,
};
use uuid::Uuid;

use super::filter::matching;
use super::filter::ordered;
use crate::db::{Conn, Tx};
use crate::entities::tasks::{self, Column, Row};
use crate::entities::{task_walks, users};
use crate::error::Failure;
use crate::scope::Owned;
use crate::sql::Sql;

/// So long a walk is kept.
const KEPT: Duration = Duration::from_hours(1);
/// The most walks of one user, whatever their age.
const MOST: u64 = 100;
/// So many places are read at once when the first ones did not fill a page.
const LEAP: u32 = 10_000;
/// The bytes of an id.
const WIDTH: usize = size_of::<i64>();
/// No list is longer, and eight times as much still is a length to both databases.
const OFFSET_MAX: u32 = 1 << 27;

/// Remembers the order of everything that matches, and forgets what is old. `false` if the account is gone.
pub async fn begin(tx: &Tx, owner: UserId, query: &TaskQuery, seed: WalkSeed) -> Result<bool, Failure> {
    // The row that the walk's will refer to, held before anything else of its user's is.
    let account: Option<i64> = users::Entity::of(owner)
        .select_only()
        .column(users::Column::Id)
        .lock(LockType::KeyShare)
        .into_tuple()
        .one(tx)
        .await?;
    if account.is_none() {
        return Ok(false);
    }
    let ids: Vec<i64> = ordered(matching(tx, owner, query), query.sort)
        .select_only()
        .column(Column::Id)
        .into_tuple()
        .all(tx)
        .await?;
    let walk = task_walks::ActiveModel {
        user_id: Set(owner.0),
        id: Set(seed.id),
        task_ids: Set(ids.iter().flat_map(|id| id.to_be_bytes()).collect()),
        created_at: Set(seed.at.as_chrono()),
    };
    task_walks::Entity::insert(walk)
        .exec_without_returning(tx)
        .await?;
    forget(tx, owner, seed).await?;
    Ok(true)
}

async fn forget(tx: &Tx, owner: UserId, seed: WalkSeed) -> Result<(), Failure> {
    task_walks::Entity::delete_of(owner)
        .filter(task_walks::Column::CreatedAt.lt(seed.at.minus(KEPT).as_chrono()))
        .exec(tx)
        .await?;
    let too_many: Vec<Uuid> = task_walks::Entity::of(owner)
        .select_only()
        .column(task_walks::Column::Id)
        .order_by_desc(task_walks::Column::CreatedAt)
        .order_by_desc(task_walks::Column::Id)
        .offset(MOST)
        .limit(MOST)
        .into_tuple()
        .all(tx)
        .await?;
    for id in too_many {
        task_walks::Entity::delete_of(owner)
            .filter(task_walks::Column::Id.eq(id))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Tasks of a page and where the next one begins; `None` if the walk is not known.
pub async fn read(
    conn: &Conn<'_>,
    owner: UserId,
    query: &TaskQuery,
    walk: Uuid,
    offset: u32,
) -> Result<Option<(Vec<Task>, Option<u32>)>, Failure> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    // One more than the page takes: whether something is left is only known once it is found.
    let enough = limit.saturating_add(1);
    let mut reach = query.limit.saturating_add(1);
    let mut tasks = Vec::new();
    let mut start = offset.min(OFFSET_MAX);
    loop {
        let Some(ids) = slice(conn, owner, walk, start, reach).await? else {
            return Ok(None);
        };
        if ids.is_empty() {
            return Ok(Some((tasks, None)));
        }
        let mut places: Vec<(u32, TaskId)> = (start..).zip(ids).collect();
        start = places.last().map_or(start, |(place, _)| place + 1);
        if places.len() > enough {
            // Many, of which few may be left: asked for by id before any is read whole.
            let left = still_there(conn, owner, query, &places).await?;
            places.retain(|(_, id)| left.contains(id));
        }
        for some in places.chunks(enough) {
            let mut found = fetch(conn, owner, query, some).await?;
            for (place, id) in some {
                if let Some(row) = found.remove(id) {
                    if tasks.len() == limit {
                        return Ok(Some((tasks, Some(*place))));
                    }
                    tasks.push(row.task()?);
                }
            }
        }
        reach = LEAP.max(reach);
    }
}

const SLICE: Sql =
    Sql::both("SELECT substr(task_ids, $3, $4) AS ids FROM task_walks WHERE user_id = $1 AND id = $2");

#[derive(FromQueryResult)]
struct Slice {
    ids: Vec<u8>,
}

/// A piece of a walk; empty behind its end.
async fn slice(
    conn: &Conn<'_>,
    owner: UserId,
    walk: Uuid,
    offset: u32,
    count: u32,
) -> Result<Option<Vec<TaskId>>, Failure> {
    let width = i32::try_from(WIDTH).unwrap_or(i32::MAX);
    let bytes = |ids: u32| i32::try_from(ids).unwrap_or(i32::MAX).saturating_mul(width);
    let values = [
        owner.0.into(),
        walk.into(),
        bytes(offset).saturating_add(1).into(),
        bytes(count).into(),
    ];
    let found = Slice::find_by_statement(SLICE.with(conn, values))
        .one(conn)
        .await?;
    Ok(found.map(|slice| {
        let (ids, _) = slice.ids.as_chunks::<WIDTH>();
        ids.iter().map(|id| TaskId(i64::from_be_bytes(*id))).collect()
    }))
}

/// Those that are still there and still match, in any order.
fn remaining(
    conn: &Conn<'_>,
    owner: UserId,
    query: &TaskQuery,
    places: &[(u32, TaskId)],
) -> Select<tasks::Entity> {
    let ids = places.iter().map(|(_, id)| id.0);
    // One parameter, so that one statement does for every number of ids.
    let wanted = if conn.get_database_backend() == DbBackend::Postgres {
        Column::Id.eq_any(ids)
    } else {
        let json: serde_json::Value = ids.collect();
        Expr::cust_with_values("id IN (SELECT value FROM json_each(?))", [json.to_string()])
    };
    matching(conn, owner, query).filter(wanted)
}

async fn still_there(
    conn: &Conn<'_>,
    owner: UserId,
    query: &TaskQuery,
    places: &[(u32, TaskId)],
) -> Result<HashSet<TaskId>, Failure> {
    let ids: Vec<i64> = remaining(conn, owner, query, places)
        .select_only()
        .column(Column::Id)
        .into_tuple()
        .all(conn)
        .await?;
    Ok(ids.into_iter().map(TaskId).collect())
}

async fn fetch(
    conn: &Conn<'_>,
    owner: UserId,
    query: &TaskQuery,
    places: &[(u32, TaskId)],
) -> Result<HashMap<TaskId, Row>, Failure> {
    let rows: Vec<Row> = remaining(conn, owner, query, places)
        .into_model()
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (TaskId(row.id), row)).collect())
}
