//! What comes in from other applications, on both databases and behind row-level security.

mod runs;

use errand_application::ports::{
    Arrival, ArrivingTask, ArrivingUser, Change, StoreError, UniqueKey, Written,
};
use errand_conformance::Harness;
use errand_domain::account::{Email, PasswordHash, Username};
use errand_domain::task::{Completion, Description, Due, Expected, Tags, TaskChange};
use errand_domain::{TaskId, UserId};
use errand_persistence::Database;

use runs::{runs_are_counted_and_resumed, two_at_once_bring_the_same_once, what_a_run_brought_is_listed};

use crate::support::{Guarded, PostgreSql, Sqlite, UNLIMITED, at, digest, register, stores, task};

fn user(key: &str, id: Option<i64>, name: &str) -> ArrivingUser {
    ArrivingUser {
        key: key.into(),
        id: id.map(UserId),
        username: Username::parse(name).unwrap(),
        email: Email::parse(&format!("{name}@example.com")).unwrap(),
        password: PasswordHash::new(format!("$of-{name}$")),
        created_at: at(1),
        updated_at: at(2),
        hash: digest(1),
        password_digest: digest(2),
        email_digest: digest(4),
    }
}

fn arriving(key: &str, id: Option<i64>, title: &str) -> ArrivingTask {
    let mut content = task(title);
    content.description = Some(Description::parse("a \"quoted\" {brace}, \\ and\nNULL").unwrap());
    content.due = Some(Due::parse("2026-12-01").unwrap());
    content.tags = Tags::from_items(["Work", "ünder, \"x\""]).unwrap_or_default();
    content.completed = true;
    ArrivingTask {
        key: key.into(),
        id: id.map(TaskId),
        content,
        completed_at: Some(at(5)),
        created_at: at(3),
        updated_at: at(4),
        hash: digest(3),
    }
}

fn keys(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

macro_rules! on_all {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let file = Sqlite::fresh().await;
                super::$name(&file.database).await;
            })*
        }
        mod postgres {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&PostgreSql::fresh().await.database).await;
            })*
        }
        mod row_level_security {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&Guarded::fresh().await.0.database).await;
            })*
        }
    };
}

on_all!(
    runs_are_counted_and_resumed,
    users_come_in_with_their_tasks,
    what_is_brought_twice_comes_in_once,
    what_is_taken_is_told,
    reserved_ids_are_given_to_nobody,
    tasks_come_in_beside_others,
    what_changed_here_is_not_followed,
    a_user_follows_the_source,
    what_came_in_goes_again,
    who_comes_in_again_begins_anew,
    no_id_is_given_twice,
    what_a_run_brought_is_listed,
    two_at_once_bring_the_same_once,
);

async fn users_come_in_with_their_tasks(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    let parties = [
        (
            user("a", Some(7), "ann"),
            vec![arriving("1", Some(4), "one"), arriving("2", Some(9), "two")],
        ),
        (
            user("b", None, "bob"),
            vec![arriving("3", None, "three"), arriving("4", None, "four")],
        ),
        (user("c", Some(5), "cyd"), Vec::new()),
    ];
    let came = imports.bring("s", 1, &parties).await.unwrap();
    assert_eq!(came[0], (Arrival::In(UserId(7)), vec![TaskId(4), TaskId(9)]));
    let Arrival::In(bob) = came[1].0 else { panic!() };
    assert_eq!(came[1].1, [TaskId(1), TaskId(2)]);
    assert_eq!(came[2], (Arrival::In(UserId(5)), Vec::new()));
    let ann = stores.accounts.find(UserId(7)).await.unwrap().unwrap();
    assert_eq!((ann.password.as_str(), ann.user.updated_at), ("$of-ann$", at(2)));
    // The task is as it was, and counted as any other.
    let found = stores.tasks.find(UserId(7), TaskId(9)).await.unwrap().unwrap();
    let sent = &parties[0].1[1];
    assert_eq!(
        (&found.title, &found.description, found.due, &found.tags),
        (
            &sent.content.title,
            &sent.content.description,
            sent.content.due,
            &sent.content.tags
        )
    );
    assert_eq!(
        (
            found.completed_at,
            found.created_at,
            found.updated_at,
            found.version
        ),
        (Some(at(5)), at(3), at(4), 1)
    );
    let counted = stores.tasks.changes(UserId(7)).await.unwrap();
    let page = stores
        .tasks
        .changes_since(UserId(7), None, 10)
        .await
        .unwrap()
        .unwrap();
    let ids = page.changes.iter().map(|change| match change {
        Change::Upsert(task) => task.id.0,
        Change::Delete(_) => panic!(),
    });
    let ids: Vec<_> = ids.collect();
    assert_eq!(ids, [4, 9]);
    // The next ones follow on.
    for (owner, next) in [(UserId(7), 10), (bob, 3), (UserId(5), 1)] {
        let made = stores
            .tasks
            .create(owner, "k", &task("t"), UNLIMITED, at(9))
            .await;
        assert_eq!(made.unwrap().task().unwrap().id, TaskId(next));
    }
    assert_eq!(stores.tasks.changes(UserId(7)).await.unwrap(), counted + 1);
}

