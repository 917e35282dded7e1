//! An import into PostgreSQL beside `COPY` of the same rows, in one run: `cargo bench -p errand --bench moving`, or
//! `-- TASKS ROUNDS`. `COPY` goes into a table with the same columns, checks, indexes and foreign key; the import
//! also reads the source, adapts it, remembers what came in and writes the receipt.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark: what fails here has nothing to report"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use errand_testbed::{Options, Postgres, TestDatabase};
use futures_util::StreamExt;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

/// So many tasks has each user.
const TASKS_EACH: u32 = 1_000;

fn main() {
    // cargo adds arguments of its own.
    let numbers = std::env::args().skip(1).filter_map(|a| a.parse().ok());
    let numbers: Vec<u32> = numbers.collect();
    let tasks = numbers.first().copied().unwrap_or(1_000_000);
    let rounds = numbers.get(1).copied().unwrap_or(3);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let cluster = Postgres::start(Options { durable: true });
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("todo.db");
        make(&source, tasks).await;
        let mut ratios = Vec::new();
        for round in 0..rounds {
            let database = cluster.create_database().await;
            let (import, peak) = import(&database, &source, &dir.path().join(format!("{round}")));
            let copy = copy(&database, &dir.path().join("rows")).await;
            let rate = |time: Duration| f64::from(tasks) / time.as_secs_f64();
            let ratio = import.as_secs_f64() / copy.as_secs_f64();
            println!(
                "{tasks} tasks: import {:.0} tasks/s ({import:.1?}), COPY {:.0} tasks/s ({copy:.1?}), {ratio:.2} times as \
                 long; peak memory of the import {} MiB",
                rate(import),
                rate(copy),
                peak / 1024
            );
            ratios.push(ratio);
        }
        ratios.sort_by(f64::total_cmp);
        println!("median of {rounds}: {:.2} times as long as COPY", ratios[ratios.len() / 2]);
    });
}

/// A database as `SQLModel` makes it.
async fn make(path: &Path, tasks: u32) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    let users = tasks.div_ceil(TASKS_EACH);
    let numbers = |most: u32| {
        format!("WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < {most}) ")
    };
    for sql in [
        "CREATE TABLE user (username VARCHAR(30) NOT NULL, email VARCHAR(255) NOT NULL, id INTEGER NOT NULL, \
         hashed_password VARCHAR NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL, \
         PRIMARY KEY (id), UNIQUE (username), UNIQUE (email)); \
         CREATE TABLE task (title VARCHAR(200) NOT NULL, description VARCHAR, due_date VARCHAR, \
         priority VARCHAR(6) NOT NULL, tags VARCHAR, recursion_pattern VARCHAR(100), completed BOOLEAN NOT NULL, \
         id INTEGER NOT NULL, user_id INTEGER NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL, \
         PRIMARY KEY (id), FOREIGN KEY(user_id) REFERENCES user (id))"
            .to_owned(),
        numbers(users)
            + "INSERT INTO user SELECT 'user' || n, 'user' || n || '@example.com', n, \
               '$2b$04$hzlkF93svCA5tDFeQZJct.OSKzIsP21hB2RaCJpRhkRaCs1ABSUaW', '2026-01-01 10:00:00.000000', \
               '2026-01-01 10:00:00.000000' FROM n",
        numbers(tasks)
            + "INSERT INTO task SELECT 'Task number ' || n || ' is to be done soon', \
               CASE WHEN n % 2 THEN 'What is to be said of task ' || n || ' takes a line of text or so' END, \
               CASE n % 3 WHEN 0 THEN '2026-12-01' END, 'MEDIUM', CASE n % 4 WHEN 0 THEN 'work,plan' END, NULL, \
               n % 5 = 0, n, "
            + &format!("n % {users} + 1, '2026-01-01 10:00:00.000000', '2026-02-01 10:00:00.123456' FROM n"),
    ] {
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    conn.close().await.unwrap();
}

/// How long it takes, and the most memory in KiB.
fn import(database: &TestDatabase, source: &Path, receipt: &Path) -> (Duration, u64) {
    let errand = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_errand"));
        command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", &database.url)
            .env("DATABASE_CA_FILE", &database.ca_file)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    assert!(errand(&["migrate", "up"]).status().unwrap().success());
    let started = Instant::now();
    let mut child = errand(&["import", "run"])
        .arg(source)
        .arg("--receipt")
        .arg(receipt)
        .spawn()
        .unwrap();
    let mut peak = 0;
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(high.unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        #[expect(clippy::disallowed_methods, reason = "nothing else runs meanwhile")]
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success());
    (started.elapsed(), peak)
}

/// How long `COPY` takes for the same rows.
async fn copy(database: &TestDatabase, file: &Path) -> Duration {
    let mut conn: PgConnection = database.connect().await;
    let mut rows = File::create(file).unwrap();
    let mut out = conn.copy_out_raw("COPY tasks TO STDOUT").await.unwrap();
    while let Some(bytes) = out.next().await {
        rows.write_all(&bytes.unwrap()).unwrap();
    }
    drop(out);
    conn.execute(
        "CREATE TABLE copied (LIKE tasks INCLUDING ALL); \
         ALTER TABLE copied ADD FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE; CHECKPOINT",
    )
    .await
    .unwrap();
    let mut rows = File::open(file).unwrap();
    let mut piece = vec![0; 1 << 16];
    let started = Instant::now();
    let mut copying = conn.copy_in_raw("COPY copied FROM STDIN").await.unwrap();
    loop {
        let read = rows.read(&mut piece).unwrap();
        if read == 0 {
            break;
        }
        copying.send(&piece[..read]).await.unwrap();
    }
    copying.finish().await.unwrap();
    started.elapsed()
}
