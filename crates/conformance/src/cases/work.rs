//! Operations that are done together, and requests that come again.

use errand_application::ports::{Work, Worked};
use errand_domain::task::{Completion, Expected, Operation, Outcome, Refusal, Task, TaskChange};
use errand_domain::{TaskId, Timestamp, UserId, idempotency};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::fixtures::{
    UNLIMITED, at, create_titled, export, find, leave, micros, register, repeating, request, retitled,
    rich_task, task,
};
use crate::harness::Stores;
use crate::random::operations;

fn toggle(id: TaskId) -> Operation {
    Operation::Change(id, Expected::Any, TaskChange::completing(Completion::Toggle))
}

fn rename(id: TaskId, text: &str) -> Operation {
    Operation::Change(id, Expected::Any, retitled(text))
}

fn delete(id: TaskId) -> Operation {
    Operation::Delete(id, Expected::Any)
}

fn together(operations: Vec<Operation>, at: Timestamp) -> Work {
    Work {
        operations,
        request: None,
        most: UNLIMITED,
        at,
    }
}

/// A request of this key for these operations.
fn keyed(key: &str, operations: Vec<Operation>, at: Timestamp) -> Work {
    Work {
        request: Some(request(key, &operations)),
        ..together(operations, at)
    }
}

async fn work(stores: &Stores, owner: UserId, work: &Work) -> Worked {
    stores.tasks.work(owner, work).await.unwrap()
}

fn outcomes(worked: Worked) -> (Vec<Outcome>, bool) {
    match worked {
        Worked::Done { outcomes, replayed } => (outcomes, replayed),
        other => panic!("{other:?}"),
    }
}

