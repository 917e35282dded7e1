//! What the program does with its configuration, seen from outside.
#![expect(
    clippy::unwrap_used,
    reason = "also in what the tests share a panic is a failed test"
)]

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use errand_testbed::{Errand, Options, Postgres};
use serde_json::Value;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_errand");
const SECRET: &str = "kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEaT";
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

/// Starts errand, which must give up at once with one line for each of the beginnings and nothing else.
fn assert_refused(arguments: &[&str], variables: &[(&str, &str)], beginnings: &[&str]) {
    let home = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let output = errand(home.path(), arguments, variables);
    let took = started.elapsed();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{stderr}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(output.stdout.is_empty());
    assert!(!stderr.contains(HIDDEN), "{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), beginnings.len(), "{stderr}");
    for beginning in beginnings {
        let beginning = format!("errand: {beginning}");
        assert!(
            lines.iter().any(|line| line.starts_with(&beginning)),
            "{beginning:?} in {stderr}"
        );
    }
    let made: Vec<_> = fs::read_dir(home.path()).unwrap().collect();
    assert!(made.is_empty(), "it touched the disk: {made:?}");
}

#[test]
fn weak_secrets() {
    for secret in [
        HIDDEN,
        "hunter22hunter22hunter22hunter22",
        "your-super-secret-key-hunter22-change-in-production",
    ] {
        assert_refused(&[], &[("JWT_SECRET", secret)], &["JWT_SECRET must "]);
    }
}

#[test]
fn unknown_settings() {
    assert_refused(
        &[],
        &[("ERRAND__LOG__LEVLE", HIDDEN)],
        &["ERRAND__LOG__LEVLE is not a setting of errand"],
    );
}

#[test]
fn bad_ports() {
    for port in ["70000", HIDDEN, "-1"] {
        assert_refused(
            &["serve"],
            &[("PORT", port)],
            &["PORT must be a whole number from 0 to 65535"],
        );
    }
}

#[test]
fn postgres_without_a_secret() {
    let url = "postgresql://ann:hunter22@ep-x.eu-central-1.aws.neon.tech/todo?sslmode=require";
    assert_refused(
        &[],
        &[("DATABASE_URL", url)],
        &["JWT_SECRET must be set when the database is PostgreSQL"],
    );
}

#[test]
fn an_unprotected_way_to_another_machine() {
    let variables = [
        (
            "DATABASE_URL",
            "postgres://ann:hunter22@db.example/todo?sslmode=disable",
        ),
        ("JWT_SECRET", SECRET),
    ];
    assert_refused(
        &[],
        &variables,
        &["DATABASE_URL has a value of the parameter \"sslmode\" that errand refuses"],
    );
    assert_refused(
        &["migrate", "up"],
        &variables,
        &["DATABASE_URL has a value of the parameter"],
    );
}

#[test]
fn everything_wrong_at_once() {
    assert_refused(
        &["--config", "/nowhere/errand.toml"],
        &[
            ("DATABASE_URL", "postgres:hunter22"),
            ("JWT_SECRET", HIDDEN),
            ("PORT", HIDDEN),
            ("ERRAND__AUTH__BCRYPT_COST", "4"),
            ("ERRAND__AUTH__ACCESS_TOKEN_TTL", "2h"),
            ("ERRAND__NO__SUCH", HIDDEN),
        ],
        &[
            "/nowhere/errand.toml: cannot be read",
            "DATABASE_URL has no ",
            "JWT_SECRET must have at least 32 bytes",
            "PORT must",
            "ERRAND__AUTH__BCRYPT_COST must be a whole number from 10 to 14",
            "ERRAND__AUTH__ACCESS_TOKEN_TTL must be a time",
            "ERRAND__NO__SUCH is not",
        ],
    );
}

#[test]
fn the_file_may_be_named_by_a_variable_and_its_faults_are() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("errand.toml");
    fs::write(&file, "[server]\nprot = 1\n[auth]\njwt_secret = 'hunter22'\n").unwrap();
    let file = file.to_str().unwrap();
    let faults = [
        format!("server.prot (in {file})"),
        format!("auth.jwt_secret (in {file})"),
    ];
    assert_refused(
        &[],
        &[("ERRAND_CONFIG", file)],
        &faults.each_ref().map(String::as_str),
    );
    fs::write(file, "jwt_secret = hunter22").unwrap();
    assert_refused(
        &[],
        &[("ERRAND_CONFIG", file)],
        &[&format!("{file}: is not valid TOML at line 1")],
    );
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let expected = format!("cannot listen on 127.0.0.1, port {port} (HOST, PORT): Address already in use");
    assert_refused(&[], &[("PORT", &port)], &[&expected]);
}

