//! What real programs left behind. Every row comes in or stays outside with its reason.

use errand_domain::task::Description;
use errand_import::{Adapted, IncomingPassword, Item, Kind, Source};

use crate::support::{fixture, items, lines, made, open};

/// Of generation 2, on SQLite and PostgreSQL; what only SQLite holds is apart.
pub const GENERATION_2: &str = r#"
user 1 #1 ann ann@example.org $2b$
  task 1 #1 of 1: "Complete project documentation" High on 2026-02-15 [documentation|urgent] FREQ=WEEKLY
  task 2 #2 of 1: "done" done Medium on 2026-02-15
    recursion_pattern recurrence-of-done: "daily", now "does not repeat"
  task 3 #3 of 1: "at a time" Low at 2026-02-15T06:00:00Z
  task 4 #4 of 1: "garbage date" Medium
    due_date due-unknown: "next Tuesday-ish", now "no due date"
  task 6 #6 of 1: "Untitled" (no title) Medium
    title title-empty: "", now "Untitled"
user 2 #2 bob bob@example.org $2a$
  task 7 #7 of 2: "JSON tags" Medium [home|a|b]
    tags tag-adapted: "a, b", now "one for each part between commas"
  task 8 #8 of 2: "many tags" Medium [t0|t1|t2|t3|t4|t5|t6|t7|t8|t9|t10|t11|t12|t13|t14|t15|t16|t17|t18|t19]
    tags tags-dropped: "t20,t21,t22,t23,t24", now "errand keeps 20 tags of a task"
  task 9 #9 of 2: "unknown pattern" Medium on 2026-02-15
    recursion_pattern recurrence-unknown: "when the moon is full", now "does not repeat"
  task 10 #10 of 2: "pattern without a date" Medium
    recursion_pattern recurrence-unfit: "monthly", now "does not repeat: needs a due date"
user 3 #3 carl carl@example.org $2y$
  task 13 #13 of 3: "raw priority" Medium
user 4 #4 dora dora@example.org $2b$
user 5 #5 emil emil@example.org NotAHash
    hashed_password password-unusable: "not a hash that errand knows (not shown)", now "cannot sign in until a password is set"
  task 16 #16 of 5: "☃ snow" (a	tab and
a line) Medium
user 6 #6 fay fay@example.org NotAHash
    hashed_password password-unusable: "not a hash that errand knows (not shown)", now "cannot sign in until a password is set"
user 7 stays outside: email email-clash: "Ann@Example.org", now "user 1 has it already, case aside"
  task 12 stays outside: user_id owner-quarantined: "7", now "stays outside with its owner"
user 8 stays outside: email email-invalid: "not an address", now "must be an e-mail address"
user 9 #9 Ann-2 hal@example.org $2b$
    username username-clash: "Ann", now "Ann-2"
user 12 #12 ida ida@example.org $2b$
    username username-adapted: "é", now "ida"
  task 11 stays outside: user_id orphan: "99", now "no such user"
"#;

/// Of generation 2 on SQLite: a title that is too long, and what scripts left.
const ONLY_SQLITE: &str = r#"
  task 5 #5 of 1: "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL~" (LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL~) Medium
    title title-shortened: "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL~", now "its beginning; the whole of it before th~"
  task 14 #14 of 3: "urgent by hand" High
    updated_at time-unknown: "yesterday", now "another time of the row, or the start of~"
    priority priority-adapted: "urgent", now "High"
  task 15 #15 of 3: "n�ul�" (ok�) Medium
    title control-characters: "n�ul�", now "� for each"
    description invalid-text: "ok�", now "� for what is no text"
"#;

pub fn expected(parts: &[&str]) -> Vec<String> {
    sorted(
        parts
            .iter()
            .flat_map(|part| part.lines())
            .map(str::to_owned)
            .collect(),
    )
}

pub fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.retain(|line| !line.is_empty());
    lines.sort();
    lines
}

