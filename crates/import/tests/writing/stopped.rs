//! Runs and rollbacks that were stopped half-way, and gone on with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use errand_application::ports::{Clock, ImportStore};
use errand_domain::UserId;
use errand_import::{CheckError, ImportError, Notice, Options, Outcome, Source, rollback, run, verify};
use errand_persistence::Database;
use errand_recurrence::CalendarRecurrences;
use errand_security::{SystemClock, SystemEntropy};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;

const TIME: &str = "'2026-01-02 03:04:05'";

async fn order(file: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

/// A source, and a database of errand.
struct Home {
    dir: TempDir,
    database: Database,
}

impl Home {
    /// Ann has the tasks 10 and 11, Bob has 20.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = super::sqlite(&dir).await;
        let home = Self { dir, database };
        home.source(
            "CREATE TABLE user (id INTEGER PRIMARY KEY, username TEXT, email TEXT, hashed_password TEXT, \
             created_at TEXT, updated_at TEXT); \
             CREATE TABLE task (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT, created_at TEXT, \
             updated_at TEXT)",
        )
        .await;
        home.user(1, "ann").await;
        home.user(2, "bob").await;
        for (id, owner) in [(10, 1), (11, 1), (20, 2)] {
            home.task(id, owner).await;
        }
        home
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn store(&self) -> Arc<dyn ImportStore> {
        self.database.imports()
    }

    async fn source(&self, sql: &str) {
        order(&self.file("todo.db"), sql).await;
    }

    async fn user(&self, id: i64, name: &str) {
        self.source(&format!(
            "INSERT INTO user VALUES ({id}, '{name}', '{name}@example.com', 'none', {TIME}, {TIME})"
        ))
        .await;
    }

    async fn task(&self, id: i64, owner: i64) {
        self.source(&format!(
            "INSERT INTO task VALUES ({id}, {owner}, 'task {id}', {TIME}, {TIME})"
        ))
        .await;
    }

    /// As if the last run had been killed before its end.
    async fn kill_last(&self) {
        order(&self.file("errand.db"), "UPDATE imports SET finished = 0").await;
    }

    async fn try_run(
        &self,
        receipt: &str,
        follow_up: bool,
        tell: &mut (dyn FnMut(Notice<'_>) + Send),
    ) -> Result<Outcome, ImportError> {
        let place = self.file("todo.db");
        let recurrences = Arc::new(CalendarRecurrences);
        let mut source = Source::open(place.to_str().unwrap(), None, recurrences)
            .await
            .unwrap();
        let options = Options {
            name: "source".into(),
            target: "here".into(),
            dry_run: false,
            follow_up,
            receipt: Some(self.file(receipt)),
            at_once: 3,
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        run(
            &mut source,
            &*self.store(),
            &clock,
            &SystemEntropy,
            &options,
            tell,
        )
        .await
    }

    async fn run(&self, receipt: &str, follow_up: bool) -> Outcome {
        let outcome = self.try_run(receipt, follow_up, &mut |_| {}).await.unwrap();
        let mut named = Vec::new();
        let checked = verify(&self.file(receipt), &*self.store(), &mut |row| {
            named.push(row.to_owned());
        })
        .await;
        assert_eq!((checked.unwrap().differences, named), (0, Vec::new()));
        outcome
    }

    /// How many users and tasks went.
    async fn rollback(&self, receipt: &str) -> Result<(u64, u64), CheckError> {
        let mut named = |row: &str| println!("{row}");
        let done = rollback(&self.file(receipt), &*self.store(), false, &mut named).await?;
        Ok((done.users, done.tasks))
    }

    /// How each row is in, by its key, as the receipt says.
    fn states(&self, receipt: &str) -> BTreeMap<String, String> {
        let text = std::fs::read_to_string(self.file(receipt)).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let state = |line: serde_json::Value| {
            let told = line.get("state")?.as_str()?.to_owned();
            Some((line.get("key")?.as_str()?.to_owned(), told))
        };
        lines.filter_map(state).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_was_stopped_goes_on() {
    let home = Home::new().await;
    home.run("1", false).await;
    for id in [12, 13] {
        home.task(id, 1).await;
    }
    home.user(3, "cyd").await;
    home.run("2", false).await;
    // One of two tasks is gone already, and a user.
    let store = home.store();
    let removed = store.remove_tasks(UserId(1), 2, &["12".to_owned()], false).await;
    assert_eq!(removed.unwrap(), 1);
    assert!(store.remove_user("source", UserId(3), None).await.unwrap());
    assert_eq!(home.rollback("2").await.unwrap(), (0, 1));
    assert_eq!(home.rollback("1").await.unwrap(), (2, 0));
}

/// The number of a run that was taken back is never given again, so its receipt does nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_of_no_use_once_its_run_was_taken_back() {
    let home = Home::new().await;
    home.run("1", false).await;
    home.task(12, 1).await;
    home.run("2", false).await;
    assert_eq!(home.rollback("2").await.unwrap(), (0, 1));
    home.run("again", false).await;
    assert!(matches!(home.rollback("2").await, Err(CheckError::NotTheLast)));
    assert_eq!(home.rollback("again").await.unwrap(), (0, 1));
    assert_eq!(home.rollback("2").await.unwrap(), (0, 0));
    assert_eq!(home.rollback("1").await.unwrap(), (2, 0));
}

/// A run that was begun and brought nothing can never be finished once its source is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_brought_nothing_blocks_no_rollback() {
    let home = Home::new().await;
    home.run("1", false).await;
    home.run("2", false).await;
    home.kill_last().await;
    assert_eq!(home.rollback("1").await.unwrap(), (2, 0));
    assert_eq!(home.rollback("1").await.unwrap(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_followed_before_a_run_was_stopped_is_told() {
    let home = Home::new().await;
    home.run("1", false).await;
    home.source("UPDATE task SET title = 'another' WHERE id = 10; UPDATE user SET email = 'b@example.com' WHERE id = 2")
        .await;
    home.run("2", true).await;
    home.kill_last().await;
    for follow_up in [true, false] {
        let receipt = format!("2-{follow_up}");
        let report = home.run(&receipt, follow_up).await.report;
        assert_eq!((report.users.followed, report.tasks.followed), (1, 1));
        assert_eq!(home.states(&receipt), home.states("2"));
        home.kill_last().await;
    }
}

/// Whoever went at the source while a run was stopped is here with it, and in its receipt.
#[tokio::test(flavor = "multi_thread")]
async fn what_went_while_a_run_was_stopped_is_taken_back_too() {
    let home = Home::new().await;
    home.run("killed", false).await;
    home.kill_last().await;
    home.source("DELETE FROM task WHERE id IN (10, 20); DELETE FROM user WHERE id = 2")
        .await;
    // What came and changed meanwhile goes as well.
    home.task(12, 1).await;
    home.source("UPDATE task SET title = 'another' WHERE id = 11")
        .await;
    let outcome = home.run("1", true).await;
    assert!(
        outcome
            .report
            .notes
            .iter()
            .any(|note| note.starts_with("3 rows "))
    );
    let states = home.states("1");
    assert!(states.values().all(|state| state == "imported"), "{states:?}");
    let keys: Vec<&str> = states.keys().map(String::as_str).collect();
    assert_eq!(keys, ["1", "10", "11", "12", "2", "20"]);
    assert_eq!(home.rollback("1").await.unwrap(), (2, 0));
    assert_eq!(home.store().last("source").await.unwrap(), None);
}

/// Its receipt was there, and it went on all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_does_not_name_all_takes_nothing_else_back() {
    let home = Home::new().await;
    home.run("1", false).await;
    home.kill_last().await;
    home.user(3, "cyd").await;
    home.run("all", false).await;
    assert!(matches!(home.rollback("1").await, Err(CheckError::Unnamed(1))));
    assert_eq!(home.rollback("all").await.unwrap(), (1, 0));
}

/// Of two at once the later one has all of it, wherever their receipts are.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_stops_once_another_has_begun() {
    let home = Home::new().await;
    // It is told of before anything comes in.
    home.source("UPDATE user SET email = 'nonsense' WHERE id = 2")
        .await;
    let store = home.store();
    let mut tell = |notice: Notice<'_>| {
        if let Notice::Quarantined(finding) = notice
            && finding.table == "user"
        {
            let begin = store.begin("source", uuid::Uuid::nil());
            let begun = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(begin));
            assert_eq!(begun.unwrap().number, 1);
        }
    };
    let outcome = home.try_run("1", false, &mut tell).await;
    assert!(matches!(outcome, Err(ImportError::TakenOver)), "{outcome:?}");
    assert!(!home.file("1").exists());
    assert_eq!(home.database.accounts().accounts(None, 10).await.unwrap(), []);
    // The last look is before the receipt gets its name.
    let mut tell = |notice: Notice<'_>| {
        if matches!(notice, Notice::Rows(..)) {
            let begin = store.begin("source", uuid::Uuid::nil());
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(begin)).unwrap();
        }
    };
    let outcome = home.try_run("1", false, &mut tell).await;
    assert!(matches!(outcome, Err(ImportError::TakenOver)), "{outcome:?}");
    assert!(!home.file("1").exists());
    assert_eq!(home.run("1", false).await.report.users.imported, 1);
}