fn one(worked: Worked) -> (Task, bool) {
    match outcomes(worked) {
        (outcomes, replayed) if outcomes.len() == 1 => match outcomes.into_iter().next() {
            Some(Outcome::Task(task)) => (*task, replayed),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// What is done together is done in order, and each later one sees the earlier.
pub async fn operations_are_done_in_order(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let old = create_titled(&stores, ann, "old").await;
    let goes = create_titled(&stores, ann, "goes").await;
    let operations = vec![
        Operation::Create(rich_task("new")),
        rename(old.id, "first"),
        rename(old.id, "second"),
        toggle(old.id),
        delete(goes.id),
        // By the id that it will have.
        rename(TaskId(3), "renewed"),
        Operation::Create(repeating("series", "daily", "2026-02-28")),
        toggle(TaskId(4)),
        Operation::Create(task("gone at once")),
        delete(TaskId(6)),
    ];
    let (outcomes, replayed) = outcomes(work(&stores, ann, &together(operations, at(5))).await);
    assert!(!replayed);
    let tasks: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Outcome::Task(task) => (task.id.0, task.version, task.title.as_str()),
            Outcome::Deleted(id) => (id.0, 0, ""),
        })
        .collect();
    assert_eq!(
        tasks,
        [
            (3, 1, "new"),
            (1, 2, "first"),
            (1, 3, "second"),
            (1, 4, "second"),
            (2, 0, ""),
            (3, 2, "renewed"),
            (4, 1, "series"),
            (4, 2, "series"),
            (6, 1, "gone at once"),
            (6, 0, ""),
        ]
    );
    let held = export(&stores, ann, at(9)).await;
    let ids: Vec<_> = held.tasks.iter().map(|task| task.id.0).collect();
    let deleted: Vec<_> = held.deleted.iter().map(|deleted| deleted.task.id.0).collect();
    assert_eq!((ids, deleted), (vec![1, 3, 4, 5], vec![2, 6]));
    for outcome in &outcomes[5..=5] {
        assert_eq!(
            *outcome,
            Outcome::task(find(&stores, ann, TaskId(3)).await.unwrap())
        );
    }
    assert_eq!(
        work(&stores, ann, &together(vec![], at(9))).await,
        Worked::Done {
            outcomes: vec![],
            replayed: false
        }
    );
}

/// If one operation is refused, none is done, and all that are refused are named.
pub async fn one_that_is_refused_undoes_all(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = create_titled(&stores, ann, "made").await;
    let before = export(&stores, ann, at(9)).await;
    let counter = stores.tasks.changes(ann).await.unwrap();
    let operations = vec![
        Operation::Create(task("new")),
        rename(TaskId(77), "x"),
        toggle(made.id),
        Operation::Delete(made.id, Expected::OneOf(vec![1])),
        Operation::Delete(made.id, Expected::OneOf(vec![2])),
        delete(made.id),
    ];
    let refused = work(&stores, ann, &together(operations.clone(), at(5))).await;
    let expected = vec![(1, Refusal::Absent), (3, Refusal::Stale), (5, Refusal::Absent)];
    assert_eq!(refused, Worked::Refused(expected.clone()));
    let refused = work(&stores, ann, &keyed("key", operations, at(5))).await;
    assert_eq!(refused, Worked::Refused(expected));
    let full = Work {
        most: 2,
        ..together(
            vec![Operation::Create(task("fits")), Operation::Create(task("not"))],
            at(5),
        )
    };
    assert_eq!(
        work(&stores, ann, &full).await,
        Worked::Refused(vec![(1, Refusal::Full)])
    );
    assert_eq!(export(&stores, ann, at(9)).await, before);
    assert_eq!(stores.tasks.changes(ann).await.unwrap(), counter);
    // Nothing was done, so nothing is known.
    let done = work(&stores, ann, &keyed("key", vec![toggle(made.id)], at(6))).await;
    assert!(!one(done).1);
}

/// Operations done together leave what they leave one by one.
pub async fn together_is_one_by_one(stores: Stores) {
    let mut runner = TestRunner::deterministic();
    let batches = proptest::collection::vec(operations(), 1..6);
    for round in 0..12 {
        let batches = batches.new_tree(&mut runner).unwrap().current();
        let [all, each] = ["all", "each"].map(|name| format!("{name}{round}"));
        let (all, each) = (
            register(&stores, &all).await.id(),
            register(&stores, &each).await.id(),
        );
        for (n, operations) in batches.into_iter().enumerate() {
            let now = at(10 + n as u64);
            // One by one those that are refused do not keep the others from being done.
            let done = match work(&stores, all, &together(operations.clone(), now)).await {
                Worked::Done { outcomes, .. } => outcomes,
                Worked::Refused(_) => continue,
                other => panic!("{other:?}"),
            };
            let mut singly = Vec::new();
            for operation in operations {
                singly.extend(outcomes(work(&stores, each, &together(vec![operation], now)).await).0);
            }
            let owned = |outcome: Outcome| match outcome {
                Outcome::Task(task) => Outcome::task(Task { owner: all, ..*task }),
                deleted @ Outcome::Deleted(_) => deleted,
            };
            assert_eq!(singly.into_iter().map(owned).collect::<Vec<_>>(), done);
        }
        let [mut all, mut each] = [
            export(&stores, all, at(99)).await,
            export(&stores, each, at(99)).await,
        ];
        for held in [&mut all, &mut each] {
            for task in &mut held.tasks {
                task.owner = UserId(0);
            }
            for deleted in &mut held.deleted {
                deleted.task.owner = UserId(0);
            }
        }
        assert_eq!((all.tasks, all.deleted), (each.tasks, each.deleted));
    }
}

/// A request that comes again is answered as the first time, whatever became of its tasks, and nothing is done.
pub async fn a_known_request_is_not_done_again(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let creation = keyed("create", vec![Operation::Create(rich_task("a"))], at(1));
    let (made, first) = one(work(&stores, ann, &creation).await);
    assert!(!first);
    let flip = keyed("toggle", vec![toggle(made.id)], at(2));
    let (flipped, first) = one(work(&stores, ann, &flip).await);
    assert!(!first && !flipped.is_completed());
    for later in 3..6 {
        let again = Work {
            at: at(later),
            ..creation.clone()
        };
        assert_eq!(one(work(&stores, ann, &again).await), (made.clone(), true));
        let again = Work {
            at: at(later),
            ..flip.clone()
        };
        assert_eq!(one(work(&stores, ann, &again).await), (flipped.clone(), true));
        assert_eq!(find(&stores, ann, made.id).await, Some(flipped.clone()));
    }
    let batch = keyed(
        "batch",
        vec![Operation::Create(task("b")), delete(made.id)],
        at(7),
    );
    let done = outcomes(work(&stores, ann, &batch).await);
    assert_eq!(outcomes(work(&stores, ann, &batch).await), (done.0, true));
    assert_eq!(one(work(&stores, ann, &creation).await), (made, true));
    assert_eq!(export(&stores, ann, at(9)).await.tasks.len(), 1);
}

/// What is erased is erased from the answers too; the request is known all the same.
pub async fn an_erased_task_is_in_no_answer(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let both = vec![
        Operation::Create(repeating("secret", "daily", "2026-02-28")),
        Operation::Create(rich_task("\"user_id\":1,\"id\":1, plain")),
    ];
    let creation = keyed("key", both, at(1));
    let (made, _) = outcomes(work(&stores, ann, &creation).await);
    assert!(stores.tasks.delete(ann, TaskId(1), at(2)).await.unwrap());
    assert_eq!(
        outcomes(work(&stores, ann, &creation).await),
        (made.clone(), true)
    );
    assert!(stores.tasks.erase(ann, TaskId(1), at(3)).await.unwrap());
    let (again, replayed) = outcomes(work(&stores, ann, &creation).await);
    assert!(replayed && again[1..] == made[1..]);
    let Outcome::Task(erased) = &again[0] else {
        panic!("{again:?}");
    };
    let bare = Task::clone(erased).erased(at(3));
    assert_eq!((erased.id, &erased.title), (TaskId(1), &bare.title));
    assert_eq!(
        (&erased.description, &erased.tags, &erased.recurrence, erased.due),
        (&None, &bare.tags, &None, None)
    );
}

/// The same key with something else is refused, and nothing is done.
pub async fn a_key_is_of_one_request(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    work(
        &stores,
        ann,
        &keyed("key", vec![Operation::Create(task("a"))], at(1)),
    )
    .await;
    let other = keyed("key", vec![Operation::Create(task("b"))], at(2));
    assert_eq!(work(&stores, ann, &other).await, Worked::Reused);
    // In another letter case it is another key.
    let other = keyed("KEY", vec![Operation::Create(task("b"))], at(2));
    assert_eq!(one(work(&stores, ann, &other).await).0.id, TaskId(2));
}

/// A key is known for a day, and then it is nobody's.
pub async fn a_request_is_known_for_a_day(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let creation = keyed("key", vec![Operation::Create(task("a"))], at(1));
    let (made, _) = one(work(&stores, ann, &creation).await);
    let over = at(1).plus(idempotency::KEPT);
    let again = |at| Work {
        at,
        ..creation.clone()
    };
    assert_eq!(
        one(work(&stores, ann, &again(over.minus(micros(1)))).await),
        (made.clone(), true)
    );
    let (anew, replayed) = one(work(&stores, ann, &again(over)).await);
    assert_eq!((anew.id, replayed), (TaskId(2), false));
    // The new one lives as long.
    let later = over.plus(idempotency::KEPT);
    assert_eq!(
        one(work(&stores, ann, &again(later.minus(micros(1)))).await),
        (anew, true)
    );
    let other = keyed("key", vec![Operation::Create(task("b"))], later);
    assert_eq!(one(work(&stores, ann, &other).await).0.id, TaskId(3));
}

/// Another owner's requests are not known, and another owner's tasks are not there.
pub async fn another_owner_has_other_requests(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let bob = register(&stores, "bob").await.id();
    let creation = keyed("key", vec![Operation::Create(task("ann's"))], at(1));
    let (made, _) = one(work(&stores, ann, &creation).await);
    for operation in [toggle(made.id), rename(made.id, "stolen"), delete(made.id)] {
        for work_of in [
            together(vec![operation.clone()], at(2)),
            keyed("theft", vec![operation], at(2)),
        ] {
            let refused = work(&stores, bob, &work_of).await;
            assert_eq!(refused, Worked::Refused(vec![(0, Refusal::Absent)]));
        }
    }
    let (bobs, replayed) = one(work(&stores, bob, &creation).await);
    assert_eq!((bobs.owner, bobs.id, replayed), (bob, TaskId(1), false));
    assert_eq!(find(&stores, ann, made.id).await, Some(made));
    let nobody = UserId(i64::MAX);
    assert_eq!(work(&stores, nobody, &creation).await, Worked::Gone);
}

/// With an account go its requests.
pub async fn a_deleted_account_has_no_requests(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let creation = keyed("key", vec![Operation::Create(task("a"))], at(1));
    work(&stores, ann, &creation).await;
    assert!(leave(&stores, ann).await);
    assert_eq!(work(&stores, ann, &creation).await, Worked::Gone);
    let anew = register(&stores, "ann").await.id();
    assert!(!one(work(&stores, anew, &creation).await).1);
}
