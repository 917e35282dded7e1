//! The trash.

use errand_application::ports::{Created, DeletedTask, Restored};
use errand_domain::query::TaskFilter;
use errand_domain::task::Task;
use errand_domain::trash::{AT_ONCE, TrashPlace};
use errand_domain::{TaskId, Timestamp, UserId};

use crate::fixtures::{
    UNLIMITED, at, change, create, create_titled, days, export, find, micros, register, retitled, rich_task,
    shown, task,
};
use crate::harness::Stores;

async fn trash(stores: &Stores, owner: UserId, now: Timestamp) -> Vec<DeletedTask> {
    let page = stores.tasks.trash(owner, None, 1000, now).await.unwrap();
    assert_eq!(page.next, None);
    page.tasks
}

/// The newest deletion comes first, of one moment the greater id; small pages add up to the whole.
pub async fn the_trash_shows_the_newest_deletion_first(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let mut places = Vec::new();
    for (n, deleted_at) in [5, 2, 9, 2, 2, 7].into_iter().enumerate() {
        let made = create(&stores, ann, &rich_task(&format!("{n}")), at(1)).await;
        let last = change(&stores, ann, made.id, &retitled(&format!("task {n}")), at(2)).await;
        let deleted_at = at(10 + deleted_at).plus(micros(1));
        assert!(stores.tasks.delete(ann, made.id, deleted_at).await.unwrap());
        places.push(DeletedTask {
            task: last,
            deleted_at,
        });
    }
    places.sort_by_key(|deleted| std::cmp::Reverse(deleted.place()));
    assert_eq!(trash(&stores, ann, at(60)).await, places);
    for limit in 1..=7_u32 {
        let (mut all, mut after): (Vec<DeletedTask>, Option<TrashPlace>) = (Vec::new(), None);
        loop {
            let page = stores.tasks.trash(ann, after, limit, at(60)).await.unwrap();
            assert!(page.tasks.len() <= limit as usize && !page.tasks.is_empty());
            all.extend(page.tasks);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(all, places, "limit {limit}");
    }
    let nobody = stores
        .tasks
        .trash(UserId(i64::MAX), None, 5, at(60))
        .await
        .unwrap();
    assert_eq!((nobody.tasks, nobody.next), (vec![], None));
}

/// What was deleted is there for thirty days, to the microsecond.
pub async fn the_trash_keeps_a_task_for_thirty_days(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = create_titled(&stores, ann, "a").await;
    assert!(stores.tasks.delete(ann, made.id, at(7)).await.unwrap());
    let over = at(7).plus(days(30));
    let before = over.minus(micros(1));
    assert_eq!(trash(&stores, ann, before).await.len(), 1);
    assert_eq!(trash(&stores, ann, over).await, []);
    assert_eq!(
        stores.tasks.restore(ann, made.id, UNLIMITED, over).await.unwrap(),
        Restored::Absent
    );
    assert!(!stores.tasks.erase(ann, made.id, over).await.unwrap());
    let restored = stores.tasks.restore(ann, made.id, UNLIMITED, before).await;
    assert!(matches!(restored.unwrap(), Restored::Task(_)));
}

/// Deleting and taking back leaves everything but version and time, and is a change.
pub async fn a_restored_task_is_as_it_was_but_for_version_and_time(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for new in [task("plain"), rich_task("rich")] {
        let made = create(&stores, ann, &new, at(1)).await;
        let before = change(&stores, ann, made.id, &retitled("last"), at(5)).await;
        // A clock that is behind moves no time back.
        for (n, now, updated_at) in [(1, at(9), at(9)), (2, at(3), at(9).plus(micros(1)))] {
            assert!(stores.tasks.delete(ann, made.id, at(8)).await.unwrap());
            let counter = stores.tasks.changes(ann).await.unwrap();
            let restored = stores.tasks.restore(ann, made.id, UNLIMITED, now).await.unwrap();
            let expected = Task {
                version: before.version + n,
                updated_at,
                ..before.clone()
            };
            assert_eq!(restored, Restored::Task(expected.clone()));
            assert_eq!(find(&stores, ann, made.id).await, Some(expected));
            assert!(stores.tasks.changes(ann).await.unwrap() > counter);
            assert_eq!(trash(&stores, ann, at(10)).await, []);
        }
    }
    assert_eq!(shown(&stores, ann, TaskFilter::default()).await, [1, 2]);
    assert_eq!(export(&stores, ann, at(10)).await.deleted, []);
}

/// What lives, never was, or was taken back already is absent.
pub async fn what_is_not_in_the_trash_is_not_restored(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let living = create_titled(&stores, ann, "living").await;
    let before = export(&stores, ann, at(9)).await;
    for id in [living.id, TaskId(2), TaskId(0), TaskId(i64::MAX)] {
        let restored = stores.tasks.restore(ann, id, UNLIMITED, at(3)).await;
        assert_eq!(restored.unwrap(), Restored::Absent);
        assert!(!stores.tasks.erase(ann, id, at(3)).await.unwrap());
    }
    assert_eq!(export(&stores, ann, at(9)).await, before);
    let nobody = stores
        .tasks
        .restore(UserId(i64::MAX), TaskId(1), UNLIMITED, at(3))
        .await;
    assert_eq!(nobody.unwrap(), Restored::Absent);
}

/// Who has as many as may be takes nothing back until there is room.
pub async fn a_full_owner_restores_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for _ in 0..3 {
        create_titled(&stores, ann, "a").await;
    }
    assert!(stores.tasks.delete(ann, TaskId(1), at(1)).await.unwrap());
    let restore = async |id, most| stores.tasks.restore(ann, TaskId(id), most, at(2)).await.unwrap();
    let before = export(&stores, ann, at(9)).await;
    assert_eq!(restore(1, 2).await, Restored::Full);
    assert_eq!(restore(1, 1).await, Restored::Full);
    assert_eq!(restore(9, 1).await, Restored::Absent);
    assert_eq!(export(&stores, ann, at(9)).await, before);
    assert!(matches!(restore(1, 3).await, Restored::Task(_)));
}

