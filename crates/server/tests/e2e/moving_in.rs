//! Moving in from another application, with the program as people run it.

mod home;
mod stopped;

use std::path::Path;

use serde_json::{Value, json};

use self::home::{Home, PASSWORD, act, change, content, done, import, login, refused, tasks};
use crate::support::{Backend, Service, on_all};

on_all!(
    everybody_signs_in_with_the_password_of_before,
    a_second_run_changes_nothing,
    what_changed_at_the_source_is_followed,
    what_changed_here_is_not_overwritten,
    a_changed_byte_is_named,
    a_rollback_leaves_nothing,
    a_rollback_spares_what_changed,
    a_run_is_taken_back_without_the_one_before,
    ids_that_are_taken_are_mapped,
    a_dry_run_writes_nothing,
);

async fn everybody_signs_in_with_the_password_of_before(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    let told = home.run(&service, "r", &[]);
    assert!(told.contains("users: 5 in the source = 5 imported"), "{told}");
    assert!(told.contains("tasks: 15 in the source = 15 imported"), "{told}");
    assert!(told.contains("2 users cannot sign in"), "{told}");
    let api = &service.api;
    for (name, id) in [("ann", 3), ("bob", 7), ("cyd", 9)] {
        assert_eq!(
            login(api, name, "violet tandem bridges").await.status,
            401,
            "{name}"
        );
        // Twice: the second time by the hash that the first one left.
        for _ in 0..2 {
            let found = tasks(api, name).await;
            assert_eq!(found.len(), 3);
            assert_eq!(found[0]["id"], id * 10);
            assert_eq!(found[0]["user_id"], id);
            assert_eq!(found[0]["title"], format!("{name} has to do 0"));
            assert_eq!(found[0]["priority"], "High");
            assert_eq!(found[0]["due_date"], "2026-12-01");
            assert_eq!(found[0]["tags"], json!(["work", "plan"]));
            assert_eq!(found[0]["created_at"], "2026-01-02T03:04:05.678901Z");
            assert_eq!(found[1]["completed"], true);
        }
    }
    // What is no hash lets nobody in, not even the mark in its place.
    for name in ["dan", "eve"] {
        for password in [PASSWORD, "hashed_violet tandem bridge", "!"] {
            assert_eq!(login(api, name, password).await.status, 401, "{name}");
        }
    }
    done(&service.command(&["user", "set-password", "dan"], "violet tandem bridge\n"));
    assert_eq!(tasks(api, "dan").await.len(), 3);
    // Renewed hashes are no difference, a password that was set is.
    let (named, _) = refused(&home.verify(&service, "r"));
    assert!(
        named.starts_with("user 11 ") && named.lines().count() == 1,
        "{named}"
    );
    // Who registers now gets an id that nobody had.
    let new = errand_testbed::Person::register(api, "fay").await;
    assert_eq!(new.id, 13);
}

async fn a_second_run_changes_nothing(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "1", &[]);
    let before = content(&service).await;
    for (receipt, more) in [("2", &[][..]), ("3", &["--follow-up"])] {
        let told = home.run(&service, receipt, more);
        assert!(
            told.contains("15 in the source = 0 imported + 15 here before"),
            "{told}"
        );
        let now = content(&service).await;
        let but_runs = |rows: &[String]| -> Vec<String> {
            rows.iter()
                .filter(|row| !row.starts_with("imports "))
                .cloned()
                .collect()
        };
        assert_eq!(but_runs(&now), but_runs(&before));
        done(&home.verify(&service, receipt));
    }
    // It brought nothing, so there is nothing to take back.
    assert!(done(&home.rollback(&service, "3", &[])).starts_with("removed 0 users"));
    assert_eq!(tasks(&service.api, "ann").await.len(), 3);
    // No receipt is written over.
    let source = home.source();
    let again = [
        "run",
        source.to_str().unwrap(),
        "--receipt",
        home.receipt("1").to_str().unwrap(),
    ]
    .map(str::to_owned);
    let again: Vec<&str> = again.iter().map(String::as_str).collect();
    let (_, why) = refused(&import(&service, &again));
    assert!(why.contains("never written over"), "{why}");
}

