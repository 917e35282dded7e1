//! Something of another owner behaves like something absent, in every method of every port, and trying leaves
//! it as it was.

use errand_application::ports::{AccountExport, Restored, Rotation, Written};
use errand_domain::query::{PageStart, TaskFilter, TaskPage, TaskQuery};
use errand_domain::session::MAX_PER_USER;
use errand_domain::task::{Completion, Expected, TaskChange};
use errand_domain::{TaskId, UserId};

use crate::fixtures::{
    Person, UNLIMITED, at, change, create, create_titled, days, digest, ended_now, ended_since, event,
    export, filtered, find, follow, hash, ids, leave, living, login, micros, new_session, next_refresh, page,
    register, retitled, rich_task, rotate, seed, sign_in, sorted, sorts, start, task, unique, words,
};
use crate::harness::Stores;

/// Somebody with something of everything, and those who have no business with it.
struct House {
    ann: Person,
    tasks: Vec<TaskId>,
    /// Another user with nothing, one that has left, and owners that never were.
    strangers: Vec<UserId>,
    before: AccountExport,
}

impl House {
    async fn build(stores: &Stores) -> Self {
        let gone = register(stores, "gone").await;
        let ann = register(stores, "ann").await;
        let bob = register(stores, "bob").await;
        assert!(leave(stores, gone.id()).await);
        let mut tasks = Vec::new();
        for n in 0..6 {
            tasks.push(
                create(stores, ann.id(), &rich_task(&format!("secret {n}")), at(n))
                    .await
                    .id,
            );
        }
        assert!(stores.tasks.delete(ann.id(), tasks[5], at(9)).await.unwrap());
        start(stores, ann.id(), at(3)).await;
        let before = export(stores, ann.id(), at(100)).await;
        let strangers = vec![bob.id(), gone.id(), UserId(i64::MAX), UserId(0)];
        Self {
            ann,
            tasks,
            strangers,
            before,
        }
    }

    /// Nothing of the owner's has changed.
    async fn is_untouched(&self, stores: &Stores) {
        assert_eq!(export(stores, self.ann.id(), at(100)).await, self.before);
        let found = stores.accounts.find(self.ann.id()).await.unwrap().unwrap();
        assert_eq!(found.password, hash("first"));
    }
}

/// `TaskStore::find`
pub async fn another_owner_cannot_find_a_task(stores: Stores) {
    let house = House::build(&stores).await;
    for stranger in &house.strangers {
        for id in &house.tasks {
            assert_eq!(find(&stores, *stranger, *id).await, None);
        }
    }
    house.is_untouched(&stores).await;
}

/// `TaskStore::change_if`
pub async fn another_owner_cannot_change_a_task(stores: Stores) {
    let house = House::build(&stores).await;
    for stranger in &house.strangers {
        for id in &house.tasks {
            for change in [
                retitled("stolen"),
                TaskChange::completing(Completion::Toggle),
                TaskChange::completing(Completion::Set(false)),
                TaskChange::default(),
            ] {
                let changed = stores.tasks.change(*stranger, *id, &change, at(10)).await;
                assert_eq!(changed.unwrap(), None, "{change:?}");
                for versions in [vec![1], vec![2]] {
                    let expected = Expected::OneOf(versions);
                    let changed = stores
                        .tasks
                        .change_if(*stranger, *id, &expected, &change, at(10))
                        .await;
                    assert_eq!(changed.unwrap(), Written::Absent, "{change:?}");
                }
            }
        }
    }
    house.is_untouched(&stores).await;
}

/// `TaskStore::changes`
pub async fn another_owner_moves_no_counter(stores: Stores) {
    let house = House::build(&stores).await;
    let before = stores.tasks.changes(house.ann.id()).await.unwrap();
    for stranger in &house.strangers {
        assert_eq!(stores.tasks.changes(*stranger).await.unwrap(), 0);
    }
    let bob = house.strangers[0];
    let bobs = create_titled(&stores, bob, "bob's").await;
    change(&stores, bob, bobs.id, &retitled("changed"), at(11)).await;
    assert!(stores.tasks.delete(bob, bobs.id, at(12)).await.unwrap());
    assert_eq!(stores.tasks.changes(house.ann.id()).await.unwrap(), before);
    house.is_untouched(&stores).await;
}

/// `TaskStore::delete_if`
pub async fn another_owner_cannot_delete_a_task(stores: Stores) {
    let house = House::build(&stores).await;
    for stranger in &house.strangers {
        for id in &house.tasks {
            assert!(!stores.tasks.delete(*stranger, *id, at(10)).await.unwrap());
            let expected = Expected::OneOf(vec![2]);
            let deleted = stores.tasks.delete_if(*stranger, *id, &expected, at(10)).await;
            assert_eq!(deleted.unwrap(), Written::Absent);
        }
    }
    house.is_untouched(&stores).await;
}

