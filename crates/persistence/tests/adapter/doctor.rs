//! What `errand doctor` finds out, on databases that are as they should be and on those that are not.
//! Poolers are in `mixing.rs`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use errand_application::ports::Clock;
use errand_conformance::Harness;
use errand_domain::Timestamp;
use errand_persistence::doctor::{
    DirectWay, PostgresReport, Report, Schema, SqliteFile, SqliteReport, Trouble, examine,
};
use errand_persistence::{ConnectError, DatabaseUrl, Settings, Unfit};
use errand_testbed::{Postgres, Proxy, TestDatabase};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::{Guarded, PostgreSql, Sqlite, open, settings};

/// A wall clock that stands.
struct Frozen(Timestamp);

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

async fn run(conn: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap();
}

async fn look_at(settings: &Settings, now: Timestamp) -> PostgresReport {
    match examine(settings, &Frozen(now)).await.unwrap() {
        Report::Postgres(report) => *report,
        Report::Sqlite(report) => panic!("{report:?}"),
    }
}

async fn look(settings: &Settings) -> PostgresReport {
    look_at(settings, crate::support::at(0)).await
}

async fn server_time(database: &TestDatabase) -> Timestamp {
    let now: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
    Timestamp::from_micros(now).unwrap()
}

async fn migrated() -> (TestDatabase, Settings) {
    let database = Postgres::shared().create_database().await;
    let settings = settings(&database, &database.url);
    open(&settings).await.migrate().await.unwrap();
    (database, settings)
}

