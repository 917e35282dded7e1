//! What real programs left behind comes into errand, on both databases, each row of it accounted for.
#![expect(clippy::unwrap_used, reason = "tests: a failed expectation is the point")]

mod people;
mod stopped;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use errand_application::ports::{Clock, ImportStore};
use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_import::{ImportError, Options, Outcome, Source, rollback, run, verify};
use errand_persistence::{Database, DatabaseUrl, Settings};
use errand_recurrence::CalendarRecurrences;
use errand_security::{SystemClock, SystemEntropy};
use errand_testbed::Postgres;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use uuid::Uuid;

const FIXTURES: [&str; 4] = ["generation_1.db", "generation_2.db", "uuid.db", "better_auth.db"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

async fn sqlite(dir: &TempDir) -> Database {
    let settings = Settings::new(DatabaseUrl::sqlite(dir.path().join("errand.db")));
    open(&settings).await
}

async fn postgres() -> Database {
    let database = Postgres::shared().create_database().await;
    let mut settings = Settings::new(DatabaseUrl::parse(&database.url).unwrap());
    settings.ca_file = Some(database.ca_file.clone());
    open(&settings).await
}

async fn open(settings: &Settings) -> Database {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let database = Database::connect(settings, clock).await.unwrap();
    database.migrate().await.unwrap();
    database
}

async fn bring(source: &str, store: &dyn ImportStore, receipt: &Path) -> Outcome {
    import(&fixture(source), store, receipt, false).await.unwrap()
}

async fn import(
    source: &Path,
    store: &dyn ImportStore,
    receipt: &Path,
    follow_up: bool,
) -> Result<Outcome, ImportError> {
    let mut source = Source::open(source.to_str().unwrap(), None, Arc::new(CalendarRecurrences))
        .await
        .unwrap();
    let options = Options {
        name: "source".into(),
        target: "here".into(),
        dry_run: false,
        follow_up,
        receipt: Some(receipt.to_owned()),
        at_once: 3,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut rows = 0;
    let mut tell = |notice: errand_import::Notice<'_>| {
        if let errand_import::Notice::Rows(done, _) = notice {
            rows = done;
        }
    };
    let outcome = run(&mut source, store, &clock, &SystemEntropy, &options, &mut tell).await?;
    let counts = source.counts();
    assert_eq!(rows, counts.users + counts.tasks, "all are told of");
    Ok(outcome)
}

/// The lines of a receipt that say something of rows, but for the ids of those who have no number at the source.
fn rows(receipt: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(receipt).unwrap();
    let about = |line: &&str| {
        !["receipt", "summary", "seal"]
            .iter()
            .any(|kind| line.starts_with(&format!("{{\"line\":\"{kind}\"")))
    };
    text.lines().filter(about).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_real_programs_made_comes_in_on_both_databases() {
    for name in FIXTURES {
        let dir = tempfile::tempdir().unwrap();
        let mut told = Vec::new();
        for (which, database) in [("sqlite", sqlite(&dir).await), ("postgres", postgres().await)] {
            let store = database.imports();
            let receipt = dir.path().join(which);
            let Outcome { report, .. } = bring(name, &*store, &receipt).await;
            assert!(
                report.users.is_whole() && report.tasks.is_whole(),
                "{name}: {report:?}"
            );
            assert!(
                report.users.imported > 0 && report.tasks.imported > 0,
                "{name}: {report:?}"
            );
            let mut named = Vec::new();
            let checked = verify(&receipt, &*store, &mut |row| named.push(row.to_owned()))
                .await
                .unwrap();
            assert_eq!(
                (checked.users, checked.tasks, checked.differences),
                (report.users.imported, report.tasks.imported, 0),
                "{name}: {named:?}"
            );
            told.push(rows(&receipt));
            // Again: all of it is here.
            let again = bring(name, &*store, &dir.path().join(format!("{which}-again")))
                .await
                .report;
            assert_eq!(
                (again.users.imported, again.users.present),
                (0, report.users.imported)
            );
            assert_eq!(
                (again.tasks.imported, again.tasks.present),
                (0, report.tasks.imported)
            );
            for receipt in [dir.path().join(format!("{which}-again")), receipt] {
                rollback(&receipt, &*store, false, &mut |row| panic!("{row}"))
                    .await
                    .unwrap();
            }
            assert_eq!(store.last("source").await.unwrap(), None);
            assert_eq!(database.accounts().accounts(None, 10).await.unwrap(), []);
        }
        assert_eq!(told.first(), told.last(), "{name}");
    }
}

async fn order(path: &Path, sql: &str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut conn = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_disabled_here_differs_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (source, receipt) = (dir.path().join("todo.db"), dir.path().join("r"));
    order(
        &source,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, username TEXT, password TEXT, created_at TEXT);
         CREATE TABLE tasks (id INTEGER PRIMARY KEY, user_id INT, title TEXT, completed INT);
         INSERT INTO users VALUES (1, 'ann@example.com', 'ann', NULL, '2026-01-02'),
                                  (2, 'bob@example.com', 'bob', NULL, '2026-01-03')",
    )
    .await;
    let database = sqlite(&dir).await;
    let store = database.imports();
    let place = source.to_str().unwrap();
    bring(place, &*store, &receipt).await;
    let accounts = database.accounts();
    let ann = accounts.accounts(None, 1).await.unwrap().remove(0).user;
    let event = SecurityEvent {
        id: Uuid::from_u128(1),
        kind: EventKind::Disabled,
        at: ann.created_at,
        origin: Origin::default(),
        session: None,
    };
    assert!(accounts.disable(ann.id, &event).await.unwrap());

    let mut named = Vec::new();
    let checked = verify(&receipt, &*store, &mut |row| named.push(row.to_owned()))
        .await
        .unwrap();
    assert_eq!(checked.differences, 1);
    assert_eq!(named, ["user 1 (key 1 at the source): is disabled"]);
    rollback(&receipt, &*store, false, &mut |_| {}).await.unwrap_err();

    order(&source, "UPDATE users SET email = 'new-' || email").await;
    let outcome = import(&fixture(place), &*store, &dir.path().join("r2"), true)
        .await
        .unwrap();
    let users = outcome.report.users;
    assert_eq!((users.followed, users.refused), (1, 1));
    let emails = accounts.accounts(None, 10).await.unwrap();
    let emails: Vec<_> = emails.iter().map(|state| state.user.email.as_str()).collect();
    assert_eq!(emails, ["ann@example.com", "new-bob@example.com"]);
}