/// `TaskStore::trash`, `restore`, `erase` and `purge`
pub async fn another_owner_has_another_trash(stores: Stores) {
    let house = House::build(&stores).await;
    for stranger in &house.strangers {
        let page = stores.tasks.trash(*stranger, None, 10, at(10)).await.unwrap();
        assert_eq!((page.tasks, page.next), (vec![], None));
        for id in &house.tasks {
            let restored = stores.tasks.restore(*stranger, *id, UNLIMITED, at(10)).await;
            assert_eq!(restored.unwrap(), Restored::Absent);
            assert!(!stores.tasks.erase(*stranger, *id, at(10)).await.unwrap());
        }
        let late = at(10).plus(days(31));
        assert_eq!(stores.tasks.purge(*stranger, 10, late).await.unwrap(), 0);
        assert!(!stores.tasks.delete(*stranger, TaskId(1), late).await.unwrap());
    }
    house.is_untouched(&stores).await;
}

/// `TaskStore::create`: a key of somebody else is a key like any other, and the new task is one's own.
pub async fn another_owner_cannot_use_a_creation_key(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    let anns = stores
        .tasks
        .create(ann.id(), "key", &rich_task("secret"), UNLIMITED, at(1))
        .await;
    let anns = anns.unwrap().task().unwrap();
    create_titled(&stores, bob.id(), "first").await;
    let before = export(&stores, ann.id(), at(5)).await;
    let bobs = stores
        .tasks
        .create(bob.id(), "key", &task("mine"), UNLIMITED, at(2))
        .await;
    let bobs = bobs.unwrap().task().unwrap();
    assert_eq!(
        (bobs.owner, bobs.id, bobs.title.as_str()),
        (bob.id(), TaskId(2), "mine")
    );
    assert!(stores.tasks.delete(bob.id(), bobs.id, at(3)).await.unwrap());
    let again = stores
        .tasks
        .create(ann.id(), "key", &task("x"), UNLIMITED, at(4))
        .await;
    assert_eq!(
        again.unwrap().task(),
        Some(anns),
        "and it still works for its owner"
    );
    assert_eq!(export(&stores, ann.id(), at(5)).await, before);
}

/// `TaskStore::page` from the beginning or behind a task, by every order and filter, with count.
pub async fn another_owners_pages_are_empty(stores: Stores) {
    let house = House::build(&stores).await;
    let filters = [
        TaskFilter::default(),
        words("secret"),
        TaskFilter {
            tag_keys: vec!["shop".to_owned()],
            ..TaskFilter::default()
        },
        TaskFilter {
            completed: Some(true),
            ..TaskFilter::default()
        },
    ];
    let nothing = TaskPage {
        tasks: vec![],
        next: None,
        total: Some(0),
        changes: 0,
    };
    let behind = PageStart::After {
        created_at: at(1),
        id: house.tasks[1],
    };
    for stranger in &house.strangers {
        for filter in &filters {
            for sort in sorts() {
                let query = TaskQuery {
                    filter: filter.clone(),
                    count: true,
                    ..sorted(sort)
                };
                assert_eq!(page(&stores, *stranger, &query).await, nothing);
            }
            let query = TaskQuery {
                start: behind,
                count: true,
                ..filtered(filter.clone())
            };
            assert_eq!(page(&stores, *stranger, &query).await, nothing);
        }
    }
    house.is_untouched(&stores).await;
}

/// `TaskStore::page` in a walk: it is unknown to anybody but its owner, and stays what it was.
pub async fn another_owner_cannot_follow_a_walk(stores: Stores) {
    let house = House::build(&stores).await;
    for id in 1..=6 {
        // The same ids as Ann's, so that nothing but the owner tells them apart.
        let own = create_titled(&stores, house.strangers[0], "own").await;
        assert_eq!(own.id, TaskId(id));
    }
    for sort in sorts().into_iter().skip(2) {
        let query = TaskQuery {
            limit: 2,
            ..sorted(sort)
        };
        let all = page(&stores, house.ann.id(), &sorted(sort)).await.tasks;
        let begun = stores
            .tasks
            .page(house.ann.id(), &query, seed(at(60)))
            .await
            .unwrap();
        let start = begun.unwrap().next.unwrap();
        assert!(matches!(start, PageStart::Walk { .. }), "{sort:?}");
        let query = TaskQuery { start, ..query };
        for stranger in &house.strangers {
            let answer = stores.tasks.page(*stranger, &query, seed(at(61))).await.unwrap();
            assert_eq!(answer, None, "{sort:?}");
        }
        assert_eq!(
            follow(&stores, house.ann.id(), &query).await,
            all[2..],
            "{sort:?}"
        );
    }
    house.is_untouched(&stores).await;
}

