//! Passwords: changed by who knows them, and hashed anew.

use errand_application::ports::{Credentials, Rotation};

use crate::fixtures::{
    at, ended_now, ended_since, event, export, hash, login, new_session, next_refresh, register, rotate,
    start, started,
};
use crate::harness::Stores;

/// The new hash stands in place of the old, `updated_at` is the time of the change, the rest stays.
pub async fn changing_the_password_replaces_the_hash(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let changed = stores
        .accounts
        .change_password(
            ann.id(),
            &hash("first"),
            &hash("second"),
            Some(new_session(at(9))),
            &event(at(9)),
        )
        .await;
    assert!(changed.unwrap());
    let mut expected = Credentials {
        user: ann.user.clone(),
        password: hash("second"),
        disabled_at: None,
    };
    expected.user.updated_at = at(9);
    let found = stores.accounts.find(ann.id()).await.unwrap();
    assert_eq!(found.as_ref(), Some(&expected));
    let found = stores.accounts.credentials(&login("ann")).await.unwrap();
    assert_eq!(found, Some(expected));
}

/// A changed password ends every session, and the new one lives.
pub async fn changing_the_password_ends_every_session_and_starts_one(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let second = start(&stores, ann.id(), at(1)).await;
    let cursor = ended_now(&stores).await;
    let new = new_session(at(5));
    let changed = stores
        .accounts
        .change_password(
            ann.id(),
            &hash("first"),
            &hash("second"),
            Some(new.clone()),
            &event(at(6)),
        )
        .await;
    assert!(changed.unwrap());
    let sessions = stores.sessions.list(ann.id(), at(6)).await.unwrap();
    assert_eq!(sessions, [started(ann.id(), &new)]);
    let ended = ended_since(&stores, cursor).await;
    assert!(
        ended.contains(&ann.session.id) && ended.contains(&second.id),
        "{ended:?}"
    );
    assert!(!ended.contains(&new.id));
    for old in [&ann.session, &second] {
        let rotation = rotate(&stores, ann.id(), old, &old.token, &next_refresh(), at(6)).await;
        assert_eq!(rotation, Rotation::Unknown);
    }
    let rotation = rotate(&stores, ann.id(), &new, &new.token, &next_refresh(), at(6)).await;
    assert!(matches!(rotation, Rotation::Rotated { .. }));
}

/// If the hash is not the expected one any more, nothing at all happens.
pub async fn changing_the_password_from_another_hash_does_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let before = export(&stores, ann.id(), at(1)).await;
    let cursor = ended_now(&stores).await;
    for stale in ["FIRST", "first ", "", "second"] {
        let new = new_session(at(1));
        let changed = stores
            .accounts
            .change_password(
                ann.id(),
                &hash(stale),
                &hash("second"),
                Some(new.clone()),
                &event(at(1)),
            )
            .await;
        assert!(!changed.unwrap(), "{stale:?}");
        let rotation = rotate(&stores, ann.id(), &new, &new.token, &next_refresh(), at(1)).await;
        assert_eq!(rotation, Rotation::Unknown, "its session was started");
    }
    assert_eq!(export(&stores, ann.id(), at(1)).await, before);
    let found = stores.accounts.find(ann.id()).await.unwrap().unwrap();
    assert_eq!(found.password, hash("first"));
    assert!(!ended_since(&stores, cursor).await.contains(&ann.session.id));
}

/// `updated_at` moves even if the clock stands still or has gone back.
pub async fn changing_the_password_always_moves_updated_at(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let (mut hashed, mut last) = ("first".to_owned(), ann.user.updated_at);
    for (n, now) in [at(50), at(50), at(10)].into_iter().enumerate() {
        let next = format!("hash {n}");
        let changed = stores
            .accounts
            .change_password(
                ann.id(),
                &hash(&hashed),
                &hash(&next),
                Some(new_session(at(50))),
                &event(now),
            )
            .await;
        assert!(changed.unwrap());
        let user = stores.accounts.find(ann.id()).await.unwrap().unwrap().user;
        assert_eq!(user.updated_at, now.following(last));
        assert_eq!(user.created_at, ann.user.created_at);
        (hashed, last) = (next, user.updated_at);
    }
}

/// A renewed hash is of the same password: time stamps and sessions stay.
pub async fn renewing_the_hash_touches_nothing_else(stores: Stores) {
    let ann = register(&stores, "ann").await;
    start(&stores, ann.id(), at(1)).await;
    let before = export(&stores, ann.id(), at(2)).await;
    let cursor = ended_now(&stores).await;
    let renewed = stores
        .accounts
        .renew_hash(ann.id(), &hash("first"), &hash("renewed"))
        .await;
    assert!(renewed.unwrap());
    assert_eq!(export(&stores, ann.id(), at(2)).await, before);
    let found = stores.accounts.find(ann.id()).await.unwrap().unwrap();
    assert_eq!((found.password, found.user), (hash("renewed"), before.user));
    assert!(!ended_since(&stores, cursor).await.contains(&ann.session.id));
}

/// A hash that has changed meanwhile is left alone.
pub async fn renewing_from_another_hash_does_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for stale in ["First", "", "renewed"] {
        let renewed = stores
            .accounts
            .renew_hash(ann.id(), &hash(stale), &hash("renewed"))
            .await;
        assert!(!renewed.unwrap(), "{stale:?}");
    }
    let found = stores.accounts.find(ann.id()).await.unwrap().unwrap();
    assert_eq!((found.password, found.user), (hash("first"), ann.user));
}