#[test]
fn nonsense_on_the_command_line() {
    for (arguments, line) in [
        (&["sreve"][..], "unrecognized subcommand 'sreve'"),
        (&["--port", "1"], "unexpected argument '--port' found"),
        (&["migrate"], "a command is missing"),
        (&["migrate", "down"], "unrecognized subcommand 'down'"),
        (
            &["user", "create"],
            "the following required arguments were not provided: <EMAIL> (see errand --help)",
        ),
        (
            &["user", "delete", "--yes"],
            "the following required arguments were not provided: <USER>",
        ),
    ] {
        assert_refused(arguments, &[], &[line]);
    }
    let home = tempfile::tempdir().unwrap();
    let version = errand(home.path(), &["--version"], &[("PORT", "bad")]);
    assert!(version.status.success());
    assert_eq!(
        version.stdout,
        concat!("errand ", env!("CARGO_PKG_VERSION"), "\n").as_bytes()
    );
}

#[test]
fn a_database_file_that_cannot_be() {
    let line = "/nowhere/my.db: the database file cannot be opened: No such file";
    assert_refused(
        &[],
        &[("DATABASE_URL", "sqlite:///nowhere/my.db"), ("PORT", "0")],
        &[line],
    );
}

#[test]
fn migrating_from_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = errand(home.path(), arguments, &[]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    };
    fs::create_dir(home.path().join("data")).unwrap();
    fs::write(home.path().join("data/errand.db"), "").unwrap();
    let before = run(&["migrate", "status"]);
    assert!(
        before.lines().count() > 0 && before.lines().all(|line| line.ends_with(": pending")),
        "{before}"
    );
    let up = run(&["migrate", "up"]);
    assert_eq!(up, before.replace("pending", "applied"));
    assert_eq!(run(&["migrate", "status"]), up);
    assert_eq!(run(&["migrate", "up"]), "nothing to apply\n");
    let made: Vec<_> = fs::read_dir(home.path().join("data"))
        .unwrap()
        .map(|f| f.unwrap().file_name())
        .collect();
    assert_eq!(
        made,
        ["errand.db"],
        "no secret is made, and the log is folded back"
    );
}

#[tokio::test]
async fn a_database_without_tables() {
    let database = Postgres::shared().create_database().await;
    let ca_file = database.ca_file.display().to_string();
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("DATABASE_CA_FILE", ca_file.as_str()),
        ("ERRAND__LOG__LEVEL", "error"),
    ];
    assert_refused(
        &["user", "list"],
        &variables,
        &["the database's schema is older than this program"],
    );
}

#[test]
fn an_app_role_that_cannot_be() {
    for name in ["", "App", "1app", "app;drop", "app\"x"] {
        assert_refused(&["migrate", "up", "--app-role", name], &[], &["invalid value"]);
    }
    assert_refused(
        &["migrate", "up", "--app-role", "app"],
        &[],
        &["--app-role is for PostgreSQL"],
    );
    assert_refused(
        &[],
        &[("ERRAND__DATABASE__ROW_LEVEL_SECURITY", "true")],
        &["ERRAND__DATABASE__ROW_LEVEL_SECURITY must be false when the database is SQLite"],
    );
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn start(home: &TempDir) -> impl Future<Output = Errand> {
    let database = home.path().join("my.db");
    async move {
        let url = format!("sqlite://{}", database.display());
        Errand::start(Path::new(BINARY), &[("DATABASE_URL", url)]).await
    }
}

#[tokio::test]
async fn a_first_start_makes_a_private_data_directory_with_a_secret() {
    let mut errand = Errand::start(Path::new(BINARY), &[]).await;
    let data = errand.home().join("data");
    assert_eq!(mode(&data), 0o700);
    for file in ["errand.db", "errand.db.jwt-secret"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    let secret = fs::read_to_string(data.join("errand.db.jwt-secret")).unwrap();
    assert_eq!(secret.len(), 43, "base64url of 32 bytes");
    errand.terminate();
    assert!(errand.wait().await.success(), "{}", errand.log());
    assert!(!errand.log().contains(&secret));
    let lines = errand.log();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line.get(field).is_some(), "{field} in {line}");
        }
    }
}

