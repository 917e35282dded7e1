//! Many at once: exactly one wins where one must, all win where all can, and nobody gets an error.

use errand_application::ports::{NextRefresh, Rotation, Start, StoreError, UniqueKey};
use errand_conformance::parallel::parallel;
use errand_conformance::{Harness, Stores};
use errand_domain::account::PasswordHash;
use errand_domain::task::{Completion, TaskChange};

use errand_domain::session::MAX_PER_USER;

use crate::support::{
    Guarded, PostgreSql, Sqlite, UNLIMITED, account, at, digest, event, register, session, task,
};

const MANY: usize = 50;

macro_rules! on_all {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let harness = super::Sqlite::fresh().await;
                super::$name(super::Harness::stores(&harness)).await;
            })*
            use super::Harness;
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let harness = super::PostgreSql::fresh().await;
                super::$name(super::Harness::stores(&harness)).await;
            })*
            use super::Harness;
        }
        mod row_level_security {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let harness = super::Guarded::fresh().await;
                super::$name(super::Harness::stores(&harness)).await;
            })*
            use super::Harness;
        }
    };
}

on_all!(
    one_registration_of_an_address_succeeds,
    every_creation_gets_its_own_id,
    one_key_makes_one_task,
    no_toggle_is_lost,
    one_rotation_of_a_token_succeeds,
    the_limit_of_sessions_holds,
    an_account_goes_while_its_user_writes,
);

async fn one_registration_of_an_address_succeeds(stores: Stores) {
    let outcomes = parallel(MANY, |n| {
        let stores = stores.clone();
        // The same address in 50 of its spellings.
        let email: String = "racing.ann@example.com"
            .char_indices()
            .map(|(i, c)| {
                if n >> (i % 6) & 1 == 1 {
                    c.to_ascii_uppercase()
                } else {
                    c
                }
            })
            .collect();
        async move {
            let name = if n % 2 == 0 {
                "ann".to_owned()
            } else {
                format!("ann{n}")
            };
            stores
                .accounts
                .register(&account(&email, &name), Some(session()), &event(at(0)))
                .await
        }
    })
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, MANY - 1));
    for outcome in refused {
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, StoreError::Conflict(UniqueKey::Email)),
            "{error:?}"
        );
    }
}

async fn every_creation_gets_its_own_id(stores: Stores) {
    let owner = register(&stores, "ann").await;
    let mut ids = parallel(MANY, |n| {
        let stores = stores.clone();
        async move {
            let made = stores
                .tasks
                .create(owner, &format!("key-{n}"), &task("t"), UNLIMITED, at(1))
                .await;
            made.unwrap().task().unwrap().id.0
        }
    })
    .await;
    ids.sort_unstable();
    let expected: Vec<i64> = (1..=i64::try_from(MANY).unwrap()).collect();
    assert_eq!(ids, expected);
}

async fn one_key_makes_one_task(stores: Stores) {
    let owner = register(&stores, "ann").await;
    let made = parallel(MANY, |_| {
        let stores = stores.clone();
        async move {
            let made = stores
                .tasks
                .create(owner, "key", &task("t"), UNLIMITED, at(1))
                .await;
            made.unwrap().task().unwrap()
        }
    })
    .await;
    assert!(made.iter().all(|task| *task == made[0]));
    let next = stores
        .tasks
        .create(owner, "other", &task("t"), UNLIMITED, at(1))
        .await
        .unwrap()
        .task()
        .unwrap();
    assert!(next.id > made[0].id);
}

