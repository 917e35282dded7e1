//! Writes that are meant for certain versions, and the counter that tells an unchanged list.

use errand_application::ports::Written;
use errand_domain::query::{PageStart, TaskFilter, TaskQuery};
use errand_domain::task::{Completion, Expected, TaskChange};
use errand_domain::{TaskId, UserId};

use crate::fixtures::{
    UNLIMITED, at, change, create, create_titled, export, find, page, register, retitled, rich_task, sorted,
    sorts, task, words,
};
use crate::harness::Stores;

async fn counter(stores: &Stores, owner: UserId) -> i64 {
    stores.tasks.changes(owner).await.unwrap()
}

/// A write is done if the version is one of those that are expected.
pub async fn a_write_for_the_right_version_is_done(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = create(&stores, ann, &rich_task("a"), at(1)).await;
    let mut version = made.version;
    for (n, others) in (2..).zip([vec![], vec![9], vec![9, -1, i64::MAX, 0]]) {
        let expected = Expected::OneOf([others, vec![version]].concat());
        let wanted = retitled(&format!("{n}"));
        let written = stores
            .tasks
            .change_if(ann, made.id, &expected, &wanted, UNLIMITED, at(n))
            .await;
        let task = written.unwrap().done().expect("the version is an expected one");
        version += 1;
        assert_eq!((task.version, task.updated_at), (version, at(n)));
        assert_eq!(find(&stores, ann, made.id).await, Some(task));
    }
    // The same values once more: the version was right, and nothing moves.
    let expected = Expected::OneOf(vec![version]);
    let same = stores
        .tasks
        .change_if(ann, made.id, &expected, &TaskChange::default(), UNLIMITED, at(20))
        .await;
    assert_eq!(same.unwrap().done().map(|task| task.version), Some(version));
    let deleted = stores.tasks.delete_if(ann, made.id, &expected, at(30)).await;
    assert_eq!(deleted.unwrap(), Written::Done(()));
    assert_eq!(find(&stores, ann, made.id).await, None);
}

/// A write for another version leaves everything as it is, the change counter included.
pub async fn a_write_for_another_version_does_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = create(&stores, ann, &rich_task("a"), at(1)).await;
    change(&stores, ann, made.id, &retitled("b"), at(2)).await;
    let before = (export(&stores, ann, at(9)).await, counter(&stores, ann).await);
    for versions in [vec![1], vec![], vec![3, 1, 0, -2, i64::MAX, i64::MIN]] {
        let expected = Expected::OneOf(versions);
        for wanted in [
            retitled("c"),
            TaskChange::completing(Completion::Toggle),
            TaskChange::default(),
        ] {
            let written = stores
                .tasks
                .change_if(ann, made.id, &expected, &wanted, UNLIMITED, at(3))
                .await;
            assert_eq!(written.unwrap(), Written::Stale, "{expected:?}");
        }
        let deleted = stores.tasks.delete_if(ann, made.id, &expected, at(3)).await;
        assert_eq!(deleted.unwrap(), Written::Stale, "{expected:?}");
    }
    let after = (export(&stores, ann, at(9)).await, counter(&stores, ann).await);
    assert_eq!(after, before);
}

/// What is not there is absent, never of another version.
pub async fn an_absent_task_is_absent_whatever_is_expected(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let gone = create_titled(&stores, ann, "gone").await;
    assert!(stores.tasks.delete(ann, gone.id, at(2)).await.unwrap());
    for expected in [
        Expected::Any,
        Expected::OneOf(vec![]),
        Expected::OneOf(vec![1]),
        Expected::OneOf(vec![1, 2, 3]),
    ] {
        for id in [gone.id, TaskId(2), TaskId(0), TaskId(i64::MAX)] {
            let written = stores
                .tasks
                .change_if(ann, id, &expected, &retitled("x"), UNLIMITED, at(3))
                .await;
            assert_eq!(written.unwrap(), Written::Absent, "{expected:?}");
            let deleted = stores.tasks.delete_if(ann, id, &expected, at(3)).await;
            assert_eq!(deleted.unwrap(), Written::Absent, "{expected:?}");
        }
    }
}

/// The change counter goes up with every write that changes something and with nothing else.
pub async fn the_counter_moves_with_every_change_and_only_then(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let mut last = counter(&stores, ann).await;
    let mut moved = async |what: &str, by_a_change: bool| {
        let now = counter(&stores, ann).await;
        assert_eq!(now > last, by_a_change, "{what}: {last} to {now}");
        assert!(now >= last, "{what}");
        last = now;
    };
    let made = stores
        .tasks
        .create(ann, "key", &task("a"), UNLIMITED, at(1))
        .await;
    let made = made.unwrap().task().unwrap();
    moved("a creation", true).await;
    drop(
        stores
            .tasks
            .create(ann, "key", &task("a"), UNLIMITED, at(1))
            .await,
    );
    moved("its repetition", false).await;
    drop(stores.tasks.create(ann, "other", &task("a"), 1, at(1)).await);
    moved("a creation too many", false).await;
    change(
        &stores,
        ann,
        made.id,
        &TaskChange::completing(Completion::Toggle),
        at(2),
    )
    .await;
    moved("a change", true).await;
    change(
        &stores,
        ann,
        made.id,
        &TaskChange::completing(Completion::Set(true)),
        at(3),
    )
    .await;
    moved("the same values", false).await;
    find(&stores, ann, made.id).await;
    page(&stores, ann, &sorted(sorts()[0])).await;
    export(&stores, ann, at(3)).await;
    moved("reading", false).await;
    assert!(stores.tasks.delete(ann, made.id, at(4)).await.unwrap());
    moved("a deletion", true).await;
    assert!(!stores.tasks.delete(ann, made.id, at(5)).await.unwrap());
    moved("nothing to delete", false).await;
    assert_eq!(counter(&stores, UserId(i64::MAX)).await, 0, "nobody's");
}

/// Every page names the owner's counter, wherever it begins and whatever is on it.
pub async fn a_page_says_of_which_counter_it_is(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    assert_eq!(page(&stores, ann, &sorted(sorts()[0])).await.changes, 0);
    for n in 0..4 {
        create_titled(&stores, ann, &format!("{n}")).await;
        let now = counter(&stores, ann).await;
        for sort in sorts() {
            for start in [PageStart::Offset(0), PageStart::Offset(2), PageStart::Offset(100)] {
                let query = TaskQuery {
                    start,
                    limit: 2,
                    count: true,
                    ..sorted(sort)
                };
                let first = page(&stores, ann, &query).await;
                assert_eq!(first.changes, now, "{query:?}");
                if let Some(next) = first.next {
                    let query = TaskQuery { start: next, ..query };
                    assert_eq!(page(&stores, ann, &query).await.changes, now, "{query:?}");
                }
            }
            let nothing = TaskQuery {
                filter: TaskFilter { ..words("nothing") },
                ..sorted(sort)
            };
            let empty = page(&stores, ann, &nothing).await;
            assert_eq!((empty.tasks, empty.changes), (vec![], now));
        }
    }
    assert_eq!(
        page(&stores, UserId(i64::MAX), &sorted(sorts()[0])).await.changes,
        0
    );
}
