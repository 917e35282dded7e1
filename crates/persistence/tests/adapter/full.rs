//! A disk that is full, for real: a program that may not make its files longer.

use std::process::Command;
use std::time::Duration;

use errand_application::ports::{StoreError, UniqueKey};
use errand_conformance::Harness;
use errand_persistence::{DatabaseUrl, Settings};
use sqlx::SqliteConnection;

use crate::support::{Sqlite, UNLIMITED, account, at, event, open, register, session, stores, task};

/// Tells a copy of this program that its disk is small.
const SMALL: &str = "ERRAND_TEST_SMALL";
/// Without the signal a write that goes too far fails, as on a full disk.
const LIMITED: &str =
    r#"trap '' XFSZ; ulimit -f 2048; exec "$0" --exact full::writes_until_it_is_full --nocapture"#;

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let output = Command::new("sh")
        .args(["-c", LIMITED])
        .arg(std::env::current_exe().unwrap())
        .env(SMALL, "1")
        .output()
        .unwrap();
    let shown =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && shown.contains("nothing was lost"),
        "{shown}"
    );
}

async fn keys(outside: &mut SqliteConnection) -> Vec<String> {
    sqlx::query_scalar("SELECT creation_key FROM tasks ORDER BY id")
        .fetch_all(outside)
        .await
        .unwrap()
}

/// The other half of the test above; does nothing by itself.
#[tokio::test(flavor = "multi_thread")]
async fn writes_until_it_is_full() {
    if std::env::var_os(SMALL).is_none() {
        return;
    }
    let sqlite = Sqlite::fresh().await;
    let all = sqlite.stores();
    let owner = register(&all, "ann").await;
    let mut outside = sqlite.outside().await;
    // While somebody reads what was, the log only grows.
    let mut reader = sqlite.outside().await;
    for sql in ["BEGIN", "SELECT count(*) FROM users"] {
        sqlx::query(sql).fetch_all(&mut reader).await.unwrap();
    }

    // A statement by itself.
    let mut acknowledged = Vec::new();
    let error = loop {
        let key = format!("key-{}", acknowledged.len());
        match all.tasks.create(owner, &key, &task("t"), UNLIMITED, at(1)).await {
            Ok(made) => {
                made.task().unwrap();
                acknowledged.push(key);
            }
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 2000, "creations never fail");
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(keys(&mut outside).await, acknowledged);

    // Several statements.
    let mut made = 0;
    let error = loop {
        let name = format!("bob{made}");
        let account = account(&format!("{name}@example.com"), &name);
        match all
            .accounts
            .register(&account, Some(session()), &event(at(0)))
            .await
        {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 2000, "registrations never fail");
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");

    // There is room again.
    sqlx::query("COMMIT").execute(&mut reader).await.unwrap();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_all(&mut outside)
        .await
        .unwrap();
    let again = account("ann@example.com", "ann");
    let error = all
        .accounts
        .register(&again, Some(session()), &event(at(0)))
        .await
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Conflict(UniqueKey::Email)),
        "{error:?}"
    );
    for key in ["after-1", "after-2"] {
        let made = all.tasks.create(owner, key, &task("t"), UNLIMITED, at(1)).await;
        assert!(made.unwrap().task().is_some());
        acknowledged.push(key.to_owned());
    }
    assert_eq!(keys(&mut outside).await, acknowledged);
    register(&all, "carol").await;

    sqlite.database.close(Duration::from_secs(5)).await;
    let path = sqlite.dir.path().join("errand.db");
    let reopened = stores(&open(&Settings::new(DatabaseUrl::sqlite(path))).await);
    let made = reopened
        .tasks
        .create(owner, "after-2", &task("t"), UNLIMITED, at(1))
        .await;
    assert!(made.unwrap().task().is_some());
    assert_eq!(keys(&mut outside).await, acknowledged);
    println!("nothing was lost");
}