#[tokio::test]
async fn the_secret_is_kept_and_shared() {
    let home = tempfile::tempdir().unwrap();
    let (mut first, mut second) = tokio::join!(start(&home), start(&home));
    let path = home.path().join("my.db.jwt-secret");
    let secret = fs::read_to_string(&path).unwrap();
    let client = reqwest::Client::new();
    let answer = client
        .post(format!("{}/api/auth/register", first.base_url()))
        .header("content-type", "application/json")
        .body(r#"{"email":"ann@example.com","password":"eleven walruses juggle"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
    let grant: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let token = grant["access_token"].as_str().unwrap().to_owned();
    let me = async |errand: &Errand| {
        let request = client
            .get(format!("{}/api/auth/me", errand.base_url()))
            .bearer_auth(&token);
        request.send().await.unwrap().status()
    };
    assert_eq!(me(&first).await, 200);
    assert_eq!(me(&second).await, 200);
    for errand in [&mut first, &mut second] {
        errand.terminate();
        assert!(errand.wait().await.success(), "{}", errand.log());
    }
    let third = start(&home).await;
    assert_eq!(me(&third).await, 200);
    assert_eq!(fs::read_to_string(&path).unwrap(), secret);
    assert_eq!(mode(&path), 0o600);
}

async fn status(errand: &Errand, path: &str) -> u16 {
    let answer = reqwest::get(format!("{}{path}", errand.base_url()))
        .await
        .unwrap();
    answer.status().as_u16()
}

#[tokio::test]
async fn a_database_that_is_down_does_not_stop_the_start() {
    // Nobody listens there once the listener is gone.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("postgres://ann:hunter22@127.0.0.1:{port}/todo");
    let variables = [
        ("DATABASE_URL", url),
        ("JWT_SECRET", SECRET.to_owned()),
        ("ERRAND__DATABASE__DEADLINE", "1s".to_owned()),
    ];
    let mut errand = Errand::start(Path::new(BINARY), &variables).await;
    assert_eq!(status(&errand, "/health/live").await, 200);
    assert_eq!(status(&errand, "/health/ready").await, 503);
    errand.terminate();
    assert!(errand.wait().await.success(), "{}", errand.log());
    let log = errand.log();
    assert!(log.contains("cannot be migrated yet"), "{log}");
    assert!(!log.contains(HIDDEN) && !log.contains(SECRET), "{log}");
}

#[tokio::test]
async fn the_schema_comes_when_the_database_does() {
    let postgres = Postgres::start(Options { durable: false });
    let database = postgres.create_database().await;
    postgres.stop().await;
    let variables = [
        ("DATABASE_URL", database.url.clone()),
        ("DATABASE_CA_FILE", database.ca_file.display().to_string()),
        ("JWT_SECRET", SECRET.to_owned()),
        ("ERRAND__DATABASE__DEADLINE", "1s".to_owned()),
    ];
    let errand = Errand::start(Path::new(BINARY), &variables).await;
    assert_eq!(status(&errand, "/health/ready").await, 503);
    postgres.restart().await;
    let restarted = Instant::now();
    while status(&errand, "/health/ready").await != 200 {
        assert!(restarted.elapsed() < Duration::from_secs(20), "{}", errand.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(errand.log().contains("migrated\""), "{}", errand.log());
}

#[tokio::test]
async fn a_wrong_password_of_the_database() {
    let database = Postgres::shared().create_database().await;
    let (user, rest) = database.url.rsplit_once('@').unwrap();
    let (user, _) = user.rsplit_once(':').unwrap();
    let url = format!("{user}:hunter22@{rest}");
    let ca_file = database.ca_file.display().to_string();
    let variables = [
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_CA_FILE", ca_file.as_str()),
        ("JWT_SECRET", SECRET),
        ("PORT", "0"),
        ("ERRAND__LOG__LEVEL", "error"),
    ];
    assert_refused(&[], &variables, &["the database lets nobody in this way"]);
    for arguments in [["migrate", "status"], ["user", "list"]] {
        assert_refused(
            arguments.as_slice(),
            &variables,
            &["the database lets nobody in this way"],
        );
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let mut errand = Errand::start(
        Path::new(BINARY),
        &[("ERRAND__SERVER__SHUTDOWN_TIMEOUT", "60s".to_owned())],
    )
    .await;
    // A request whose body never comes keeps a graceful stop waiting.
    let address = errand.base_url().replace("http://", "");
    let mut open = TcpStream::connect(address).unwrap();
    let request = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    open.write_all(request.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    errand.terminate();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let started = Instant::now();
    errand.terminate();
    assert!(!errand.wait().await.success());
    assert!(started.elapsed() < Duration::from_secs(2), "{}", errand.log());
    assert!(errand.log().contains("stopped at once"), "{}", errand.log());
}