/// `SessionStore::list`
pub async fn another_owner_cannot_list_sessions(stores: Stores) {
    let house = House::build(&stores).await;
    let anns = living(&stores, house.ann.id(), at(10)).await;
    for stranger in &house.strangers {
        let listed = living(&stores, *stranger, at(10)).await;
        assert!(listed.iter().all(|id| !anns.contains(id)));
    }
    house.is_untouched(&stores).await;
}

/// `SessionStore::end`
pub async fn another_owner_cannot_end_a_session(stores: Stores) {
    let house = House::build(&stores).await;
    let cursor = ended_now(&stores).await;
    let anns = living(&stores, house.ann.id(), at(10)).await;
    for stranger in &house.strangers {
        for id in &anns {
            assert!(!stores.sessions.end(*stranger, *id, &event(at(10))).await.unwrap());
        }
    }
    let ended = ended_since(&stores, cursor).await;
    assert!(anns.iter().all(|id| !ended.contains(id)));
    house.is_untouched(&stores).await;
}

/// `SessionStore::end_all`
pub async fn another_owner_ends_only_its_own_sessions(stores: Stores) {
    let house = House::build(&stores).await;
    let cursor = ended_now(&stores).await;
    for (n, stranger) in house.strangers.iter().enumerate() {
        let own = u64::from(n == 0);
        assert_eq!(
            stores.sessions.end_all(*stranger, &event(at(0))).await.unwrap(),
            own
        );
    }
    let ended = ended_since(&stores, cursor).await;
    let anns = living(&stores, house.ann.id(), at(10)).await;
    assert!(anns.len() == 2 && anns.iter().all(|id| !ended.contains(id)));
    house.is_untouched(&stores).await;
}

/// `SessionStore::rotate`: whoever presents a token for another owner is unknown, with a right token and with one
/// that would end the session.
pub async fn another_owner_cannot_rotate_or_end_by_reuse(stores: Stores) {
    let house = House::build(&stores).await;
    let session = &house.ann.session;
    for stranger in &house.strangers {
        for token in [session.token, digest(b'x', unique())] {
            let rotation = rotate(&stores, *stranger, session, &token, &next_refresh(), at(10)).await;
            assert_eq!(rotation, Rotation::Unknown);
        }
    }
    house.is_untouched(&stores).await;
    let rotation = rotate(
        &stores,
        house.ann.id(),
        session,
        &session.token,
        &next_refresh(),
        at(10),
    )
    .await;
    assert!(
        matches!(rotation, Rotation::Rotated { .. }),
        "the token was not used up"
    );
}

/// `SessionStore::start`: as many sessions as one may have, and more, push nobody else's out.
pub async fn another_owners_sessions_push_nobody_out(stores: Stores) {
    let house = House::build(&stores).await;
    for n in 0..=MAX_PER_USER as u64 {
        start(&stores, house.strangers[0], at(20 + n)).await;
    }
    for stranger in &house.strangers[1..] {
        assert!(!sign_in(&stores, *stranger, &new_session(at(90))).await);
    }
    house.is_untouched(&stores).await;
}

/// `AccountStore::change_password` and `renew_hash`, although the hashes are equal.
pub async fn another_owner_cannot_change_a_password(stores: Stores) {
    let house = House::build(&stores).await;
    for (n, stranger) in house.strangers.iter().enumerate() {
        let (old, new) = (hash("first"), hash("second"));
        let session = new_session(at(10));
        let changed = stores
            .accounts
            .change_password(*stranger, &old, &new, Some(session.clone()), &event(at(10)))
            .await;
        assert_eq!(changed.unwrap(), n == 0);
        let renewed = stores.accounts.renew_hash(*stranger, &new, &hash("third")).await;
        assert_eq!(renewed.unwrap(), n == 0);
    }
    house.is_untouched(&stores).await;
}

/// `AccountStore::delete`
pub async fn another_owner_deletes_only_itself(stores: Stores) {
    let house = House::build(&stores).await;
    let cursor = ended_now(&stores).await;
    create_titled(&stores, house.strangers[0], "own").await;
    for (n, stranger) in house.strangers.iter().enumerate() {
        assert_eq!(leave(&stores, *stranger).await, n == 0);
    }
    let ended = ended_since(&stores, cursor).await;
    assert!(!ended.contains(&house.ann.session.id));
    house.is_untouched(&stores).await;
}

