//! A SQLite database is a file that only its owner can read and that survives a power cut.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

use errand_application::ports::StoreError;
use errand_conformance::Harness;
use errand_domain::account::PasswordHash;
use errand_persistence::{ConnectError, Database, DatabaseUrl, Settings};

use crate::environment::Log;
use crate::support::{Sqlite, Stopped, UNLIMITED, at, open, register, stores, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_is_private_and_durable() {
    let sqlite = Sqlite::fresh().await;
    let owner = register(&sqlite.stores(), "ann").await;
    for file in ["errand.db", "errand.db-wal", "errand.db-shm"] {
        let mode = sqlite
            .dir
            .path()
            .join(file)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let mut outside = sqlite.outside().await;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    assert_eq!(mode, "wal");
    let hash = PasswordHash::new("$hash$".into());
    assert!(sqlite.database.accounts().delete(owner, &hash).await.unwrap());
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    assert_eq!(left, 0, "foreign keys are on");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_is_there_after_closing_and_opening() {
    let sqlite = Sqlite::fresh().await;
    let owner = register(&sqlite.stores(), "ann").await;
    let made = sqlite
        .stores()
        .tasks
        .create(owner, "key", &task("kept"), UNLIMITED, at(1))
        .await
        .unwrap()
        .task()
        .unwrap();
    sqlite.database.close(Duration::from_secs(5)).await;
    let closed = sqlite.stores().tasks.find(owner, made.id).await.unwrap_err();
    assert!(matches!(closed, StoreError::Unavailable(_)), "{closed:?}");
    let path = sqlite.dir.path().join("errand.db");
    assert!(!sqlite.dir.path().join("errand.db-wal").exists());
    let again = open(&Settings::new(DatabaseUrl::sqlite(path))).await;
    assert_eq!(
        stores(&again).tasks.find(owner, made.id).await.unwrap(),
        Some(made)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_opened_is_said_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let connect = async |path: std::path::PathBuf| {
        let settings = Settings::new(DatabaseUrl::sqlite(path));
        Database::connect(&settings, std::sync::Arc::new(Stopped))
            .await
            .unwrap_err()
    };
    let missing = connect(dir.path().join("no/such/folder/errand.db")).await;
    assert!(matches!(missing, ConnectError::File(_)), "{missing:?}");
    let folder = connect(dir.path().to_path_buf()).await;
    assert!(matches!(folder, ConnectError::File(_)), "{folder:?}");
    let text = dir.path().join("notes.txt");
    std::fs::write(&text, "not a database ".repeat(100)).unwrap();
    let other = connect(text.clone()).await;
    assert!(matches!(other, ConnectError::Unusable(_)), "{other:?}");
    assert!(!format!("{other:?} {other}").contains("notes"), "{other:?}");
    assert!(
        std::fs::read_to_string(text)
            .unwrap()
            .starts_with("not a database")
    );
}

/// It would fail at its first request. Root may write all the same.
#[tokio::test]
async fn a_file_that_may_only_be_read_is_refused() {
    let sqlite = Sqlite::fresh().await;
    sqlite.database.close(Duration::from_secs(5)).await;
    let path = sqlite.dir.path().join("errand.db");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    let root = std::fs::OpenOptions::new().append(true).open(&path).is_ok();
    let settings = Settings::new(DatabaseUrl::sqlite(path));
    let opened = Database::connect(&settings, std::sync::Arc::new(Stopped)).await;
    match opened.err() {
        None => assert!(root),
        Some(error) => assert!(!root && matches!(error, ConnectError::Unusable(_)), "{error:?}"),
    }
}

/// Whoever closes a descriptor of the file drops this process's locks on it, and another program that then
/// closes the database removes the log that this one goes on writing to.
#[tokio::test]
async fn an_existing_file_is_locked_as_long_as_it_is_open() {
    let sqlite = Sqlite::fresh().await;
    sqlite.database.close(Duration::from_secs(5)).await;
    let path = sqlite.dir.path().join("errand.db");
    let again = open(&Settings::new(DatabaseUrl::sqlite(&path))).await;
    again.migrate().await.unwrap();
    let lock = format!(":{} ", path.metadata().unwrap().ino());
    let process = format!(" {} ", std::process::id());
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let held = locks
        .lines()
        .any(|line| line.contains(&lock) && line.contains(&process));
    assert!(held, "{locks}");
    again.close(Duration::from_secs(5)).await;
}

/// Another process may write for a while; ours waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_waits_for_another_process() {
    let sqlite = Sqlite::fresh().await;
    let owner = register(&sqlite.stores(), "ann").await;
    let mut outside = sqlite.outside().await;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut outside)
        .await
        .unwrap();
    let stores = sqlite.stores();
    let new = task("t");
    let creating = stores.tasks.create(owner, "key", &new, UNLIMITED, at(1));
    let ending = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        sqlx::query("COMMIT").execute(&mut outside).await.unwrap();
    };
    let (made, ()) = tokio::join!(creating, ending);
    assert!(made.unwrap().task().is_some());
}

/// What an administrator made is left as it is, but not in silence.
#[tokio::test]
async fn a_file_that_others_can_read_is_told_of_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("errand.db");
    let settings = Settings::new(DatabaseUrl::sqlite(&path));
    let told = async || {
        let log = Log::default();
        let guard = tracing::subscriber::set_default(log.subscriber(tracing::Level::WARN));
        open(&settings).await.migrate().await.unwrap();
        drop(guard);
        log.text()
    };
    assert_eq!(told().await, "");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let text = told().await;
    assert_eq!(text.matches("640").count(), 1, "{text}");
    assert!(!text.contains("errand.db"), "{text}");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
}
