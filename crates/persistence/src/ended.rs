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

/// The time, and what was stamped after the place `$1` or at most `$2` before it; at most 65 minutes back: the
/// longest life of an access token, and some. A place ahead of the clock, which was set back, counts as now.
macro_rules! since {
    ($now:expr, $least:literal, $greatest:literal) => {
        concat!(
            "SELECT n.now, e.session_id FROM (SELECT ",
            $now,
            " AS now) n LEFT JOIN ended_sessions e ON e.ended_at_micros > ",
            $greatest,
            "(",
            $least,
            "($1, n.now) - $2, n.now - 3900000000)"
        )
    };
}

const SINCE: Sql = Sql {
    // Not the ever-changing clock: the time must be no later than what the statement sees.
    postgres: since!(
        "cast(extract(epoch FROM statement_timestamp()) * 1000000 AS bigint)",
        "least",
        "greatest"
    ),
    sqlite: since!(now!(sqlite), "min", "max"),
};

#[derive(FromQueryResult)]
struct Row {
    now: i64,
    session_id: Option<Uuid>,
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

/// What ended since, and the time of the question: the place for the next one.
///
/// A record becomes visible some time after it took its stamp, so the question reaches back by `overlap`, which
/// no unit of work outlives.
pub async fn since(conn: &Conn<'_>, after: Option<EndedCursor>, overlap: Duration) -> Result<Ended, Failure> {
    let overlap = i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX);
    let from = after.map_or(0, |EndedCursor(at)| at.max(0));
    let rows = Row::find_by_statement(SINCE.with(conn, [from.into(), overlap.into()]))
        .all(conn)
        .await?;
    let now = rows.first().map_or(from, |row| row.now);
    let sessions = rows.iter().filter_map(|row| row.session_id.map(SessionId));
    Ok(Ended {
        sessions: sessions.collect(),
        cursor: EndedCursor(now),
    })
}
