//! The look at PostgreSQL. What must be right before a prepared statement can be trusted is asked without one.

use std::time::{Duration, Instant};

use errand_application::ports::Clock;
use sea_orm::{DatabaseConnection, DbBackend, FromQueryResult, SqlxPostgresConnector, Statement};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgRow, PgSslMode};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::facts::{
    Direct, DirectEntry, DirectWay, Entry, Inside, Look, Place, PostgresReport, Role, Session, Tables,
};
use super::{Schema, Trouble};
use crate::connect::{self, ConnectError, Settings};
use crate::fence::Fence;
use crate::fit::{self, Fit};
use crate::preflight::{Mixed, PreflightError, preflight};
use crate::url::{DatabaseUrl, Postgres, Target};
use crate::{app_role, policies, rights, steps};

/// So many deadlines a first connection may take: a database that sleeps has to wake up.
const TO_WAKE: u32 = 6;
/// So many one question.
const TO_ANSWER: u32 = 2;
/// So often the way there and back is measured, once it is warm.
const TRIPS: usize = 7;

const SESSION: &str = "SELECT current_setting('server_version_num')::int AS version, \
     (SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout') AS statement_timeout, \
     (SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout') AS lock_timeout, \
     (SELECT setting::bigint FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout') \
     AS idle_in_transaction_session_timeout, \
     current_setting('max_connections')::int AS max_connections, \
     current_setting('superuser_reserved_connections')::int \
     + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved_connections, \
     current_database()::text AS database, \
     (SELECT d.oid::bigint FROM pg_database d WHERE d.datname = current_database()) AS database_oid, \
     (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS started, \
     (SELECT s.version FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()) AS tls_version, \
     (SELECT s.cipher FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()) AS tls_cipher, \
     coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) \
     AND coalesce((SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c \
     WHERE c.oid = to_regclass('users')), true) AS may_migrate";
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

pub async fn examine(
    url: &Postgres,
    settings: &Settings,
    clock: &dyn Clock,
) -> Result<PostgresReport, ConnectError> {
    let options = connect::postgres_options(url, settings)?;
    let (way, direct_url) = direct(url, settings);
    let direct_options = connect::postgres_options(&direct_url, settings)?;
    let deadline = settings.deadline;

    let mut inside = Inside::default();
    let mut place = None;
    let entry = match enter(url, &options, deadline).await {
        Ok((mut conn, took)) => {
            let mut patience = Patience::new(deadline);
            inside.session = patience.wait(session(&mut conn)).await;
            inside.round_trip = patience.wait(round_trip(&mut conn)).await;
            inside.clock = patience.wait(ahead(&mut conn, clock)).await;
            drop(timeout(deadline, conn.close()).await);
            let session = inside.session.as_ref().and_then(|session| session.as_ref().ok());
            place = session.map(|session| session.place.clone());
            Ok(Entry {
                took,
                verified: matches!(options.get_ssl_mode(), PgSslMode::VerifyFull),
                tls: session.and_then(|s| s.tls_version.clone().zip(s.tls_cipher.clone())),
            })
        }
        Err(trouble) => Err(trouble),
    };
    let found = match way {
        DirectWay::Same => None,
        _ => Some(enter_directly(&direct_url, &direct_options, deadline, place.as_ref()).await),
    };
    if entry.is_ok() {
        inside.prepared = prepared(&options, deadline).await;
    }
    let whole = matches!(inside.prepared, Some(Ok(Ok(()))));
    let known = if matches!(found, Some(Ok(_))) {
        Some(&direct_options)
    } else {
        whole.then_some(&options)
    };
    if let Some(options) = known {
        let pool = Asking::over(options, deadline);
        inside.schema = Patience::new(deadline).wait(schema(&pool.0)).await;
        pool.close(deadline).await;
    }
    if whole {
        let pool = Asking::over(&options, deadline);
        let mut patience = Patience::new(deadline);
        let fence = Fence::new(settings.row_level_security);
        inside.tables = patience.wait(tables(&pool.0, fence)).await;
        inside.role = patience.wait(role(&pool.0)).await;
        pool.close(deadline).await;
    }
    Ok(PostgresReport {
        entry,
        direct: Direct { way, found },
        inside,
    })
}

