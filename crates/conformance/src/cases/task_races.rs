//! What must hold when tasks are written at the same time.

use std::collections::BTreeSet;

use errand_domain::TaskId;
use errand_domain::query::TaskFilter;
use errand_domain::task::{Completion, Priority, TaskChange};

use crate::fixtures::{
    UNLIMITED, at, create_titled, description, due, export, find, register, retitled, shown, tags, task,
    title,
};
use crate::harness::Stores;
use crate::parallel::parallel;

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
