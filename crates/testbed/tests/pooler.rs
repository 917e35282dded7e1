//! The pooler is one in transaction mode, with the faults that are asked for and no others.
#![expect(clippy::unwrap_used, reason = "test code: a failed expectation is the point")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use errand_testbed::{Pooler, PoolerOptions, Postgres, TestDatabase};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::task::JoinSet;

/// Tells a copy of this test program to be the one that gets killed.
const VICTIM: &str = "ERRAND_TESTBED_POOLER_VICTIM";

fn options(database: &TestDatabase, pooler: &Pooler) -> PgConnectOptions {
    let url = database.url_at(pooler.addr().port());
    let options: PgConnectOptions = url.parse().unwrap();
    options.ssl_root_cert(&database.ca_file)
}

async fn connect(database: &TestDatabase, pooler: &Pooler) -> PgConnection {
    options(database, pooler).connect().await.unwrap()
}

fn code(error: &sqlx::Error) -> String {
    let error = error.as_database_error().unwrap();
    format!("{} {}", error.code().unwrap(), error.message())
}

#[tokio::test]
async fn clients_are_encrypted_and_share_few_connections_to_the_server() {
    let postgres = Postgres::shared();
    let database = postgres.create_database().await;
    let pooler = Pooler::start(postgres, PoolerOptions::default());
    let mut asking = JoinSet::new();
    for _ in 0..12 {
        let mut client = connect(&database, &pooler).await;
        asking.spawn(async move {
            let mut seen = BTreeSet::new();
            for _ in 0..20 {
                let backend: (i32, bool, String) = sqlx::query_as(
                    "SELECT pid, ssl, current_user::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
                )
                .fetch_one(&mut client)
                .await
                .unwrap();
                seen.insert(backend);
            }
            seen
        });
    }
    let seen = asking.join_all().await;
    let backends: BTreeSet<_> = seen.into_iter().flatten().collect();
    assert!((1..=3).contains(&backends.len()), "{backends:?}");
    for (_, encrypted, role) in &backends {
        assert_eq!((*encrypted, role.as_str()), (true, database.name()));
    }

    let options = options(&database, &pooler);
    let plain = options.clone().ssl_mode(PgSslMode::Disable).connect().await;
    assert!(code(&plain.unwrap_err()).contains("SSL required"));
    let stranger = options.clone().password("wrong").connect().await.unwrap_err();
    assert!(
        code(&stranger).contains("SASL authentication failed"),
        "{stranger}"
    );
}

#[tokio::test]
async fn a_new_role_and_a_new_password_are_known_at_once() {
    let postgres = Postgres::shared();
    let pooler = Pooler::start(postgres, PoolerOptions::default());
    // Made when the pooler runs already.
    let database = postgres.create_database().await;
    connect(&database, &pooler).await.close().await.unwrap();
    let url = database.url_as(database.name()).await;
    let old = options(&database, &pooler).connect().await.unwrap_err();
    assert!(code(&old).contains("SASL authentication failed"), "{old}");
    let new: PgConnectOptions = url.parse().unwrap();
    let new = new.port(pooler.addr().port()).ssl_root_cert(&database.ca_file);
    let mut client = new.connect().await.unwrap();
    sqlx::query("SELECT 1").execute(&mut client).await.unwrap();
}

/// Two clients in turns, each with statements of its own under the names that drivers count up.
async fn mixed_up(options: PoolerOptions) -> usize {
    let postgres = Postgres::shared();
    let database = postgres.create_database().await;
    let pooler = Pooler::start(postgres, options);
    let mut clients = [
        connect(&database, &pooler).await,
        connect(&database, &pooler).await,
    ];
    let mut faults = 0;
    for n in 0..20 {
        for (client, connection) in clients.iter_mut().enumerate() {
            let number: i32 = client.try_into().unwrap();
            let sql = format!("SELECT {n} * 10 + {number} + $1::int4");
            let answer: Result<i32, _> = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(1000)
                .fetch_one(connection)
                .await;
            faults += usize::from(!answer.is_ok_and(|answer| answer == 1000 + n * 10 + number));
        }
    }
    faults
}

#[tokio::test]
async fn prepared_statements_are_kept_apart_unless_told_otherwise() {
    assert_eq!(mixed_up(PoolerOptions::default()).await, 0);
    let broken = PoolerOptions {
        max_prepared_statements: 0,
        ..PoolerOptions::default()
    };
    assert!(mixed_up(broken).await > 0);
}

#[tokio::test]
async fn who_waits_too_long_or_is_one_too_many_is_told() {
    let postgres = Postgres::shared();
    let database = postgres.create_database().await;
    let few = PoolerOptions {
        server_connections: 1,
        query_wait_timeout: Duration::from_secs(1),
        max_client_conn: 2,
        ..PoolerOptions::default()
    };
    let pooler = Pooler::start(postgres, few);
    let mut holder = connect(&database, &pooler).await;
    let mut waiter = connect(&database, &pooler).await;
    let open = holder.begin().await.unwrap();
    let error = sqlx::query("SELECT 1").execute(&mut waiter).await.unwrap_err();
    assert_eq!(code(&error), "08P01 query_wait_timeout");
    open.rollback().await.unwrap();

    let _second = connect(&database, &pooler).await;
    let third = options(&database, &pooler).connect().await.unwrap_err();
    assert!(code(&third).contains("no more connections allowed"), "{third}");
}

#[tokio::test]
async fn a_killed_one_says_nothing_and_comes_back_where_it_was() {
    let postgres = Postgres::shared();
    let database = postgres.create_database().await;
    let pooler = Pooler::start(postgres, PoolerOptions::default());
    let mut client = connect(&database, &pooler).await;
    sqlx::query("SELECT 1").execute(&mut client).await.unwrap();
    pooler.kill_9().await;
    let error = sqlx::query("SELECT 1").execute(&mut client).await.unwrap_err();
    assert!(error.as_database_error().is_none(), "{error:?}");
    let refused = options(&database, &pooler).connect().await.unwrap_err();
    assert!(matches!(refused, sqlx::Error::Io(_)), "{refused:?}");

    for _ in 0..2 {
        pooler.restart().await;
        let mut client = connect(&database, &pooler).await;
        sqlx::query("SELECT 1").execute(&mut client).await.unwrap();
    }
    assert!(pooler.log().contains("process up"), "{}", pooler.log());
}

#[test]
fn it_ends_with_a_test_process_that_is_killed() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let addr = lines.find_map(|line| line.split_once("pooler=").map(|(_, addr)| addr.to_owned()));
    let addr = addr.expect("the victim tells where its pooler is");
    assert!(std::net::TcpStream::connect(&addr).is_ok());

    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(&addr).is_ok() {
        assert!(
            Instant::now() < deadline,
            "PgBouncer at {addr} outlives its test process"
        );
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn victim() {
    if std::env::var_os(VICTIM).is_some() {
        let pooler = Pooler::start(Postgres::shared(), PoolerOptions::default());
        println!("pooler={}", pooler.addr());
        std::thread::park_timeout(Duration::from_mins(1));
    }
}