/// What is erased is neither shown nor given back nor exported; its id and its key stay used.
pub async fn what_is_erased_is_gone_for_good(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = stores
        .tasks
        .create(ann, "key", &rich_task("secret"), UNLIMITED, at(1))
        .await;
    let made = made.unwrap().task().unwrap();
    assert!(stores.tasks.delete(ann, made.id, at(2)).await.unwrap());
    let counter = stores.tasks.changes(ann).await.unwrap();
    assert!(stores.tasks.erase(ann, made.id, at(3)).await.unwrap());
    assert!(stores.tasks.changes(ann).await.unwrap() > counter);
    assert!(!stores.tasks.erase(ann, made.id, at(4)).await.unwrap());
    assert_eq!(trash(&stores, ann, at(5)).await, []);
    assert_eq!(
        stores
            .tasks
            .restore(ann, made.id, UNLIMITED, at(5))
            .await
            .unwrap(),
        Restored::Absent
    );
    assert_eq!(find(&stores, ann, made.id).await, None);
    let export = export(&stores, ann, at(5)).await;
    assert_eq!((export.tasks, export.deleted), (vec![], vec![]));
    let again = stores
        .tasks
        .create(ann, "key", &task("a"), UNLIMITED, at(6))
        .await;
    assert_eq!(again.unwrap(), Created::Gone);
    assert_eq!(create_titled(&stores, ann, "next").await.id, TaskId(2));
}

/// A deletion takes along what is over, the oldest first and not too many, and nothing else.
pub async fn a_deletion_removes_what_is_over(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let many = i64::from(AT_ONCE) + 3;
    for n in 1..=many {
        create_titled(&stores, ann, "old").await;
        assert!(
            stores
                .tasks
                .delete(ann, TaskId(n), at(n.unsigned_abs()))
                .await
                .unwrap()
        );
    }
    let [young, last] = [
        create_titled(&stores, ann, "young").await,
        create_titled(&stores, ann, "last").await,
    ];
    let over = at(many.unsigned_abs()).plus(days(30));
    assert!(
        stores
            .tasks
            .delete(ann, young.id, over.minus(days(1)))
            .await
            .unwrap()
    );
    let left = async || {
        let deleted = export(&stores, ann, over).await.deleted;
        deleted.into_iter().map(|d| d.task.id.0).collect::<Vec<_>>()
    };
    assert_eq!(
        left().await,
        (1..=many + 1).collect::<Vec<_>>(),
        "nothing was over"
    );
    assert!(stores.tasks.delete(ann, last.id, over).await.unwrap());
    let expected = [many - 2, many - 1, many, many + 1, many + 2];
    assert_eq!(left().await, expected);
    // Also where there is nothing to delete.
    assert!(!stores.tasks.delete(ann, last.id, over).await.unwrap());
    assert_eq!(left().await, [many + 1, many + 2]);
}

/// Removing what is over takes the oldest first, as many as it is told, erased ones too.
pub async fn purging_removes_what_is_over_in_steps(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for n in 1..=5 {
        create_titled(&stores, ann, "old").await;
        assert!(
            stores
                .tasks
                .delete(ann, TaskId(n), at(n.unsigned_abs()))
                .await
                .unwrap()
        );
    }
    assert!(stores.tasks.erase(ann, TaskId(2), at(9)).await.unwrap());
    create_titled(&stores, ann, "stays").await;
    let over = at(4).plus(days(30));
    let purge = async |most| stores.tasks.purge(ann, most, over).await.unwrap();
    assert_eq!(purge(3).await, 3);
    let export = export(&stores, ann, over).await;
    assert_eq!(
        export.deleted.iter().map(|d| d.task.id.0).collect::<Vec<_>>(),
        [4, 5]
    );
    assert_eq!(export.tasks.len(), 1);
    assert_eq!(purge(3).await, 1);
    assert_eq!(purge(3).await, 0);
    assert_eq!(stores.tasks.purge(UserId(i64::MAX), 3, over).await.unwrap(), 0);
    assert_eq!(trash(&stores, ann, over).await.len(), 1);
}