/// `AccountStore::find`, `credentials` and `export`
pub async fn accounts_and_exports_hold_nothing_of_others(stores: Stores) {
    let house = House::build(&stores).await;
    let bob = house.strangers[0];
    let own = create_titled(&stores, bob, "own").await;
    let export = export(&stores, bob, at(100)).await;
    assert_eq!((export.user.id, export.tasks), (bob, vec![own]));
    assert_eq!((export.deleted, export.sessions.len()), (vec![], 1));
    assert!(export.sessions.iter().all(|s| s.owner == bob));
    let found = stores.accounts.credentials(&login("bob")).await.unwrap().unwrap();
    assert_eq!(found.user.id, bob);
    for stranger in &house.strangers[1..] {
        assert_eq!(stores.accounts.find(*stranger).await.unwrap(), None);
        assert_eq!(stores.accounts.export(*stranger, at(100)).await.unwrap(), None);
    }
    house.is_untouched(&stores).await;
}

/// What others do shows nowhere: not in ids, counts, pages, walks, sessions or exports.
pub async fn what_others_do_shows_nowhere(stores: Stores) {
    let house = House::build(&stores).await;
    let ann = house.ann.id();
    let bob = house.strangers[0];
    let mut readers = Vec::new();
    for sort in sorts() {
        let whole = page(&stores, ann, &sorted(sort)).await.tasks;
        let query = TaskQuery {
            limit: 2,
            count: true,
            ..sorted(sort)
        };
        let first = page(&stores, ann, &query).await;
        readers.push((
            whole,
            first.tasks,
            TaskQuery {
                start: first.next.unwrap(),
                ..query
            },
        ));
    }

    for n in 0..8 {
        let made = create(&stores, bob, &rich_task("secret"), at(n).plus(micros(1))).await;
        change(&stores, bob, made.id, &retitled("secret 0"), at(50)).await;
        page(
            &stores,
            bob,
            &TaskQuery {
                limit: 1,
                ..sorted(sorts()[4])
            },
        )
        .await;
    }
    for id in [1, 6] {
        assert!(stores.tasks.delete(bob, TaskId(id), at(51)).await.unwrap());
    }
    start(&stores, bob, at(52)).await;
    assert_eq!(stores.sessions.end_all(bob, &event(at(0))).await.unwrap(), 2);

    house.is_untouched(&stores).await;
    for (whole, mut seen, query) in readers {
        let counted = page(&stores, ann, &query).await;
        assert_eq!(counted.total, Some(5), "{:?}", query.sort);
        seen.extend(follow(&stores, ann, &query).await);
        assert_eq!(seen, whole, "{:?}", query.sort);
        assert_eq!(page(&stores, ann, &sorted(query.sort)).await.tasks, whole);
    }
    let next = create_titled(&stores, ann, "next").await;
    assert_eq!(
        next.id,
        TaskId(7),
        "the ids of one owner count only its own tasks"
    );
}

/// Tasks of different owners with the same id are different tasks.
pub async fn the_same_id_is_another_task_for_every_owner(stores: Stores) {
    let mut owners = Vec::new();
    for name in ["ann", "bob", "cyd"] {
        let owner = register(&stores, name).await.id();
        for n in 1..=3 {
            let made = create(&stores, owner, &task(&format!("{name} {n}")), at(n)).await;
            assert_eq!(made.id.0, n.cast_signed());
        }
        owners.push((name, owner));
    }
    let (ann, bob, cyd) = (owners[0].1, owners[1].1, owners[2].1);
    change(&stores, bob, TaskId(1), &retitled("changed"), at(9)).await;
    assert!(stores.tasks.delete(cyd, TaskId(1), at(9)).await.unwrap());
    let mut titles = Vec::new();
    for (_, owner) in &owners {
        let found = find(&stores, *owner, TaskId(1)).await;
        titles.push(found.map(|t| t.title.as_str().to_owned()));
        assert_eq!(
            find(&stores, *owner, TaskId(2)).await.map(|t| t.owner),
            Some(*owner)
        );
    }
    assert_eq!(
        titles,
        [Some("ann 1".to_owned()), Some("changed".to_owned()), None]
    );
    let all = page(&stores, ann, &sorted(sorts()[0])).await.tasks;
    assert_eq!(ids(&all), [1, 2, 3]);
    assert!(all.iter().all(|t| t.owner == ann && t.version == 1));
}

/// Expiry, too, is each session's own affair.
pub async fn sessions_expire_each_for_its_owner(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    let now = at(0).plus(days(13));
    let used = rotate(
        &stores,
        bob.id(),
        &bob.session,
        &bob.session.token,
        &next_refresh(),
        now,
    )
    .await;
    assert!(matches!(used, Rotation::Rotated { .. }));
    let later = at(0).plus(days(20));
    assert_eq!(living(&stores, ann.id(), later).await, []);
    assert_eq!(living(&stores, bob.id(), later).await, [bob.session.id]);
}
