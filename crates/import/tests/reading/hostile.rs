//! Databases that nobody would make on purpose.

use errand_import::{Adapted, Item};

use crate::support::{PLAIN, items, lines, made, open, refusal};

async fn read(sql: &str) -> Vec<String> {
    let (_dir, path) = made(sql).await;
    lines(&mut open(path).await).await
}

#[tokio::test]
async fn a_title_of_a_million_characters_keeps_its_row_outside() {
    let sql = format!(
        "{PLAIN} UPDATE task SET title = printf('%.*c', 1000000, 'x') WHERE id = 1;
         UPDATE task SET description = zeroblob(70000) WHERE id = 2;
         INSERT INTO task (id, user_id, title, tags) VALUES (3, 1, 'fine', NULL);
         INSERT INTO user VALUES (3, 'carl@example.org', printf('%.*c', 100000, 'c'), NULL)"
    );
    let (_dir, path) = made(&sql).await;
    let mut outside = Vec::new();
    for item in items(&mut open(path).await).await {
        if let Item::User(Adapted::Quarantined { why, row, .. }) = &item {
            // Of any other name one that fits is made; of this one not even all is read.
            assert_eq!(
                (why.rule.code(), why.column.as_deref()),
                ("too-long", Some("username"))
            );
            assert!(row["username"].as_str().unwrap().len() < 20_000);
        }
        if let Item::Task(Adapted::Quarantined { key, why, row, .. }) = item {
            assert!(row.to_string().len() < 200_000);
            outside.push((key.0, why.rule.code(), why.column.unwrap()));
        }
    }
    let expected = [("1", "too-long", "title"), ("2", "too-long", "description")];
    assert_eq!(
        outside,
        expected.map(|(key, rule, column)| (key.to_owned(), rule, column.to_owned()))
    );
}

/// More than fits a page, by rows and by bytes.
#[tokio::test]
async fn pages_end_and_go_on() {
    let sql = format!(
        "{PLAIN} INSERT INTO user (id, email, username) WITH RECURSIVE n(n) AS
            (SELECT 3 UNION ALL SELECT n + 1 FROM n WHERE n < 2500) SELECT n, 'u' || n || '@x.org', 'user' || n FROM n;
         INSERT INTO task (id, user_id, title) WITH RECURSIVE n(n) AS
            (SELECT 3 UNION ALL SELECT n + 1 FROM n WHERE n < 4500) SELECT n, 1 + n % 2000, 'row ' || n FROM n;
         UPDATE task SET description = printf('%.*c', 60000, 'y') WHERE id % 20 = 0"
    );
    let (_dir, path) = made(&sql).await;
    let (mut user, mut task, mut outside) = (0, 0, 0);
    for item in items(&mut open(path).await).await {
        match item {
            Item::User(Adapted::Imported { value, .. }) => {
                let id = value.id.unwrap().0;
                assert!(id == user + 1);
                (user, task) = (id, 0);
            }
            Item::Task(Adapted::Imported { value, .. }) => {
                let id = value.id.unwrap().0;
                assert!(value.owner.0 == user.to_string() && id > task);
                task = id;
            }
            Item::Task(Adapted::Quarantined { why, .. }) => {
                assert_eq!(why.rule.code(), "too-long");
                outside += 1;
            }
            other @ Item::User(_) => panic!("{other:?}"),
        }
    }
    assert_eq!((user, outside), (2500, 225));
}

#[tokio::test]
async fn texts_in_utf_16_are_read() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let sql =
            format!("PRAGMA encoding = '{encoding}'; {PLAIN} UPDATE task SET title = 'größer \u{1f600}'");
        let found = read(&sql).await;
        assert!(
            found.contains(&"  task 1 #1 of 1: \"größer \u{1f600}\" Medium".to_owned()),
            "{found:?}"
        );
        assert!(found[0].contains("ann@example.org"));
        let huge = format!("{sql}; UPDATE task SET title = printf('%.*c', 40000, 'x')");
        assert_eq!(
            read(&huge)
                .await
                .iter()
                .filter(|line| line.contains("too-long"))
                .count(),
            2
        );
    }
}

