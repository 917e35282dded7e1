//! The runs of an import, and several at once.

use errand_application::ports::{Arrival, ArrivingTask, ArrivingUser};
use errand_domain::UserId;
use errand_persistence::Database;
use uuid::Uuid;

use super::{arriving, user};

pub async fn two_at_once_bring_the_same_once(database: &Database) {
    let (one, other) = (database.imports(), database.imports());
    for n in 0..10 {
        let parties: Vec<_> = (0..20)
            .map(|m| {
                let id = 100 * n + m + 1;
                let arrived = user(&id.to_string(), Some(id), &format!("ann{id}"));
                (arrived, vec![arriving("1", Some(7), "one")])
            })
            .collect();
        let (first, second) = tokio::join!(one.bring("s", 1, &parties), other.bring("s", 1, &parties));
        assert_eq!(first.unwrap(), second.unwrap());
    }
}

pub async fn what_a_run_brought_is_listed(database: &Database) {
    let imports = database.imports();
    let tasks = |keys: &[&str]| keys.iter().map(|key| arriving(key, None, key)).collect();
    let parties: [(ArrivingUser, Vec<ArrivingTask>); 2] = [
        (user("a", Some(3), "ann"), tasks(&["1", "2"])),
        (user("b", Some(5), "bob"), tasks(&["3"])),
    ];
    imports.bring("s", 1, &parties).await.unwrap();
    imports
        .bring_tasks(UserId(3), 2, &[arriving("4", None, "four")])
        .await
        .unwrap();
    imports
        .bring("t", 1, &[(user("a", Some(4), "amy"), tasks(&["1"]))])
        .await
        .unwrap();
    for (run, after, wanted) in [
        (1, 0, &[(3, 2), (5, 1)][..]),
        (1, 3, &[(5, 1)]),
        (2, 0, &[(3, 1)]),
        (3, 0, &[]),
    ] {
        let found = imports.brought("s", run, UserId(after)).await.unwrap();
        let found: Vec<_> = found.iter().map(|(user, tasks)| (user.id.0, *tasks)).collect();
        assert_eq!(found, wanted, "run {run} after {after}");
    }
    let found = imports.brought_tasks(UserId(3), 1, "1").await.unwrap();
    let found: Vec<_> = found.iter().map(|task| task.key.as_str()).collect();
    assert_eq!(found, ["2"]);
}

pub async fn runs_are_counted_and_resumed(database: &Database) {
    let imports = database.imports();
    assert_eq!(imports.last("s").await.unwrap(), None);
    let first = imports.begin("s", Uuid::from_u128(7)).await.unwrap();
    assert_eq!((first.id, first.number), (Uuid::from_u128(7), 1));
    // Not finished: the same goes on.
    let resumed = imports.begin("s", Uuid::from_u128(8)).await.unwrap();
    assert_eq!((resumed.id, resumed.number, resumed.turn), (first.id, 1, 2));
    // Who had the turn before finishes nothing.
    imports.finish("s", first).await.unwrap();
    let resumed = imports.begin("s", Uuid::from_u128(8)).await.unwrap();
    assert_eq!((resumed.number, resumed.turn), (1, 3));
    imports.finish("s", resumed).await.unwrap();
    let second = imports.begin("s", Uuid::from_u128(9)).await.unwrap();
    assert_eq!((second.id, second.number), (first.id, 2));
    assert_eq!(
        imports.begin("other", Uuid::from_u128(1)).await.unwrap().number,
        1
    );
    // As long as somebody of it is here no number is given twice.
    let one = [(user("a", None, "ann"), vec![arriving("1", None, "one")])];
    let came = imports.bring("s", 1, &one).await.unwrap();
    let Arrival::In(ann) = came[0].0 else { panic!() };
    assert!(imports.came_later("s", 0).await.unwrap());
    assert!(!imports.came_later("s", 1).await.unwrap());
    for _ in 0..2 {
        imports.take_back("s", 2).await.unwrap();
        assert_eq!(imports.last("s").await.unwrap(), Some(second));
    }
    let third = imports.begin("s", Uuid::from_u128(9)).await.unwrap();
    assert_eq!((third.id, third.number), (first.id, 3), "not gone on with");
    imports
        .bring_tasks(ann, 3, &[arriving("2", None, "two")])
        .await
        .unwrap();
    assert!(imports.came_later("s", 1).await.unwrap());
    assert!(!imports.came_later("other", 0).await.unwrap());
    assert!(imports.remove_user("s", ann, None).await.unwrap());
    imports.take_back("s", 1).await.unwrap();
    assert_eq!(
        imports.last("s").await.unwrap(),
        Some(third),
        "a run is under way"
    );
    for _ in 0..2 {
        imports.take_back("s", 3).await.unwrap();
        assert_eq!(imports.last("s").await.unwrap(), None);
    }
}