async fn no_toggle_is_lost(stores: Stores) {
    let owner = register(&stores, "ann").await;
    let made = stores
        .tasks
        .create(owner, "key", &task("t"), UNLIMITED, at(1))
        .await;
    let id = made.unwrap().task().unwrap().id;
    // An odd number, so that a lost pair shows too.
    let seen = parallel(MANY + 1, |_| {
        let stores = stores.clone();
        async move {
            let toggle = TaskChange::completing(Completion::Toggle);
            stores
                .tasks
                .change(owner, id, &toggle, at(2))
                .await
                .unwrap()
                .unwrap()
        }
    })
    .await;
    let mut versions: Vec<i64> = seen.iter().map(|task| task.version).collect();
    versions.sort_unstable();
    let expected: Vec<i64> = (2..=i64::try_from(MANY).unwrap() + 2).collect();
    assert_eq!(versions, expected, "each saw its own change");
    for task in &seen {
        assert_eq!(task.is_completed(), task.version % 2 == 0);
    }
    let last = stores.tasks.find(owner, id).await.unwrap().unwrap();
    assert!(last.is_completed());
    let newest = seen.iter().map(|task| task.updated_at).max();
    assert_eq!(Some(last.updated_at), newest);
}

async fn one_rotation_of_a_token_succeeds(stores: Stores) {
    let first = session();
    let ann = account("ann@example.com", "ann");
    let owner = stores
        .accounts
        .register(&ann, Some(first.clone()), &event(at(0)))
        .await
        .unwrap()
        .id;
    let outcomes = parallel(MANY, |n| {
        let (stores, first) = (stores.clone(), first.clone());
        async move {
            let next = NextRefresh {
                token: digest(1_000_000 + n as u64),
                salt: digest(n as u64).0,
            };
            let rotation = stores
                .sessions
                .rotate(owner, first.id, &first.family, &first.token, &next, &event(at(5)))
                .await;
            (next.salt, rotation.unwrap())
        }
    })
    .await;
    let winners: Vec<_> = outcomes
        .iter()
        .filter(|(_, rotation)| matches!(rotation, Rotation::Rotated { .. }))
        .collect();
    assert_eq!(winners.len(), 1);
    let winner = winners[0].0;
    for (_, rotation) in &outcomes {
        match rotation {
            Rotation::Rotated { .. } => {}
            Rotation::Replayed { salt, .. } => assert_eq!(*salt, winner),
            other => panic!("{other:?}"),
        }
    }
}

async fn the_limit_of_sessions_holds(stores: Stores) {
    let owner = register(&stores, "ann").await;
    let started = parallel(MANY + 10, |_| {
        let stores = stores.clone();
        async move {
            stores
                .sessions
                .start(owner, at(0), &session(), MAX_PER_USER, &event(at(0)))
                .await
                .unwrap()
        }
    })
    .await;
    let out: usize = started
        .iter()
        .map(|start| match start {
            Start::Started { pushed_out } => pushed_out.len(),
            Start::Refused => panic!("the account has not changed"),
        })
        .sum();
    assert_eq!(out, 11, "with the one of the registration");
    let living = stores.sessions.list(owner, at(1)).await.unwrap();
    assert_eq!(living.len(), errand_domain::session::MAX_PER_USER);
}

/// Writers and the deletion lock the same rows; neither may see the other's half.
async fn an_account_goes_while_its_user_writes(stores: Stores) {
    for round in 0..3 {
        let owner = register(&stores, &format!("ann{round}")).await;
        let outcomes = parallel(12, |n| {
            let stores = stores.clone();
            async move {
                if n == 6 {
                    return stores
                        .accounts
                        .delete(owner, &PasswordHash::new("$hash$".into()))
                        .await
                        .unwrap();
                }
                let key = format!("key-{n}");
                let made = stores
                    .tasks
                    .create(owner, &key, &task("t"), UNLIMITED, at(1))
                    .await
                    .unwrap();
                stores
                    .sessions
                    .start(owner, at(0), &session(), MAX_PER_USER, &event(at(0)))
                    .await
                    .unwrap();
                if let Some(made) = made.task() {
                    let toggle = TaskChange::completing(Completion::Toggle);
                    stores.tasks.change(owner, made.id, &toggle, at(2)).await.unwrap();
                }
                true
            }
        })
        .await;
        assert_eq!(outcomes.len(), 12);
        assert_eq!(stores.accounts.find(owner).await.unwrap(), None);
        assert_eq!(stores.sessions.list(owner, at(1)).await.unwrap(), []);
    }
}