#[tokio::test]
async fn generation_2() {
    let path = fixture("generation_2.db");
    let mut source = open(&path).await;
    assert_eq!(source.kind(), Kind::Sqlite);
    assert_eq!(
        source.name(),
        std::fs::canonicalize(&path).unwrap().to_str().unwrap()
    );
    assert_eq!(source.counts().live_sessions, 1, "one is over, one is revoked");
    assert_eq!(
        source.notes(),
        ["not taken over: the sessions in session; everybody signs in again"]
    );
    let found = lines(&mut source).await.join("\n");
    let found = sorted(found.lines().map(str::to_owned).collect());
    assert_eq!(found, expected(&[GENERATION_2, ONLY_SQLITE]));

    for item in items(&mut source).await {
        if let Item::Task(Adapted::Imported { value, .. }) = item {
            let description = value.description.as_ref().map(Description::as_str);
            let (made, changed) = (value.created_at.to_string(), value.updated_at.to_string());
            let (made, changed) = (made.as_str(), changed.as_str());
            match value.key.0.as_str() {
                "5" => assert_eq!(
                    description,
                    Some(format!("{}\n\nthe details", "L".repeat(300)).as_str())
                ),
                "14" => {
                    assert_eq!(
                        (made, changed),
                        ("2026-02-07T10:30:00.000000Z", "2026-02-07T10:30:00.000000Z")
                    );
                }
                "15" => assert_eq!(made, "2026-02-07T10:30:00.000000Z"),
                "2" => assert_eq!(value.completed_at, Some(value.updated_at)),
                _ => assert_eq!(
                    (made, changed),
                    ("2026-02-07T10:30:00.123456Z", "2026-02-08T09:00:00.000000Z")
                ),
            }
        }
    }
}

#[tokio::test]
async fn a_quarantined_row_is_kept_without_its_password() {
    let mut source = open(fixture("generation_2.db")).await;
    let mut outside = 0;
    for item in items(&mut source).await {
        match item {
            Item::User(Adapted::Quarantined { row, .. }) => {
                outside += 1;
                assert!(row["email"].is_string() && row["created_at"].is_string(), "{row}");
                assert!(
                    row.get("hashed_password").is_none() && !row.to_string().contains("$2b$"),
                    "{row}"
                );
            }
            Item::Task(Adapted::Quarantined { owner, row, .. }) => {
                outside += 1;
                let owner = owner.unwrap().0;
                assert_eq!(row["user_id"].to_string(), owner);
                assert!(row["title"].as_str().unwrap().starts_with("of "), "{row}");
            }
            _ => {}
        }
    }
    assert_eq!(outside, 4);
}