fn direct(url: &Postgres, settings: &Settings) -> (DirectWay, Postgres) {
    let given = settings.direct_url.as_ref().map(DatabaseUrl::target);
    let (direct, other_way) = match given {
        Some(Target::Postgres(direct)) => ((**direct).clone(), DirectWay::Given),
        _ => (url.direct(), DirectWay::Derived),
    };
    let same_place = direct.host.eq_ignore_ascii_case(&url.host)
        && (direct.port, &direct.database, &direct.endpoint) == (url.port, &url.database, &url.endpoint);
    let way = match same_place {
        true if direct.user == url.user => DirectWay::Same,
        true => DirectWay::SamePlace,
        false => other_way,
    };
    (way, direct)
}

/// Waits for so long, and for nothing more once the connection is lost.
struct Patience {
    each: Duration,
    lost: bool,
}

impl Patience {
    fn new(deadline: Duration) -> Self {
        Self {
            each: deadline * TO_ANSWER,
            lost: false,
        }
    }

    async fn wait<T>(&mut self, question: impl Future<Output = Result<T, Trouble>>) -> Look<T> {
        if self.lost {
            return None;
        }
        let answer = timeout(self.each, question).await.unwrap_or(Err(Trouble::Silent));
        self.lost = answer.as_ref().is_err_and(Trouble::ends_it);
        Some(answer)
    }
}

/// A connection, and how long it took to get; a database that sleeps may wake up.
pub async fn enter(
    url: &Postgres,
    options: &PgConnectOptions,
    deadline: Duration,
) -> Result<(PgConnection, Duration), Trouble> {
    let started = Instant::now();
    let entering = async {
        // The driver's error does not tell this from other faults of the network.
        let addresses = lookup_host((url.host.as_str(), url.port)).await;
        drop(addresses.map_err(|_| Trouble::UnknownHost)?);
        options.connect().await.map_err(|error| Trouble::at_entry(&error))
    };
    let conn = timeout(deadline * TO_WAKE, entering)
        .await
        .unwrap_or(Err(Trouble::Silent))?;
    Ok((conn, started.elapsed()))
}

async fn enter_directly(
    url: &Postgres,
    options: &PgConnectOptions,
    deadline: Duration,
    place: Option<&Place>,
) -> Result<DirectEntry, Trouble> {
    let (mut conn, took) = enter(url, options, deadline).await?;
    let answer = Patience::new(deadline).wait(session(&mut conn)).await;
    drop(timeout(deadline, conn.close()).await);
    let session = answer.unwrap_or(Err(Trouble::Silent))?;
    Ok(DirectEntry {
        took,
        same_database: place.map(|place| *place == session.place),
        may_migrate: session.may_migrate,
    })
}

/// Without a prepared statement.
async fn row(conn: &mut PgConnection, sql: &'static str) -> Result<PgRow, Trouble> {
    sqlx::raw_sql(sql)
        .fetch_one(conn)
        .await
        .map_err(|error| Trouble::of(&error))
}

async fn session(conn: &mut PgConnection) -> Result<Session, Trouble> {
    let row = row(conn, SESSION).await?;
    Session::read(&row).map_err(|error| Trouble::of(&error))
}

