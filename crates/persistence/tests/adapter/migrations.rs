//! The schema comes up whoever starts first, once, and is never taken back.

use errand_conformance::parallel::parallel;
use errand_persistence::{DatabaseUrl, MigrateError, MigrationStatus, Settings};
use errand_testbed::Postgres;
use sqlx::Connection;

use crate::support::{open, register, settings, stores};

const NAMES: [&str; 5] = [
    "m20261123_000001_initial",
    "m20261124_000002_defence",
    "m20261124_000003_trash",
    "m20261124_000004_clients",
    "m20261130_000005_import",
];

async fn six_at_once(settings: &Settings) {
    let outcomes = parallel(6, |_| {
        let settings = settings.clone();
        async move {
            let database = open(&settings).await;
            let steps = database.migrate().await;
            // Whoever is told that the schema is there can use it.
            let answer = database.accounts().find(errand_domain::UserId(1)).await;
            (steps, answer)
        }
    })
    .await;
    let mut took = Vec::new();
    for (steps, answer) in outcomes {
        took.extend(steps.unwrap());
        assert_eq!(answer.unwrap(), None);
    }
    assert_eq!(took, NAMES, "each step is taken by exactly one");
    let database = open(settings).await;
    assert_eq!(database.migrate().await.unwrap(), Vec::<String>::new());
    assert_eq!(
        database.migration_status().await.unwrap(),
        NAMES.map(|name| MigrationStatus {
            name: name.into(),
            applied: true,
            known: true
        })
    );
    register(&stores(&database), "ann").await;
}

async fn pending(settings: &Settings) {
    let status = open(settings).await.migration_status().await.unwrap();
    let expected = NAMES.map(|name| MigrationStatus {
        name: name.into(),
        applied: false,
        known: true,
    });
    assert_eq!(status, expected);
}

/// A deployment that is rolled back finds a schema from the future.
async fn newer(settings: &Settings) {
    let database = open(settings).await;
    let error = database.migrate().await.unwrap_err();
    let MigrateError::Newer(unknown) = error else {
        panic!("{error:?}")
    };
    assert_eq!(unknown, ["m20991231_000009_future"]);
    let status = database.migration_status().await.unwrap();
    assert!(status.iter().any(|step| step.applied && !step.known));
    register(&stores(&database), "bob").await;
}

const FUTURE: &str =
    "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000009_future', 1)";

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_migrates_once_for_six() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings::new(DatabaseUrl::sqlite(dir.path().join("errand.db")));
        six_at_once(&settings).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_shows_what_is_pending_and_what_is_newer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("errand.db");
    let settings = Settings::new(DatabaseUrl::sqlite(&path));
    pending(&settings).await;
    open(&settings).await.migrate().await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut conn = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(FUTURE).execute(&mut conn).await.unwrap();
    newer(&settings).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_migrates_once_for_six() {
    for _ in 0..3 {
        let database = Postgres::shared().create_database().await;
        six_at_once(&settings(&database, &database.url)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_shows_what_is_pending_and_what_is_newer() {
    let database = Postgres::shared().create_database().await;
    let settings = settings(&database, &database.url);
    pending(&settings).await;
    open(&settings).await.migrate().await.unwrap();
    sqlx::query(FUTURE)
        .execute(&mut database.connect().await)
        .await
        .unwrap();
    newer(&settings).await;
}
