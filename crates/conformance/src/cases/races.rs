//! What must hold when accounts and sessions are written at the same time.

use std::collections::BTreeSet;

use errand_application::ports::{NewAccount, Rotation, StoreError, UniqueKey};
use errand_domain::query::TaskFilter;
use errand_domain::session::MAX_PER_USER;

use errand_domain::{Timestamp, UserId};

use crate::fixtures::{
    UNLIMITED, at, create_titled, ended_now, ended_since, event, export, hash, leave, living, login,
    new_account, new_session, next_refresh, register, rotate, shown, sign_in, start, task,
};
use crate::harness::Stores;
use crate::parallel::parallel;

/// How many do it at once.
const MANY: usize = 8;
/// How often, since one round may happen to meet in no bad moment.
const ROUNDS: usize = 5;

/// Registers all of these at once; the ids that came of it and what the others were told.
async fn register_all(stores: &Stores, accounts: Vec<NewAccount>) -> (Vec<UserId>, Vec<UniqueKey>) {
    let attempts = parallel(accounts.len(), |i| {
        let (stores, account) = (stores.clone(), accounts[i].clone());
        async move {
            stores
                .accounts
                .register(&account, Some(new_session(at(1))), &event(at(0)))
                .await
        }
    });
    let (mut made, mut refused) = (Vec::new(), Vec::new());
    for attempt in attempts.await {
        match attempt {
            Ok(user) => made.push(user.id),
            Err(StoreError::Conflict(key)) => refused.push(key),
            Err(other) => panic!("neither registered nor taken: {other:?}"),
        }
    }
    (made, refused)
}

/// Of parallel registrations of one address exactly one succeeds, whatever its letter case.
pub async fn one_of_parallel_registrations_of_an_address_wins(stores: Stores) {
    for round in 0..ROUNDS {
        let addresses = [format!("éva{round}@x.io"), format!("ÉVA{round}@X.io")];
        let account = |i: usize| new_account(&addresses[i % 2], &format!("name-{round}-{i}"));
        let (made, refused) = register_all(&stores, (0..MANY).map(account).collect()).await;
        assert_eq!((made.len(), refused), (1, vec![UniqueKey::Email; MANY - 1]));
        let found = stores.accounts.credentials(&login(&addresses[0])).await.unwrap();
        assert_eq!(found.map(|c| c.user.id), Some(made[0]));
        assert_eq!(
            living(&stores, made[0], at(1)).await.len(),
            1,
            "the losers started none"
        );
    }
}

/// Of parallel registrations of one name exactly one succeeds, whatever its letter case.
pub async fn one_of_parallel_registrations_of_a_name_wins(stores: Stores) {
    for round in 0..ROUNDS {
        let names = [format!("name{round}"), format!("NAME{round}")];
        let account = |i: usize| new_account(&format!("a{round}-{i}@x.io"), &names[i % 2]);
        let (made, refused) = register_all(&stores, (0..MANY).map(account).collect()).await;
        assert_eq!((made.len(), refused), (1, vec![UniqueKey::Username; MANY - 1]));
    }
}

/// The same registration sent several times at once succeeds once, and the others are told of the address.
pub async fn one_of_identical_registrations_wins(stores: Stores) {
    for round in 0..ROUNDS {
        let account = |_| new_account(&format!("a{round}@x.io"), &format!("name{round}"));
        let (made, refused) = register_all(&stores, (0..MANY).map(account).collect()).await;
        assert_eq!((made.len(), refused), (1, vec![UniqueKey::Email; MANY - 1]));
    }
}

/// Parallel registrations of different people do not disturb each other.
pub async fn parallel_registrations_of_different_people_all_succeed(stores: Stores) {
    let account = |i| new_account(&format!("a{i}@x.io"), &format!("name{i}"));
    let (made, refused) = register_all(&stores, (0..MANY).map(account).collect()).await;
    assert_eq!(refused, []);
    assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), MANY, "{made:?}");
}