async fn what_is_brought_twice_comes_in_once(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    let few = [(user("a", None, "ann"), vec![arriving("1", None, "one")])];
    let more = [(
        user("a", None, "ann"),
        vec![arriving("1", None, "one"), arriving("2", None, "two")],
    )];
    let first = imports.bring("s", 1, &few).await.unwrap();
    let Arrival::In(ann) = first[0].0 else { panic!() };
    let counted = stores.tasks.changes(ann).await.unwrap();
    let second = imports.bring("s", 1, &more).await.unwrap();
    assert_eq!(second[0], (Arrival::In(ann), vec![TaskId(1), TaskId(2)]));
    assert_eq!(imports.bring("s", 1, &more).await.unwrap(), second);
    assert_eq!(stores.tasks.changes(ann).await.unwrap(), counted + 1);
    // What was removed here does not come back.
    let gone = stores
        .tasks
        .delete_if(ann, TaskId(1), &Expected::Any, at(9))
        .await
        .unwrap();
    assert!(matches!(gone, Written::Done(())));
    stores.tasks.purge(ann, 10, at(99_000_000)).await.unwrap();
    let again = imports.bring_tasks(ann, 2, &more[0].1).await.unwrap();
    assert_eq!(again, Some(vec![TaskId(1), TaskId(2)]));
    assert_eq!(stores.tasks.find(ann, TaskId(1)).await.unwrap(), None);
    assert_eq!(
        imports.bring_tasks(UserId(999), 2, &more[0].1).await.unwrap(),
        None
    );
    // The same keys of another source are others.
    let other = imports
        .bring("t", 1, &[(user("a", None, "amy"), Vec::new())])
        .await
        .unwrap();
    assert_ne!(other[0].0, Arrival::In(ann));
    let known = imports.known_users("s", &keys(&["a", "x"])).await.unwrap();
    assert_eq!(
        (known.len(), known[0].id, known[0].run, known[0].hash),
        (1, ann, 1, digest(1))
    );
    assert_eq!(imports.count_known(ann).await.unwrap(), 2);
}

async fn what_is_taken_is_told(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    let ann = register(&stores, "ann").await;
    let mut renamed = user("b", Some(ann.0), "bob");
    renamed.email = Email::parse("ANN@example.com").unwrap();
    let mut named = user("c", None, "ANN");
    named.email = Email::parse("cyd@example.com").unwrap();
    let free = user("d", Some(ann.0), "dan");
    let wanted = [renamed, named, free];
    let told = imports.collisions(&wanted).await.unwrap();
    assert_eq!(
        told,
        [Some(Arrival::EmailTaken), Some(Arrival::UsernameTaken), None]
    );
    let parties = wanted.map(|user| (user, vec![arriving("1", None, "one")]));
    let came = imports.bring("s", 1, &parties).await.unwrap();
    assert_eq!(came[0], (Arrival::EmailTaken, Vec::new()));
    assert_eq!(came[1], (Arrival::UsernameTaken, Vec::new()));
    let Arrival::In(dan) = came[2].0 else { panic!() };
    assert_ne!(dan, ann, "the id is taken");
    assert_eq!(
        stores.tasks.changes(ann).await.unwrap(),
        0,
        "nothing is put to another's"
    );
}

async fn reserved_ids_are_given_to_nobody(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    imports.reserve(UserId(40)).await.unwrap();
    imports.reserve(UserId(30)).await.unwrap();
    assert_eq!(register(&stores, "ann").await, UserId(41));
    let came = imports
        .bring("s", 1, &[(user("9", Some(9), "bob"), Vec::new())])
        .await
        .unwrap();
    assert_eq!(came[0].0, Arrival::In(UserId(9)));
    imports.reserve(UserId(41)).await.unwrap();
    assert_eq!(register(&stores, "cyd").await, UserId(42));
}

