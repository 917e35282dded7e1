//! `errand copy`: a service goes on with another database as if nothing had happened.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use errand_testbed::{Api, Person, Postgres};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::support::{Backend, Service, all_pages, binary, create};

/// What a copy that was made wrote.
#[track_caller]
fn done(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (shown, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}{told}");
    (shown, told)
}

async fn refresh(api: &Api, token: &str) -> Value {
    let body = json!({"refresh_token": token});
    let answer = api.request("POST", "/api/auth/refresh").json(&body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn login(api: &Api, person: &Person) {
    let body = json!({"email": person.email, "password": person.password});
    let answer = api.request("POST", "/api/auth/login").json(&body).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn stopped(service: &mut Service) {
    service.errand.terminate();
    assert!(service.errand.wait().await.success());
}

fn sqlite(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_postgres_and_back() {
    let mut first = Service::start(Backend::Sqlite).await;
    let (ann, bob) = (
        Person::register(&first.api, "ann").await,
        Person::register(&first.api, "bob").await,
    );
    for n in 0..5 {
        create(
            &first.api,
            &ann,
            json!({"title": format!("🦀 {n}"), "tags": ["a", "b"]}),
        )
        .await;
    }
    ann.request(&first.api, "DELETE", "/tasks/5").send().await;
    ann.request(&first.api, "PATCH", "/tasks/1/complete").send().await;
    let before = all_pages(&first.api, &ann, "").await;
    let changes = ann.request(&first.api, "GET", "/changes").send().await.json();
    stopped(&mut first).await;

    let database = Postgres::shared().create_database().await;
    let ca_file = database.ca_file.display().to_string();
    first.set("NEW_URL", &database.url);
    first.set("DATABASE_CA_FILE", &ca_file);
    let (shown, told) =
        done(&first.command(&["copy", "--from", "env:DATABASE_URL", "--to", "env:NEW_URL"], ""));
    assert!(shown.contains("\ntasks: 5 rows, sha256 "), "{shown}");
    assert!(shown.ends_with(" tables, all equal\n"), "{shown}");
    assert!(told.contains("copying tasks: 5 rows\n"), "{told}");
    assert!(told.contains("JWT_SECRET"), "{told}");
    let password = database.url.split([':', '@']).nth(2).unwrap();
    assert!(!format!("{shown}{told}").contains(password));

    let more = [
        ("DATABASE_URL", database.url.clone()),
        ("DATABASE_CA_FILE", ca_file),
    ];
    let mut second = Service::start_with(Backend::Sqlite, &more).await;
    let api = &second.api;
    // The access token of before.
    assert_eq!(all_pages(api, &ann, "").await, before);
    let answer = ann.request(api, "GET", "/changes").send().await.json();
    assert_eq!(answer, changes);
    let grant = refresh(api, &bob.refresh).await;
    login(api, &ann).await;
    // Ids go on, also behind what was deleted.
    assert_eq!(create(api, &ann, json!({"title": "six"})).await["id"], 6);
    let eve = Person::register(api, "eve").await;
    assert_eq!(eve.id, bob.id + 1);
    let before = all_pages(api, &ann, "").await;
    stopped(&mut second).await;

    let home = tempfile::tempdir().unwrap();
    let back = sqlite(&home.path().join("back.db"));
    second.set("NEW_URL", &back);
    done(&second.command(&["copy", "--from", "env:DATABASE_URL", "--to", "env:NEW_URL"], ""));
    let third = Service::start_with(Backend::Sqlite, &[("DATABASE_URL", back)]).await;
    assert_eq!(all_pages(&third.api, &ann, "").await, before);
    refresh(&third.api, grant["refresh_token"].as_str().unwrap()).await;
    refresh(&third.api, &ann.refresh).await;
    for person in [&ann, &bob, &eve] {
        login(&third.api, person).await;
    }
    assert_eq!(create(&third.api, &ann, json!({"title": "seven"})).await["id"], 7);
    assert_eq!(Person::register(&third.api, "fay").await.id, eve.id + 1);
}

/// Starts a copy and kills it as soon as it says this.
fn killed(from: &str, to: &str, ca_file: &str, at: &str) {
    let mut child = Command::new(binary())
        .args(["copy", "--from", "env:FROM", "--to", "env:TO"])
        .env_clear()
        .envs([("FROM", from), ("TO", to), ("DATABASE_CA_FILE", ca_file)])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = lines.map(Result::unwrap);
    assert!(said.any(|line| line.starts_with(at)), "it never said {at:?}");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "it had ended before");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_it_leaves_an_empty_target() {
    let mut source = Service::start(Backend::Sqlite).await;
    let ann = Person::register(&source.api, "ann").await;
    create(&source.api, &ann, json!({"title": "t"})).await;
    stopped(&mut source).await;
    let from = source.setting("DATABASE_URL").unwrap().to_owned();
    let path = from.strip_prefix("sqlite://").unwrap();
    let mut conn = SqliteConnection::connect(&format!("sqlite://{path}"))
        .await
        .unwrap();
    sqlx::raw_sql(
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) \
         INSERT INTO tasks (user_id, id, creation_key, title, title_folded, priority, due_is_date, tags, tag_keys, \
                            created_at, updated_at, version, change_seq) \
         SELECT user_id, n.i, 'n' || n.i, title, title_folded, priority, due_is_date, tags, tag_keys, \
                created_at, updated_at, version, 0 FROM tasks CROSS JOIN n WHERE id = 1",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    conn.close().await.unwrap();

    // Another file: killed while tasks come in, and while they are read back.
    let home = tempfile::tempdir().unwrap();
    let to = home.path().join("new.db");
    for at in ["copying ended_sessions", "copying idempotency_keys"] {
        killed(&from, &sqlite(&to), "", at);
        let mut conn = SqliteConnection::connect(&sqlite(&to)).await.unwrap();
        let users = sqlx::query_scalar("SELECT count(*) FROM users");
        let users: i64 = users.fetch_one(&mut conn).await.unwrap();
        assert_eq!(users, 0);
        conn.close().await.unwrap();
    }
    source.set("NEW_URL", &sqlite(&to));
    let arguments = ["copy", "--from", "env:DATABASE_URL", "--to", "env:NEW_URL"];
    let (shown, _) = done(&source.command(&arguments, ""));
    assert!(shown.contains("\ntasks: 30000 rows, "), "{shown}");

    // A server, which goes on for a moment with what it was told.
    let database = Postgres::shared().create_database().await;
    let ca_file = database.ca_file.display().to_string();
    source.set("DATABASE_CA_FILE", &ca_file);
    source.set("NEW_URL", &database.url);
    let mut admin = database.connect().await;
    let migrate = [
        ("DATABASE_URL", database.url.clone()),
        ("DATABASE_CA_FILE", ca_file.clone()),
    ];
    drop(Service::start_with(Backend::Sqlite, &migrate).await);
    let mut order = async |sql: &str| {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        sql.execute(&mut admin).await.unwrap();
    };
    order(
        "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$; \
         CREATE TRIGGER napping BEFORE INSERT ON security_events FOR EACH STATEMENT EXECUTE FUNCTION nap()",
    )
    .await;
    killed(&from, &database.url, &ca_file, "copying task_walks");
    // Waits until it is over there.
    order("DROP TRIGGER napping ON security_events").await;
    let mut admin = database.connect().await;
    for table in ["users", "tasks", "security_events"] {
        let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")));
        let count: i64 = count.fetch_one(&mut admin).await.unwrap();
        assert_eq!(count, 0, "{table}");
    }
    let (shown, _) = done(&source.command(&arguments, ""));
    assert!(shown.contains("tasks: 30000 rows, "), "{shown}");
}
