//! What is not copied, and not written to.

use std::time::Duration;

use errand_conformance::Harness;
use errand_persistence::copy::{CopyError, Side};
use errand_testbed::Postgres;
use sqlx::Connection;

use super::{copied, file, order, rows};
use crate::row_level_security::{populated, run};
use crate::support::{PostgreSql, Sqlite, register, settings, stores};

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_a_row_is_refused() {
    let source = Sqlite::fresh().await;
    populated(&source.stores(), "ann").await;
    let refused = |error: CopyError| match error {
        CopyError::NotEmpty { table, rows } => (table, rows),
        error => panic!("{error:?}"),
    };
    let (postgres, guarded, sqlite) = (
        PostgreSql::fresh().await,
        PostgreSql::guarded_at(None).await,
        Sqlite::fresh().await,
    );
    for stores in [postgres.stores(), stores(&guarded.database), sqlite.stores()] {
        register(&stores, "bob").await;
    }
    for to in [
        postgres.owner(),
        guarded.owner(),
        guarded.settings.clone(),
        sqlite.settings(),
    ] {
        let error = copied(&source.settings(), &to).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the target is not empty: table users has rows (1)"
        );
        assert_eq!(refused(error), ("users", 1));
    }
    let other = Sqlite::fresh().await;
    order(
        &mut other.outside().await,
        "INSERT INTO limits VALUES (x'07', 0, 0, 0, 0)",
    )
    .await;
    let error = copied(&source.settings(), &other.settings()).await.unwrap_err();
    assert_eq!(refused(error), ("limits", 1));
    // Rows that nobody but a superuser sees are found once it is locked.
    let hidden = PostgreSql::guarded_at(None).await;
    let mut admin = hidden.admin().await;
    run(&mut admin, "DROP POLICY errand_everyone_sees ON users")
        .await
        .unwrap();
    run(
        &mut admin,
        "INSERT INTO users (username, username_key, email, email_key, password_hash, created_at, updated_at) \
         VALUES ('', '', '', '', '', now(), now())",
    )
    .await
    .unwrap();
    let error = copied(&source.settings(), &hidden.owner()).await.unwrap_err();
    assert_eq!(refused(error), ("users", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_schema_of_this_program_is_copied() {
    let dir = tempfile::tempdir().unwrap();
    let (missing, empty) = (dir.path().join("missing.db"), PostgreSql::fresh().await);
    let nowhere = file(&dir.path().join("nowhere.db"));
    let error = copied(&file(&missing), &nowhere).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::Missing(path) if path == &missing),
        "{error:?}"
    );
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is made"
    );

    let (sqlite, postgres) = (Sqlite::fresh().await, PostgreSql::fresh().await);
    let mut in_sqlite = sqlite.outside().await;
    let mut in_postgres = postgres.outside().await;
    let one = "(SELECT max(version) FROM seaql_migrations)";
    for (sql, told) in [
        (
            format!("DELETE FROM seaql_migrations WHERE version = {one}"),
            "is older than this program (1 of its steps are missing): run \"errand migrate up\" on it first",
        ),
        (
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m2099_later', 0)".to_owned(),
            "is newer than this program (it has m2099_later): use the version that runs on it",
        ),
        (
            "DELETE FROM seaql_migrations WHERE version <> 'm2099_later'".to_owned(),
            "is no database of errand",
        ),
        (
            "DROP TABLE seaql_migrations".to_owned(),
            "is no database of errand",
        ),
    ] {
        order(&mut in_sqlite, &sql).await;
        run(&mut in_postgres, &sql).await.unwrap();
        for odd in [sqlite.settings(), postgres.owner()] {
            let from = copied(&odd, &nowhere).await.unwrap_err().to_string();
            assert!(from.contains("the source") && from.ends_with(told), "{from}");
            let to = copied(&empty.owner(), &odd).await.unwrap_err().to_string();
            assert!(to.contains("the target") && to.ends_with(told), "{to}");
        }
    }
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing is made"
    );
    // Nothing at all is no source, and a fine target.
    let bare = Postgres::shared().create_database().await;
    let bare = settings(&bare, &bare.url);
    let error = copied(&bare, &nowhere).await.unwrap_err();
    assert!(matches!(error, CopyError::NotErrands(Side::Source)), "{error:?}");
    assert!(!copied(&empty.owner(), &bare).await.unwrap().steps.is_empty());
    // What is not even a database.
    let text = dir.path().join("text.db");
    std::fs::write(&text, "no database ".repeat(100)).unwrap();
    for error in [
        copied(&file(&text), &nowhere).await.unwrap_err(),
        copied(&file(dir.path()), &nowhere).await.unwrap_err(),
        copied(&empty.owner(), &file(&text)).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, CopyError::Database { .. } | CopyError::Connect(..)),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_source_is_not_copied() {
    let source = Sqlite::fresh().await;
    populated(&source.stores(), "ann").await;
    source.database.close(Duration::from_secs(5)).await;
    // An index that has lost its rows: whoever reads by it misses them.
    let mut outside = source.outside().await;
    let page: i64 =
        sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_tasks_1'")
            .fetch_one(&mut outside)
            .await
            .unwrap();
    order(&mut outside, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    outside.close().await.unwrap();
    let path = source.dir.path().join("errand.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let start = usize::try_from(page - 1).unwrap() * 4096;
    // No cells.
    bytes[start + 3..start + 5].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let to = PostgreSql::fresh().await;
    let error = copied(&source.settings(), &to.owner()).await.unwrap_err();
    assert!(matches!(error, CopyError::Damaged { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_database_is_not_both() {
    let (sqlite, postgres) = (Sqlite::fresh().await, PostgreSql::fresh().await);
    let linked = sqlite.dir.path().join("link.db");
    std::os::unix::fs::symlink(sqlite.dir.path().join("errand.db"), &linked).unwrap();
    for (from, to) in [
        (sqlite.settings(), sqlite.settings()),
        (sqlite.settings(), file(&linked)),
        (postgres.owner(), postgres.owner()),
    ] {
        let error = copied(&from, &to).await.unwrap_err();
        assert!(matches!(error, CopyError::Same), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_cannot_be_is_named_and_not_shown() {
    for (table, column, sql) in [
        ("tasks", "title", "UPDATE tasks SET title = 's3cret' || char(0)"),
        (
            "tasks",
            "title",
            "UPDATE tasks SET title = CAST(x'733363726574ff' AS TEXT)",
        ),
        ("tasks", "due_at", "UPDATE tasks SET due_at = 's3cret'"),
        ("tasks", "due_is_date", "UPDATE tasks SET due_is_date = 2"),
        (
            "tasks",
            "created_at",
            "UPDATE tasks SET created_at = '2026-11-30T00:00:00.000000001+00:00'",
        ),
        (
            "tasks",
            "recurrence_meant",
            "UPDATE tasks SET recurrence_meant = 's3cret'",
        ),
        ("sessions", "id", "UPDATE sessions SET id = x'00'"),
        (
            "idempotency_keys",
            "size",
            "UPDATE idempotency_keys SET size = 2147483648",
        ),
    ] {
        let (source, target) = (Sqlite::fresh().await, PostgreSql::fresh().await);
        populated(&source.stores(), "ann").await;
        order(&mut source.outside().await, sql).await;
        let error = copied(&source.settings(), &target.owner()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the source, table {table}, column {column}: holds what cannot be copied")
        );
        assert!(!format!("{error:?}").contains("s3cret"));
        assert_eq!(rows(&mut target.outside().await).await, 0);
    }
}
