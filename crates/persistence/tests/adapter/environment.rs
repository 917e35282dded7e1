//! Nothing reaches the driver but the settings, and nothing of them reaches a log.

use std::fmt::Write as _;
use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use errand_application::ports::StoreError;
use errand_conformance::Harness;
use errand_domain::UserId;
use errand_domain::account::LoginName;
use errand_persistence::{CheckError, ConnectError, Database, DatabaseUrl, MigrateError, Settings};
use errand_testbed::Postgres;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{PostgreSql, Stopped, UNLIMITED, at, event, open, register, settings, stores, task};

/// Tell a copy of this program what to connect to.
const URL: &str = "ERRAND_TEST_URL";
const CA: &str = "ERRAND_TEST_CA";
/// Tells it that it runs one test.
const ALONE: &str = "ERRAND_TEST_ALONE";

fn child(name: &str, database: &errand_testbed::TestDatabase) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]);
    child.env(URL, &database.url).env(CA, &database.ca_file);
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_of_other_programs_does_not_matter() {
    let database = Postgres::shared().create_database().await;
    let misleading = [
        ("PGHOST", "elsewhere.invalid"),
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "wrong"),
        ("PGDATABASE", "nothing"),
        ("PGSSLMODE", "disable"),
        ("PGSSLROOTCERT", "/no/such/file"),
        ("PGAPPNAME", "misled"),
    ];
    let output = child("environment::connects", &database)
        .envs(misleading)
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && shown.contains("connected as errand"),
        "{shown}"
    );
    for variable in ["PGOPTIONS", "PGSSLCERT", "PGSSLKEY"] {
        let output = child("environment::connects", &database)
            .env(variable, "s3cret")
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            shown.contains(&format!("refused: the environment variable {variable}")),
            "{shown}"
        );
    }
}

/// The other half of the test above; does nothing by itself.
#[tokio::test]
async fn connects() {
    let (Some(url), Some(ca)) = (std::env::var_os(URL), std::env::var_os(CA)) else {
        return;
    };
    let mut settings = Settings::new(DatabaseUrl::parse(url.to_str().unwrap()).unwrap());
    settings.ca_file = Some(ca.into());
    match Database::connect(&settings, Arc::new(Stopped)).await {
        Ok(database) => {
            database.migrate().await.unwrap();
            database.health().ping().await.unwrap();
            println!("connected as {}", settings.application_name);
        }
        Err(error @ ConnectError::Environment(_)) => println!("refused: {error}"),
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_lists_errand_over_tls() {
    let postgres = PostgreSql::fresh().await;
    register(&postgres.stores(), "ann").await;
    let seen: (String, bool) = sqlx::query_as(
        "SELECT a.application_name, s.ssl FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) \
         WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() LIMIT 1",
    )
    .fetch_one(&mut postgres.outside().await)
    .await
    .unwrap();
    assert_eq!(seen, ("errand".to_owned(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_trusted_certificate_is_not_talked_to() {
    let database = Postgres::shared().create_database().await;
    let mut settings = settings(&database, &database.url);
    settings.deadline = Duration::from_secs(2);
    settings.ca_file = None;
    let error = stores(&open(&settings).await)
        .accounts
        .find(UserId(1))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
    settings.ca_file = Some("/no/such/file".into());
    let error = Database::connect(&settings, Arc::new(Stopped)).await.unwrap_err();
    assert!(matches!(error, ConnectError::CaFile(_)), "{error:?}");
}

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn subscriber(&self, level: tracing::Level) -> impl tracing::Subscriber + use<> {
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(self.clone())
            .finish()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn neither_logs_nor_errors_show_a_value() {
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone
        .args(["--exact", "environment::is_discreet", "--nocapture"])
        .env(ALONE, "1");
    let output = alone.output().unwrap();
    let shown =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && shown.contains("nothing was shown"),
        "{shown}"
    );
}

/// The other half of the test above, in a program and a thread of its own, so that its log is all there is.
#[tokio::test]
async fn is_discreet() {
    if std::env::var_os(ALONE).is_none() {
        return;
    }
    let database = Postgres::shared().create_database().await;
    let log = Log::default();
    let guard = tracing::subscriber::set_default(log.subscriber(tracing::Level::DEBUG));
    let mut shown = String::new();

    let mut settings = settings(&database, &database.url);
    settings.deadline = Duration::from_secs(5);
    let good = open(&settings).await;
    good.migrate().await.unwrap();
    let stores = stores(&good);
    let owner = register(&stores, "hidden.ann").await;
    let again = crate::support::account("Hidden.Ann@example.com", "hidden.bob");
    let conflict = stores
        .accounts
        .register(&again, Some(crate::support::session()), &event(at(0)))
        .await
        .unwrap_err();
    write!(shown, "{conflict:?} {conflict}").unwrap();
    let made = stores
        .tasks
        .create(owner, "hidden-key", &task("hidden title"), UNLIMITED, at(1))
        .await;
    assert!(made.unwrap().task().is_some());
    // A value that the table refuses is in the server's message and detail.
    sqlx::query("ALTER TABLE tasks ADD CHECK (length(title) < 14)")
        .execute(&mut database.connect().await)
        .await
        .unwrap();
    let refused = stores
        .tasks
        .create(owner, "hidden-2", &task("hidden title 2"), UNLIMITED, at(1))
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Broken(_)), "{refused:?}");
    write!(shown, "{refused:?} {refused}").unwrap();

    let password = database.url.split([':', '@']).nth(2).unwrap().to_owned();
    settings.url = DatabaseUrl::parse(&database.url.replace(&password, "hidden-password")).unwrap();
    let bad = open(&settings).await;
    write!(shown, "{bad:?} {settings:?}").unwrap();
    let name = LoginName::parse("hidden.ann@example.com").unwrap();
    let error = bad.accounts().credentials(&name).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    write!(shown, "{error:?} {error}").unwrap();
    let error = bad.migrate().await.unwrap_err();
    assert!(matches!(error, MigrateError::Refused(_)), "{error:?}");
    write!(shown, "{error:?} {error}").unwrap();
    let error = bad.check().await.unwrap_err();
    assert!(matches!(error, CheckError::Refused(_)), "{error:?}");
    write!(shown, "{error:?} {error}").unwrap();

    drop(guard);
    let log = log.text();
    assert!(log.contains("INSERT INTO"), "statements are logged at debug");
    let shown = format!("{log}{shown}").to_lowercase();
    for secret in [
        "hidden",
        "$hash$",
        password.as_str(),
        "postgresql://",
        database.name(),
    ] {
        assert!(
            !shown.contains(&secret.to_lowercase()),
            "{secret:?} is shown:\n{shown}"
        );
    }
    println!("nothing was shown");
}
