//! `errand doctor` as an operator meets it: what is right, what is not, and that it gives nothing away.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use errand_testbed::{Pooler, PoolerOptions, Postgres, TestDatabase};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::{Backend, SIGNING_KEY, Service, binary};

type Variables = Vec<(&'static str, String)>;

fn doctor(home: &Path, variables: &Variables) -> Output {
    Command::new(binary())
        .arg("doctor")
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(home)
        .output()
        .unwrap()
}

/// The lines, if nothing is wrong.
#[track_caller]
fn well(output: &Output) -> Vec<String> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert_eq!(stderr, "");
    stdout.lines().map(str::to_owned).collect()
}

/// The lines, if exactly these things are wrong.
#[track_caller]
fn ill(output: &Output, faults: &[&str]) -> Vec<String> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    let count = if faults.len() == 1 {
        "1 fault".to_owned()
    } else {
        format!("{} faults", faults.len())
    };
    let summary = format!("errand: {count}: {}", faults.join(", "));
    assert_eq!(stderr.lines().last(), Some(summary.as_str()), "{stdout}{stderr}");
    let lines: Vec<String> = stdout.lines().map(str::to_owned).collect();
    let found: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("fault "))
        .collect();
    assert_eq!(found.len(), faults.len(), "{stdout}");
    for (line, fault) in found.iter().zip(faults) {
        assert!(line.starts_with(&format!("{fault}: ")), "{stdout}");
        assert!(line.contains([';', ':']), "what to do: {line}");
    }
    lines
}

#[track_caller]
fn assert_told(lines: &[String], part: &str) {
    assert!(
        lines.iter().any(|line| line.contains(part)),
        "{part:?} in {lines:#?}"
    );
}

/// What a line is about, with how it is.
fn heads(lines: &[String]) -> Vec<String> {
    let head = |line: &String| line.split(':').next().unwrap().to_owned();
    lines.iter().map(head).collect()
}

fn to(database: &TestDatabase, url: &str) -> Variables {
    vec![
        ("DATABASE_URL", url.to_owned()),
        ("DATABASE_CA_FILE", database.ca_file.display().to_string()),
        ("JWT_SECRET", SIGNING_KEY.to_owned()),
        ("ERRAND__DATABASE__DEADLINE", "20s".to_owned()),
    ]
}