/// Of parallel refreshes with one token exactly one rotates; the others get its salt.
pub async fn one_of_parallel_rotations_wins(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for round in 0..ROUNDS {
        let session = start(&stores, ann, at(round as u64)).await;
        let successors: Vec<_> = (0..MANY).map(|_| next_refresh()).collect();
        let answers = parallel(MANY, |i| {
            let (stores, session, next) = (stores.clone(), session.clone(), successors[i].clone());
            async move { rotate(&stores, ann, &session, &session.token, &next, at(60)).await }
        });
        let answers = answers.await;
        let winners: Vec<_> = answers
            .iter()
            .zip(&successors)
            .filter(|(answer, _)| matches!(answer, Rotation::Rotated { .. }))
            .map(|(_, next)| next)
            .collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        for answer in &answers {
            match answer {
                Rotation::Rotated { .. } => {}
                Rotation::Replayed { salt, .. } => assert_eq!(*salt, winners[0].salt),
                other => panic!("the token was good: {other:?}"),
            }
        }
        let next = rotate(&stores, ann, &session, &winners[0].token, &next_refresh(), at(61)).await;
        assert!(
            matches!(next, Rotation::Rotated { .. }),
            "the winner's successor counts"
        );
    }
}

/// Of parallel changes of the password from one hash exactly one succeeds, and only its session lives.
pub async fn one_of_parallel_password_changes_wins(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let mut current = hash("first");
    for round in 0..ROUNDS {
        let cursor = ended_now(&stores).await;
        let before = living(&stores, ann, at(9)).await;
        let sessions: Vec<_> = (0..MANY).map(|_| new_session(at(9))).collect();
        let answers = parallel(MANY, |i| {
            let (stores, old, session) = (stores.clone(), current.clone(), sessions[i].clone());
            let new = hash(&format!("hash {round} {i}"));
            async move {
                let changed = stores
                    .accounts
                    .change_password(ann, &old, &new, Some(session.clone()), &event(at(9)))
                    .await;
                changed.unwrap().then_some((new, session.id))
            }
        });
        let winners: Vec<_> = answers.await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        let (new, session) = winners[0].clone();
        assert_eq!(living(&stores, ann, at(9)).await, [session]);
        let found = stores.accounts.find(ann).await.unwrap().unwrap();
        assert_eq!(found.password, new);
        assert!(
            ended_since(&stores, cursor)
                .await
                .is_superset(&before.into_iter().collect())
        );
        current = new;
    }
}

/// A password that is changed while its hash is renewed: one of the two succeeds, and its hash stands.
pub async fn a_renewed_hash_never_undoes_a_changed_password(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    let mut current = hash("first");
    for round in 0..ROUNDS {
        let answers = parallel(MANY, |i| {
            let (stores, old) = (stores.clone(), current.clone());
            let new = hash(&format!("hash {round} {i}"));
            async move {
                let done = if i % 2 == 0 {
                    stores.accounts.renew_hash(ann, &old, &new).await
                } else {
                    let session = new_session(at(9));
                    stores
                        .accounts
                        .change_password(ann, &old, &new, Some(session.clone()), &event(at(9)))
                        .await
                };
                done.unwrap().then_some(new)
            }
        });
        let winners: Vec<_> = answers.await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        let found = stores.accounts.find(ann).await.unwrap().unwrap();
        assert_eq!(found.password, winners[0]);
        current = found.password;
    }
}