async fn what_changed_at_the_source_is_followed(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "1", &[]);
    home.order(
        "UPDATE task SET title = 'ann has other things to do' WHERE id = 30; \
         UPDATE user SET email = 'anna@example.com' WHERE id = 3; \
         INSERT INTO task SELECT 'ann has one more', NULL, NULL, 'LOW', NULL, NULL, 0, 99, 3, created_at, updated_at \
         FROM task WHERE id = 30",
    )
    .await;
    let told = home.run(&service, "2", &[]);
    assert!(told.contains("2 rows changed at the source"), "{told}");
    assert!(
        told.contains("tasks: 16 in the source = 1 imported + 15 here before"),
        "{told}"
    );
    let told = home.run(&service, "3", &["--follow-up"]);
    assert!(
        told.contains("= 0 imported + 15 here before + 1 followed"),
        "{told}"
    );
    let titles: Vec<Value> = tasks(&service.api, "anna")
        .await
        .iter()
        .map(|task| task["title"].clone())
        .collect();
    assert_eq!(titles.len(), 4);
    assert!(
        titles.contains(&json!("ann has other things to do")),
        "{titles:?}"
    );
    done(&home.verify(&service, "3"));
}

async fn what_changed_here_is_not_overwritten(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "1", &[]);
    act(&service.api, "ann", "PATCH", "/30", json!({"title": "mine"})).await;
    act(&service.api, "ann", "DELETE", "/31", json!({})).await;
    home.order(
        "UPDATE task SET title = 'theirs'; UPDATE user SET updated_at = '2026-06-06 06:06:06' WHERE id = 3",
    )
    .await;
    for (receipt, more) in [
        ("dry", &["--follow-up", "--dry-run"][..]),
        ("2", &["--follow-up"]),
    ] {
        let told = home.run(&service, receipt, more);
        assert!(told.contains("13 followed + 0 quarantined + 2 refused"), "{told}");
        // Ann has signed in, so her password is another one by now.
        assert!(
            told.contains("+ 0 followed + 0 quarantined + 1 refused"),
            "{told}"
        );
        assert!(
            told.contains("refused task 30: ") && told.contains("refused task 31: "),
            "{told}"
        );
    }
    let mine = tasks(&service.api, "ann").await;
    assert_eq!(mine.iter().filter(|task| task["title"] == "mine").count(), 1);
    assert_eq!(mine.len(), 2, "what was deleted here stays so");
    // Of many not all.
    home.order(
        "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 25) \
         INSERT INTO task SELECT 'more', NULL, NULL, 'LOW', NULL, NULL, 0, 1000 + n, 3, '2026-01-01', '2026-01-01' FROM n",
    )
    .await;
    home.run(&service, "3", &[]);
    let grant = login(&service.api, "ann", PASSWORD).await.json();
    let path = format!("/api/{}/tasks", grant["user_id"].as_str().unwrap());
    for task in tasks(&service.api, "ann").await {
        let task = service.api.request("DELETE", &format!("{path}/{}", task["id"]));
        let answer = task.bearer(grant["access_token"].as_str().unwrap()).send().await;
        assert!(answer.status < 300, "{}", answer.text());
    }
    home.order("UPDATE task SET title = 'changed' WHERE id > 1000")
        .await;
    let told = home.run(&service, "4", &["--follow-up"]);
    let named = told.lines().filter(|line| line.starts_with("refused ")).count();
    assert_eq!(named, 20, "{told}");
    assert!(told.contains("… and 8 more refused, see the receipt\n"), "{told}");
}