fn with(variables: &Variables, more: &[(&'static str, &str)]) -> Variables {
    let mut variables = variables.clone();
    for (name, value) in more {
        variables.retain(|(other, _)| other != name);
        variables.push((name, (*value).to_owned()));
    }
    variables
}

fn without(variables: &Variables, name: &str) -> Variables {
    let mut variables = variables.clone();
    variables.retain(|(other, _)| *other != name);
    variables
}

async fn run(conn: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap();
}

/// User, password, host and port.
fn parts(url: &str) -> [&str; 3] {
    let rest = url.strip_prefix("postgresql://").unwrap();
    let (entry, rest) = rest.split_once('@').unwrap();
    let (user, password) = entry.split_once(':').unwrap();
    [user, password, rest.split('/').next().unwrap()]
}

#[test]
fn a_sqlite_file() {
    let home = tempfile::tempdir().unwrap();
    let lines = well(&doctor(home.path(), &Vec::new()));
    assert_eq!(
        lines,
        [
            "ok    configuration: loaded",
            "ok    file: not there yet; the first start makes it",
            "skip  writing: because there is no file yet",
            "skip  journal: because there is no file yet",
            "skip  integrity: because there is no file yet",
            "skip  schema: because there is no file yet",
        ]
    );
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        0,
        "a look makes nothing"
    );

    let migrated = Command::new(binary())
        .args(["migrate", "up"])
        .env_clear()
        .current_dir(home.path())
        .output();
    assert!(migrated.unwrap().status.success());
    let lines = well(&doctor(home.path(), &Vec::new()));
    let expected = [
        "configuration",
        "file",
        "writing",
        "journal",
        "integrity",
        "schema",
    ];
    assert_eq!(heads(&lines), expected.map(|what| format!("ok    {what}")));
    let files: Vec<_> = fs::read_dir(home.path().join("data"))
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(files, ["errand.db"], "not even a secret is made");
}

#[test]
fn what_can_be_wrong_with_a_sqlite_file() {
    let home = tempfile::tempdir().unwrap();
    let at = |path: &str| vec![("DATABASE_URL", format!("sqlite://{path}"))];
    let lines = ill(&doctor(home.path(), &at("nowhere/my.db")), &["file"]);
    assert_told(&lines, "fault file: its folder is not there; make it");
    fs::create_dir(home.path().join("folder")).unwrap();
    let lines = ill(&doctor(home.path(), &at("folder")), &["file"]);
    assert_told(&lines, "fault file: it is a folder; name a file in DATABASE_URL");
    fs::write(
        home.path().join("letter.txt"),
        "Dear Ann, this is no database.\n".repeat(50),
    )
    .unwrap();
    let lines = ill(&doctor(home.path(), &at("letter.txt")), &["writing"]);
    assert_told(&lines, "skip  integrity: because the file cannot be used");
    assert_told(&lines, "file is not a database; let errand's user write");
    assert_told(
        &lines,
        "warn  file: 2 KiB; others than its owner may use it (mode 644): chmod 600",
    );
}

#[test]
fn a_configuration_that_cannot_be() {
    let home = tempfile::tempdir().unwrap();
    let variables = vec![
        ("PORT", "hunter22".to_owned()),
        ("DATABASE_URL", "mysql://hunter22".to_owned()),
    ];
    let lines = ill(
        &doctor(home.path(), &variables),
        &["configuration", "configuration"],
    );
    assert_told(&lines, "skip  database: because the configuration cannot be used");
    assert!(!format!("{lines:?}").contains("hunter22"));
    let variables = vec![("JWT_SECRET", "hunter22".to_owned())];
    let lines = ill(&doctor(home.path(), &variables), &["configuration"]);
    assert_told(&lines, "skip  database: ");
    // What the database does not hang on keeps nobody from a look at it.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let variables = vec![("DATABASE_URL", format!("postgres://ann:hunter22@{closed}/todo"))];
    let lines = ill(&doctor(home.path(), &variables), &["configuration", "connection"]);
    assert_told(&lines, "fault configuration: JWT_SECRET must be set");
    assert_told(
        &lines,
        "fault connection: nobody listens there (connection refused); start the server",
    );
    assert_told(&lines, "skip  schema: because there is no connection");
    let misled = with(
        &variables,
        &[("PGOPTIONS", "hunter22"), ("JWT_SECRET", SIGNING_KEY)],
    );
    let lines = ill(&doctor(home.path(), &misled), &["database"]);
    assert_told(
        &lines,
        "fault database: the environment variable PGOPTIONS would reach the database driver; unset it",
    );
    let lost = with(
        &variables,
        &[
            ("DATABASE_CA_FILE", "/no/such/ca.pem"),
            ("JWT_SECRET", SIGNING_KEY),
        ],
    );
    let lines = ill(&doctor(home.path(), &lost), &["database"]);
    assert_told(&lines, "fault database: DATABASE_CA_FILE, /no/such/ca.pem: ");
}

/// What the service was started with, and more connections than there are.
fn guarded(service: &Service) -> Variables {
    let database = service.database();
    with(
        &to(database, service.setting("DATABASE_URL").unwrap()),
        &[
            ("DATABASE_DIRECT_URL", &database.url),
            ("ERRAND__DATABASE__ROW_LEVEL_SECURITY", "true"),
            ("ERRAND__DATABASE__MAX_CONNECTIONS", "1000"),
            ("ERRAND__DATABASE__DEADLINE", "7s"),
        ],
    )
}

/// Behind row-level security, as the README says, with a role of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_database() {
    let service = Service::start(Backend::PostgresRls).await;
    let database = service.database();
    let url = service.setting("DATABASE_URL").unwrap();
    let [role, password, host] = parts(url);
    let mut admin = database.connect().await;
    let output = service.command(&["doctor"], "");
    let lines = well(&output);
    let expected = [
        "configuration",
        "connection",
        "direct way",
        "prepared statements",
        "round trip",
        "server",
        "schema",
        "rights",
        "row-level security",
        "role",
        "limits",
        "connections",
        "clock",
        "channel binding",
    ];
    assert_eq!(
        heads(&lines),
        expected.map(|what| format!("ok    {what}")),
        "{lines:#?}"
    );
    assert_told(&lines, "certificate and host name verified, TLSv1.");
    let shown = String::from_utf8(output.stdout).unwrap();
    for secret in [role, password, host, database.name(), "localhost", SIGNING_KEY] {
        assert!(!shown.contains(secret), "{secret:?} in {shown}");
    }

    // What is a pity and no fault.
    let variables = guarded(&service);
    run(&mut admin, format!("ALTER ROLE {role} RESET ALL")).await;
    let home = tempfile::tempdir().unwrap();
    let lines = well(&doctor(home.path(), &variables));
    assert_told(
        &lines,
        "warn  connections: at most 1000 of this process, the server has 197 for all; ",
    );
    let limits = lines
        .iter()
        .find(|line| line.starts_with("warn  limits: "))
        .unwrap();
    // The statements that it names are right.
    let (_, statements) = limits.split_once("; ").unwrap();
    assert!(
        statements.starts_with(&format!("ALTER ROLE {role} SET ")),
        "{limits}"
    );
    run(&mut admin, statements.to_owned()).await;
    let lines = well(&doctor(home.path(), &variables));
    assert_told(&lines, "ok    limits: statement_timeout 5.6 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_wrong_with_a_postgresql_database() {
    let service = Service::start(Backend::PostgresRls).await;
    let database = service.database();
    let url = service.setting("DATABASE_URL").unwrap();
    let [_, password, host] = parts(url);
    let variables = guarded(&service);
    let home = tempfile::tempdir().unwrap();
    let faults: [(&str, &str, &[&str], &str); 4] = [
        (
            "ERRAND__DATABASE__ROW_LEVEL_SECURITY",
            "false",
            &["row-level security"],
            "fault row-level security: database.row_level_security is false, but",
        ),
        (
            "DATABASE_URL",
            &url.replace(password, "hunter22"),
            &["connection"],
            "fault connection: user or password is wrong",
        ),
        (
            "DATABASE_URL",
            &url.replace(&format!("/{}", database.name()), "/nowhere"),
            &["connection"],
            "fault connection: there is no such database on the server; create it",
        ),
        (
            "DATABASE_DIRECT_URL",
            &database.url.replace(parts(&database.url)[1], "hunter22"),
            &["direct way"],
            "fault direct way: user or password is wrong",
        ),
    ];
    for (name, value, what, line) in faults {
        let output = doctor(home.path(), &with(&variables, &[(name, value)]));
        assert_told(&ill(&output, what), line);
        let shown = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        for secret in [
            password,
            "hunter22",
            host,
            database.name(),
            "localhost",
            SIGNING_KEY,
        ] {
            assert!(!shown.contains(secret), "{secret:?} in {shown}");
        }
    }
    let lines = ill(
        &doctor(home.path(), &without(&variables, "DATABASE_CA_FILE")),
        &["connection", "direct way"],
    );
    assert_told(&lines, "that is not known here; name a PEM file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_and_a_role_that_do_not_do() {
    let database = Postgres::shared().create_database().await;
    let home = tempfile::tempdir().unwrap();
    let variables = to(&database, &database.url);
    let waits = with(&variables, &[("ERRAND__DATABASE__MIGRATE_ON_START", "false")]);
    let lines = well(&doctor(home.path(), &variables));
    assert_told(
        &lines,
        "warn  schema: there is none yet; the next start brings it up to date",
    );
    assert_told(&lines, "skip  rights: because there are no tables yet");
    let lines = ill(&doctor(home.path(), &waits), &["schema"]);
    assert_told(&lines, "fault schema: there is none yet; run errand migrate up");

    let migrate = Command::new(binary())
        .args(["migrate", "up"])
        .env_clear()
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output();
    assert!(migrate.unwrap().status.success());
    let lines = well(&doctor(home.path(), &waits));
    assert_told(&lines, "ok    role: the owner's, which can more than it needs; ");
    assert_told(&lines, "ok    row-level security: off, as is the setting");
    let mut admin = database.connect().await;
    let future = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20991231_000009_future', 1)";
    run(&mut admin, future.to_owned()).await;
    let lines = well(&doctor(home.path(), &variables));
    assert_told(&lines, "warn  schema: newer than this program, by 1 step; ");

    let role = format!("plain_{}", database.name());
    run(&mut admin, format!("CREATE ROLE {role} LOGIN")).await;
    let poor = to(&database, &database.url_as(&role).await);
    let lines = ill(&doctor(home.path(), &poor), &["schema", "rights"]);
    assert_told(&lines, "GRANT SELECT ON seaql_migrations");
    assert_told(
        &lines,
        "fault rights: the role lacks SELECT, INSERT, UPDATE, DELETE on ended_sessions, idempotency_keys, imported_tasks, \
         imported_users, imports, limits, ",
    );
    let other = Postgres::shared().create_database().await;
    let astray = with(&variables, &[("DATABASE_DIRECT_URL", &other.url)]);
    let lines = ill(&doctor(home.path(), &astray), &["direct way"]);
    assert_told(
        &lines,
        "leads to another database than DATABASE_URL; correct one of them",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_mixes_up_prepared_statements() {
    let database = Postgres::shared().create_database().await;
    let options = PoolerOptions {
        max_prepared_statements: 0,
        ..PoolerOptions::default()
    };
    let pooler = Pooler::start(Postgres::shared(), options);
    let home = tempfile::tempdir().unwrap();
    let variables = to(&database, &database.url_at(pooler.addr().port()));
    let lines = ill(&doctor(home.path(), &variables), &["prepared statements"]);
    assert_told(&lines, "max_prepared_statements above 0");
    assert_told(
        &lines,
        "skip  schema: because prepared statements cannot be trusted",
    );
    let past = with(&variables, &[("DATABASE_DIRECT_URL", &database.url)]);
    let lines = ill(&doctor(home.path(), &past), &["prepared statements"]);
    assert_told(
        &lines,
        "ok    direct way: DATABASE_DIRECT_URL, another place, in ",
    );
    assert_told(&lines, "warn  schema: there is none yet");
    assert_told(
        &lines,
        "skip  role: because prepared statements cannot be trusted",
    );
}
