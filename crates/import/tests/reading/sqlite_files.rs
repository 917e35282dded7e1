//! SQLite files in every state, none of which is changed by reading it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use sqlx::Connection;

use crate::support::{PLAIN, items, lines, made, open, refusal, run, writer};

/// All files of a folder, with what is in them and when that changed.
fn state(dir: &Path) -> Vec<(String, Vec<u8>, SystemTime)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let changed = entry.metadata().unwrap().modified().unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
                changed,
            )
        })
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn what_is_only_in_the_log_is_read() {
    let (dir, path) = made(PLAIN).await;
    let mut conn = writer(&path).await;
    run(
        &mut conn,
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0",
    )
    .await;
    run(
        &mut conn,
        "INSERT INTO task (id, user_id, title) VALUES (3, 1, 'in the log')",
    )
    .await;
    // As a crash leaves it: the log without its index.
    let crashed = tempfile::tempdir().unwrap();
    for file in ["todo.db", "todo.db-wal"] {
        fs::copy(dir.path().join(file), crashed.path().join(file)).unwrap();
    }
    for dir in [dir.path(), crashed.path()] {
        let before = state(dir);
        let mut source = open(dir.join("todo.db")).await;
        let found = lines(&mut source).await;
        assert!(found.iter().any(|line| line.contains("in the log")), "{found:?}");
        drop(source);
        assert_eq!(state(dir), before);
    }
    assert_eq!(state(crashed.path()).len(), 2);

    // Closed in good order there is no log, and none is made.
    conn.close().await.unwrap();
    let before = state(dir.path());
    assert_eq!(before.len(), 1);
    assert_eq!(items(&mut open(&path).await).await.len(), 5);
    assert_eq!(state(dir.path()), before);
}

#[tokio::test]
async fn a_transaction_that_a_crash_broke_off_is_undone() {
    let (dir, path) = made(PLAIN).await;
    let mut conn = writer(&path).await;
    run(
        &mut conn,
        "WITH RECURSIVE n(n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM n WHERE n < 5000)
         INSERT INTO task (id, user_id, title, description) SELECT n, 1, 'whole', printf('%.*c', 200, 'x') FROM n",
    )
    .await;
    run(
        &mut conn,
        "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; UPDATE task SET title = 'half'",
    )
    .await;
    let is_half_written = || {
        let bytes = fs::read(&path).unwrap();
        bytes.windows(4).any(|bytes| bytes == b"half")
    };
    // The other connections of this process lend their caches, so it may take more until pages are written early.
    for _ in 0..8 {
        if is_half_written() {
            break;
        }
        let double = "UPDATE task SET description = description || description";
        run(&mut conn, double).await;
    }
    assert!(is_half_written(), "nothing was written of it");
    let crashed = tempfile::tempdir().unwrap();
    for file in ["todo.db", "todo.db-journal"] {
        fs::copy(dir.path().join(file), crashed.path().join(file)).unwrap();
    }
    let before = state(crashed.path());
    let found = lines(&mut open(crashed.path().join("todo.db")).await).await;
    assert_eq!(
        found.iter().filter(|line| line.contains("\"whole\"")).count(),
        4991
    );
    assert!(!found.iter().any(|line| line.contains("\"half\"")));
    assert_eq!(state(crashed.path()), before);
}

#[tokio::test]
async fn who_writes_meanwhile_is_noticed_and_changes_nothing_of_what_is_read() {
    let (_dir, path) = made(PLAIN).await;
    let mut source = open(&path).await;
    let before = items(&mut source).await;
    let mut conn = writer(&path).await;
    run(&mut conn, "UPDATE task SET title = 'changed'; DELETE FROM user").await;
    conn.close().await.unwrap();
    assert_ne!(source.hash_now().await.unwrap().as_deref(), source.hash());
    source.rewind().await.unwrap();
    let mut after = Vec::new();
    while let Some(item) = source.next().await.unwrap() {
        after.push(item);
    }
    assert_eq!(after, before);
}