async fn a_changed_byte_is_named(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "r", &[]);
    done(&home.verify(&service, "r"));
    let by_hand =
        "UPDATE tasks SET title = replace(title, 'bob has', 'bob had') WHERE user_id = 7 AND id = 71";
    if let Some(path) = service
        .setting("DATABASE_URL")
        .and_then(|url| url.strip_prefix("sqlite://"))
    {
        change(Path::new(path), by_hand).await;
    } else {
        let mut admin = service.database().connect().await;
        sqlx::raw_sql(by_hand).execute(&mut admin).await.unwrap();
    }
    let (named, why) = refused(&home.verify(&service, "r"));
    assert_eq!(named, "task 71 of user 7 (key 71 at the source): differs\n");
    assert!(why.contains("1 of 20 rows"), "{why}");
    // Nor is a receipt believed that was changed.
    let text = std::fs::read_to_string(home.receipt("r")).unwrap();
    std::fs::write(
        home.receipt("changed"),
        text.replacen("\"id\":71", "\"id\":72", 1),
    )
    .unwrap();
    assert!(
        refused(&home.verify(&service, "changed"))
            .1
            .contains("its seal is broken")
    );
    let cut: Vec<&str> = text.lines().collect();
    std::fs::write(home.receipt("cut"), cut[..cut.len() - 1].join("\n") + "\n").unwrap();
    assert!(
        refused(&home.rollback(&service, "cut", &[]))
            .1
            .contains("no complete receipt")
    );
    // Nor one of another database.
    let other = Service::start(Backend::Sqlite).await;
    for output in [home.verify(&other, "r"), home.rollback(&other, "r", &["--force"])] {
        assert!(refused(&output).1.contains("of another database"));
    }
    home.run(&other, "other", &[]);
    assert!(
        refused(&home.rollback(&other, "r", &["--force"]))
            .1
            .contains("of another database")
    );
}

async fn a_rollback_leaves_nothing(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    errand_testbed::Person::register(&service.api, "zoe").await;
    let before = content(&service).await;
    home.run(&service, "r", &[]);
    assert_ne!(content(&service).await, before);
    assert!(done(&home.rollback(&service, "r", &[])).starts_with("removed 5 users"));
    assert_eq!(content(&service).await, before);
    let (_, why) = refused(&home.rollback(&service, "r", &[]));
    assert!(why.contains("nothing of this receipt is here any more"), "{why}");
    // And it can come in again, with the ids that it had.
    home.run(&service, "again", &[]);
    assert_eq!(tasks(&service.api, "bob").await[0]["user_id"], 7);
}

async fn a_rollback_spares_what_changed(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "r", &[]);
    act(&service.api, "ann", "PATCH", "/30", json!({"completed": true})).await;
    act(&service.api, "bob", "POST", "", json!({"title": "new"})).await;
    act(&service.api, "cyd", "DELETE", "/91", json!({})).await;
    let before = content(&service).await;
    let (named, why) = refused(&home.rollback(&service, "r", &[]));
    let named: Vec<&str> = named.lines().collect();
    assert_eq!(named.len(), 3, "{named:?}");
    assert!(
        named[0].starts_with("task 30 of user 3 ") && named[0].ends_with(": differs"),
        "{named:?}"
    );
    assert_eq!(named[1], "user 7: has 1 more tasks than came in");
    assert!(
        named[2].starts_with("task 91 of user 9 ") && named[2].ends_with(": is gone"),
        "{named:?}"
    );
    assert!(
        why.contains("3 rows are no longer as they came in; nothing was removed"),
        "{why}"
    );
    assert_eq!(content(&service).await, before);
    assert!(done(&home.rollback(&service, "r", &["--force"])).starts_with("removed 5 users"));
    assert_eq!(login(&service.api, "ann", PASSWORD).await.status, 401);
}

async fn a_run_is_taken_back_without_the_one_before(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.run(&service, "1", &[]);
    home.order(
        "INSERT INTO task SELECT 'ann has one more', NULL, NULL, 'LOW', NULL, NULL, 0, 99, 3, created_at, updated_at \
         FROM task WHERE id = 30; \
         INSERT INTO user SELECT 'fay', 'fay@example.com', 20, hashed_password, created_at, updated_at FROM user \
         WHERE id = 3",
    )
    .await;
    home.run(&service, "2", &[]);
    assert_eq!(tasks(&service.api, "ann").await.len(), 4);
    // The last one first.
    assert!(
        refused(&home.rollback(&service, "1", &[]))
            .1
            .contains("a later run")
    );
    let told = done(&home.rollback(&service, "2", &[]));
    assert!(
        told.starts_with("removed 1 users") && told.contains("and 1 tasks"),
        "{told}"
    );
    assert_eq!(tasks(&service.api, "ann").await.len(), 3);
    assert_eq!(login(&service.api, "fay", PASSWORD).await.status, 401);
    // Once more does no harm: nothing of it is left.
    let told = done(&home.rollback(&service, "2", &[]));
    assert!(told.starts_with("removed 0 users"), "{told}");
    let (named, why) = refused(&home.verify(&service, "2"));
    assert!(
        named.contains("is gone") && why.contains("2 of 22 rows"),
        "{named}{why}"
    );
    assert!(done(&home.rollback(&service, "1", &[])).starts_with("removed 5 users"));
}

