//! The database of another application, and what is looked at here.

use std::path::{Path, PathBuf};
use std::process::Output;

use errand_testbed::{Answer, Api};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use tempfile::TempDir;

use crate::support::Service;

/// Of "violet tandem bridge": passlib's bcrypt, Python's bcrypt with another prefix, Better Auth's scrypt.
pub const PASSWORD: &str = "violet tandem bridge";
pub const PASSLIB: &str = "$2b$10$HNMnyOaVYQ7fL9JjzMf76OQ5Yd.KDqv2urnqUuc77VYJq0PHgrFWG";
pub const PYTHON: &str = "$2a$10$iw1HUrUWkzwiJ7VUhLM0POJpbJ07i8ej3u0v9.eslK7q0QLd3Crlq";
pub const BETTER_AUTH: &str = "00112233445566778899aabbccddeeff:\
    95589af6905814a3d11038ca548a15afd15b6cd564aa60ea7ed4d85c617bd3da\
    18c64a5e2e7aea1693de70ae7206c4939139ede81dc751401ba61b62cf8f1c04";

pub const TABLES: &str = "
    CREATE TABLE user (username VARCHAR(30) NOT NULL, email VARCHAR(255) NOT NULL, id INTEGER NOT NULL,
        hashed_password VARCHAR NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL,
        PRIMARY KEY (id), UNIQUE (username), UNIQUE (email));
    CREATE TABLE task (title VARCHAR(200) NOT NULL, description VARCHAR, due_date VARCHAR,
        priority VARCHAR(6) NOT NULL, tags VARCHAR, recursion_pattern VARCHAR(100), completed BOOLEAN NOT NULL,
        id INTEGER NOT NULL, user_id INTEGER NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL,
        PRIMARY KEY (id), FOREIGN KEY(user_id) REFERENCES user (id));";

/// A database of another application.
pub struct Home {
    pub dir: TempDir,
}

impl Home {
    /// Of three people with different hashes and two who have none, and some tasks.
    pub async fn new() -> Self {
        let home = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        home.order(TABLES).await;
        let users = [
            ("ann", 3, PASSLIB),
            ("bob", 7, PYTHON),
            ("cyd", 9, BETTER_AUTH),
            ("dan", 11, "violet tandem bridge"),
            ("eve", 12, "hashed_violet tandem bridge"),
        ];
        for (name, id, hash) in users {
            let time = "2026-01-02 03:04:05.678901";
            home.order(&format!(
                "INSERT INTO user VALUES ('{name}', '{name}@example.com', {id}, '{hash}', '{time}', '{time}')"
            ))
            .await;
            for n in 0..3 {
                let title = format!("{name} has to do {n}");
                home.order(&format!(
                    "INSERT INTO task VALUES ('{title}', 'more', '2026-12-01', 'HIGH', 'work,plan', NULL, {}, {}, \
                     {id}, '{time}', '{time}')",
                    u8::from(n == 1),
                    id * 10 + n
                ))
                .await;
            }
        }
        home
    }

    /// Of so many tasks.
    pub async fn with_tasks(tasks: u32, users: u32) -> Self {
        let home = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        home.order(TABLES).await;
        home.order(&format!(
            "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < {users}) \
             INSERT INTO user SELECT 'user' || n, 'user' || n || '@example.com', n, '{PASSLIB}', \
             '2026-01-01 10:00:00', '2026-01-01 10:00:00' FROM n"
        ))
        .await;
        home.order(&format!(
            "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < {tasks}) \
             INSERT INTO task SELECT 'task ' || n, 'of no use', '2026-12-01', 'LOW', NULL, NULL, n % 2, n, \
             n * n % {users} + 1, '2026-01-01 10:00:00', '2026-01-01 10:00:00' FROM n"
        ))
        .await;
        home
    }

    pub fn source(&self) -> PathBuf {
        self.dir.path().join("todo.db")
    }

