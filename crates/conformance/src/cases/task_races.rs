//! What must hold when tasks are written at the same time.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use errand_application::ports::{Restored, Work, Worked, Written};
use errand_domain::TaskId;
use errand_domain::query::TaskFilter;
use errand_domain::task::{Completion, Expected, Operation, Priority, TaskChange};

use crate::fixtures::{
    UNLIMITED, at, create, create_titled, description, due, export, find, page, register, repeating, request,
    retitled, shown, sorted, sorts, tags, task, title,
};
use crate::harness::Stores;
use crate::parallel::parallel;
use crate::replica::Replica;

/// How many do it at once.
const MANY: usize = 8;
/// How often, since one round may happen to meet in no bad moment.
const ROUNDS: usize = 5;

/// One key at once makes one task, and every caller gets it.
pub async fn parallel_creations_with_one_key_make_one_task(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for round in 1..=ROUNDS {
        let made = parallel(MANY, |_| {
            let stores = stores.clone();
            let key = format!("key {round}");
            async move {
                stores
                    .tasks
                    .create(ann, &key, &task("a"), UNLIMITED, at(1))
                    .await
                    .unwrap()
                    .task()
            }
        });
        let made = made.await;
        assert!(
            made[0].is_some() && made.iter().all(|t| *t == made[0]),
            "{made:?}"
        );
        assert_eq!(shown(&stores, ann, TaskFilter::default()).await.len(), round);
    }
}

/// Parallel creations all succeed, with different ids.
pub async fn parallel_creations_get_different_ids(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let bob = register(&stores, "bob").await.id();
    let made = parallel(2 * MANY, |i| {
        let stores = stores.clone();
        async move { create_titled(&stores, [ann, bob][i % 2], &i.to_string()).await }
    });
    let made = made.await;
    for owner in [ann, bob] {
        let ids: BTreeSet<_> = made.iter().filter(|t| t.owner == owner).map(|t| t.id.0).collect();
        assert_eq!(ids.len(), MANY, "{ids:?}");
        assert_eq!(
            shown(&stores, owner, TaskFilter::default()).await,
            Vec::from_iter(ids)
        );
    }
    for task in made {
        assert_eq!(find(&stores, task.owner, task.id).await, Some(task));
    }
}

/// Every toggle counts: as many versions as toggles, and done if they were odd.
pub async fn parallel_toggles_all_count(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for toggles in [MANY, MANY + 1] {
        let made = create_titled(&stores, ann, "a").await;
        let answers = parallel(toggles, |i| {
            let stores = stores.clone();
            let toggle = TaskChange::completing(Completion::Toggle);
            async move {
                stores
                    .tasks
                    .change(ann, made.id, &toggle, at(i as u64))
                    .await
                    .unwrap()
            }
        });
        let answers: Vec<_> = answers.await.into_iter().flatten().collect();
        let versions: BTreeSet<_> = answers.iter().map(|t| t.version).collect();
        assert_eq!(
            versions.len(),
            toggles,
            "each toggle has a version of its own: {versions:?}"
        );
        for answer in &answers {
            assert_eq!(
                answer.is_completed(),
                answer.version % 2 == 0,
                "as it was right then"
            );
        }
        let found = find(&stores, ann, made.id).await.unwrap();
        assert_eq!(found.version, 1 + i64::try_from(toggles).unwrap());
        assert_eq!(found.is_completed(), toggles % 2 == 1);
    }
}

/// Parallel changes of different fields all stay.
pub async fn parallel_changes_of_different_fields_all_stay(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let nothing = TaskChange::default;
    let changes = [
        retitled("new"),
        TaskChange {
            description: Some(description("new")),
            ..nothing()
        },
        TaskChange {
            priority: Some(Priority::High),
            ..nothing()
        },
        TaskChange {
            due: Some(due("2026-12-01")),
            ..nothing()
        },
        TaskChange {
            tags: Some(tags(["new"])),
            ..nothing()
        },
        TaskChange::completing(Completion::Set(true)),
    ];
    for _ in 0..ROUNDS {
        let made = create_titled(&stores, ann, "old").await;
        let answers = parallel(changes.len(), |i| {
            let (stores, change) = (stores.clone(), changes[i].clone());
            async move { stores.tasks.change(ann, made.id, &change, at(1)).await.unwrap() }
        });
        assert!(answers.await.iter().all(Option::is_some));
        let found = find(&stores, ann, made.id).await.unwrap();
        assert_eq!(
            (found.title, found.description),
            (title("new"), description("new"))
        );
        assert_eq!((found.priority, found.due), (Priority::High, due("2026-12-01")));
        assert_eq!((found.tags, found.completed_at), (tags(["new"]), Some(at(1))));
        assert_eq!(found.version, 7);
    }
}

