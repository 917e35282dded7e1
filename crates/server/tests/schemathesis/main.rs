//! Schemathesis reads the document and sends what it makes of it, as two users, with all its checks, on both
//! databases. `cargo xtask schemathesis` runs this; what is let pass stands in `hooks.py`, with the reasons.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a failed expectation is the point"
)]

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;

use errand_testbed::{Api, Errand, Person, Postgres};
use serde_json::{Value, json};

/// How many cases a full run sends at least, to each database.
const FULL: u64 = 10_000;
/// How many rounds a full run may take for that.
const ROUNDS: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    examine(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql() {
    let database = Postgres::shared().create_database().await;
    let ca_file = database.ca_file.display().to_string();
    examine(vec![
        ("DATABASE_URL", database.url.clone()),
        ("DATABASE_CA_FILE", ca_file),
    ])
    .await;
}

async fn examine(database: Vec<(&'static str, String)>) {
    let mut env = vec![
        ("JWT_SECRET", "pq8v3KzR1mX7tYw2LsNf6GhJ4bDc9QaE".to_owned()),
        ("ERRAND__AUTH__BCRYPT_COST", "10".to_owned()),
        ("ERRAND__DATABASE__DEADLINE", "15s".to_owned()),
        // All requests come from one address.
        ("ERRAND__LIMITS__EXEMPT_NETWORKS", "127.0.0.0/8".to_owned()),
    ];
    env.extend(database);
    let errand = Errand::start(Path::new(env!("CARGO_BIN_EXE_errand")), &env).await;
    let api = Api::new(errand.base_url());
    let work = tempfile::tempdir().unwrap();
    let mut users = Vec::new();
    for name in ["ada", "bea"] {
        users.push(user(name, &Person::register(&api, name).await));
    }
    let users = json!({"auth": users}).to_string();
    std::fs::write(work.path().join("users.json"), users).unwrap();
    std::fs::copy(
        here().join("schemathesis.toml"),
        work.path().join("schemathesis.toml"),
    )
    .unwrap();

    if std::env::var_os("ERRAND_SCHEMATHESIS_FULL").is_none() {
        run(work.path(), &errand, 1, &["--max-examples", "5"]);
        return;
    }
    // Another one each time; it is printed, and can be given to Schemathesis again.
    let first = RandomState::new().hash_one(()) % 1_000_000_000;
    let mut cases = 0;
    for seed in first..first + ROUNDS {
        cases += run(
            work.path(),
            &errand,
            seed,
            &["--max-examples", "100", "--max-time", "120"],
        );
        println!("{cases} cases so far");
        if cases >= FULL {
            return;
        }
    }
    assert!(cases >= FULL, "no more than {cases} cases in {ROUNDS} rounds");
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis")
}

/// How Schemathesis signs a user in, again and again: it also tries out what ends sessions.
fn user(name: &str, person: &Person) -> Value {
    json!({"name": name, "loginEndpointAuth": {
        "endpoint": "/api/auth/login", "verb": "POST", "contentType": "application/json",
        "payloadUserPwd": {
            "username": person.email, "password": person.password,
            "usernameField": "email", "passwordField": "password",
        },
        "token": {
            "extractFrom": "body", "extractSelector": "/access_token", "sendIn": "header",
            "sendName": "Authorization", "sendTemplate": "Bearer {token}",
        },
    }})
}

/// One run; how many cases it had.
fn run(work: &Path, errand: &Errand, seed: u64, more: &[&str]) -> u64 {
    let program = std::env::var_os("ERRAND_SCHEMATHESIS");
    let program = program.expect("ERRAND_SCHEMATHESIS names the program: run cargo xtask schemathesis");
    let output = Command::new(program)
        .args(["run", &format!("{}/openapi.json", errand.base_url())])
        .args([
            "--checks",
            "all",
            "--continue-on-failure",
            "--no-color",
            "--warnings",
            "off",
        ])
        .args(["--seed", &seed.to_string()])
        .args(more)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", here())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(work)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{text}\n{errors}\n{}",
        last(&errand.log())
    );
    let told = text
        .lines()
        .rev()
        .find_map(|line| line.trim().split_once(" generated")?.0.parse().ok());
    let cases = told.unwrap_or_else(|| panic!("no number of cases: {text}"));
    println!("seed {seed}: {cases} cases");
    cases
}

/// The end of a log that is long.
fn last(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