async fn tasks_come_in_beside_others(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    let came = imports
        .bring(
            "s",
            1,
            &[(user("a", None, "ann"), vec![arriving("1", Some(1), "one")])],
        )
        .await;
    let Arrival::In(ann) = came.unwrap()[0].0 else {
        panic!()
    };
    let made = stores
        .tasks
        .create(ann, "k", &task("t"), UNLIMITED, at(9))
        .await
        .unwrap();
    assert_eq!(made.task().unwrap().id, TaskId(2));
    let counted = stores.tasks.changes(ann).await.unwrap();
    let more = [
        arriving("2", Some(2), "two"),
        arriving("3", Some(3), "three"),
        arriving("1", Some(1), "one"),
    ];
    let ids = imports.bring_tasks(ann, 2, &more).await.unwrap().unwrap();
    assert_eq!(
        ids,
        [TaskId(4), TaskId(3), TaskId(1)],
        "2 is taken, and 3 is wanted"
    );
    assert_eq!(stores.tasks.changes(ann).await.unwrap(), counted + 2);
    let living = imports
        .tasks(ann, &[TaskId(4), TaskId(2), TaskId(77)])
        .await
        .unwrap();
    assert_eq!(living.len(), 2);
    let known = imports.known_tasks(ann, &keys(&["2", "1", "9"])).await.unwrap();
    let mut known: Vec<_> = known
        .iter()
        .map(|task| (task.id.0, task.run, task.untouched))
        .collect();
    known.sort_unstable();
    assert_eq!(known, [(1, 1, true), (4, 2, true)]);
}

async fn what_changed_here_is_not_followed(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    let tasks = ["1", "2", "3"].map(|key| arriving(key, None, key));
    let came = imports
        .bring("s", 1, &[(user("a", None, "ann"), tasks.to_vec())])
        .await
        .unwrap();
    let Arrival::In(ann) = came[0].0 else { panic!() };
    let open = TaskChange::completing(Completion::Set(false));
    let any = Expected::Any;
    stores
        .tasks
        .change_if(ann, TaskId(2), &any, &open, UNLIMITED, at(9))
        .await
        .unwrap();
    stores.tasks.delete_if(ann, TaskId(3), &any, at(9)).await.unwrap();
    let mut newer = ["1", "2", "3", "4"].map(|key| arriving(key, None, "newer"));
    newer[0].hash = digest(9);
    let before = stores.tasks.changes(ann).await.unwrap();
    let followed = imports.follow_tasks(ann, 2, &newer).await.unwrap();
    assert_eq!(followed, [true, false, false, false]);
    let one = stores.tasks.find(ann, TaskId(1)).await.unwrap().unwrap();
    assert_eq!((one.title.as_str(), one.version), ("newer", 2));
    assert_eq!(
        stores
            .tasks
            .find(ann, TaskId(2))
            .await
            .unwrap()
            .unwrap()
            .title
            .as_str(),
        "2"
    );
    assert_eq!(stores.tasks.changes(ann).await.unwrap(), before + 1);
    let known = imports.known_tasks(ann, &keys(&["1"])).await.unwrap();
    assert_eq!(
        (known[0].hash, known[0].run, known[0].followed, known[0].untouched),
        (digest(9), 1, Some(2), true)
    );
    assert_eq!(
        imports.follow_tasks(UserId(99), 2, &newer).await.unwrap(),
        [false; 4]
    );
}

async fn a_user_follows_the_source(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    register(&stores, "bob").await;
    let came = imports
        .bring("s", 1, &[(user("a", None, "ann"), Vec::new())])
        .await
        .unwrap();
    let Arrival::In(ann) = came[0].0 else { panic!() };
    let now = imports.holdings(ann).await.unwrap().unwrap().account;
    let taken = imports.follow_user(2, &now, &user("a", None, "bob")).await;
    assert!(matches!(
        taken,
        Err(StoreError::Conflict(UniqueKey::Email | UniqueKey::Username))
    ));
    assert!(
        imports
            .follow_user(2, &now, &user("a", None, "amy"))
            .await
            .unwrap()
    );
    assert!(
        !imports
            .follow_user(2, &now, &user("a", None, "eve"))
            .await
            .unwrap(),
        "it is another by now"
    );
    let found = stores.accounts.find(ann).await.unwrap().unwrap();
    assert_eq!(
        (found.user.username.as_str(), found.password.as_str()),
        ("amy", "$of-amy$")
    );
    let known = imports.known_users("s", &keys(&["a"])).await.unwrap();
    assert_eq!((known[0].run, known[0].followed), (1, Some(2)));
}