    pub fn receipt(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub async fn order(&self, sql: &str) {
        change(&self.source(), sql).await;
    }

    pub fn run(&self, service: &Service, receipt: &str, more: &[&str]) -> String {
        let (source, receipt) = (self.source(), self.receipt(receipt));
        let (source, receipt) = (source.to_str().unwrap(), receipt.to_str().unwrap());
        done(&import(
            service,
            &[&["run", source, "--receipt", receipt], more].concat(),
        ))
    }

    pub fn verify(&self, service: &Service, receipt: &str) -> Output {
        import(service, &["verify", self.receipt(receipt).to_str().unwrap()])
    }

    pub fn rollback(&self, service: &Service, receipt: &str, more: &[&str]) -> Output {
        let receipt = self.receipt(receipt);
        import(
            service,
            &[&["rollback", receipt.to_str().unwrap()], more].concat(),
        )
    }
}

/// Runs `errand import` on the service's database.
pub fn import(service: &Service, arguments: &[&str]) -> Output {
    service.command(&[&["import"], arguments].concat(), "")
}

pub async fn change(path: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(path);
    // As Python has it.
    let options = options.foreign_keys(false).create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

#[track_caller]
pub fn done(output: &Output) -> String {
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}{told}");
    shown
}

/// What a command that failed wrote: the rows that it named, and the one line of the failure.
#[track_caller]
pub fn refused(output: &Output) -> (String, String) {
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<_> = told.lines().filter(|line| line.starts_with("errand: ")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        lines[0].to_owned(),
    )
}

pub async fn login(api: &Api, name: &str, password: &str) -> Answer {
    let body = json!({"email": format!("{name}@example.com"), "password": password});
    api.request("POST", "/api/auth/login").json(&body).send().await
}

/// The tasks of somebody who came in.
pub async fn tasks(api: &Api, name: &str) -> Vec<Value> {
    let grant = login(api, name, PASSWORD).await;
    assert_eq!(grant.status, 200, "{}", grant.text());
    let grant = grant.json();
    let path = format!("/api/{}/tasks?sort=title", grant["user_id"].as_str().unwrap());
    let access = grant["access_token"].as_str().unwrap();
    let answer = api.request("GET", &path).bearer(access).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().clone()
}

/// Does something with a task of somebody's.
pub async fn act(api: &Api, name: &str, method: &str, tail: &str, body: Value) {
    let grant = login(api, name, PASSWORD).await.json();
    let path = format!("/api/{}/tasks{tail}", grant["user_id"].as_str().unwrap());
    let access = grant["access_token"].as_str().unwrap();
    let answer = api.request(method, &path).bearer(access).json(&body).send().await;
    assert!(answer.status < 300, "{}", answer.text());
}

/// All rows of all tables that hold something of somebody's, but for sessions and what signing in leaves.
pub async fn content(service: &Service) -> Vec<String> {
    let tables = [
        "users",
        "task_counters",
        "tasks",
        "sessions",
        "security_events",
        "ended_sessions",
        "idempotency_keys",
        "imports",
        "imported_users",
        "imported_tasks",
    ];
    let mut rows = Vec::new();
    if let Some(path) = service
        .setting("DATABASE_URL")
        .and_then(|url| url.strip_prefix("sqlite://"))
    {
        rows = file_content(Path::new(path), &tables).await;
    } else {
        let mut conn = service.database().connect().await;
        for table in tables {
            let sql = format!("SELECT x::text FROM {table} x ORDER BY 1");
            let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_all(&mut conn)
                .await
                .unwrap();
            rows.extend(found.into_iter().map(|row| format!("{table} {row}")));
        }
    }
    rows
}

pub async fn file_content(path: &Path, tables: &[&str]) -> Vec<String> {
    let mut conn = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path))
        .await
        .unwrap();
    let mut rows = Vec::new();
    for table in tables {
        let sql = format!("SELECT name FROM pragma_table_info('{table}')");
        let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        let quoted: Vec<String> = names.iter().map(|name| format!("quote({name})")).collect();
        let sql = format!(
            "SELECT {} AS row FROM {table} ORDER BY 1",
            quoted.join(" || ',' || ")
        );
        let found = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        rows.extend(
            found
                .iter()
                .map(|row| format!("{table} {}", row.get::<String, _>("row"))),
        );
    }
    rows
}