async fn ids_that_are_taken_are_mapped(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    for name in ["x-one", "x-two", "ann"] {
        errand_testbed::Person::register(&service.api, name).await;
    }
    // Id 3 and the address are taken, and by and by the name.
    let told = home.run(&service, "dry", &["--dry-run"]);
    assert!(told.contains("quarantined user 3: email-clash"), "{told}");
    assert!(
        told.contains("5 in the source = 4 imported + 0 here before + 0 followed + 1 quarantined"),
        "{told}"
    );
    home.order("UPDATE task SET recursion_pattern = 'daily' WHERE id = 30")
        .await;
    home.run(&service, "clash", &[]);
    let kept: Vec<Value> = std::fs::read_to_string(home.receipt("clash"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["line"] == "quarantined")
        .collect();
    let time = "2026-01-02 03:04:05.678901";
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert_eq!(
        (&kept[0]["why"]["was"], &kept[0]["row"]),
        (
            &json!("ann@example.com"),
            &json!({"id": 3, "email": "ann@example.com", "username": "ann", "created_at": time, "updated_at": time})
        )
    );
    assert_eq!(
        (
            &kept[1]["why"]["rule"],
            &kept[1]["why"]["was"],
            &kept[1]["why"]["now"]
        ),
        (
            &json!("owner-quarantined"),
            &json!("3"),
            &json!("stays outside with its owner: an account of errand has the address ann@example.com")
        )
    );
    assert_eq!(
        kept[1]["row"],
        json!({"id": 30, "user_id": 3, "title": "ann has to do 0", "description": "more", "completed": 0,
            "priority": "HIGH", "due_date": "2026-12-01", "tags": "work,plan", "recursion_pattern": "daily",
            "created_at": time, "updated_at": time})
    );
    done(&home.rollback(&service, "clash", &[]));
    home.order("UPDATE user SET email = 'anna@example.com' WHERE id = 3")
        .await;
    let told = home.run(&service, "r", &[]);
    assert!(
        told.contains("5 imported") && told.contains("username-clash: 1"),
        "{told}"
    );
    assert!(told.contains("1 with another id"), "{told}");
    let found = tasks(&service.api, "anna").await;
    assert_eq!(
        (found.len(), &found[0]["id"], &found[0]["user_id"]),
        (3, &json!(30), &json!(13))
    );
    let receipt = std::fs::read_to_string(home.receipt("r")).unwrap();
    assert!(
        receipt.contains("{\"line\":\"user\",\"key\":\"3\",\"id\":13,"),
        "{receipt}"
    );
    done(&home.verify(&service, "r"));
    // A name that was changed here is no change at the source.
    let told = home.run(&service, "again", &["--follow-up"]);
    assert!(
        told.contains("users: 5 in the source = 0 imported + 5 here before"),
        "{told}"
    );
}

async fn a_dry_run_writes_nothing(backend: Backend) {
    let (service, home) = (Service::start(backend).await, Home::new().await);
    home.order("UPDATE task SET priority = 'URGENT', due_date = 'soon' WHERE id = 30; UPDATE task SET user_id = 77 WHERE id = 31")
        .await;
    let before = content(&service).await;
    let told = home.run(&service, "r", &["--dry-run"]);
    assert!(
        told.contains("adapted task.due_date 30: due-unknown: \"soon\""),
        "{told}"
    );
    assert!(told.contains("quarantined task"), "{told}");
    assert!(
        told.contains("15 in the source = 14 imported + 0 here before + 0 followed + 1 quarantined"),
        "{told}"
    );
    assert_eq!(content(&service).await, before);
    assert!(!home.receipt("r").exists() && !home.receipt("r.part").exists());
}