async fn what_came_in_goes_again(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    let bob = register(&stores, "bob").await;
    let parties = [
        (user("a", None, "ann"), vec![arriving("1", None, "one")]),
        (user("c", None, "cyd"), vec![arriving("1", None, "one")]),
    ];
    let came = imports.bring("s", 1, &parties).await.unwrap();
    let [ann, cyd] = [0, 1].map(|n| match came[n].0 {
        Arrival::In(id) => id,
        _ => panic!(),
    });
    imports
        .bring_tasks(cyd, 2, &["2", "3"].map(|key| arriving(key, None, key)))
        .await
        .unwrap();
    let open = TaskChange::completing(Completion::Set(false));
    stores
        .tasks
        .change_if(cyd, TaskId(3), &Expected::Any, &open, UNLIMITED, at(9))
        .await
        .unwrap();
    let all = keys(&["1", "2", "3"]);
    assert_eq!(
        imports.remove_tasks(cyd, 2, &all, false).await.unwrap(),
        1,
        "one was changed"
    );
    assert_eq!(imports.remove_tasks(cyd, 2, &all, true).await.unwrap(), 1);
    assert_eq!(
        imports.holdings(cyd).await.unwrap().unwrap().tasks,
        1,
        "one is of another run"
    );

    let then = imports.holdings(ann).await.unwrap().unwrap();
    stores
        .tasks
        .create(ann, "k", &task("t"), UNLIMITED, at(9))
        .await
        .unwrap()
        .task()
        .unwrap();
    assert!(
        !imports.remove_user("s", ann, Some(then)).await.unwrap(),
        "it has more by now"
    );
    let now = imports.holdings(ann).await.unwrap().unwrap();
    assert!(
        !imports
            .remove_user("other", ann, Some(now.clone()))
            .await
            .unwrap()
    );
    assert!(imports.remove_user("s", ann, Some(now)).await.unwrap());
    assert!(!imports.remove_user("s", ann, None).await.unwrap());
    assert!(imports.remove_user("s", cyd, None).await.unwrap());
    assert!(
        !imports.remove_user("s", bob, None).await.unwrap(),
        "did not come in"
    );
    assert_eq!(imports.holdings(ann).await.unwrap(), None);
    assert!(stores.accounts.find(bob).await.unwrap().is_some());
    assert_eq!(imports.known_users("s", &keys(&["a", "c"])).await.unwrap(), []);
}

async fn who_comes_in_again_begins_anew(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    let parties = [(user("7", Some(7), "ann"), vec![arriving("1", Some(1), "one")])];
    let mut read = Vec::new();
    for _ in 0..2 {
        let came = imports.bring("s", 1, &parties).await.unwrap();
        assert_eq!(came[0].0, Arrival::In(UserId(7)));
        for (before, _) in &read {
            let since = stores.tasks.changes_since(UserId(7), Some(*before), 10).await;
            assert_eq!(since.unwrap(), None, "it is of another life");
        }
        let made = stores
            .tasks
            .create(UserId(7), "k", &task("t"), UNLIMITED, at(9))
            .await;
        assert_eq!(made.unwrap().task().unwrap().id, TaskId(2));
        let page = stores.tasks.changes_since(UserId(7), None, 10).await;
        let page = page.unwrap().unwrap();
        assert_eq!(page.changes.len(), 2);
        let later = stores.tasks.changes_since(UserId(7), Some(page.next), 10).await;
        assert_eq!(later.unwrap().unwrap().changes, []);
        read.push((page.next, stores.tasks.changes(UserId(7)).await.unwrap()));
        assert!(imports.remove_user("s", UserId(7), None).await.unwrap());
    }
    assert!(1 << 50 < read[0].1 && read[0].1 < read[1].1);
}

async fn no_id_is_given_twice(database: &Database) {
    let (imports, stores) = (database.imports(), stores(database));
    let one = arriving("1", Some(1), "one");
    let came = imports
        .bring("s", 1, &[(user("a", None, "ann"), vec![one])])
        .await;
    let Arrival::In(ann) = came.unwrap()[0].0 else {
        panic!()
    };
    stores
        .tasks
        .create(ann, "k", &task("t"), UNLIMITED, at(9))
        .await
        .unwrap();
    // One that came in and one that was made here, both gone for good.
    for id in [1, 2] {
        let gone = stores
            .tasks
            .delete_if(ann, TaskId(id), &Expected::Any, at(9))
            .await;
        assert!(matches!(gone.unwrap(), Written::Done(())));
    }
    stores.tasks.purge(ann, 10, at(99_000_000)).await.unwrap();
    let more = [("x", 1), ("y", 2), ("z", 3)].map(|(key, id)| arriving(key, Some(id), key));
    let ids = imports.bring_tasks(ann, 2, &more).await.unwrap().unwrap();
    assert_eq!(ids, [TaskId(4), TaskId(5), TaskId(3)]);
}