#[tokio::test]
async fn the_hash_is_that_of_the_file() {
    let (_dir, path) = made(PLAIN).await;
    let source = open(&path).await;
    let said = Command::new("sha256sum").arg(&path).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(source.hash(), said.split_whitespace().next());
}

#[tokio::test]
async fn a_link_is_followed_and_the_file_is_named() {
    let (dir, path) = made(PLAIN).await;
    let mut conn = writer(&path).await;
    run(
        &mut conn,
        "PRAGMA journal_mode = WAL; INSERT INTO task (id, user_id, title) VALUES (3, 1, 'log')",
    )
    .await;
    let link = dir.path().join("link.db");
    symlink("todo.db", &link).unwrap();
    let mut source = open(&link).await;
    assert_eq!(source.name(), fs::canonicalize(&path).unwrap().to_str().unwrap());
    // The log lies beside the file and not beside the link.
    assert_eq!(items(&mut source).await.len(), 5);

    symlink("nowhere", dir.path().join("broken.db")).unwrap();
    assert!(
        refusal(dir.path().join("broken.db"))
            .await
            .starts_with("there is no file ")
    );
    symlink("/dev/zero", dir.path().join("endless.db")).unwrap();
    assert_eq!(
        refusal(dir.path().join("endless.db")).await,
        "/dev/zero is no regular file"
    );
}

#[tokio::test]
async fn what_is_no_database_is_refused_in_one_line() {
    // The last page is of a table that is not read.
    let other = "CREATE TABLE other (x); INSERT INTO other VALUES (zeroblob(20000))";
    let (dir, path) = made(&format!("{PLAIN} {other}")).await;
    let at = |name: &str| dir.path().join(name);
    let whole = fs::read(&path).unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    fs::write(at("empty"), "").unwrap();
    fs::write(at("text"), "buy milk\n".repeat(1000)).unwrap();
    fs::write(
        at("encrypted"),
        whole.iter().map(|byte| byte ^ 0x5a).collect::<Vec<_>>(),
    )
    .unwrap();
    fs::write(at("header"), &whole[..100]).unwrap();
    fs::write(at("truncated"), &whole[..whole.len() / 2]).unwrap();
    let mut torn = whole.clone();
    let last = torn.len() - 4096;
    torn[last..].fill(0xff);
    fs::write(at("torn"), torn).unwrap();
    let mut future = whole.clone();
    future[18..20].fill(9);
    fs::write(at("future"), future).unwrap();
    for (name, said) in [
        ("missing", "there is no file "),
        ("pipe", "/pipe is no regular file"),
        ("", " is no regular file"),
        ("empty", " is not a SQLite database, or it is encrypted"),
        ("text", " is not a SQLite database, or it is encrypted"),
        ("encrypted", " is not a SQLite database, or it is encrypted"),
        ("header", "the database is damaged ("),
        ("truncated", "the database is damaged ("),
        ("torn", "the database is damaged ("),
        ("future", "the database is damaged ("),
    ] {
        let found = refusal(at(name)).await;
        assert!(found.contains(said), "{name}: {found}");
        assert!(!found.contains('\n') && found.len() < 300, "{name}: {found}");
    }
    // A pipe in the place of the log would be waited for.
    assert!(
        Command::new("mkfifo")
            .arg(at("todo.db-wal"))
            .status()
            .unwrap()
            .success()
    );
    assert!(refusal(&path).await.ends_with("todo.db-wal is no regular file"));
}

#[tokio::test]
async fn nothing_is_left_of_the_copy_while_it_is_read() {
    let marker = "a text that is in no other database";
    let (_dir, path) = made(&format!("{PLAIN} UPDATE task SET title = '{marker}'")).await;
    let mut source = open(&path).await;
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("errand-import-") {
            let copy = fs::read(entry.path().join("source.db")).unwrap_or_default();
            let is_ours = copy.windows(marker.len()).any(|bytes| bytes == marker.as_bytes());
            assert!(!is_ours, "{}", entry.path().display());
        }
    }
    assert_eq!(items(&mut source).await.len(), 4);
}
