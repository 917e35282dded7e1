//! PostgreSQL as a source.

use errand_import::{Adapted, Item, Kind};
use errand_testbed::{Postgres, TestDatabase};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::fixtures::{GENERATION_2, UUID, expected, sorted};
use crate::support::{PLAIN, fixture, items, lines, open, refusal, try_open};

async fn database(sql: &str) -> (TestDatabase, String) {
    let database = Postgres::shared().create_database().await;
    let place = format!("{}&sslrootcert={}", database.url, database.ca_file.display());
    order(&database, sql).await;
    (database, place)
}

/// As the owner, whom policies hold and who is no superuser.
async fn order(database: &TestDatabase, sql: &str) {
    let mut conn = database.connect().await;
    let own = format!("SET ROLE {}; {sql}", database.name());
    run(&mut conn, &own).await;
    conn.close().await.unwrap();
}

async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .unwrap();
}

fn read(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

#[tokio::test]
async fn generation_2() {
    let (database, place) = database(&read("generation_2.postgres.sql")).await;
    order(&database, "DELETE FROM task WHERE id IN (5, 14, 15)").await;
    let mut source = open(&place).await;
    assert_eq!((source.kind(), source.hash()), (Kind::Postgres, None));
    let port = Postgres::shared().addr().port();
    assert_eq!(
        source.name(),
        format!("postgresql://localhost:{port}/{}", database.name())
    );
    assert_eq!(source.counts().live_sessions, 1);
    let found = lines(&mut source).await.join("\n");
    let found = sorted(found.lines().map(str::to_owned).collect());
    assert_eq!(found, expected(&[GENERATION_2]));
    for item in items(&mut source).await {
        if let Item::User(Adapted::Imported { value, .. }) = item {
            assert_eq!(value.created_at.to_string(), "2026-02-07T10:30:00.123456Z");
        }
    }
}

#[tokio::test]
async fn uuid_keys() {
    let (_database, place) = database(&read("uuid.postgres.sql")).await;
    let mut source = open(&place).await;
    let found = lines(&mut source).await.join("\n");
    let found = found.replace("00abcdef-0000-0000-0000-00000000000", "K");
    let expected = UUID
        .replace(
            "deleted-at-source: \"2026-02-07 10:30:00.123456\"",
            "deleted-at-source: \"2026-02-07 10:30:00.123456+00\"",
        )
        .replace("account-disabled: \"0\"", "account-disabled: \"false\"");
    assert_eq!(found, expected.trim());
}

#[tokio::test]
async fn better_auth_in_snake_case() {
    let (_database, place) = database(&read("better_auth.postgres.sql")).await;
    let mut source = open(&place).await;
    assert_eq!(source.counts().live_sessions, 1);
    let expected = r#"
user u1 #- Ann.Smith ann@example.org 161 characters
    name username-adapted: "Ann Smith", now "Ann.Smith"
  task 1 #1 of u1: "a day" done Medium on 2026-02-15 [home|with|comma]
    tags tag-adapted: "with, comma", now "one for each part between commas"
user u2 #- Git.Hubber git@example.org Absent
    name username-adapted: "Git Hubber", now "Git.Hubber"
    account.password password-unusable: "none", now "cannot sign in until a password is set"
  task 2 #2 of u2: "of the third party" Medium
  task 3 stays outside: user_id orphan: "u9", now "no such user"
"#;
    assert_eq!(lines(&mut source).await.join("\n"), expected.trim());
}

fn plain() -> String {
    PLAIN
        .replace("TABLE user", "TABLE \"user\"")
        .replace("INTO user", "INTO \"user\"")
}

#[tokio::test]
async fn one_state_is_read_whatever_happens_meanwhile() {
    let (database, place) = database(&plain()).await;
    let mut source = open(&place).await;
    let before = items(&mut source).await;
    order(
        &database,
        "DELETE FROM task; UPDATE \"user\" SET email = 'other@example.org'",
    )
    .await;
    source.rewind().await.unwrap();
    assert_eq!(items(&mut source).await, before);
}

#[tokio::test]
async fn rows_that_a_policy_hides_are_not_passed_over() {
    let (database, place) = database(&plain()).await;
    order(
        &database,
        "ALTER TABLE task ENABLE ROW LEVEL SECURITY; ALTER TABLE task FORCE ROW LEVEL SECURITY;
         CREATE POLICY own ON task USING (user_id = 1)",
    )
    .await;
    let said = refusal(&place).await;
    assert!(said.contains("row-level security policy"), "{said}");
}

#[tokio::test]
async fn huge_texts_and_many_rows_are_read_in_pieces() {
    let (database, place) = database(&plain()).await;
    order(
        &database,
        "INSERT INTO task (id, user_id, title) SELECT n, 1 + n % 3, 'row ' || n FROM generate_series(3, 2500) n;
         UPDATE task SET title = repeat('x', 1000000) WHERE id = 3;
         UPDATE task SET title = repeat('é', 16385) WHERE id = 4",
    )
    .await;
    let mut source = open(&place).await;
    let mut counts = [0, 0, 0];
    for item in items(&mut source).await {
        match item {
            Item::Task(Adapted::Imported { .. }) => counts[0] += 1,
            Item::Task(Adapted::Quarantined { why, row, .. }) if why.rule.code() == "too-long" => {
                counts[1] += 1;
                assert_eq!(row["title"].as_str().unwrap().chars().count(), 16_385);
            }
            Item::Task(Adapted::Quarantined { why, .. }) => {
                counts[2] += 1;
                assert_eq!(why.rule.code(), "orphan");
            }
            Item::User(_) => {}
        }
    }
    assert_eq!(counts, [1666, 2, 832]);
}

#[tokio::test]
async fn tables_in_another_schema_are_found_if_no_others_are() {
    let (database, place) = database("CREATE SCHEMA app").await;
    order(&database, &format!("SET search_path = app; {}", plain())).await;
    let mut source = open(&place).await;
    assert!(source.mapping().to_toml().contains("table = \"app.task\""));
    assert_eq!(items(&mut source).await.len(), 4);
    let other = plain().replace("ann@", "public@");
    order(&database, &other).await;
    assert!(
        open(&place)
            .await
            .mapping()
            .to_toml()
            .contains("table = \"task\"")
    );
    let chosen = "[users]\ntable = \"app.user\"\n[tasks]\ntable = \"app.task\"\n";
    let mut source = try_open(&place, Some(chosen)).await.unwrap();
    assert!(lines(&mut source).await[0].contains("ann@"));
}

#[tokio::test]
async fn keys_of_two_types_meet() {
    let sql = plain().replace("user_id INTEGER", "user_id TEXT");
    let (_database, place) = database(&sql.replace("(1, 1, 'one'), (2, 2, 'two')", "(1, '1', 'one')")).await;
    let mut source = open(&place).await;
    assert!(
        lines(&mut source)
            .await
            .contains(&"  task 1 #1 of 1: \"one\" Medium".to_owned())
    );
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_without_the_password() {
    let (database, place) = database("").await;
    let wrong = place
        .replacen(':', "\n", 1)
        .replacen(':', ":wrong-secret-", 1)
        .replacen('\n', ":", 1);
    let said = refusal(&wrong).await;
    assert!(
        said.contains("password authentication failed") && said.contains("localhost:"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
    let said = refusal(&place.replace(&format!("/{}?", database.name()), "/nowhere?")).await;
    assert!(said.contains("\"nowhere\" does not exist"), "{said}");
    let said = refusal("postgres://ann:secret@127.0.0.1:1/x").await;
    assert!(
        said.starts_with("no connection to the source at 127.0.0.1:1: "),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
    // A certificate that nobody vouches for.
    let said = refusal(&database.url).await;
    assert!(said.contains("certificate"), "{said}");
}

#[tokio::test]
async fn the_greatest_key_is_one_that_can_stay_an_id() {
    for (kind, keys, greatest) in [
        ("bigint", "(41), (3), (4503599627370496)", 41),
        ("bigint", "(41), (4503599627370495)", 4_503_599_627_370_495),
        (
            "text",
            "('41'), ('0050'), ('x'), ('9223372036854775807'), ('60' || chr(10))",
            41,
        ),
        ("double precision", "(41), (50.5)", 41),
    ] {
        let sql = format!(
            "CREATE TABLE users (id {kind} PRIMARY KEY, email text, password text);
             CREATE TABLE tasks (id bigint PRIMARY KEY, user_id {kind}, title text, completed boolean);
             INSERT INTO users (id) VALUES {keys}"
        );
        let (_database, place) = database(&sql).await;
        assert_eq!(
            open(&place).await.counts().greatest_user,
            greatest,
            "{kind} {keys}"
        );
    }
}

#[tokio::test]
async fn a_key_longer_than_a_cell_stays_outside() {
    let (_database, place) = database(
        "CREATE TABLE users (id text, email text, password text);
         CREATE TABLE tasks (id text, user_id text, title text, completed boolean);
         INSERT INTO users VALUES (repeat('x', 20000), 'a@x.org', NULL), ('y', 'b@x.org', NULL);
         INSERT INTO tasks VALUES ('1', repeat('x', 20000), 'one', false), ('2', 'y', 'two', false)",
    )
    .await;
    let outside = items(&mut open(&place).await).await;
    let outside = outside.iter().filter_map(|item| match item {
        Item::User(Adapted::Quarantined { why, .. }) | Item::Task(Adapted::Quarantined { why, .. }) => {
            Some(why.rule.code())
        }
        _ => None,
    });
    assert_eq!(outside.collect::<Vec<_>>(), ["key-unusable", "owner-quarantined"]);
}