#[tokio::test]
async fn cells_of_any_type_are_read() {
    let sql = format!(
        "{PLAIN} UPDATE user SET username = x'616e6e', hashed_password = 17 WHERE id = 1;
         UPDATE task SET title = 3.5, completed = 'yes', priority = x'48494748', due_date = x'00ff', tags = 7 WHERE id = 1"
    );
    let found = read(&sql).await;
    assert_eq!(found[0], "user 1 #1 ann ann@example.org NotAHash");
    assert!(
        found.contains(&"  task 1 #1 of 1: \"3.5\" done High [7]".to_owned()),
        "{found:?}"
    );
    assert!(
        found.iter().any(|line| line.contains("due_date due-unknown")),
        "{found:?}"
    );
}

#[tokio::test]
async fn tables_without_a_row_number_or_with_its_name_are_read() {
    let sql = "CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT, rowid TEXT) WITHOUT ROWID;
        CREATE TABLE \"tasks\" (id INTEGER, owner TEXT, \"title\" TEXT, rowid TEXT, _rowid_ TEXT, PRIMARY KEY (owner, id));
        INSERT INTO users VALUES ('b', 'b@x.org', 'same'), ('a', 'a@x.org', 'same');
        INSERT INTO tasks VALUES (2, 'a', 'two', 'same', 'same'), (1, 'a', 'one', 'same', 'same'), (3, 'b', 'x', '', '');";
    let found = read(sql).await;
    let kept: Vec<_> = found.iter().filter(|line| !line.starts_with("    ")).collect();
    assert_eq!(
        kept,
        [
            "user a #- usera a@x.org Absent",
            "  task 1 #1 of a: \"one\" Medium",
            "  task 2 #2 of a: \"two\" Medium",
            "user b #- userb b@x.org Absent",
            "  task 3 #3 of b: \"x\" Medium",
        ]
    );
}

#[tokio::test]
async fn keys_that_tell_no_rows_apart_are_refused() {
    for rows in ["(1, 1, 'a'), (1, 1, 'b')", "(1, 1, 'a'), (NULL, 1, 'b')"] {
        let sql = format!(
            "{} INSERT INTO task (id, user_id, title) VALUES {rows}",
            PLAIN
                .replace("task (id INTEGER PRIMARY KEY", "task (id INTEGER")
                .replace(
                    "INSERT INTO task (id, user_id, title) VALUES (1, 1, 'one'), (2, 2, 'two');",
                    ""
                )
        );
        let (_dir, path) = made(&sql).await;
        let said = refusal(path).await;
        assert!(
            said.starts_with("the column \"id\" of the table \"task\" is empty or the same in 1 rows"),
            "{said}"
        );
    }
}

/// One is the same to the column, the other to people.
#[tokio::test]
async fn keys_that_are_the_same_in_one_way_are_refused() {
    for (kind, keys) in [
        ("TEXT COLLATE NOCASE", "('a', 'a@x.org'), ('A', 'b@x.org')"),
        ("", "(1, 'a@x.org'), ('1', 'b@x.org')"),
        ("", "(1.0, 'a@x.org'), ('1', 'b@x.org')"),
        (
            "",
            "(x'6162636465666768696a6b6c6d6e6f70', 'a@x.org'), ('6162636465666768696a6b6c6d6e6f70', 'b@x.org')",
        ),
    ] {
        let sql = format!(
            "CREATE TABLE users (id {kind}, email TEXT); CREATE TABLE tasks (id INTEGER PRIMARY KEY, user_id, title);
             INSERT INTO users VALUES {keys}; INSERT INTO tasks VALUES (1, 'a', 'x')"
        );
        let (_dir, path) = made(&sql).await;
        let said = refusal(path).await;
        assert!(
            said.starts_with("the column \"id\" of the table \"users\""),
            "{kind}: {said}"
        );
    }
}

#[tokio::test]
async fn code_in_the_schema_does_not_run() {
    // A view under the name of a table, and a column that is computed.
    let sql = format!(
        "{PLAIN} CREATE VIEW todos AS SELECT id, user_id, title FROM task;
         CREATE VIRTUAL TABLE tasks USING fts5(id, user_id, title);
         ALTER TABLE task ADD COLUMN done GENERATED ALWAYS AS (1) VIRTUAL"
    );
    let found = read(&sql).await;
    assert_eq!(found.iter().filter(|line| line.contains("task ")).count(), 2);
    assert!(!found.iter().any(|line| line.contains("done")), "{found:?}");
}

