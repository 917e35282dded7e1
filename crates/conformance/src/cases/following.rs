//! Following the changes: who applies them has what there is.

use errand_application::ports::{Change, ChangesPage, Restored};
use errand_domain::changes::ChangesPlace;
use errand_domain::task::{Completion, TaskChange};
use errand_domain::{TaskId, UserId};

use crate::fixtures::{
    UNLIMITED, at, change, create, create_titled, days, find, leave, register, retitled, rich_task,
};
use crate::harness::Stores;
use crate::replica::Replica;

/// Whoever follows every write has what the list shows after each, whoever follows seldom too.
pub async fn a_follower_ends_equal_after_every_kind_of_write(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let (mut close, mut seldom) = (Replica::default(), Replica::default());
    let toggle = TaskChange::completing(Completion::Toggle);
    let restore = async |id| {
        let restored = stores.tasks.restore(ann, TaskId(id), UNLIMITED, at(9)).await;
        assert!(matches!(restored.unwrap(), Restored::Task(_)));
    };
    let delete = async |id| assert!(stores.tasks.delete(ann, TaskId(id), at(8)).await.unwrap());
    for step in 0..13 {
        match step {
            0 => assert_eq!(seldom.catch_up(&stores, ann, 1000).await, 1),
            1..=3 => drop(create(&stores, ann, &rich_task(&format!("{step}")), at(step)).await),
            4 => drop(change(&stores, ann, TaskId(1), &retitled("changed"), at(4)).await),
            5 => drop(change(&stores, ann, TaskId(2), &toggle, at(5)).await),
            6 => delete(1).await,
            7 => delete(3).await,
            8 => restore(1).await,
            9 => assert!(stores.tasks.erase(ann, TaskId(3), at(9)).await.unwrap()),
            10 => drop(create_titled(&stores, ann, "last").await),
            11 => {
                delete(2).await;
                // Nobody but the one who reads seldom has missed anything.
                seldom.catch_up(&stores, ann, 1).await;
                restore(2).await;
            }
            // No change of what there is.
            _ => assert_eq!(
                stores.tasks.purge(ann, 10, at(9).plus(days(31))).await.unwrap(),
                1
            ),
        }
        close.catch_up(&stores, ann, 1000).await;
        close.is_equal(&stores, ann).await;
        if step == 3 || step == 10 {
            seldom.catch_up(&stores, ann, 1000).await;
            seldom.is_equal(&stores, ann).await;
        }
    }
    seldom.catch_up(&stores, ann, 1).await;
    seldom.is_equal(&stores, ann).await;
    assert_eq!(close.tasks.keys().map(|id| id.0).collect::<Vec<_>>(), [1, 2, 4]);
}

/// A task that changed often is told once, as it is now; one that is deleted by its id alone; where nothing
/// happened nothing is told.
pub async fn every_task_is_told_once_as_it_is_now(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let nothing = stores.tasks.changes_since(ann, None, 10).await.unwrap().unwrap();
    assert_eq!((nothing.changes, nothing.has_more), (vec![], false));
    for n in 1..=3 {
        create(&stores, ann, &rich_task(&format!("{n}")), at(n)).await;
    }
    for n in 4..9 {
        change(&stores, ann, TaskId(1), &retitled(&format!("{n}")), at(n)).await;
    }
    assert!(stores.tasks.delete(ann, TaskId(2), at(9)).await.unwrap());
    let [first, third] = [
        find(&stores, ann, TaskId(1)).await.unwrap(),
        find(&stores, ann, TaskId(3)).await.unwrap(),
    ];
    let expected = vec![
        Change::Upsert(Box::new(third)),
        Change::Upsert(Box::new(first)),
        Change::Delete(TaskId(2)),
    ];
    let mut next = None;
    for since in [None, Some(nothing.next)] {
        let page = stores.tasks.changes_since(ann, since, 10).await.unwrap().unwrap();
        assert_eq!((&page.changes, page.has_more), (&expected, false));
        next = Some(page.next);
    }
    let same = TaskChange::completing(Completion::Set(true));
    change(&stores, ann, TaskId(3), &same, at(10)).await;
    let page = stores.tasks.changes_since(ann, next, 10).await.unwrap().unwrap();
    assert_eq!(
        (page.changes, page.has_more, Some(page.next)),
        (vec![], false, next)
    );
}

