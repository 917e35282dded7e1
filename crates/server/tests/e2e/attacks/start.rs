//! Configurations that must not come up, and what a start leaves behind. Each starts a program of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use errand_testbed::Errand;

use super::scene::Scene;
use super::suite::attacks;
use crate::support::{SIGNING_KEY, binary};

attacks! {
    "secret-length": a_secret_of_31_bytes_is_refused;
    "secret-pattern": a_repeated_secret_is_refused, a_row_of_the_alphabet_is_no_secret;
    "secret-variety": a_secret_of_two_characters_is_refused;
    "secret-published": a_secret_out_of_a_manual_is_refused, a_placeholder_is_no_secret;
    "secret-words": a_secret_of_the_usual_words_is_refused;
    "secret-required": postgres_without_a_secret_is_refused;
    "verify-secrets": a_weak_secret_to_verify_with_is_refused;
    "cost-range": a_cheap_hash_is_refused, a_hash_without_end_is_refused;
    "ttl-range": tokens_for_a_day_are_refused;
    "database-tls": a_database_elsewhere_without_tls_is_refused, tls_that_may_fail_is_refused;
    "database-parameters": an_option_for_the_database_is_refused, a_foreign_parameter_of_the_url_is_refused;
    "database-environment": options_in_the_environment_of_the_driver_are_refused;
    "database-memory": a_database_in_memory_is_refused;
    "cors-list": a_star_is_no_origin, null_is_no_origin, an_origin_with_a_path_is_refused;
    "known-settings": an_unknown_setting_is_refused, an_unknown_setting_in_the_file_is_refused;
    "one-setting": a_setting_under_both_its_names_is_refused;
    "silent-faults": a_fault_does_not_show_the_value;
    "silent-urls": a_fault_does_not_show_the_password_of_the_database;
    "private-files": the_directory_of_the_data_is_closed_to_others, the_database_is_closed_to_others,
        the_signing_secret_is_closed_to_others;
    "command-line": a_secret_on_the_command_line_is_refused;
}

/// In every value that must not be shown.
const HIDDEN: &str = "hunter22";

/// Starts errand, which must give up with a line that begins so, and without showing a value.
fn refused(arguments: &[&str], variables: &[(&str, &str)], beginning: &str) {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary());
    let command = command
        .args(arguments)
        .env_clear()
        .env("PORT", "0")
        .envs(variables.iter().copied())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Where the defence is gone it would serve for ever.
    for _ in 0..500 {
        if child.try_wait().unwrap().is_some() {
            break;
        }
        #[expect(clippy::disallowed_methods, reason = "nothing else runs in this test")]
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(child.kill());
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code().is_some_and(|code| code != 0),
        "it started: {told}"
    );
    assert!(!told.contains(HIDDEN), "{told}");
    let found = told
        .lines()
        .any(|line| line.starts_with(&format!("errand: {beginning}")));
    assert!(found, "{beginning:?} is not in: {told}");
}

fn secret(secret: &str) {
    refused(&[], &[("JWT_SECRET", secret)], "JWT_SECRET must ");
}

async fn a_secret_of_31_bytes_is_refused(_: &Scene) {
    secret("kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEa");
    secret("secret");
}

/// Of more characters than the fewest, so that only the pattern is wrong with it.
async fn a_repeated_secret_is_refused(_: &Scene) {
    secret(&"kB1xW7fZtq0Yp3Jm".repeat(2));
    secret(&"9LdRvC5sHn8GuEaT".repeat(4));
}

