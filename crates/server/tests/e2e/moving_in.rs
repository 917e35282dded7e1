//! Moving in from another application, with the program as people run it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use errand_testbed::{Answer, Api};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use tempfile::TempDir;

use crate::support::{Backend, Service, binary, on_all};

on_all!(
    everybody_signs_in_with_the_password_of_before,
    a_second_run_changes_nothing,
    what_changed_at_the_source_is_followed,
    what_changed_here_is_not_overwritten,
    a_changed_byte_is_named,
    a_rollback_leaves_nothing,
    a_rollback_spares_what_changed,
    a_run_is_taken_back_without_the_one_before,
    ids_that_are_taken_are_mapped,
    a_dry_run_writes_nothing,
);

/// Of "violet tandem bridge": passlib's bcrypt, Python's bcrypt with another prefix, Better Auth's scrypt.
const PASSWORD: &str = "violet tandem bridge";
const PASSLIB: &str = "$2b$10$HNMnyOaVYQ7fL9JjzMf76OQ5Yd.KDqv2urnqUuc77VYJq0PHgrFWG";
const PYTHON: &str = "$2a$10$iw1HUrUWkzwiJ7VUhLM0POJpbJ07i8ej3u0v9.eslK7q0QLd3Crlq";
const BETTER_AUTH: &str = "00112233445566778899aabbccddeeff:\
    95589af6905814a3d11038ca548a15afd15b6cd564aa60ea7ed4d85c617bd3da\
    18c64a5e2e7aea1693de70ae7206c4939139ede81dc751401ba61b62cf8f1c04";

const TABLES: &str = "
    CREATE TABLE user (username VARCHAR(30) NOT NULL, email VARCHAR(255) NOT NULL, id INTEGER NOT NULL,
        hashed_password VARCHAR NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL,
        PRIMARY KEY (id), UNIQUE (username), UNIQUE (email));
    CREATE TABLE task (title VARCHAR(200) NOT NULL, description VARCHAR, due_date VARCHAR,
        priority VARCHAR(6) NOT NULL, tags VARCHAR, recursion_pattern VARCHAR(100), completed BOOLEAN NOT NULL,
        id INTEGER NOT NULL, user_id INTEGER NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL,
        PRIMARY KEY (id), FOREIGN KEY(user_id) REFERENCES user (id));";

/// A database of another application.
struct Home {
    dir: TempDir,
}

