//! Choosing tables and columns.

use crate::support::{PLAIN, lines, made, refusal, try_open};

const TWICE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);
    CREATE TABLE todos (id INTEGER PRIMARY KEY, owner_id INTEGER, title TEXT, importance TEXT, \"by \"\"when\"\"\" TEXT);
    INSERT INTO users VALUES (7, 'other@example.org');
    INSERT INTO todos VALUES (1, 7, 'of others', 'very', '2026-02-15');";

#[tokio::test]
async fn of_several_tables_one_has_to_be_chosen() {
    let (_dir, path) = made(&format!("{PLAIN}{TWICE}")).await;
    let place = path.to_str().unwrap();
    let said = refusal(&path).await;
    assert_eq!(
        said,
        "\"user\" and \"users\" may all hold the users; choose one in a mapping file: [users] table = \"user\""
    );
    let said = try_open(place, Some("[users]\ntable = \"users\""))
        .await
        .unwrap_err();
    assert!(said.to_string().contains("[tasks] table = \"task\""), "{said}");

    let chosen = "[users]\ntable = \"users\"\n[tasks]\ntable = \"todos\"\npriority = \"importance\"\n\
                  due = 'by \"when\"'\n[priorities]\nvery = \"High\"\n";
    let mut source = try_open(place, Some(chosen)).await.unwrap();
    let printed = source.mapping().to_toml();
    let found = lines(&mut source).await;
    assert_eq!(
        found.last().unwrap(),
        "  task 1 #1 of 7: \"of others\" High on 2026-02-15"
    );
    // What is printed says all of it.
    let mut again = try_open(place, Some(&printed)).await.unwrap();
    assert_eq!(
        (again.mapping().to_toml(), lines(&mut again).await),
        (printed, found)
    );
}

#[tokio::test]
async fn what_does_not_exist_is_named_with_its_place() {
    let (_dir, path) = made(PLAIN).await;
    for (mapping, said) in [
        (
            "[users]\ntable = \"people\"",
            "the mapping: users.table: the source has no table \"people\"; it has \"task\", \"user\"",
        ),
        (
            "[users]\nemail = \"mail\"\ntable = \"user\"",
            "the mapping: users.email: the table \"user\" has no column \"mail\"; it has id, email, username, hashed_password",
        ),
        (
            "[users]\nemail = \"nope\"",
            "the mapping: users.email: the table \"user\" has no column \"nope\"; it has id, email, username, hashed_password",
        ),
        (
            "[tags]\nname = \"nope\"",
            "the mapping: tags.name: no table of the source has a column \"nope\"",
        ),
        (
            "[tasks]\ntable = \"user\"",
            "the mapping: tasks.owner: no column of the table \"user\" looks like the owner; say which it is",
        ),
    ] {
        let found = try_open(path.to_str().unwrap(), Some(mapping)).await.unwrap_err();
        assert_eq!(found.to_string(), said);
    }
}

#[tokio::test]
async fn a_column_can_be_left_out() {
    let (_dir, path) = made(&format!("{PLAIN} UPDATE task SET priority = 'High', tags = 'x'")).await;
    let left_out = "[tasks]\npriority = \"\"\n";
    let mut source = try_open(path.to_str().unwrap(), Some(left_out)).await.unwrap();
    assert!(
        source
            .notes()
            .contains(&"not taken over from task: priority".to_owned()),
        "{:?}",
        source.notes()
    );
    assert!(
        lines(&mut source)
            .await
            .contains(&"  task 1 #1 of 1: \"one\" Medium [x]".to_owned())
    );
}

#[tokio::test]
async fn tables_of_any_name_are_known_by_their_columns() {
    let sql = PLAIN
        .replace("user (", "klant (")
        .replace("INTO user", "INTO klant")
        .replace("task (", "klussen (");
    let (_dir, path) = made(&sql).await;
    let source = try_open(path.to_str().unwrap(), None).await.unwrap();
    let mapping = source.mapping().to_toml();
    assert!(
        mapping.contains("table = \"klant\"") && mapping.contains("table = \"klussen\""),
        "{mapping}"
    );
}
