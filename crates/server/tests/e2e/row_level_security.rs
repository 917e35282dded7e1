//! Row-level security as an operator meets it: turned on from the command line, refused where it does not fit.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use errand_testbed::{Api, Errand, Options, Person, Postgres, TestDatabase};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::support::{SIGNING_KEY, binary};

type Variables = Vec<(&'static str, String)>;

fn errand(home: &Path, arguments: &[&str], variables: &Variables) -> Output {
    Command::new(binary())
        .args(arguments)
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(home)
        .output()
        .unwrap()
}

/// Starts errand, which must give up with one line that begins so.
fn assert_refused(variables: &Variables, beginning: &str) {
    let home = tempfile::tempdir().unwrap();
    let output = errand(home.path(), &[], variables);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{stderr}");
    let last = stderr.lines().last().unwrap();
    assert!(last.starts_with(&format!("errand: {beginning}")), "{stderr}");
}

fn to(database: &TestDatabase, url: &str, on: bool, migrate: bool) -> Variables {
    vec![
        ("DATABASE_URL", url.to_owned()),
        ("DATABASE_DIRECT_URL", database.url.clone()),
        ("DATABASE_CA_FILE", database.ca_file.display().to_string()),
        ("JWT_SECRET", SIGNING_KEY.to_owned()),
        ("PORT", "0".to_owned()),
        ("ERRAND__DATABASE__DEADLINE", "10s".to_owned()),
        ("ERRAND__DATABASE__ROW_LEVEL_SECURITY", on.to_string()),
        ("ERRAND__DATABASE__MIGRATE_ON_START", migrate.to_string()),
    ]
}

async fn status(errand: &Errand, path: &str) -> u16 {
    let answer = Api::new(errand.base_url()).request("GET", path).send().await;
    answer.status
}

/// From an empty database to one behind row-level security, as an operator does it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_level_security_from_the_command_line() {
    let database = Postgres::shared().create_database().await;
    database.allow_making_roles().await;
    let role = format!("app_{}", database.name().trim_start_matches("test_"));
    let owner = to(&database, &database.url, false, true);
    let home = tempfile::tempdir().unwrap();
    for made in ["made, without a password", "was there"] {
        let output = errand(home.path(), &["migrate", "up", "--app-role", &role], &owner);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        for line in [
            format!("role {role}: {made}"),
            "row-level security: on, forced".to_owned(),
            "  database.row_level_security = true".to_owned(),
        ] {
            assert!(stdout.lines().any(|l| l == line), "{line:?} in {stdout}");
        }
        assert!(stdout.contains(&format!("\\password {role}")), "{stdout}");
    }
    let url = database.url_as(&role).await;
    // Without the setting, whoever migrates.
    let unasked = "database.row_level_security is false, but the database has row-level security on";
    for migrate in [true, false] {
        assert_refused(&to(&database, &url, false, migrate), unasked);
        assert_refused(&to(&database, &database.url, false, migrate), unasked);
    }
    let output = errand(home.path(), &["user", "list"], &to(&database, &url, false, true));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with(&format!("errand: {unasked}")), "{stderr}");
    // The other way round.
    let plain = Postgres::shared().create_database().await;
    let output = errand(
        home.path(),
        &["migrate", "up"],
        &to(&plain, &plain.url, false, true),
    );
    assert!(output.status.success());
    for migrate in [true, false] {
        let unguarded =
            "database.row_level_security is true, but the database does not hold every role to it";
        assert_refused(&to(&plain, &plain.url, true, migrate), unguarded);
    }
    // As it should be; whoever does not migrate needs no owner.
    for migrate in [true, false] {
        let mut variables = to(&database, &url, true, migrate);
        variables.retain(|(name, _)| migrate || *name != "DATABASE_DIRECT_URL");
        let errand = Errand::start(binary(), &variables).await;
        assert_eq!(status(&errand, "/health/ready?deep=1").await, 200);
    }
}

/// As the README has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_level_security_is_turned_off_again() {
    let database = Postgres::shared().create_database().await;
    database.allow_making_roles().await;
    let role = format!("app_{}", database.name().trim_start_matches("test_"));
    let home = tempfile::tempdir().unwrap();
    let owner = to(&database, &database.url, false, true);
    let output = errand(home.path(), &["migrate", "up", "--app-role", &role], &owner);
    assert!(output.status.success());
    let url = database.url_as(&role).await;
    {
        let guarded = Errand::start(binary(), &to(&database, &url, true, true)).await;
        Person::register(&Api::new(guarded.base_url()), "ann").await;
    }
    let readme = include_str!("../../../../README.md");
    let sql = readme
        .split_once("```sql\n")
        .unwrap()
        .1
        .split("```")
        .next()
        .unwrap();
    let options: PgConnectOptions = database.url.parse().unwrap();
    let owner = PgPool::connect_lazy_with(options.ssl_root_cert(&database.ca_file));
    sqlx::raw_sql(sql).execute(&owner).await.unwrap();
    // Migrating does not put it back; the owner and the role both see everything.
    for url in [&database.url, &url] {
        let variables = to(&database, url, false, true);
        let open = Errand::start(binary(), &variables).await;
        assert_eq!(status(&open, "/health/ready?deep=1").await, 200);
        let output = errand(home.path(), &["user", "list"], &variables);
        let list = String::from_utf8(output.stdout).unwrap();
        assert!(list.contains("ann@example.com"), "{list}");
    }
    let unguarded = "database.row_level_security is true, but the database does not hold every role to it";
    assert_refused(&to(&database, &url, true, true), unguarded);
}

/// One that starts while its database is away finds out at the first use, and is not the one that wakes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_found_when_the_database_comes() {
    let postgres = Postgres::start(Options { durable: false });
    let database = postgres.create_database().await;
    let mut variables = to(&database, &database.url, true, false);
    // The first look ends before the database is back.
    variables.retain(|(name, _)| *name != "ERRAND__DATABASE__DEADLINE");
    variables.push(("ERRAND__DATABASE__DEADLINE", "1s".to_owned()));
    let home = tempfile::tempdir().unwrap();
    assert!(
        errand(home.path(), &["migrate", "up"], &variables)
            .status
            .success()
    );
    postgres.stop().await;
    let mut errand = Errand::start(binary(), &variables).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    postgres.restart().await;
    // Nobody asks.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(status(&errand, "/health/live").await, 200);
    let asked: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = $1")
        .bind(database.name())
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(asked, 0, "the database was left asleep");
    // The one who asks gets no answer that could be wrong.
    let api = Api::new(errand.base_url());
    drop(api.request("GET", "/health/ready?deep=1").try_send().await);
    assert!(!errand.wait().await.success());
    let log = errand.log();
    assert!(log.contains("database.row_level_security is true, but"), "{log}");
}