async fn a_row_of_the_alphabet_is_no_secret(_: &Scene) {
    secret("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    secret("zyxwvutsrqponmlkjihgfedcba987654");
}

async fn a_secret_of_two_characters_is_refused(_: &Scene) {
    secret("xkxxkxkkkxkxxxkxkkxkxxkkxkxkxkkxx");
}

async fn a_secret_out_of_a_manual_is_refused(_: &Scene) {
    secret("09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7");
    secret("Qa7-zP0-deadbeefdeadbeef-kW5-tR9-uX3");
}

async fn a_placeholder_is_no_secret(_: &Scene) {
    secret("hunter22-kW5tR9uX3-changeme-Qa7zP0vB1");
}

async fn a_secret_of_the_usual_words_is_refused(_: &Scene) {
    secret("hunter22-jwt-signing-secret-for-development");
}

async fn postgres_without_a_secret_is_refused(_: &Scene) {
    let url = "postgresql://ann:hunter22@127.0.0.1:9/errand";
    refused(&[], &[("DATABASE_URL", url)], "JWT_SECRET must be set");
}

async fn a_weak_secret_to_verify_with_is_refused(_: &Scene) {
    let variables = [
        ("JWT_SECRET", SIGNING_KEY),
        ("ERRAND__AUTH__JWT_VERIFY_SECRETS", "hunter22"),
    ];
    refused(
        &[],
        &variables,
        "ERRAND__AUTH__JWT_VERIFY_SECRETS (entry 1) must ",
    );
}

async fn a_cheap_hash_is_refused(_: &Scene) {
    for cost in ["4", "9"] {
        refused(
            &[],
            &[("ERRAND__AUTH__BCRYPT_COST", cost)],
            "ERRAND__AUTH__BCRYPT_COST must be",
        );
    }
}

async fn a_hash_without_end_is_refused(_: &Scene) {
    refused(
        &[],
        &[("ERRAND__AUTH__BCRYPT_COST", "15")],
        "ERRAND__AUTH__BCRYPT_COST must be",
    );
}

async fn tokens_for_a_day_are_refused(_: &Scene) {
    for life in ["24h", "61m"] {
        refused(
            &[],
            &[("ERRAND__AUTH__ACCESS_TOKEN_TTL", life)],
            "ERRAND__AUTH__ACCESS_TOKEN_TTL must be",
        );
    }
}

fn database(url: &str) {
    let variables = [("DATABASE_URL", url), ("JWT_SECRET", SIGNING_KEY)];
    refused(&[], &variables, "DATABASE_URL ");
    refused(&["migrate", "up"], &variables, "DATABASE_URL ");
}

async fn a_database_elsewhere_without_tls_is_refused(_: &Scene) {
    database("postgresql://ann:hunter22@db.example/errand?sslmode=disable");
}

/// A server in the middle would only have to say that it has none.
async fn tls_that_may_fail_is_refused(_: &Scene) {
    database("postgresql://ann:hunter22@db.example/errand?sslmode=prefer");
    database("postgresql://ann:hunter22@db.example/errand?sslmode=allow");
}

async fn an_option_for_the_database_is_refused(_: &Scene) {
    database("postgresql://ann:hunter22@127.0.0.1:9/errand?options=-c%20row_security%3Doff");
}

async fn a_foreign_parameter_of_the_url_is_refused(_: &Scene) {
    database("postgresql://ann:hunter22@127.0.0.1:9/errand?host=db.example");
    database("postgresql://ann:hunter22@127.0.0.1:9/errand?sslkey=/etc/hunter22");
}

async fn options_in_the_environment_of_the_driver_are_refused(_: &Scene) {
    for name in ["PGOPTIONS", "PGSSLCERT", "PGSSLKEY"] {
        let variables = [
            ("DATABASE_URL", "postgresql://ann:hunter22@127.0.0.1:9/errand"),
            ("JWT_SECRET", SIGNING_KEY),
            (name, "hunter22"),
        ];
        refused(&[], &variables, "DATABASE_URL: the environment variable");
    }
}

async fn a_database_in_memory_is_refused(_: &Scene) {
    database("sqlite::memory:");
    database("sqlite://:memory:");
}

fn origins(origins: &str) {
    refused(&[], &[("CORS_ORIGINS", origins)], "CORS_ORIGINS (entry ");
}

async fn a_star_is_no_origin(_: &Scene) {
    origins("*");
    origins("https://*.example.com");
}

async fn null_is_no_origin(_: &Scene) {
    origins("null");
    origins("https://todo.example.com,null");
}

async fn an_origin_with_a_path_is_refused(_: &Scene) {
    origins("https://todo.example.com/");
    origins("https://hunter22@todo.example.com");
}

async fn an_unknown_setting_is_refused(_: &Scene) {
    refused(
        &[],
        &[("ERRAND__AUTH__JWT_SECRETS", "hunter22")],
        "ERRAND__AUTH__JWT_SECRETS is not a setting",
    );
}

async fn an_unknown_setting_in_the_file_is_refused(_: &Scene) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("errand.toml");
    fs::write(&file, "[auth]\nbcrypt_rounds = \"hunter22\"\n").unwrap();
    let path = file.to_str().unwrap();
    refused(
        &["--config", path],
        &[],
        &format!("auth.bcrypt_rounds (in {path}) is not a setting"),
    );
}

/// Which of the two counts nobody could say.
async fn a_setting_under_both_its_names_is_refused(_: &Scene) {
    let variables = [
        ("JWT_SECRET", SIGNING_KEY),
        ("ERRAND__AUTH__JWT_SECRET", "kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEaT"),
    ];
    refused(
        &[],
        &variables,
        "ERRAND__AUTH__JWT_SECRET and JWT_SECRET are the same",
    );
}

async fn a_fault_does_not_show_the_value(_: &Scene) {
    for name in [
        "JWT_SECRET",
        "PORT",
        "ERRAND__LOG__LEVEL",
        "ERRAND__AUTH__BCRYPT_COST",
    ] {
        refused(&[], &[(name, HIDDEN)], name);
    }
}

async fn a_fault_does_not_show_the_password_of_the_database(_: &Scene) {
    for url in [
        "hunter22",
        "mysql://ann:hunter22@127.0.0.1/errand",
        "postgresql://ann:hunter22@/errand",
        "postgresql://ann:hunter22@127.0.0.1:hunter22/errand",
        "postgresql://ann:hunter22?x@127.0.0.1/errand",
        "postgresql://ann:%zzhunter22@127.0.0.1/errand",
        "postgresql://ann:hunter22@127.0.0.1/errand?hunter22=1",
    ] {
        database(url);
    }
}

/// A first start in an empty directory, by somebody whose files others may read.
async fn first_start() -> Errand {
    Errand::start(binary(), &[("ERRAND__AUTH__BCRYPT_COST", "10".to_owned())]).await
}

fn is_closed(path: &Path) {
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
}

async fn the_directory_of_the_data_is_closed_to_others(_: &Scene) {
    let errand = first_start().await;
    is_closed(&errand.home().join("data"));
}

async fn the_database_is_closed_to_others(_: &Scene) {
    let errand = first_start().await;
    is_closed(&errand.home().join("data/errand.db"));
}

async fn the_signing_secret_is_closed_to_others(_: &Scene) {
    let errand = first_start().await;
    is_closed(&errand.home().join("data/errand.db.jwt-secret"));
}

/// Everybody on the machine can read it there.
async fn a_secret_on_the_command_line_is_refused(_: &Scene) {
    for option in ["--jwt-secret", "--database-url", "--password"] {
        refused(&[option, "x"], &[], "unexpected argument");
    }
}