/// Small pages add up to the whole, and end exactly where nothing is left; a page whose answer was lost can be
/// read again.
pub async fn small_pages_of_changes_add_up(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for n in 0..6 {
        create_titled(&stores, ann, &format!("{n}")).await;
    }
    assert!(stores.tasks.delete(ann, TaskId(4), at(1)).await.unwrap());
    let all = stores
        .tasks
        .changes_since(ann, None, 1000)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((all.changes.len(), all.has_more), (6, false));
    for limit in 1..=7_u32 {
        let (mut told, mut since) = (Vec::new(), None);
        loop {
            let lost = stores.tasks.changes_since(ann, since, limit).await.unwrap();
            let page = stores.tasks.changes_since(ann, since, limit).await.unwrap();
            assert_eq!(page, lost);
            let page = page.unwrap();
            told.extend(page.changes);
            since = Some(page.next);
            assert_eq!(page.has_more, told.len() < 6, "limit {limit}");
            if !page.has_more {
                break;
            }
            assert_eq!(told.len() % limit as usize, 0);
        }
        assert_eq!((&told, since), (&all.changes, Some(all.next)), "limit {limit}");
    }
}

/// Between two pages everything may change: the end is equal nevertheless.
pub async fn what_changes_between_two_pages_is_told(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for n in 0..6 {
        create_titled(&stores, ann, &format!("{n}")).await;
    }
    let mut replica = Replica::default();
    for n in 1..=3 {
        assert!(replica.read(&stores, ann, 1).await);
        // One that was told and one that was not yet.
        change(&stores, ann, TaskId(n), &retitled("again"), at(2)).await;
        assert!(stores.tasks.delete(ann, TaskId(7 - n), at(3)).await.is_ok());
        create_titled(&stores, ann, "new").await;
    }
    replica.catch_up(&stores, ann, 1).await;
    replica.is_equal(&stores, ann).await;
}

/// Who has not seen a deletion is told to begin anew once it is forgotten; who has seen it goes on.
pub async fn a_place_before_a_forgotten_deletion_has_expired(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for n in 0..3 {
        create_titled(&stores, ann, &format!("{n}")).await;
    }
    let (mut before, mut after) = (Replica::default(), Replica::default());
    before.catch_up(&stores, ann, 10).await;
    assert!(stores.tasks.delete(ann, TaskId(1), at(1)).await.unwrap());
    after.catch_up(&stores, ann, 10).await;
    create_titled(&stores, ann, "next").await;
    assert!(before.clone().try_read(&stores, ann, 10).await.is_some());
    let over = at(1).plus(days(31));
    assert_eq!(stores.tasks.purge(ann, 10, over).await.unwrap(), 1);
    for limit in [1, 10] {
        assert_eq!(before.try_read(&stores, ann, limit).await, None);
    }
    after.catch_up(&stores, ann, 1).await;
    after.is_equal(&stores, ann).await;
    let mut anew = Replica::default();
    anew.catch_up(&stores, ann, 1).await;
    assert_eq!(anew.tasks, after.tasks);
    // A deletion that takes others along forgets them too.
    assert!(stores.tasks.delete(ann, TaskId(2), at(1)).await.unwrap());
    assert!(stores.tasks.delete(ann, TaskId(3), over).await.unwrap());
    assert_eq!(after.try_read(&stores, ann, 10).await, None);
}

