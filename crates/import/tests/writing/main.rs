//! What real programs left behind comes into errand, on both databases, each row of it accounted for.
#![expect(clippy::unwrap_used, reason = "tests: a failed expectation is the point")]

mod stopped;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use errand_application::ports::{Clock, ImportStore};
use errand_import::{Options, Outcome, Source, rollback, run, verify};
use errand_persistence::{Database, DatabaseUrl, Settings};
use errand_recurrence::CalendarRecurrences;
use errand_security::{SystemClock, SystemEntropy};
use errand_testbed::Postgres;
use tempfile::TempDir;

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
    let mut source = Source::open(
        fixture(source).to_str().unwrap(),
        None,
        Arc::new(CalendarRecurrences),
    )
    .await
    .unwrap();
    let options = Options {
        name: "source".into(),
        target: "here".into(),
        dry_run: false,
        follow_up: false,
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
    let outcome = run(&mut source, store, &clock, &SystemEntropy, &options, &mut tell)
        .await
        .unwrap();
    let counts = source.counts();
    assert_eq!(rows, counts.users + counts.tasks, "all are told of");
    outcome
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