#[tokio::test]
async fn tables_named_like_errands_with_other_columns_are_refused() {
    let (_dir, path) =
        made("CREATE TABLE users (a, b); CREATE TABLE tasks (c); CREATE TABLE sessions (d)").await;
    let said = refusal(path).await;
    assert!(
        said.starts_with("no table of the source looks like the users (with columns for key, email)"),
        "{said}"
    );
    assert!(said.contains("\"sessions\", \"tasks\", \"users\""), "{said}");
    let (_dir, path) = made("CREATE TABLE t (a); DROP TABLE t").await;
    assert_eq!(refusal(path).await, "the source has no tables");
}

#[tokio::test]
async fn errands_own_database_is_sent_to_copy() {
    let sql =
        format!("{PLAIN} CREATE TABLE seaql_migrations (version); CREATE TABLE task_counters (user_id)");
    let (_dir, path) = made(&sql).await;
    let said = refusal(path).await;
    assert!(said.contains("errand copy --from URL --to URL"), "{said}");
}

#[tokio::test]
async fn the_greatest_key_is_found_however_it_is_stored_and_only_if_it_can_stay_an_id() {
    for (kind, keys, greatest) in [
        // As most programs have it.
        ("integer", "(3), (41)", 41),
        ("text", "('3'), ('41'), ('041x'), ('0050'), ('-60')", 41),
        ("real", "(3.0), (41.0), (50.5)", 41),
        ("blob", "(x'3431'), (x'33')", 41),
        ("", "(3), ('41'), (40.0)", 41),
        // One key does not use up all numbers.
        ("integer", "(41), (4503599627370495)", 4_503_599_627_370_495),
        ("integer", "(41), (4503599627370496)", 41),
        ("integer", "(41), (9223372036854775807)", 41),
        ("text", "('9'), ('4503599627370496')", 9),
        ("integer", "(-4)", 0),
        ("text", "('9223372036854775808'), ('x')", 0),
    ] {
        let (_dir, path) = made(&format!(
            "CREATE TABLE users (id {kind} PRIMARY KEY, email TEXT, password TEXT);
             CREATE TABLE tasks (id INTEGER PRIMARY KEY, user_id, title TEXT, completed INT);
             INSERT INTO users (id) VALUES {keys}"
        ))
        .await;
        let source = open(&path).await;
        assert_eq!(source.counts().greatest_user, greatest, "{kind} {keys}");
    }
}

#[tokio::test]
async fn rows_with_keys_that_cannot_be_remembered_stay_outside() {
    let users = [
        ("'fine'", "a"),
        ("'a' || char(0) || 'b'", "b"),
        ("'a' || char(10)", "c"),
        ("CAST(x'62ff' AS TEXT)", "d"),
        // As the one before is read, and before it in the order.
        ("CAST(x'62efbfbd' AS TEXT)", "e"),
        ("''", "f"),
        ("printf('%.*c', 255, 'x')", "g"),
        ("printf('%.*c', 256, 'x')", "h"),
        ("printf('%.*c', 70000, 'y')", "i"),
    ];
    let tables = "CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT, password TEXT);
         CREATE TABLE tasks (id TEXT PRIMARY KEY, user_id TEXT, title TEXT, completed INT);";
    let rows = users.map(|(key, name)| {
        format!(
            "INSERT INTO users VALUES ({key}, '{name}@x.org', NULL);
             INSERT INTO tasks VALUES ('{name}', {key}, '{name}', 0), ({key}, 'fine', 'fine', 0);"
        )
    });
    let (_dir, path) = made(&format!("{tables}{}", rows.concat())).await;
    let (mut came, mut outside) = (Vec::new(), Vec::new());
    for item in items(&mut open(path).await).await {
        match item {
            Item::User(Adapted::Imported { value, .. }) => came.push(value.email.as_str().to_owned()),
            Item::Task(Adapted::Imported { value, .. }) => came.push(value.title.as_str().to_owned()),
            Item::User(Adapted::Quarantined { why, .. }) | Item::Task(Adapted::Quarantined { why, .. }) => {
                outside.push(why.rule.code());
            }
        }
    }
    came.sort();
    assert_eq!(came, ["a", "a@x.org", "fine", "fine", "g", "g@x.org"]);
    let count = |rule| outside.iter().filter(|found| **found == rule).count();
    assert_eq!((count("key-unusable"), count("owner-quarantined")), (14, 7));
}