impl Home {
    /// Of three people with different hashes and two who have none, and some tasks.
    async fn new() -> Self {
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
    async fn with_tasks(tasks: u32, users: u32) -> Self {
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

    fn source(&self) -> PathBuf {
        self.dir.path().join("todo.db")
    }

    fn receipt(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn order(&self, sql: &str) {
        change(&self.source(), sql).await;
    }

    fn run(&self, service: &Service, receipt: &str, more: &[&str]) -> String {
        let (source, receipt) = (self.source(), self.receipt(receipt));
        let (source, receipt) = (source.to_str().unwrap(), receipt.to_str().unwrap());
        done(&import(
            service,
            &[&["run", source, "--receipt", receipt], more].concat(),
        ))
    }

    fn verify(&self, service: &Service, receipt: &str) -> Output {
        import(service, &["verify", self.receipt(receipt).to_str().unwrap()])
    }

    fn rollback(&self, service: &Service, receipt: &str, more: &[&str]) -> Output {
        let receipt = self.receipt(receipt);
        import(
            service,
            &[&["rollback", receipt.to_str().unwrap()], more].concat(),
        )
    }
}

/// Runs `errand import` on the service's database.
fn import(service: &Service, arguments: &[&str]) -> Output {
    service.command(&[&["import"], arguments].concat(), "")
}

async fn change(path: &Path, sql: &str) {
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
fn done(output: &Output) -> String {
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}{told}");
    shown
}

/// What a command that failed wrote: the rows that it named, and the one line of the failure.
#[track_caller]
fn refused(output: &Output) -> (String, String) {
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<_> = told.lines().filter(|line| line.starts_with("errand: ")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        lines[0].to_owned(),
    )
}

async fn login(api: &Api, name: &str, password: &str) -> Answer {
    let body = json!({"email": format!("{name}@example.com"), "password": password});
    api.request("POST", "/api/auth/login").json(&body).send().await
}

/// The tasks of somebody who came in.
async fn tasks(api: &Api, name: &str) -> Vec<Value> {
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
async fn act(api: &Api, name: &str, method: &str, tail: &str, body: Value) {
    let grant = login(api, name, PASSWORD).await.json();
    let path = format!("/api/{}/tasks{tail}", grant["user_id"].as_str().unwrap());
    let access = grant["access_token"].as_str().unwrap();
    let answer = api.request(method, &path).bearer(access).json(&body).send().await;
    assert!(answer.status < 300, "{}", answer.text());
}

/// All rows of all tables that hold something of somebody's, but for sessions and what signing in leaves.
async fn content(service: &Service) -> Vec<String> {
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

async fn file_content(path: &Path, tables: &[&str]) -> Vec<String> {
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

async fn everybody_signs_in_with_the_password_of_before(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    let told = home.run(&service, "r", &[]);
    assert!(told.contains("users: 5 in the source = 5 imported"), "{told}");
    assert!(told.contains("tasks: 15 in the source = 15 imported"), "{told}");
    assert!(told.contains("2 users cannot sign in"), "{told}");
    let api = &service.api;
    for (name, id) in [("ann", 3), ("bob", 7), ("cyd", 9)] {
        assert_eq!(
            login(api, name, "violet tandem bridges").await.status,
            401,
            "{name}"
        );
        // Twice: the second time by the hash that the first one left.
        for _ in 0..2 {
            let found = tasks(api, name).await;
            assert_eq!(found.len(), 3);
            assert_eq!(found[0]["id"], id * 10);
            assert_eq!(found[0]["user_id"], id);
            assert_eq!(found[0]["title"], format!("{name} has to do 0"));
            assert_eq!(found[0]["priority"], "High");
            assert_eq!(found[0]["due_date"], "2026-12-01");
            assert_eq!(found[0]["tags"], json!(["work", "plan"]));
            assert_eq!(found[0]["created_at"], "2026-01-02T03:04:05.678901Z");
            assert_eq!(found[1]["completed"], true);
        }
    }
    // What is no hash lets nobody in, not even the mark in its place.
    for name in ["dan", "eve"] {
        for password in [PASSWORD, "hashed_violet tandem bridge", "!"] {
            assert_eq!(login(api, name, password).await.status, 401, "{name}");
        }
    }
    done(&service.command(&["user", "set-password", "dan"], "violet tandem bridge\n"));
    assert_eq!(tasks(api, "dan").await.len(), 3);
    // Renewed hashes are no difference, a password that was set is.
    let (named, _) = refused(&home.verify(&service, "r"));
    assert!(
        named.starts_with("user 11 ") && named.lines().count() == 1,
        "{named}"
    );
    // Who registers now gets an id that nobody had.
    let new = errand_testbed::Person::register(api, "fay").await;
    assert_eq!(new.id, 13);
}

async fn a_second_run_changes_nothing(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "1", &[]);
    let before = content(&service).await;
    for (receipt, more) in [("2", &[][..]), ("3", &["--follow-up"])] {
        let told = home.run(&service, receipt, more);
        assert!(
            told.contains("15 in the source = 0 imported + 15 here before"),
            "{told}"
        );
        let now = content(&service).await;
        let but_runs = |rows: &[String]| -> Vec<String> {
            rows.iter()
                .filter(|row| !row.starts_with("imports "))
                .cloned()
                .collect()
        };
        assert_eq!(but_runs(&now), but_runs(&before));
        done(&home.verify(&service, receipt));
    }
    // It brought nothing, so there is nothing to take back.
    assert!(done(&home.rollback(&service, "3", &[])).starts_with("removed 0 users"));
    assert_eq!(tasks(&service.api, "ann").await.len(), 3);
    // No receipt is written over.
    let source = home.source();
    let again = [
        "run",
        source.to_str().unwrap(),
        "--receipt",
        home.receipt("1").to_str().unwrap(),
    ]
    .map(str::to_owned);
    let again: Vec<&str> = again.iter().map(String::as_str).collect();
    let (_, why) = refused(&import(&service, &again));
    assert!(why.contains("never written over"), "{why}");
}

async fn what_changed_at_the_source_is_followed(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "1", &[]);
    home.order(
        "UPDATE task SET title = 'ann has other things to do' WHERE id = 30; \
         UPDATE user SET email = 'anna@example.com' WHERE id = 3; \
         INSERT INTO task SELECT 'ann has one more', NULL, NULL, 'LOW', NULL, NULL, 0, 99, 3, created_at, updated_at \
         FROM task WHERE id = 30",
    )
    .await;
    let told = home.run(&service, "2", &[]);
    assert!(told.contains("2 rows changed at the source"), "{told}");
    assert!(
        told.contains("tasks: 16 in the source = 1 imported + 15 here before"),
        "{told}"
    );
    let told = home.run(&service, "3", &["--follow-up"]);
    assert!(
        told.contains("= 0 imported + 15 here before + 1 followed"),
        "{told}"
    );
    let titles: Vec<Value> = tasks(&service.api, "anna")
        .await
        .iter()
        .map(|task| task["title"].clone())
        .collect();
    assert_eq!(titles.len(), 4);
    assert!(
        titles.contains(&json!("ann has other things to do")),
        "{titles:?}"
    );
    done(&home.verify(&service, "3"));
}

async fn what_changed_here_is_not_overwritten(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "1", &[]);
    act(&service.api, "ann", "PATCH", "/30", json!({"title": "mine"})).await;
    act(&service.api, "ann", "DELETE", "/31", json!({})).await;
    home.order(
        "UPDATE task SET title = 'theirs'; UPDATE user SET updated_at = '2026-06-06 06:06:06' WHERE id = 3",
    )
    .await;
    for (receipt, more) in [
        ("dry", &["--follow-up", "--dry-run"][..]),
        ("2", &["--follow-up"]),
    ] {
        let told = home.run(&service, receipt, more);
        assert!(told.contains("13 followed + 0 quarantined + 2 refused"), "{told}");
        // Ann has signed in, so her password is another one by now.
        assert!(
            told.contains("+ 0 followed + 0 quarantined + 1 refused"),
            "{told}"
        );
        let names_them = told.contains("refused task 30: ") && told.contains("refused task 31: ");
        assert_eq!(names_them, receipt == "dry", "{told}");
    }
    let mine = tasks(&service.api, "ann").await;
    assert_eq!(mine.iter().filter(|task| task["title"] == "mine").count(), 1);
    assert_eq!(mine.len(), 2, "what was deleted here stays so");
}

async fn a_changed_byte_is_named(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "r", &[]);
    done(&home.verify(&service, "r"));
    let by_hand =
        "UPDATE tasks SET title = replace(title, 'bob has', 'bob had') WHERE user_id = 7 AND id = 71";
    if let Some(path) = service
        .setting("DATABASE_URL")
        .and_then(|url| url.strip_prefix("sqlite://"))
    {
        change(Path::new(path), by_hand).await;
    } else {
        let mut admin = service.database().connect().await;
        sqlx::raw_sql(by_hand).execute(&mut admin).await.unwrap();
    }
    let (named, why) = refused(&home.verify(&service, "r"));
    assert_eq!(named, "task 71 of user 7 (key 71 at the source): differs\n");
    assert!(why.contains("1 of 20 rows"), "{why}");
    // Nor is a receipt believed that was changed.
    let text = std::fs::read_to_string(home.receipt("r")).unwrap();
    std::fs::write(
        home.receipt("changed"),
        text.replacen("\"id\":71", "\"id\":72", 1),
    )
    .unwrap();
    assert!(
        refused(&home.verify(&service, "changed"))
            .1
            .contains("its seal is broken")
    );
    let cut: Vec<&str> = text.lines().collect();
    std::fs::write(home.receipt("cut"), cut[..cut.len() - 1].join("\n") + "\n").unwrap();
    assert!(
        refused(&home.rollback(&service, "cut", &[]))
            .1
            .contains("no complete receipt")
    );
    // Nor one of another database.
    let other = Service::start(Backend::Sqlite).await;
    for output in [home.verify(&other, "r"), home.rollback(&other, "r", &["--force"])] {
        assert!(refused(&output).1.contains("of another database"));
    }
    home.run(&other, "other", &[]);
    assert!(
        refused(&home.rollback(&other, "r", &["--force"]))
            .1
            .contains("of another database")
    );
}

async fn a_rollback_leaves_nothing(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    errand_testbed::Person::register(&service.api, "zoe").await;
    let before = content(&service).await;
    home.run(&service, "r", &[]);
    assert_ne!(content(&service).await, before);
    assert!(done(&home.rollback(&service, "r", &[])).starts_with("removed 5 users"));
    assert_eq!(content(&service).await, before);
    // And it can come in again, with the ids that it had.
    home.run(&service, "again", &[]);
    assert_eq!(tasks(&service.api, "bob").await[0]["user_id"], 7);
}

async fn a_rollback_spares_what_changed(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "r", &[]);
    act(&service.api, "ann", "PATCH", "/30", json!({"completed": true})).await;
    act(&service.api, "bob", "POST", "", json!({"title": "new"})).await;
    act(&service.api, "cyd", "DELETE", "/91", json!({})).await;
    let before = content(&service).await;
    let (named, why) = refused(&home.rollback(&service, "r", &[]));
    let named: Vec<&str> = named.lines().collect();
    assert_eq!(named.len(), 3, "{named:?}");
    assert!(
        named[0].starts_with("task 30 of user 3 ") && named[0].ends_with(": differs"),
        "{named:?}"
    );
    assert_eq!(named[1], "user 7: has 1 more tasks than came in");
    assert!(
        named[2].starts_with("task 91 of user 9 ") && named[2].ends_with(": is gone"),
        "{named:?}"
    );
    assert!(
        why.contains("3 rows are no longer as they came in; nothing was removed"),
        "{why}"
    );
    assert_eq!(content(&service).await, before);
    assert!(done(&home.rollback(&service, "r", &["--force"])).starts_with("removed 5 users"));
    assert_eq!(login(&service.api, "ann", PASSWORD).await.status, 401);
}

async fn a_run_is_taken_back_without_the_one_before(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "1", &[]);
    home.order(
        "INSERT INTO task SELECT 'ann has one more', NULL, NULL, 'LOW', NULL, NULL, 0, 99, 3, created_at, updated_at \
         FROM task WHERE id = 30; \
         INSERT INTO user SELECT 'fay', 'fay@example.com', 20, hashed_password, created_at, updated_at FROM user \
         WHERE id = 3",
    )
    .await;
    home.run(&service, "2", &[]);
    assert_eq!(tasks(&service.api, "ann").await.len(), 4);
    // The last one first.
    assert!(
        refused(&home.rollback(&service, "1", &[]))
            .1
            .contains("a later run")
    );
    let told = done(&home.rollback(&service, "2", &[]));
    assert!(
        told.starts_with("removed 1 users") && told.contains("and 1 tasks"),
        "{told}"
    );
    assert_eq!(tasks(&service.api, "ann").await.len(), 3);
    assert_eq!(login(&service.api, "fay", PASSWORD).await.status, 401);
    assert!(done(&home.rollback(&service, "1", &[])).starts_with("removed 5 users"));
}

