//! What commands say where they cannot or need not go on, seen from outside.
#![expect(
    clippy::unwrap_used,
    reason = "also in what the tests share a panic is a failed test"
)]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_errand");
/// In every value that must not be shown.
const HIDDEN: &str = "hunter22";

fn errand(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// In a wrong folder nothing is to be listed, and nothing is to be made.
#[test]
fn a_database_that_is_not_there_is_not_made_to_look_into_it() {
    let home = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = errand(home.path(), arguments, variables);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{stderr}");
        let made: Vec<_> = fs::read_dir(home.path()).unwrap().collect();
        assert!(made.is_empty(), "{arguments:?} made {made:?}");
        stderr
    };
    for arguments in [
        &["user", "list"][..],
        &["user", "disable", "ann"],
        &["user", "enable", "ann"],
        &["user", "set-password", "ann"],
        &["user", "delete", "ann", "--yes"],
        &["migrate", "status"],
    ] {
        let told = refused(arguments, &[]);
        assert!(told.contains("/data/errand.db: there is no database;"), "{told}");
        assert!(told.contains("ERRAND__DATA_DIR or DATABASE_URL"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let told = refused(&["user", "list"], &[("DATABASE_URL", "sqlite://mine.db")]);
    assert!(
        told.contains("/mine.db: there is no database;") && told.ends_with("set DATABASE_URL\n"),
        "{told}"
    );
    let told = refused(&["user", "list"], &[("DATABASE_URL", "sqlite:///nowhere/my.db")]);
    assert!(
        told.starts_with("errand: /nowhere/my.db: there is no database;"),
        "{told}"
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let (reader, unread) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = Command::new(BINARY)
            .args(arguments)
            .env_clear()
            .env("ERRAND__AUTH__BCRYPT_COST", "10")
            .env("ERRAND__LOG__LEVEL", "warn")
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(unread)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that reads nothing may have ended by now.
        drop(child.stdin.take().unwrap().write_all(b"violet tandem bridge\n"));
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && told.is_empty(),
            "{arguments:?}: {told}"
        );
    };
    run(&["migrate", "up"]);
    run(&["migrate", "status"]);
    run(&["user", "create", "ann@example.com"]);
    run(&["user", "list"]);
    run(&["user", "disable", "ann"]);
    run(&["--help"]);
    let list = errand(home.path(), &["user", "list"], &[]);
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("ann@example.com\tdisabled since"), "{list}");
}

/// A command against this database, which it does not reach: the one line that it ends with, soon.
fn unreached(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().unwrap();
    let more = [
        ("ERRAND__DATABASE__DEADLINE", "1s"),
        ("ERRAND__LOG__LEVEL", "error"),
    ];
    let started = Instant::now();
    let output = errand(home.path(), arguments, &[variables, &more].concat());
    // Not the minute that a migration may wait for a lock.
    assert!(started.elapsed() < Duration::from_secs(20));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    for part in [HIDDEN, "127.0.0.1", "ann:", "todo"] {
        assert!(!told.contains(part), "{told}");
    }
    told
}

#[test]
fn a_database_that_is_not_reached_is_told_by_variable_and_cause() {
    // Nobody listens there once the listener is gone.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = format!("postgres://ann:hunter22@127.0.0.1:{port}/todo");
    // It accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silence = format!(
        "postgres://ann:hunter22@127.0.0.1:{}/todo",
        silent.local_addr().unwrap().port()
    );
    for arguments in [&["user", "list"][..], &["migrate", "up"], &["migrate", "status"]] {
        let told = unreached(arguments, &[("DATABASE_URL", &nobody)]);
        let expected = "errand: the database of DATABASE_URL cannot be reached: Connection refused";
        assert!(told.starts_with(expected), "{told}");
        assert!(!told.contains(&port.to_string()), "{told}");
        let told = unreached(arguments, &[("DATABASE_URL", &silence)]);
        let expected = "errand: the database of DATABASE_URL cannot be reached: no answer within";
        assert!(told.starts_with(expected), "{told}");
    }
    let both = [
        ("DATABASE_URL", silence.as_str()),
        ("DATABASE_DIRECT_URL", nobody.as_str()),
    ];
    let told = unreached(&["migrate", "up"], &both);
    let expected = "errand: the database of DATABASE_DIRECT_URL cannot be reached: Connection refused";
    assert!(told.starts_with(expected), "{told}");
}

/// Its work may take a minute; that there is no way to the database it says before, and before it reads the source.
#[test]
fn an_import_that_cannot_go_anywhere_says_so_at_once() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = format!("postgres://ann:hunter22@127.0.0.1:{port}/todo");
    let home = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let output = errand(
        home.path(),
        &["import", "run", "old.db"],
        &[("DATABASE_URL", &nobody)],
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    let told = String::from_utf8(output.stderr).unwrap();
    let expected = "errand: the database of DATABASE_URL cannot be reached: Connection refused";
    assert!(told.starts_with(expected), "{told}");
    assert!(!output.status.success() && output.stdout.is_empty(), "{told}");
}

/// A database of another application in an empty folder.
fn moving() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../import/tests/fixtures");
    fs::copy(fixtures.join("generation_2.db"), home.path().join("todo.db")).unwrap();
    home
}

/// What is in a folder.
fn content(home: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(home).unwrap().map(|entry| entry.unwrap());
    let mut found: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap_or_default())
        })
        .collect();
    found.sort();
    found
}