#[tokio::test]
async fn no_stored_password_is_shown() {
    let mut source = open(fixture("generation_2.db")).await;
    let mut shown = String::new();
    while let Some(item) = source.next().await.unwrap() {
        shown += format!("{item:?} {source:?}").as_str();
    }
    assert!(shown.contains("emil"), "{shown}");
    for secret in ["hunter2", "$2b$", "$2a$", "$2y$"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn generation_1() {
    let mut source = open(fixture("generation_1.db")).await;
    assert_eq!(
        source.notes(),
        ["not taken over from user: first_name, last_name"]
    );
    let expected = r#"
user 1 #1 userjo jo@example.org $2b$
    row username-adapted: "", now "userjo"
  task 2 #2 of 1: "task 2" Medium
user 2 #2 userjo-2 jo@example.com $2b$
    row username-adapted: "", now "userjo"
    row username-clash: "userjo", now "userjo-2"
  task 1 #1 of 2: "task 1" Medium
  task 3 #3 of 2: "task 3" done Medium
user 3 #3 usera a@example.org $2b$
    row username-adapted: "", now "usera"
"#;
    assert_eq!(lines(&mut source).await.join("\n"), expected.trim());
}

/// With its keys in either form.
pub const UUID: &str = r#"
user K1 #- Ann.Smith ann@example.org $2b$
    name username-adapted: "Ann Smith", now "Ann.Smith"
  task Kb #- of K1: "tagged" done High at 2026-02-07T10:30:00.123456Z [home|with|comma]
    tags.name tag-adapted: "with, comma", now "one for each part between commas"
  task Kc stays outside: deleted_at deleted-at-source: "2026-02-07 10:30:00.123456", now "stays outside"
user K2 #- Ann.Smith-2 ann@example.com $2b$
    name username-adapted: "Ann Smith", now "Ann.Smith"
    name username-clash: "Ann.Smith", now "Ann.Smith-2"
  task Kd #- of K2: "odd status" Medium
    status completed-unknown: "perhaps", now "open"
user K3 #- Away away@example.org Disabled
    is_active account-disabled: "0", now "cannot sign in until a password is set"
"#;

#[tokio::test]
async fn uuid_keys() {
    let mut source = open(fixture("uuid.db")).await;
    assert_eq!(source.notes(), [] as [String; 0]);
    let found = lines(&mut source).await.join("\n");
    assert_eq!(found.replace("00abcdef00000000000000000000000", "K"), UUID.trim());
}

#[tokio::test]
async fn better_auth() {
    let mut source = open(fixture("better_auth.db")).await;
    assert_eq!(source.counts().live_sessions, 3);
    let notes = source.notes();
    assert_eq!(notes[0], "not taken over from user: emailVerified, image");
    let found = unkeyed(&mut source).await;
    let expected = expected(&[r#"
ann@example.org Ann.Smith #- 161
ann@example.org "in milliseconds" true 2026-02-15T00:00:00Z 2026-02-07T10:30:00.123Z
ann@example.org "in seconds" false 2026-02-15T00:00:00Z 2026-02-07T10:30:00Z
bob@example.org "of Bob" false - 2026-02-07T10:30:00Z
bob@example.org Bob #- 161
git@example.org "of the third party" false - 2026-02-07T10:30:00Z
git@example.org Git.Hubber #- Absent
jose@example.org jose #- 161
orphan
"#]);
    assert_eq!(sorted(found), expected);
}

/// The ids are other ones each time.
async fn unkeyed(source: &mut Source) -> Vec<String> {
    let mut email = String::new();
    let line = |item| match item {
        Item::User(Adapted::Imported { value, .. }) => {
            value.email.as_str().clone_into(&mut email);
            let password = match value.password {
                IncomingPassword::Hash(hash) => hash.as_str().len().to_string(),
                IncomingPassword::None(why) => format!("{why:?}"),
            };
            assert_eq!(value.id, None);
            format!("{email} {} #- {password}", value.username.as_str())
        }
        Item::Task(Adapted::Imported { value, .. }) => {
            let due = value.due.map_or("-".to_owned(), |due| due.to_string());
            let (title, made) = (value.title.as_str(), value.created_at.to_short_string());
            format!("{email} {title:?} {} {due} {made}", value.completed_at.is_some())
        }
        Item::User(Adapted::Quarantined { why, .. }) | Item::Task(Adapted::Quarantined { why, .. }) => {
            why.rule.code().to_owned()
        }
    };
    items(source).await.into_iter().map(line).collect()
}

#[tokio::test]
async fn a_tutorial() {
    let sql = std::fs::read_to_string(fixture("tutorial.sql")).unwrap();
    let (_dir, path) = made(&sql).await;
    let mut source = open(path).await;
    assert_eq!(
        source.notes(),
        [
            "users does not say when users were made: they come in as of 1970",
            "todos does not say when tasks were made: they come in as of 1970"
        ]
    );
    let expected = r#"
user 1 #1 ann ann@example.org $2b$
  task 1 #1 of 1: "one" Low
    priority priority-adapted: "1", now "Low"
  task 2 #2 of 1: "two" () done Medium
    priority priority-adapted: "2", now "Medium"
  task 3 #3 of 1: "five" (d) done High
    priority priority-adapted: "5", now "High"
user 2 #2 bob bob@example.org Disabled
    is_active account-disabled: "0", now "cannot sign in until a password is set"
  task 4 #4 of 2: "Untitled" Medium
    title title-empty: "", now "Untitled"
user 3 stays outside: email email-invalid: "", now "must be an e-mail address"
  task 6 stays outside: owner_id owner-quarantined: "3", now "stays outside with its owner"
  task 5 stays outside: owner_id orphan: "", now "no such user"
"#;
    assert_eq!(lines(&mut source).await.join("\n"), expected.trim());
}