/// Who has begun with nothing misses nothing of what was deleted before, however slowly it reads.
pub async fn what_was_deleted_before_one_began_expires_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for n in 1..=6 {
        create_titled(&stores, ann, &format!("{n}")).await;
        if n % 2 == 0 {
            assert!(stores.tasks.delete(ann, TaskId(n), at(1)).await.unwrap());
        }
    }
    let mut replica = Replica::default();
    assert!(replica.read(&stores, ann, 1).await);
    let over = at(1).plus(days(31));
    assert_eq!(stores.tasks.purge(ann, 10, over).await.unwrap(), 3);
    assert!(replica.read(&stores, ann, 1).await);
    let mut quick = replica.clone();
    quick.catch_up(&stores, ann, 1).await;
    quick.is_equal(&stores, ann).await;
    // What is deleted after it began is another matter.
    assert!(stores.tasks.delete(ann, TaskId(1), over).await.unwrap());
    assert!(replica.read(&stores, ann, 1).await);
    let later = over.plus(days(31));
    assert_eq!(stores.tasks.purge(ann, 10, later).await.unwrap(), 1);
    for mut late in [replica, quick] {
        assert_eq!(late.try_read(&stores, ann, 1).await, None);
    }
}

/// A place that lies ahead is of a store that was put back to an earlier state.
pub async fn a_place_that_lies_ahead_has_expired(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    create_titled(&stores, ann, "a").await;
    let page = stores.tasks.changes_since(ann, None, 10).await.unwrap().unwrap();
    let ChangesPlace { seq, base } = page.next;
    for place in [
        ChangesPlace { seq: seq + 1, base },
        ChangesPlace { seq: i64::MAX, base },
        ChangesPlace { seq, base: i64::MAX },
    ] {
        let page = stores.tasks.changes_since(ann, Some(place), 10).await;
        assert_eq!(page.unwrap(), None, "{place:?}");
    }
}

/// Who is not there, or no longer, has no changes, and no place expires.
pub async fn nobody_has_no_changes(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    create_titled(&stores, ann, "a").await;
    let page = stores.tasks.changes_since(ann, None, 10).await.unwrap().unwrap();
    assert!(leave(&stores, ann).await);
    let empty = ChangesPage {
        changes: vec![],
        ..page
    };
    let told = stores.tasks.changes_since(ann, Some(page.next), 10).await;
    assert_eq!(told.unwrap(), Some(empty));
    for owner in [ann, UserId(i64::MAX), UserId(0)] {
        let told = stores
            .tasks
            .changes_since(owner, None, 10)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((told.changes, told.has_more), (vec![], false));
    }
}

/// Of somebody else nothing is told, not even from a place of theirs; what they do expires and moves nothing.
pub async fn another_owner_follows_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let bob = register(&stores, "bob").await.id();
    for n in 0..6 {
        create(&stores, ann, &rich_task(&format!("secret {n}")), at(n)).await;
    }
    assert!(stores.tasks.delete(ann, TaskId(6), at(9)).await.unwrap());
    let anns = stores.tasks.changes_since(ann, None, 2).await.unwrap().unwrap();
    let from_zero = ChangesPlace { seq: 0, base: 0 };
    for stranger in [bob, UserId(i64::MAX), UserId(0)] {
        for since in [None, Some(anns.next), Some(from_zero)] {
            let page = stores.tasks.changes_since(stranger, since, 10).await.unwrap();
            let told = page.map(|page| (page.changes, page.has_more));
            // Bob, who has done nothing, was never so far.
            assert!(told.is_none_or(|told| told == (vec![], false)), "{stranger}");
        }
    }
    let bobs = create_titled(&stores, bob, "bob's").await;
    let page = stores.tasks.changes_since(bob, None, 10).await.unwrap().unwrap();
    assert_eq!(page.changes, [Change::Upsert(Box::new(bobs))]);
    assert!(stores.tasks.delete(bob, TaskId(1), at(1)).await.unwrap());
    assert_eq!(
        stores.tasks.purge(bob, 10, at(1).plus(days(31))).await.unwrap(),
        1
    );
    let rest = stores.tasks.changes_since(ann, Some(anns.next), 10).await;
    assert_eq!(rest.unwrap().unwrap().changes.len(), 4);
}