/// Whoever moves may still have the variables of the old application set.
#[test]
fn a_source_is_never_its_own_target() {
    let home = moving();
    fs::hard_link(home.path().join("todo.db"), home.path().join("link.db")).unwrap();
    let before = content(home.path());
    for (source, url) in [
        ("todo.db", "sqlite://todo.db"),
        ("sqlite:///./todo.db", "sqlite:///./todo.db"),
        ("link.db", "sqlite://todo.db"),
        (
            "postgres://ann:hunter22@localhost:1/todo",
            "postgresql://bob:hunter22@127.0.0.1:1/todo",
        ),
    ] {
        for more in [&["--dry-run"][..], &[]] {
            let arguments = [&["import", "run", source], more].concat();
            let output = errand(home.path(), &arguments, &[("DATABASE_URL", url)]);
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success(), "{source}: {told}");
            let expected = "errand: DATABASE_URL is the source's own; it must name errand's database.";
            assert!(told.starts_with(expected), "{source}: {told}");
            assert!(!told.contains(HIDDEN) && told.lines().count() == 1, "{told}");
            assert!(content(home.path()) == before, "{source}: something was written");
        }
    }
}

#[test]
fn a_dry_run_makes_no_database() {
    let home = moving();
    fs::write(home.path().join("empty.db"), "").unwrap();
    let before = content(home.path());
    for (variables, place) in [
        (&[][..], "data/errand.db"),
        (&[("DATABASE_URL", "sqlite://new.db")], "new.db"),
        (&[("DATABASE_URL", "sqlite://empty.db")], "empty.db"),
    ] {
        let output = errand(home.path(), &["import", "run", "todo.db", "--dry-run"], variables);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (shown, told) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{shown}{told}");
        let expected = format!("there is no database at {place} yet: what follows is as on an empty one\n");
        assert!(shown.starts_with(&expected), "{shown}");
        assert!(shown.ends_with("a dry run: nothing was written\n"), "{shown}");
        let after = content(home.path());
        let names: Vec<_> = after.iter().map(|(name, _)| name).collect();
        assert!(after == before, "{place}: {names:?}");
    }
    // Nor tables where there are none yet.
    fs::copy(home.path().join("todo.db"), home.path().join("other.db")).unwrap();
    let variables = [("DATABASE_URL", "sqlite://other.db")];
    let output = errand(
        home.path(),
        &["import", "run", "todo.db", "--dry-run"],
        &variables,
    );
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("run \"errand migrate up\""), "{told}");
    let file = String::from_utf8_lossy(&fs::read(home.path().join("other.db")).unwrap()).into_owned();
    assert!(file.contains("CREATE TABLE") && !file.contains("seaql_migrations"));
}

/// URLs of databases hold passwords, and so do files beside them.
#[test]
fn a_copy_shows_no_secret_and_makes_nothing_for_nothing() {
    let home = tempfile::tempdir().unwrap();
    let url = format!("postgres://ann:{HIDDEN}@localhost:1/todo");
    let run = |arguments: &[&str]| {
        let variables = [("OLD", "sqlite://old.db"), ("NEW", url.as_str()), ("EMPTY", "")];
        let output = errand(home.path(), &[&["copy"], arguments].concat(), &variables);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (shown, told) = (text(output.stdout), text(output.stderr));
        assert!(!format!("{shown}{told}").contains(HIDDEN), "{shown}{told}");
        (output.status.success(), shown, told)
    };
    for (arguments, said) in [
        (
            &["--from", "sqlite://old.db", "--to", "sqlite://new.db"][..],
            "errand: --from: old.db: there is no database",
        ),
        (
            &["--from", "env:OLD", "--to", "env:NEW"],
            "errand: --from: old.db: there is no database",
        ),
        (
            &["--from", "env:NEW", "--to", "env:OLD"],
            "errand: --from: the source cannot be reached: nobody listens",
        ),
        (
            &["--from", "env:OLD", "--to", "env:NONE"],
            "errand: --to names the variable NONE, which is not set",
        ),
        (
            &["--from", "env:EMPTY", "--to", "env:NEW"],
            "errand: --from names the variable EMPTY, which is not set",
        ),
        (
            &["--from", "old.db", "--to", "env:NEW"],
            "errand: --from must begin with sqlite://",
        ),
        (
            &["--from", "env:OLD", &url],
            "errand: unexpected argument '…' found",
        ),
        (
            &["--from", "env:OLD", "--to", &url, "--form"],
            "errand: unexpected argument '--form' found",
        ),
        (
            &["--from", "env:OLD"],
            "errand: the following required arguments were not provided",
        ),
    ] {
        let (succeeded, shown, told) = run(arguments);
        assert!(!succeeded && shown.is_empty(), "{arguments:?}");
        assert!(
            told.starts_with(said) && told.lines().count() == 1,
            "{arguments:?}: {told}"
        );
    }
    let (_, _, told) = run(&["--from", "env:OLD", "--to", &url]);
    assert!(
        told.starts_with("the password in --to can be seen by all"),
        "{told}"
    );
    let made: Vec<_> = fs::read_dir(home.path()).unwrap().collect();
    assert!(made.is_empty(), "{made:?}");

    let migrated = errand(
        home.path(),
        &["migrate", "up"],
        &[("DATABASE_URL", "sqlite://old.db")],
    );
    assert!(migrated.status.success());
    fs::write(home.path().join("old.db.jwt-secret"), HIDDEN).unwrap();
    let (succeeded, shown, told) = run(&["--from", "env:OLD", "--to", "sqlite://new.db"]);
    assert!(
        succeeded && shown.contains("\ncopied 0 rows in "),
        "{shown}{told}"
    );
    assert!(
        told.contains("cp -p 'old.db.jwt-secret' 'new.db.jwt-secret'\n"),
        "{told}"
    );
    let (succeeded, _, told) = run(&["--from", "env:OLD", "--to", "sqlite://old.db"]);
    assert!(
        !succeeded && told.ends_with("errand: source and target are the same database\n"),
        "{told}"
    );
}