/// A session that is ended while it is refreshed is ended.
pub async fn a_session_ended_while_refreshing_is_ended(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for round in 0..ROUNDS {
        let session = start(&stores, ann, at(round as u64)).await;
        let cursor = ended_now(&stores).await;
        let answers = parallel(MANY, |i| {
            let (stores, session) = (stores.clone(), session.clone());
            async move {
                match i {
                    0 if round % 2 == 0 => stores
                        .sessions
                        .end(ann, session.id, &event(at(60)))
                        .await
                        .unwrap(),
                    0 => stores.sessions.end_all(ann, &event(at(0))).await.unwrap() > 0,
                    _ => {
                        rotate(&stores, ann, &session, &session.token, &next_refresh(), at(60)).await;
                        false
                    }
                }
            }
        });
        assert!(answers.await[0], "it lived and was ended");
        assert!(!living(&stores, ann, at(60)).await.contains(&session.id));
        assert!(ended_since(&stores, cursor).await.contains(&session.id));
        let late = rotate(&stores, ann, &session, &session.token, &next_refresh(), at(61)).await;
        assert_eq!(late, Rotation::Unknown);
    }
}

/// Of parallel endings of one session exactly one did it.
pub async fn one_of_parallel_endings_wins(stores: Stores) {
    let ann = register(&stores, "ann").await.id();
    for _ in 0..ROUNDS {
        let session = start(&stores, ann, at(1)).await;
        let answers = parallel(MANY, |_| {
            let stores = stores.clone();
            async move { stores.sessions.end(ann, session.id, &event(at(2))).await.unwrap() }
        });
        assert_eq!(answers.await.iter().filter(|ended| **ended).count(), 1);
    }
}

/// Many sign-ins at once keep to the limit, and whoever is pushed out is recorded.
pub async fn parallel_sign_ins_keep_to_the_limit(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let cursor = ended_now(&stores).await;
    let started = parallel(MAX_PER_USER + MANY, |_| {
        let stores = stores.clone();
        let ann = ann.id();
        async move { start(&stores, ann, at(1)).await.id }
    });
    let mut all: BTreeSet<_> = started.await.into_iter().collect();
    all.insert(ann.session.id);
    let living: BTreeSet<_> = living(&stores, ann.id(), at(2)).await.into_iter().collect();
    assert_eq!(living.len(), MAX_PER_USER);
    let ended = ended_since(&stores, cursor).await;
    assert!(living.is_disjoint(&ended), "a living session was named");
    assert!(all.iter().all(|id| living.contains(id) || ended.contains(id)));
}

/// Whatever is started or made while its account is deleted is gone with it.
pub async fn nothing_outlives_an_account_deleted_meanwhile(stores: Stores) {
    for round in 0..ROUNDS {
        let name = format!("ann{round}");
        let ann = register(&stores, &name).await;
        let owner = ann.id();
        let cursor = ended_now(&stores).await;
        let session = ann.session.clone();
        let answers = parallel(MANY, |i| {
            let (stores, session) = (stores.clone(), session.clone());
            async move {
                match i % 4 {
                    0 if i == 0 => assert!(leave(&stores, owner).await),
                    1 => {
                        let new = new_session(at(1));
                        return sign_in(&stores, owner, &new).await.then_some(new.id);
                    }
                    2 => {
                        rotate(&stores, owner, &session, &session.token, &next_refresh(), at(1)).await;
                    }
                    _ => {
                        let key = format!("key {i}");
                        let made = stores
                            .tasks
                            .create(owner, &key, &task("a"), UNLIMITED, at(1))
                            .await
                            .unwrap()
                            .task();
                        assert!(made.is_none_or(|t| t.owner == owner));
                    }
                }
                None
            }
        });
        let started = answers.await.into_iter().flatten().chain([ann.session.id]);
        assert_eq!(stores.accounts.export(owner, at(2)).await.unwrap(), None);
        assert_eq!(living(&stores, owner, at(2)).await, []);
        assert_eq!(
            shown(&stores, owner, TaskFilter::default()).await,
            Vec::<i64>::new()
        );
        let ended = ended_since(&stores, cursor).await;
        assert!(
            started.into_iter().all(|id| ended.contains(&id)),
            "all that had begun"
        );
        let new = register(&stores, &name).await.id();
        assert_eq!(
            shown(&stores, new, TaskFilter::default()).await,
            Vec::<i64>::new()
        );
    }
}