/// Steps that are missing, and steps that nobody here knows.
fn steps(schema: &Schema) -> (usize, usize) {
    let Schema::Known(steps) = schema else {
        panic!("{schema:?}")
    };
    let count = |which: fn(&errand_persistence::MigrationStatus) -> bool| {
        steps.iter().filter(|step| which(step)).count()
    };
    (count(|step| !step.applied), count(|step| !step.known))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_as_it_should_be() {
    let (database, settings) = migrated().await;
    let now = server_time(&database).await;
    let report = look_at(&settings, now).await;
    let entry = report.entry.unwrap();
    assert!(entry.verified);
    assert!(entry.tls.unwrap().0.starts_with("TLSv1."));
    assert_eq!(report.direct.way, DirectWay::Same);
    assert!(report.direct.found.is_none());
    let inside = report.inside;
    assert_eq!(inside.prepared.unwrap(), Ok(Ok(())));
    assert!(inside.round_trip.unwrap().unwrap() > Duration::ZERO);
    let session = inside.session.unwrap().unwrap();
    assert!((140_000..200_000).contains(&session.version));
    assert!(session.may_migrate);
    assert_eq!(session.connections.max_connections, 200);
    assert_eq!(session.connections.reserved_connections, 3);
    assert_eq!(session.limits.statement_timeout, 0);
    assert_eq!(steps(&inside.schema.unwrap().unwrap()), (0, 0));
    let tables = inside.tables.unwrap().unwrap();
    assert!(tables.there);
    assert_eq!((tables.missing_rights, tables.unfit), (Vec::new(), None));
    let role = inside.role.unwrap().unwrap();
    assert_eq!(role.name, database.name());
    assert!(role.reasons.iter().any(|reason| reason.contains("owns tables")));
    assert!(!role.mighty);
    let ahead = inside.clock.unwrap().unwrap();
    assert!((0..60_000_000).contains(&ahead), "{ahead}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_role_and_the_server_are_set_to() {
    let (database, settings) = migrated().await;
    let role = database.name();
    let mut admin = database.connect().await;
    run(
        &mut admin,
        format!(
            "ALTER ROLE {role} SET statement_timeout = '4s'; ALTER ROLE {role} SET lock_timeout = '2s'; \
             ALTER ROLE {role} SET idle_in_transaction_session_timeout = '10s'"
        ),
    )
    .await;
    database.allow_making_roles().await;
    let now = server_time(&database).await.minus(Duration::from_secs(500));
    let inside = look_at(&settings, now).await.inside;
    let limits = inside.session.unwrap().unwrap().limits;
    assert_eq!(
        (
            limits.statement_timeout,
            limits.lock_timeout,
            limits.idle_in_transaction_session_timeout
        ),
        (4_000, 2_000, 10_000)
    );
    assert!(inside.role.unwrap().unwrap().mighty);
    let ahead = inside.clock.unwrap().unwrap();
    assert!((500_000_000..560_000_000).contains(&ahead), "{ahead}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_older_or_newer() {
    let database = Postgres::shared().create_database().await;
    let settings = settings(&database, &database.url);
    let inside = look(&settings).await.inside;
    assert_eq!(steps(&inside.schema.unwrap().unwrap()), (5, 0));
    assert!(!inside.tables.unwrap().unwrap().there);
    assert!(inside.session.unwrap().unwrap().may_migrate);
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relname = 'seaql_migrations'")
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(tables, 0, "a look changes nothing");
    open(&settings).await.migrate().await.unwrap();
    let mut admin = database.connect().await;
    run(
        &mut admin,
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000009_future', 1)".into(),
    )
    .await;
    let inside = look(&settings).await.inside;
    assert_eq!(steps(&inside.schema.unwrap().unwrap()), (0, 1));
    run(
        &mut admin,
        "DELETE FROM seaql_migrations WHERE version LIKE '%defence'".into(),
    )
    .await;
    let inside = look(&settings).await.inside;
    assert_eq!(steps(&inside.schema.unwrap().unwrap()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not() {
    let (database, mut settings) = migrated().await;
    let role = format!("Plain {}", database.name());
    let mut admin = database.connect().await;
    run(&mut admin, format!("CREATE ROLE \"{role}\" LOGIN")).await;
    let url = database.url_as(&role).await.replace("Plain ", "Plain%20");
    settings.direct_url = Some(settings.url.clone());
    settings.url = DatabaseUrl::parse(&url).unwrap();
    let report = look(&settings).await;
    assert_eq!(report.direct.way, DirectWay::SamePlace);
    let direct = report.direct.found.unwrap().unwrap();
    assert!(direct.may_migrate);
    assert_eq!(direct.same_database, Some(true));
    let inside = report.inside;
    assert!(!inside.session.unwrap().unwrap().may_migrate);
    // The way for migrations may read how far it is.
    assert_eq!(steps(&inside.schema.unwrap().unwrap()), (0, 0));
    let missing = inside.tables.unwrap().unwrap().missing_rights;
    // Every table that migrations make; their own is only read.
    let tables: String = sqlx::query_scalar(
        "SELECT string_agg(relname, ', ' ORDER BY relname::text) FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'seaql_migrations'",
    )
    .fetch_one(&mut admin)
    .await
    .unwrap();
    let everything = format!("SELECT, INSERT, UPDATE, DELETE on {tables}");
    assert_eq!(missing, [everything, "SELECT on seaql_migrations".to_owned()]);
    let named = inside.role.unwrap().unwrap();
    assert_eq!(named.name, format!("\"{role}\""));
    assert_eq!((named.reasons, named.mighty), (Vec::new(), false));
    run(
        &mut admin,
        format!("GRANT SELECT, INSERT, DELETE ON tasks TO \"{role}\""),
    )
    .await;
    settings.direct_url = None;
    let inside = look(&settings).await.inside;
    assert_eq!(inside.schema.unwrap().unwrap(), Schema::Unreadable);
    let missing = inside.tables.unwrap().unwrap().missing_rights;
    assert!(missing.contains(&"UPDATE on tasks".to_owned()), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_level_security_and_a_setting_that_does_not_fit() {
    let Guarded(PostgreSql {
        settings: mut guarded,
        ..
    }) = Guarded::fresh().await;
    let report = look(&guarded).await;
    assert_eq!(report.direct.way, DirectWay::SamePlace);
    let tables = report.inside.tables.unwrap().unwrap();
    assert_eq!((tables.missing_rights, tables.unfit), (Vec::new(), None));
    assert_eq!(report.inside.role.unwrap().unwrap().reasons, Vec::<String>::new());
    guarded.row_level_security = false;
    let tables = look(&guarded).await.inside.tables.unwrap().unwrap();
    assert_eq!(tables.unfit, Some(Unfit::Unasked));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_direct_way_leads() {
    let (database, mut settings) = migrated().await;
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    settings.direct_url = Some(DatabaseUrl::parse(&database.url_at(proxy.addr().port())).unwrap());
    let direct = look(&settings).await.direct;
    assert_eq!(direct.way, DirectWay::Given);
    assert_eq!(direct.found.unwrap().unwrap().same_database, Some(true));
    let other = Postgres::shared().create_database().await;
    settings.direct_url = Some(DatabaseUrl::parse(&other.url).unwrap());
    let report = look(&settings).await;
    assert_eq!(report.direct.found.unwrap().unwrap().same_database, Some(false));
    settings.direct_url = Some(DatabaseUrl::parse(&database.url_at(unused_port())).unwrap());
    let report = look(&settings).await;
    assert_eq!(report.direct.found.unwrap().unwrap_err(), Trouble::NobodyListens);
    // The rest is looked at all the same.
    assert_eq!(steps(&report.inside.schema.unwrap().unwrap()), (0, 0));
    assert!(report.inside.tables.unwrap().unwrap().there);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_way() {
    let (database, mut settings) = migrated().await;
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    proxy.set_delay(Duration::from_millis(15));
    settings.url = DatabaseUrl::parse(&database.url_at(proxy.addr().port())).unwrap();
    let report = look(&settings).await;
    assert!(report.inside.round_trip.unwrap().unwrap() >= Duration::from_millis(30));
    assert!(report.entry.unwrap().took >= Duration::from_millis(100));
    assert_eq!(report.inside.prepared.unwrap(), Ok(Ok(())));
}

fn unused_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Listens for one connection, and does with it as told.
fn somebody(address: &str, act: impl FnOnce(TcpStream) -> io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let place = listener.local_addr().unwrap();
    thread::spawn(move || act(listener.accept().unwrap().0));
    place
}

/// The request for TLS is the first thing that a client sends.
fn answer(mut client: TcpStream, byte: &[u8]) -> io::Result<()> {
    client.read_exact(&mut [0; 8])?;
    client.write_all(byte)?;
    // Until the client goes.
    io::copy(&mut client, &mut io::sink()).map(|_| ())
}

fn relay(client: &TcpStream) -> io::Result<()> {
    let server = TcpStream::connect(Postgres::shared().addr())?;
    let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut from, &mut to));
    io::copy(&mut &*client, &mut &server).map(|_| ())
}

async fn refused(settings: &Settings) -> Trouble {
    let report = look(settings).await;
    let inside = report.inside;
    assert!(inside.prepared.is_none() && inside.session.is_none() && inside.tables.is_none());
    let trouble = report.entry.unwrap_err();
    for part in ["localhost", "127.0.0", "test_", "postgres"] {
        assert!(!format!("{trouble} {trouble:?}").contains(part), "{trouble:?}");
    }
    trouble
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_not_to_get_in() {
    let database = Postgres::shared().create_database().await;
    let good = settings(&database, &database.url);
    let to = |url: &str| Settings {
        url: DatabaseUrl::parse(url).unwrap(),
        ..good.clone()
    };
    let at = |place: SocketAddr| {
        to(&database
            .url_at(place.port())
            .replace("localhost", &place.ip().to_string()))
    };
    let password = database.url.split([':', '@']).nth(2).unwrap();
    let database_name = format!("/{}?", database.name());
    let unknown_host = format!("@{}.example:", "a".repeat(64));

    let untrusted = Settings {
        ca_file: None,
        ..good.clone()
    };
    assert_eq!(refused(&untrusted).await, Trouble::UnknownIssuer);
    let wrong = to(&database.url.replace(password, "guessed"));
    assert_eq!(refused(&wrong).await, Trouble::WrongPassword);
    let nowhere = to(&database.url.replace(&database_name, "/nowhere?"));
    assert_eq!(refused(&nowhere).await, Trouble::NoDatabase);
    let closed = to(&database.url_at(unused_port()));
    assert_eq!(refused(&closed).await, Trouble::NobodyListens);
    let unnamed = to(&database.url.replace("@localhost:", &unknown_host));
    assert_eq!(refused(&unnamed).await, Trouble::UnknownHost);
    let plain = at(somebody("127.0.0.1", |client| answer(client, b"N")));
    assert_eq!(refused(&plain).await, Trouble::NoTls);
    let other_name = at(somebody("127.0.0.2", |client| relay(&client)));
    assert_eq!(refused(&other_name).await, Trouble::WrongName);
    let abrupt = at(somebody("127.0.0.1", |client| (&client).read_exact(&mut [0; 8])));
    assert_eq!(refused(&abrupt).await, Trouble::Ended);
    let mut silent = at(somebody("127.0.0.1", |client| answer(client, b"")));
    silent.deadline = Duration::from_millis(200);
    assert_eq!(refused(&silent).await, Trouble::Silent);
    let mut admin = database.connect().await;
    run(
        &mut admin,
        format!("REVOKE CONNECT ON DATABASE {0} FROM PUBLIC, {0}", database.name()),
    )
    .await;
    assert_eq!(refused(&good).await, Trouble::NotAllowedIn);
    admin.close().await.unwrap();
}

#[tokio::test]
async fn settings_that_cannot_be() {
    let mut settings = Settings::new(DatabaseUrl::sqlite("errand.db"));
    settings.direct_url = Some(DatabaseUrl::parse("postgres://a:b@localhost/c").unwrap());
    let error = examine(&settings, &Frozen(crate::support::at(0)))
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Setting(_)), "{error:?}");
}

async fn look_into(path: &Path) -> SqliteReport {
    let settings = Settings::new(DatabaseUrl::sqlite(path));
    match examine(&settings, &Frozen(crate::support::at(0))).await.unwrap() {
        Report::Sqlite(report) => report,
        Report::Postgres(report) => panic!("{report:?}"),
    }
}

#[tokio::test]
async fn a_file_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let report = look_into(&dir.path().join("errand.db")).await;
    assert_eq!(report.file, SqliteFile::Missing { folder: true });
    let report = look_into(&dir.path().join("no/errand.db")).await;
    assert_eq!(report.file, SqliteFile::Missing { folder: false });
    assert_eq!(look_into(dir.path()).await.file, SqliteFile::Folder);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "a look makes nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_there() {
    let sqlite = Sqlite::fresh().await;
    let path = sqlite.dir.path().join("errand.db");
    // Beside a service that runs, and after it.
    let running = look_into(&path).await.inside.unwrap();
    assert_eq!(running.writable, Ok(()));
    let mut outside = sqlite.outside().await;
    let index = "SELECT rootpage FROM sqlite_schema WHERE name = 'tasks_by_change'";
    let index: i64 = sqlx::query_scalar(index).fetch_one(&mut outside).await.unwrap();
    // Or it would write its log into the file when it goes, some time.
    outside.close().await.unwrap();
    sqlite.database.close(Duration::from_secs(5)).await;
    let before = std::fs::read(&path).unwrap();
    let report = look_into(&path).await;
    assert_eq!(
        report.file,
        SqliteFile::There {
            size: u64::try_from(before.len()).unwrap(),
            open_mode: None
        }
    );
    let inside = report.inside.unwrap();
    assert_eq!(inside.writable, Ok(()));
    assert_eq!(inside.journal.as_deref(), Ok("wal"));
    assert_eq!(inside.complaints, Ok(Vec::new()));
    assert_eq!(steps(&inside.schema.unwrap()), (0, 0));
    assert!(std::fs::read(&path).unwrap() == before, "a look changes nothing");
    assert_eq!(std::fs::read_dir(sqlite.dir.path()).unwrap().count(), 1);

    // One that may only be read: its format is of a future that this SQLite cannot write.
    let mut future = before.clone();
    future[18] = 3;
    std::fs::write(&path, &future).unwrap();
    let inside = look_into(&path).await.inside.unwrap();
    assert!(inside.writable.unwrap_err().contains("readonly"));
    // One with a broken index.
    let mut sick = before.clone();
    let end = usize::try_from(index).unwrap() * 4096;
    sick[end - 4096..end].fill(7);
    std::fs::write(&path, &sick).unwrap();
    let complaints = look_into(&path).await.inside.unwrap().complaints;
    let complaints = complaints.unwrap();
    assert!(!complaints.is_empty() && complaints.len() <= 10, "{complaints:?}");
    // None at all.
    std::fs::write(
        &path,
        "not a database, but long enough to be looked at as if it were one".repeat(20),
    )
    .unwrap();
    let inside = look_into(&path).await.inside.unwrap();
    assert!(inside.writable.unwrap_err().contains("not a database"));
    assert!(inside.complaints.unwrap_err().contains("not a database"));
}
