//! The throwaway PostgreSQL does what the tests of errand rely on.
#![expect(
    clippy::disallowed_methods,
    reason = "a test may spawn: nothing is lost when it is dropped"
)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use errand_testbed::{Options, Postgres};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};

/// Tells a copy of this test program to be the one that gets killed.
const VICTIM: &str = "ERRAND_TESTBED_VICTIM";

#[tokio::test]
async fn every_connection_is_encrypted_and_the_server_is_verified() {
    let database = Postgres::shared().create_database().await;
    let mut admin = database.connect().await;
    let (ssl, encrypted): (String, bool) =
        sqlx::query_as("SELECT current_setting('ssl'), ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            .fetch_one(&mut admin)
            .await
            .unwrap();
    assert_eq!((ssl.as_str(), encrypted), ("on", true));

    let options: PgConnectOptions = database.url.parse().unwrap();
    let trusted = options.clone().ssl_root_cert(&database.ca_file);
    let mut own = trusted.connect().await.unwrap();
    let superuser: bool = sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        .fetch_one(&mut own)
        .await
        .unwrap();
    assert!(!superuser);
    sqlx::query("CREATE TABLE mine (id int8)")
        .execute(&mut own)
        .await
        .unwrap();

    let untrusted = options.clone().connect().await.unwrap_err();
    assert!(
        untrusted.to_string().to_lowercase().contains("certificate"),
        "{untrusted}"
    );
    let plain = options.ssl_mode(PgSslMode::Disable).connect().await.unwrap_err();
    assert!(plain.to_string().contains("no encryption"), "{plain}");
}

#[tokio::test]
async fn databases_are_separate_and_survive_a_crash() {
    let postgres = Postgres::start(Options::default());
    let (first, second) = (postgres.create_database().await, postgres.create_database().await);
    let pool = first.pool();
    sqlx::query("CREATE TABLE kept AS SELECT 7 AS number")
        .execute(&pool)
        .await
        .unwrap();
    let absent: Option<String> = sqlx::query_scalar("SELECT to_regclass('kept')::text")
        .fetch_one(&mut second.connect().await)
        .await
        .unwrap();
    assert_eq!(absent, None);

    let mut busy = first.connect().await;
    let sleeper = tokio::spawn(async move {
        sqlx::query("SELECT pg_sleep(60)")
            .execute(&mut busy)
            .await
            .is_err()
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    postgres.kill_9().await;
    assert!(sleeper.await.unwrap(), "a running statement ends with the server");
    assert!(std::net::TcpStream::connect(postgres.addr()).is_err());

    postgres.restart().await;
    let kept: i32 = sqlx::query_scalar("SELECT number FROM kept")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(kept, 7);
    assert!(
        postgres.log().contains("not properly shut down"),
        "{}",
        postgres.log()
    );

    postgres.stop().await;
    postgres.restart().await;
    first.connect().await.close().await.unwrap();
}

#[test]
fn a_dropped_cluster_is_gone() {
    let postgres = Postgres::start(Options { durable: false });
    let dir = postgres.ca_file().parent().unwrap().to_path_buf();
    let pid = postmaster(&dir);
    assert!(runs(pid));
    drop(postgres);
    assert!(!runs(pid) && !dir.exists());
}

#[test]
fn the_cluster_ends_with_a_test_process_that_is_killed() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let dir = lines.find_map(|line| line.split_once("cluster=").map(|(_, dir)| dir.to_owned()));
    let dir = std::path::PathBuf::from(dir.expect("the victim tells where its cluster is"));
    let pid = postmaster(&dir);
    assert!(runs(pid) && dir.exists());

    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while runs(pid) || dir.exists() {
        assert!(
            Instant::now() < deadline,
            "PostgreSQL {pid} or {} outlives its test process",
            dir.display()
        );
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn victim() {
    if std::env::var_os(VICTIM).is_some() {
        println!(
            "cluster={}",
            Postgres::shared().ca_file().parent().unwrap().display()
        );
        std::thread::park_timeout(Duration::from_mins(1));
    }
}

fn postmaster(dir: &std::path::Path) -> u32 {
    let file = std::fs::read_to_string(dir.join("data/postmaster.pid")).unwrap_or_default();
    file.lines()
        .next()
        .and_then(|pid| pid.parse().ok())
        .unwrap_or_default()
}

fn runs(pid: u32) -> bool {
    let check = Command::new("/bin/sh")
        .args(["-c", "kill -0 \"$0\"", &pid.to_string()])
        .stderr(Stdio::null())
        .status();
    check.is_ok_and(|status| status.success())
}