/// Of parallel deletions of one account exactly one did it.
pub async fn one_of_parallel_account_deletions_wins(stores: Stores) {
    for round in 0..ROUNDS {
        let ann = register(&stores, &format!("ann{round}")).await.id();
        let answers = parallel(MANY, |_| {
            let stores = stores.clone();
            async move { leave(&stores, ann).await }
        });
        assert_eq!(answers.await.iter().filter(|deleted| **deleted).count(), 1);
    }
}

/// An export is of one moment: a task that is being deleted is in exactly one of its lists, and a changed
/// password comes with its one session.
pub async fn an_export_is_of_one_moment(stores: Stores) {
    let mut current = hash("first");
    let ann = register(&stores, "ann").await.id();
    let mut changed_at: Timestamp = at(0);
    for round in 0..ROUNDS {
        let made = create_titled(&stores, ann, "a").await;
        let now = at(10 + round as u64);
        let (old, new, session) = (current.clone(), hash(&format!("hash {round}")), new_session(now));
        let (new_hash, new_session_id) = (new.clone(), session.id);
        let exports = parallel(MANY, |i| {
            let (stores, old, new, session) = (stores.clone(), old.clone(), new.clone(), session.clone());
            async move {
                match i {
                    0 => {
                        assert!(stores.tasks.delete(ann, made.id, now).await.unwrap());
                        None
                    }
                    1 => {
                        let changed = stores
                            .accounts
                            .change_password(ann, &old, &new, Some(session.clone()), &event(now))
                            .await;
                        assert!(changed.unwrap());
                        None
                    }
                    _ => Some(export(&stores, ann, now).await),
                }
            }
        });
        for export in exports.await.into_iter().flatten() {
            let kept = export.tasks.iter().filter(|t| t.id == made.id).count();
            let trashed = export.deleted.iter().filter(|d| d.task.id == made.id).count();
            assert_eq!(kept + trashed, 1, "neither lost nor doubled");
            let is_new = export.sessions.iter().any(|s| s.id == new_session_id);
            assert_eq!(export.sessions.len(), 1, "one session before and one after");
            let expected = if is_new { now } else { changed_at };
            assert_eq!(
                export.user.updated_at, expected,
                "the session and the user are of one moment"
            );
        }
        (current, changed_at) = (new_hash, now);
    }
}

/// Readers of the record who ask all the while miss no session, however the endings overtake each other.
pub async fn readers_of_the_record_miss_nothing_meanwhile(stores: Stores) {
    const READERS: usize = 2;
    let mut owners = Vec::new();
    for n in 0..MANY {
        let owner = register(&stores, &format!("user{n}")).await.id();
        for seconds in 1..6 {
            start(&stores, owner, at(seconds)).await;
        }
        owners.push(owner);
    }
    let cursor = ended_now(&stores).await;
    let seen = parallel(MANY + READERS, |i| {
        let (stores, owner) = (stores.clone(), owners.get(i).copied());
        async move {
            let Some(owner) = owner else {
                let (mut cursor, mut seen) = (cursor, BTreeSet::new());
                for _ in 0..30 {
                    let ended = stores.sessions.ended(Some(cursor)).await.unwrap();
                    seen.extend(ended.sessions);
                    cursor = ended.cursor;
                    tokio::task::yield_now().await;
                }
                return Some((cursor, seen));
            };
            let sessions = living(&stores, owner, at(10)).await;
            for id in &sessions[..4] {
                assert!(stores.sessions.end(owner, *id, &event(at(10))).await.unwrap());
            }
            assert_eq!(stores.sessions.end_all(owner, &event(at(0))).await.unwrap(), 2);
            None
        }
    });
    let readers: Vec<_> = seen.await.into_iter().flatten().collect();
    assert_eq!(readers.len(), READERS);
    for (cursor, mut seen) in readers {
        seen.extend(ended_since(&stores, cursor).await);
        assert_eq!(seen.len(), MANY * 6, "every session of everybody was ended");
    }
}