/// A task that is deleted while it is changed is gone in the end, as the last change that succeeded left it.
pub async fn a_task_deleted_while_changing_stays_deleted(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for _ in 0..ROUNDS {
        let made = create_titled(&stores, ann, "old").await;
        let answers = parallel(MANY, |i| {
            let stores = stores.clone();
            async move {
                if i == MANY / 2 {
                    assert!(stores.tasks.delete(ann, made.id, at(2)).await.unwrap());
                    return None;
                }
                let wanted = retitled(&format!("new {i}"));
                stores.tasks.change(ann, made.id, &wanted, at(1)).await.unwrap()
            }
        });
        let last = answers.await.into_iter().flatten().max_by_key(|t| t.version);
        assert_eq!(find(&stores, ann, made.id).await, None);
        let export = export(&stores, ann, at(3)).await;
        assert_eq!(export.tasks, []);
        let kept = export.deleted.last().map(|d| d.task.clone());
        assert_eq!(kept, Some(last.unwrap_or(made)));
    }
}

/// Of parallel deletions of one task exactly one did it.
pub async fn one_of_parallel_deletions_wins(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for _ in 0..ROUNDS {
        let made = create_titled(&stores, ann, "a").await;
        let answers = parallel(MANY, |i| {
            let stores = stores.clone();
            async move { stores.tasks.delete(ann, made.id, at(i as u64)).await.unwrap() }
        });
        assert_eq!(answers.await.iter().filter(|deleted| **deleted).count(), 1);
    }
}

/// Changes of some tasks and the making of others go on side by side, and each gives what it did.
pub async fn changes_and_creations_at_once_do_not_disturb_each_other(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for _ in 0..MANY {
        create_titled(&stores, ann, "old").await;
    }
    let answers = parallel(2 * MANY, |i| {
        let stores = stores.clone();
        async move {
            if i % 2 == 0 {
                return Some(create_titled(&stores, ann, "made").await);
            }
            let id = TaskId(1 + i64::try_from(i / 2).unwrap());
            stores
                .tasks
                .change(ann, id, &retitled("new"), at(5))
                .await
                .unwrap()
        }
    });
    let mut answers: Vec<_> = answers.await.into_iter().flatten().collect();
    answers.sort_by_key(|t| t.id);
    assert_eq!(export(&stores, ann, at(6)).await.tasks, answers);
}

/// Of parallel writers who expect the same version one wins, and the others hear that they are late.
pub async fn one_of_parallel_writers_for_a_version_wins(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for _ in 0..ROUNDS {
        let made = create_titled(&stores, ann, "old").await;
        let answers = parallel(MANY, |i| {
            let stores = stores.clone();
            async move {
                let wanted = retitled(&format!("new {i}"));
                stores
                    .tasks
                    .change_if(ann, made.id, &Expected::OneOf(vec![1]), &wanted, UNLIMITED, at(1))
                    .await
                    .unwrap()
            }
        });
        let answers = answers.await;
        let stale = answers.iter().filter(|answer| **answer == Written::Stale).count();
        let winners: Vec<_> = answers.into_iter().filter_map(Written::done).collect();
        assert_eq!((winners.len(), stale), (1, MANY - 1));
        assert_eq!(find(&stores, ann, made.id).await.as_ref(), winners.first());
    }
}

/// Writers who read again when they are late all get through once, and the version counts them.
pub async fn writers_who_try_again_all_count(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let made = create_titled(&stores, ann, "old").await;
    let done = parallel(MANY, |i| {
        let stores = stores.clone();
        async move {
            let mut version = 1;
            for _ in 0..10 * MANY {
                let wanted = retitled(&format!("new {i}"));
                let expected = Expected::OneOf(vec![version]);
                let written = stores
                    .tasks
                    .change_if(ann, made.id, &expected, &wanted, UNLIMITED, at(1))
                    .await;
                match written.unwrap() {
                    Written::Done(task) => return task.version,
                    Written::Stale => {
                        version = stores.tasks.find(ann, made.id).await.unwrap().unwrap().version;
                    }
                    Written::Absent | Written::Full | Written::Invalid(_) | Written::TooMuch => {
                        panic!("it is there")
                    }
                }
            }
            panic!("somebody must win each time");
        }
    });
    let versions: BTreeSet<_> = done.await.into_iter().collect();
    let found = find(&stores, ann, made.id).await.unwrap();
    assert_eq!(found.version, 1 + i64::try_from(MANY).unwrap());
    assert_eq!(versions, (2..=found.version).collect());
}

/// What is read while others write: the same counter is the same page, and a greater one a later page.
pub async fn pages_of_one_counter_are_the_same(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for sort in [sorts()[0], sorts()[4]] {
        let seen = parallel(MANY, |i| {
            let stores = stores.clone();
            async move {
                let mut seen = Vec::new();
                for _ in 0..ROUNDS {
                    if i % 2 == 0 {
                        create_titled(&stores, ann, "a").await;
                    }
                    // A store in memory writes without waiting for anybody.
                    tokio::task::yield_now().await;
                    let page = page(&stores, ann, &sorted(sort)).await;
                    seen.push((page.changes, page.tasks.len()));
                }
                seen
            }
        });
        let mut seen: Vec<_> = seen.await.into_iter().flatten().collect();
        seen.sort_unstable();
        for (before, after) in seen.iter().zip(seen.iter().skip(1)) {
            assert_eq!(before.0 == after.0, before.1 == after.1, "{before:?} {after:?}");
            assert!(before.1 <= after.1, "{before:?} {after:?}");
        }
    }
}