async fn round_trip(conn: &mut PgConnection) -> Result<Duration, Trouble> {
    let mut took = Vec::with_capacity(TRIPS);
    for _ in 0..TRIPS {
        let started = Instant::now();
        row(conn, "SELECT 1").await?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    took.get(TRIPS / 2).copied().ok_or(Trouble::Strange)
}

/// The server reads its clock somewhere between question and answer.
async fn ahead(conn: &mut PgConnection, clock: &dyn Clock) -> Result<i64, Trouble> {
    let before = clock.now().micros();
    let row = row(conn, NOW).await?;
    let after = clock.now().micros();
    let theirs: i64 = row.try_get(0).map_err(|error| Trouble::of(&error))?;
    Ok(theirs - i64::midpoint(before, after))
}

async fn prepared(options: &PgConnectOptions, deadline: Duration) -> Look<Result<(), Mixed>> {
    Some(
        match preflight(options, deadline * TO_WAKE, deadline * TO_WAKE).await {
            Ok(()) => Ok(Ok(())),
            Err(PreflightError::Mixed(mixed)) => Ok(Err(mixed)),
            Err(PreflightError::Driver(error)) => Err(Trouble::at_entry(&error)),
            Err(PreflightError::Timeout) => Err(Trouble::Silent),
        },
    )
}

/// One connection, for questions that are asked as errand asks.
struct Asking(DatabaseConnection);

impl Asking {
    fn over(options: &PgConnectOptions, deadline: Duration) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(deadline * TO_ANSWER)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone());
        Self(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
    }

    async fn close(self, within: Duration) {
        drop(timeout(within, self.0.close()).await);
    }
}

fn statement(sql: impl Into<String>) -> Statement {
    Statement::from_string(DbBackend::Postgres, sql)
}

#[derive(FromQueryResult)]
struct Record {
    readable: bool,
}

async fn schema(conn: &DatabaseConnection) -> Result<Schema, Trouble> {
    let record = format!(
        "SELECT coalesce(has_table_privilege(to_regclass('{}'), 'SELECT'), true) AS readable",
        steps::TABLE
    );
    let record = Record::find_by_statement(statement(record)).one(conn).await?;
    if !record.is_some_and(|record| record.readable) {
        return Ok(Schema::Unreadable);
    }
    Ok(Schema::Known(steps::status(conn).await?))
}

async fn tables(conn: &DatabaseConnection, fence: Fence) -> Result<Tables, Trouble> {
    let missing_rights = rights::missing(conn).await?;
    let state = policies::state(conn).await?;
    Ok(Tables {
        there: !state.is_empty(),
        missing_rights,
        unfit: match fit::judge(&state, fence) {
            Fit::Unfit(unfit) => Some(unfit),
            Fit::Fits | Fit::Older(_) => None,
        },
    })
}

#[derive(FromQueryResult)]
struct Named {
    name: String,
    mighty: bool,
}

async fn role(conn: &DatabaseConnection) -> Result<Role, Trouble> {
    let named = statement(
        "SELECT quote_ident(current_user) AS name, \
         bool_or(m.rolsuper OR m.rolbypassrls OR m.rolcreaterole OR m.rolreplication) AS mighty \
         FROM pg_roles m WHERE pg_has_role(m.oid, 'MEMBER')",
    );
    let named = Named::find_by_statement(named).one(conn).await?;
    let Named { name, mighty } = named.ok_or(Trouble::Strange)?;
    let reasons = app_role::might(conn, None).await?;
    Ok(Role {
        name,
        reasons,
        mighty,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(url: &str, direct: Option<&str>) -> DirectWay {
        let mut settings = Settings::new(DatabaseUrl::parse(url).unwrap());
        settings.direct_url = direct.map(|direct| DatabaseUrl::parse(direct).unwrap());
        let target = settings.url.clone();
        let Target::Postgres(postgres) = target.target() else {
            unreachable!()
        };
        super::direct(postgres, &settings).0
    }

    #[test]
    fn the_direct_way() {
        let pooled = "postgres://ann:x@ep-a-pooler.example/todo";
        let plain = "postgres://ann:x@ep-a.example/todo";
        for (url, direct, expected) in [
            (plain, None, DirectWay::Same),
            (pooled, None, DirectWay::Derived),
            (pooled, Some(plain), DirectWay::Given),
            (pooled, Some(pooled), DirectWay::Same),
            (
                plain,
                Some("postgres://bob:x@EP-A.example/todo"),
                DirectWay::SamePlace,
            ),
            (
                plain,
                Some("postgres://ann:x@ep-a.example/other"),
                DirectWay::Given,
            ),
            (
                plain,
                Some("postgres://ann:x@ep-a.example:5433/todo"),
                DirectWay::Given,
            ),
        ] {
            assert_eq!(way(url, direct), expected, "{url} {direct:?}");
        }
    }
}
