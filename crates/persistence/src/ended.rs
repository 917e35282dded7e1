//! The record of ended sessions, by which every replica learns whose access tokens to refuse. It has no owner:
//! sessions of all users are asked for at once, and a record outlives its user.

use std::time::Duration;

use errand_application::ports::{Ended, EndedCursor};
use errand_domain::{SessionId, UserId};
use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use crate::db::{Conn, Tx};
use crate::error::Failure;
use crate::sql::Sql;

/// The time is the database's: replicas' clocks differ.
macro_rules! now {
    (postgres) => {
        "cast(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
    };
    (sqlite) => {
        "cast(unixepoch('now', 'subsec') * 1000000 AS integer)"
    };
}

const RECORD: Sql = Sql {
    postgres: concat!(
        "INSERT INTO ended_sessions (session_id, ended_at_micros) VALUES ($1, ",
        now!(postgres),
        ") ON CONFLICT (session_id) DO NOTHING"
    ),
    sqlite: concat!(
        "INSERT INTO ended_sessions (session_id, ended_at_micros) VALUES ($1, ",
        now!(sqlite),
        ") ON CONFLICT (session_id) DO NOTHING"
    ),
};

const RECORD_ALL: Sql = Sql {
    postgres: concat!(
        "INSERT INTO ended_sessions (session_id, ended_at_micros) SELECT id, ",
        now!(postgres),
        " FROM sessions WHERE user_id = $1 ON CONFLICT (session_id) DO NOTHING"
    ),
    sqlite: concat!(
        "INSERT INTO ended_sessions (session_id, ended_at_micros) SELECT id, ",
        now!(sqlite),
        " FROM sessions WHERE user_id = $1 ON CONFLICT (session_id) DO NOTHING"
    ),
};

/// Two hours on, no token of the session is alive. A few at a time, and none that another is at.
const FORGET: Sql = Sql {
    postgres: concat!(
        "DELETE FROM ended_sessions WHERE session_id IN (SELECT session_id FROM ended_sessions WHERE \
         ended_at_micros < ",
        now!(postgres),
        " - 7200000000 ORDER BY ended_at_micros LIMIT 100 FOR UPDATE SKIP LOCKED)"
    ),
    sqlite: concat!(
        "DELETE FROM ended_sessions WHERE session_id IN (SELECT session_id FROM ended_sessions WHERE \
         ended_at_micros < ",
        now!(sqlite),
        " - 7200000000 ORDER BY ended_at_micros LIMIT 100)"
    ),
};

/// At most 65 minutes back: the longest life of an access token, and some.
const SINCE: Sql = Sql {
    postgres: concat!(
        "SELECT session_id, ended_at_micros FROM ended_sessions WHERE ended_at_micros > greatest($1, ",
        now!(postgres),
        " - 3900000000)"
    ),
    sqlite: concat!(
        "SELECT session_id, ended_at_micros FROM ended_sessions WHERE ended_at_micros > max($1, ",
        now!(sqlite),
        " - 3900000000)"
    ),
};

#[derive(FromQueryResult)]
struct Row {
    session_id: Uuid,
    ended_at_micros: i64,
}

/// Remembers that a session ended.
pub async fn record(tx: &Tx, session: Uuid) -> Result<(), Failure> {
    tx.execute_raw(RECORD.with(tx, [session.into()])).await?;
    forget(tx).await
}

/// Remembers that all sessions that a user has now end.
pub async fn record_all(tx: &Tx, owner: UserId) -> Result<(), Failure> {
    tx.execute_raw(RECORD_ALL.with(tx, [owner.0.into()])).await?;
    forget(tx).await
}

async fn forget(tx: &Tx) -> Result<(), Failure> {
    tx.execute_raw(FORGET.with(tx, [])).await?;
    Ok(())
}

/// What ended since, and the end of it.
///
/// A record becomes visible some time after it took its stamp, so the question reaches back by `overlap`, which
/// no unit of work outlives.
pub async fn since(conn: &Conn, after: Option<EndedCursor>, overlap: Duration) -> Result<Ended, Failure> {
    let overlap = i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX);
    let from = after.map_or(0, |EndedCursor(at)| at.saturating_sub(overlap));
    let rows = Row::find_by_statement(SINCE.with(conn, [from.into()]))
        .all(conn)
        .await?;
    let seen = rows.iter().map(|row| row.ended_at_micros);
    let cursor = seen
        .chain(after.map(|EndedCursor(at)| at))
        .max()
        .unwrap_or_default();
    Ok(Ended {
        sessions: rows.iter().map(|row| SessionId(row.session_id)).collect(),
        cursor: EndedCursor(cursor),
    })
}