async fn ids_that_are_taken_are_mapped(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    for name in ["x-one", "x-two", "ann"] {
        errand_testbed::Person::register(&service.api, name).await;
    }
    // Id 3 and the address are taken, and by and by the name.
    let told = home.run(&service, "dry", &["--dry-run"]);
    assert!(told.contains("quarantined user 3: email-clash"), "{told}");
    assert!(
        told.contains("5 in the source = 4 imported + 0 here before + 0 followed + 1 quarantined"),
        "{told}"
    );
    home.order("UPDATE user SET email = 'anna@example.com' WHERE id = 3")
        .await;
    let told = home.run(&service, "r", &[]);
    assert!(
        told.contains("5 imported") && told.contains("username-clash: 1"),
        "{told}"
    );
    assert!(told.contains("1 with another id"), "{told}");
    let found = tasks(&service.api, "anna").await;
    assert_eq!(
        (found.len(), &found[0]["id"], &found[0]["user_id"]),
        (3, &json!(30), &json!(13))
    );
    let receipt = std::fs::read_to_string(home.receipt("r")).unwrap();
    assert!(
        receipt.contains("{\"line\":\"user\",\"key\":\"3\",\"id\":13,"),
        "{receipt}"
    );
    done(&home.verify(&service, "r"));
    // A name that was changed here is no change at the source.
    let told = home.run(&service, "again", &["--follow-up"]);
    assert!(
        told.contains("users: 5 in the source = 0 imported + 5 here before"),
        "{told}"
    );
}