/// Of parallel requests of one key one is done, and all are given what it came to.
pub async fn one_of_parallel_requests_of_one_key_is_done(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for round in 0..ROUNDS {
        let made = create_titled(&stores, ann, "old").await;
        let toggle = TaskChange::completing(Completion::Toggle);
        let operations = vec![
            Operation::Create(task("new")),
            Operation::Change(made.id, Expected::Any, toggle),
        ];
        let answers = parallel(MANY, |_| {
            let (stores, operations) = (stores.clone(), operations.clone());
            async move {
                let work = Work {
                    request: Some(request(&format!("round {round}").replace(' ', "-"), &operations)),
                    operations,
                    most: UNLIMITED,
                    at: at(1),
                };
                match stores.tasks.work(ann, &work).await.unwrap() {
                    Worked::Done { outcomes, replayed } => (outcomes, replayed),
                    other => panic!("{other:?}"),
                }
            }
        });
        let answers = answers.await;
        assert_eq!(answers.iter().filter(|(_, replayed)| !replayed).count(), 1);
        assert!(answers.iter().all(|(outcomes, _)| *outcomes == answers[0].0));
        let found = find(&stores, ann, made.id).await.unwrap();
        assert_eq!((found.version, found.is_completed()), (2, true));
        let tasks = export(&stores, ann, at(6)).await.tasks;
        assert_eq!(tasks.len(), 2 * (round + 1));
    }
}

/// However many complete a task that repeats at once, one task follows it.
pub async fn parallel_completions_make_one_successor(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for round in 0..ROUNDS {
        let made = create(&stores, ann, &repeating("a", "daily", "2026-02-28"), at(0)).await;
        let answers = parallel(MANY, |_| {
            let stores = stores.clone();
            async move {
                let done = TaskChange::completing(Completion::Set(true));
                stores
                    .tasks
                    .change(ann, made.id, &done, at(1))
                    .await
                    .unwrap()
                    .unwrap()
            }
        });
        let answers = answers.await;
        assert!(answers.iter().all(|task| *task == answers[0]), "done once");
        let tasks = export(&stores, ann, at(6)).await.tasks;
        assert_eq!(tasks.len(), 2 * (round + 1));
    }
}

/// Of parallel restorations of one task exactly one did it.
pub async fn one_of_parallel_restorations_wins(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for _ in 0..ROUNDS {
        let made = create_titled(&stores, ann, "a").await;
        assert!(stores.tasks.delete(ann, made.id, at(1)).await.unwrap());
        let answers = parallel(MANY, |_| {
            let stores = stores.clone();
            async move {
                stores
                    .tasks
                    .restore(ann, made.id, UNLIMITED, at(2))
                    .await
                    .unwrap()
            }
        });
        let answers = answers.await;
        let absent = answers.iter().filter(|answer| **answer == Restored::Absent);
        assert_eq!(absent.count(), MANY - 1);
        assert_eq!(
            find(&stores, ann, made.id).await.map(|task| task.version),
            Some(2)
        );
    }
}

/// Who reads page after page while others write has in the end what the list shows: nothing that was read past
/// comes after it.
pub async fn a_follower_beside_writers_misses_nothing(stores: Stores) {
    const FOLLOWERS: usize = 2;
    let ann = register(&stores, "ann").await.id();
    let replicas = Arc::new(Mutex::new(vec![Replica::default(); FOLLOWERS]));
    for _ in 0..ROUNDS {
        let writing = Arc::new(AtomicUsize::new(MANY - FOLLOWERS));
        let work = parallel(MANY, |i| {
            let (stores, replicas, writing) = (stores.clone(), replicas.clone(), writing.clone());
            async move {
                if i < FOLLOWERS {
                    let mut replica = std::mem::take(&mut replicas.lock().unwrap()[i]);
                    while writing.load(Relaxed) > 0 {
                        replica.read(&stores, ann, 3).await;
                        // As elsewhere: a store in memory waits for nobody.
                        tokio::task::yield_now().await;
                    }
                    replicas.lock().unwrap()[i] = replica;
                    return;
                }
                for n in 0..8 {
                    // Each is written for the last time soon, so that a miss stays.
                    let made = create_titled(&stores, ann, "a").await;
                    tokio::task::yield_now().await;
                    if n % 3 == 0 {
                        assert!(stores.tasks.delete(ann, made.id, at(1)).await.unwrap());
                    } else if n % 3 == 1 {
                        let wanted = retitled("b");
                        stores.tasks.change(ann, made.id, &wanted, at(1)).await.unwrap();
                    }
                }
                writing.fetch_sub(1, Relaxed);
            }
        });
        work.await;
        let mut caught_up = replicas.lock().unwrap().clone();
        for replica in &mut caught_up {
            replica.catch_up(&stores, ann, 3).await;
            replica.is_equal(&stores, ann).await;
        }
        *replicas.lock().unwrap() = caught_up;
    }
}
