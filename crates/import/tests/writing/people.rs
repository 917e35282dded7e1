//! A key is not a person: another database may have the same ones, and one may be given again.

use std::path::{Path, PathBuf};

use errand_application::ports::Clock;
use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_import::{CheckError, ImportError, rollback, verify};
use errand_persistence::Database;
use errand_security::SystemClock;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::{Outcome, import, sqlite};

/// Each with a task; key, name, and when the account was made.
async fn source(path: &Path, people: &[(i64, &str, &str)]) {
    drop(std::fs::remove_file(path));
    let mut sql = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, created_at TEXT, hashed_password TEXT); \
                   CREATE TABLE tasks (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT, completed BOOLEAN);"
        .to_owned();
    sql.extend(people.iter().map(|(key, name, made)| {
        format!(
            "INSERT INTO users VALUES ({key}, '{name}@example.com', '{made}', NULL); \
             INSERT INTO tasks (user_id, title, completed) VALUES ({key}, 'of {name}', 0);"
        )
    }));
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

/// Runs in the order of their receipts.
struct Moving {
    dir: tempfile::TempDir,
    database: Database,
    runs: usize,
}

impl Moving {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = sqlite(&dir).await;
        Self {
            dir,
            database,
            runs: 0,
        }
    }

    fn receipt(&self) -> PathBuf {
        self.dir.path().join(format!("receipt-{}", self.runs))
    }

    async fn bring(&mut self, people: &[(i64, &str, &str)], follow_up: bool) -> Result<Outcome, ImportError> {
        let path = self.dir.path().join("todo.db");
        source(&path, people).await;
        self.runs += 1;
        import(&path, &*self.database.imports(), &self.receipt(), follow_up).await
    }

    /// Who is here, with how many tasks.
    async fn here(&self) -> Vec<(String, u64)> {
        let mut here = Vec::new();
        for state in self.database.accounts().accounts(None, 10).await.unwrap() {
            let holdings = self.database.imports().holdings(state.user.id).await;
            here.push((
                state.user.email.as_str().to_owned(),
                holdings.unwrap().unwrap().tasks,
            ));
        }
        here.sort();
        here
    }
}

fn all(here: &[(&str, u64)]) -> Vec<(String, u64)> {
    here.iter()
        .map(|(name, tasks)| (format!("{name}@example.com"), *tasks))
        .collect()
}

const BEFORE: [(i64, &str, &str); 2] = [(1, "ann", "2024-01-01"), (2, "bob", "2024-01-02")];

#[tokio::test(flavor = "multi_thread")]
async fn another_database_under_the_same_name_is_refused() {
    let mut moving = Moving::new().await;
    moving.bring(&BEFORE, false).await.unwrap();
    let others = [
        (1, "cyd", "2025-01-01"),
        (2, "dan", "2025-01-02"),
        (3, "eve", "2025-01-03"),
    ];
    for follow_up in [false, true] {
        let stopped = moving.bring(&others, follow_up).await.unwrap_err();
        assert!(stopped.to_string().contains("--name"), "{stopped}");
        assert_eq!(moving.here().await, all(&[("ann", 1), ("bob", 1)]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_key_of_another_is_turned_away() {
    let mut moving = Moving::new().await;
    moving.bring(&BEFORE, false).await.unwrap();
    let again = [BEFORE[0], (2, "eve", "2025-01-02"), (3, "fay", "2025-01-03")];
    for follow_up in [false, true] {
        let report = moving.bring(&again, follow_up).await.unwrap().report;
        assert_eq!((report.users.refused, report.tasks.refused), (1, 1));
        assert_eq!(moving.here().await, all(&[("ann", 1), ("bob", 1), ("fay", 1)]));
        let receipt = std::fs::read_to_string(moving.receipt()).unwrap();
        assert_eq!(receipt.matches("\"another-person\"").count(), 2, "{receipt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_moved_to_another_address_is_followed() {
    let mut moving = Moving::new().await;
    // One of them in a source that does not say when an account was made.
    let before = [BEFORE[0], BEFORE[1], (3, "cyd", "")];
    moving.bring(&before, false).await.unwrap();
    let moved = [BEFORE[0], (2, "bobby", BEFORE[1].2), (3, "cydney", "")];
    let report = moving.bring(&moved, true).await.unwrap().report;
    assert_eq!((report.users.followed, report.users.refused), (1, 1));
    assert_eq!(moving.here().await, all(&[("ann", 1), ("bobby", 1), ("cyd", 1)]));
    // By the new address they are known from now on.
    let later = [BEFORE[0], (2, "bobby", "2026-01-01"), before[2]];
    let report = moving.bring(&later, true).await.unwrap().report;
    assert_eq!((report.users.followed, report.users.refused), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_administration_disabled_is_named_and_stays() {
    let mut moving = Moving::new().await;
    moving.bring(&BEFORE, false).await.unwrap();
    let store = moving.database.imports();
    let accounts = moving.database.accounts();
    let bob = accounts.accounts(None, 10).await.unwrap()[1].user.id;
    let event = SecurityEvent {
        id: uuid::Uuid::nil(),
        kind: EventKind::Disabled,
        at: SystemClock::default().now(),
        origin: Origin::default(),
        session: None,
    };
    assert!(accounts.disable(bob, &event).await.unwrap());
    let mut named = Vec::new();
    let mut tell = |row: &str| named.push(row.to_owned());
    let checked = verify(&moving.receipt(), &*store, &mut tell).await.unwrap();
    assert_eq!(checked.differences, 1);
    let kept = rollback(&moving.receipt(), &*store, false, &mut tell).await;
    assert!(matches!(kept, Err(CheckError::Changed(1))), "{kept:?}");
    let line = "user 2 (key 2 at the source): is disabled";
    assert_eq!(named, [line, line]);
    let moved = [BEFORE[0], (2, "bobby", BEFORE[1].2)];
    let report = moving.bring(&moved, true).await.unwrap().report;
    assert_eq!((report.users.followed, report.users.refused), (0, 1));
    assert_eq!(moving.here().await, all(&[("ann", 1), ("bob", 1)]));
}