async fn a_dry_run_writes_nothing(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.order("UPDATE task SET priority = 'URGENT', due_date = 'soon' WHERE id = 30; UPDATE task SET user_id = 77 WHERE id = 31")
        .await;
    let before = content(&service).await;
    let told = home.run(&service, "r", &["--dry-run"]);
    assert!(
        told.contains("adapted task.due_date 30: due-unknown: \"soon\""),
        "{told}"
    );
    assert!(told.contains("quarantined task"), "{told}");
    assert!(
        told.contains("15 in the source = 14 imported + 0 here before + 0 followed + 1 quarantined"),
        "{told}"
    );
    assert_eq!(content(&service).await, before);
    assert!(!home.receipt("r").exists() && !home.receipt("r.part").exists());
}

/// What is there of a file after an import, but for the run's identity, which is random.
async fn imported(path: &Path) -> Vec<String> {
    file_content(
        path,
        &[
            "users",
            "task_counters",
            "tasks",
            "imported_users",
            "imported_tasks",
        ],
    )
    .await
}

/// The lines of a receipt's rows.
fn rows_of(receipt: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(receipt).unwrap();
    let is_row =
        |line: &&str| line.starts_with("{\"line\":\"user\"") || line.starts_with("{\"line\":\"task\"");
    let mut rows: Vec<String> = text.lines().filter(is_row).map(str::to_owned).collect();
    rows.sort();
    rows
}

fn run_on(database: &Path, source: &Path, receipt: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .args(["import", "run"])
        .arg(source)
        .arg("--receipt")
        .arg(receipt)
        .env_clear()
        .env("DATABASE_URL", format!("sqlite://{}", database.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Killed at moments that nobody chose, and started again each time. `ERRAND_TEST_KILLS=50` kills as often, with 100,000
/// tasks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_again_and_again_ends_as_any_other() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a test may take is no setting of errand"
    )]
    let kills = std::env::var("ERRAND_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok());
    let (kills, tasks) = kills.map_or((12, 20_000), |kills: u32| (kills, 100_000));
    let home = Home::with_tasks(tasks, tasks / 300).await;
    let (whole, whole_receipt) = (home.receipt("whole.db"), home.receipt("whole"));
    let started = std::time::Instant::now();
    assert!(
        run_on(&whole, &home.source(), &whole_receipt)
            .status()
            .unwrap()
            .success()
    );
    let lasts = started.elapsed();
    let (torn, torn_receipt) = (home.receipt("torn.db"), home.receipt("torn"));
    let mut killed = 0;
    for n in 0..kills {
        let mut child = run_on(&torn, &home.source(), &torn_receipt).spawn().unwrap();
        // From before the first row to beyond what an uninterrupted run takes, however much is in already.
        let share = f64::from(n * 7 % kills) / f64::from(kills);
        tokio::time::sleep(lasts.mul_f64(share)).await;
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        if torn_receipt.exists() {
            // It was done before it was killed: the next ones begin anew.
            for file in ["torn.db", "torn.db-wal", "torn.db-shm", "torn"] {
                drop(std::fs::remove_file(home.receipt(file)));
            }
        }
    }
    assert!(killed > kills / 2, "{killed} of {kills}");
    assert!(
        run_on(&torn, &home.source(), &torn_receipt)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(imported(&torn).await, imported(&whole).await);
    assert_eq!(rows_of(&torn_receipt), rows_of(&whole_receipt));
}

/// Two at once would share a receipt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_import_beside_a_running_one_is_refused() {
    let home = Home::with_tasks(20_000, 50).await;
    let (database, receipt) = (home.receipt("errand.db"), home.receipt("r"));
    let mut first = run_on(&database, &home.source(), &receipt).spawn().unwrap();
    let part = home.receipt("r.part");
    while !part.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = run_on(&database, &home.source(), &receipt)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let (_, why) = refused(&second);
    assert!(why.contains("another import is running"), "{why}");
    assert!(first.wait().unwrap().success());
}

/// Nobody reads what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_terminal_stops_nothing() {
    let home = Home::new().await;
    let (database, receipt) = (home.receipt("errand.db"), home.receipt("r"));
    let mut command = run_on(&database, &home.source(), &receipt);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().unwrap().success());
    assert!(receipt.exists());
}

/// A database that cannot be reached is told of before the source is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_target_is_told_first() {
    let home = Home::new().await;
    let port = errand_testbed::Postgres::shared().addr().port();
    let output = Command::new(binary())
        .args(["import", "run", "/no/such/source.db"])
        .current_dir(home.dir.path())
        .env_clear()
        .env(
            "DATABASE_URL",
            format!("postgresql://nobody:violet-secret@localhost:{port}/none"),
        )
        .env("DATABASE_CA_FILE", errand_testbed::Postgres::shared().ca_file())
        .output()
        .unwrap();
    let (_, why) = refused(&output);
    assert!(why.contains("DATABASE_URL") || why.contains("password"), "{why}");
    assert!(
        !why.contains("violet-secret") && !why.contains("/no/such"),
        "{why}"
    );
    // And a source that is not there.
    let (_, why) = refused(
        &run_on(
            &home.receipt("errand.db"),
            Path::new("/no/such/source.db"),
            &home.receipt("r"),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap(),
    );
    assert!(why.contains("no file /no/such/source.db"), "{why}");
}
