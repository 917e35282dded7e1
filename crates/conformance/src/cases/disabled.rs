//! Accounts that were disabled, and the administration's view.

use errand_application::ports::{AccountState, Rotation, Start};
use errand_domain::UserId;
use errand_domain::session::MAX_PER_USER;

use crate::fixtures::{
    at, ended_now, ended_since, event, hash, living, new_account, new_session, next_refresh, register,
    rotate, sign_in, start,
};
use crate::harness::Stores;

/// Disabling ends every session, on the record.
pub async fn disabling_ends_every_session(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let bob = register(&stores, "bob").await;
    let second = start(&stores, ann.id(), at(1)).await;
    let cursor = ended_now(&stores).await;
    assert!(stores.accounts.disable(ann.id(), &event(at(5))).await.unwrap());
    assert_eq!(living(&stores, ann.id(), at(6)).await, []);
    let ended = ended_since(&stores, cursor).await;
    assert!(ended.contains(&ann.session.id) && ended.contains(&second.id));
    assert!(!ended.contains(&bob.session.id));
    assert_eq!(living(&stores, bob.id(), at(6)).await, [bob.session.id]);
    let found = stores.accounts.find(ann.id()).await.unwrap().unwrap();
    assert_eq!((found.disabled_at, found.user), (Some(at(5)), ann.user));
}

/// The password may have been right; nobody gets in.
pub async fn a_disabled_account_starts_no_session(stores: Stores) {
    let ann = register(&stores, "ann").await;
    assert!(stores.accounts.disable(ann.id(), &event(at(1))).await.unwrap());
    let as_of = ann.user.updated_at;
    let started = stores
        .sessions
        .start(ann.id(), as_of, &new_session(at(2)), MAX_PER_USER, &event(at(2)))
        .await;
    assert_eq!(started.unwrap(), Start::Refused);
    assert_eq!(living(&stores, ann.id(), at(2)).await, []);
}

/// Its refresh tokens are nobody's.
pub async fn a_disabled_account_rotates_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await;
    assert!(stores.accounts.disable(ann.id(), &event(at(1))).await.unwrap());
    let rotation = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &ann.session.token,
        &next_refresh(),
        at(2),
    )
    .await;
    assert_eq!(rotation, Rotation::Unknown);
}

/// Somebody who is still signed in elsewhere for a moment cannot get a new session by a new password.
pub async fn a_disabled_account_changes_no_password(stores: Stores) {
    let ann = register(&stores, "ann").await;
    assert!(stores.accounts.disable(ann.id(), &event(at(1))).await.unwrap());
    let (old, new, session) = (hash("first"), hash("second"), new_session(at(2)));
    let changed = stores
        .accounts
        .change_password(ann.id(), &old, &new, Some(session.clone()), &event(at(2)))
        .await;
    assert!(!changed.unwrap());
    let found = stores.accounts.find(ann.id()).await.unwrap().unwrap();
    assert_eq!((found.password, found.disabled_at), (old, Some(at(1))));
}

/// A password that is set ends every session, starts none, and enables nobody.
pub async fn a_password_set_by_the_administration_starts_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let cursor = ended_now(&stores).await;
    let set = async |old: &str, new: &str, seconds| {
        let (old, new) = (hash(old), hash(new));
        let (accounts, event) = (&stores.accounts, event(at(seconds)));
        let changed = accounts.change_password(ann.id(), &old, &new, None, &event);
        changed.await.unwrap()
    };
    assert!(set("first", "second", 3).await);
    assert!(ended_since(&stores, cursor).await.contains(&ann.session.id));
    assert_eq!(living(&stores, ann.id(), at(4)).await, []);
    assert!(stores.accounts.disable(ann.id(), &event(at(5))).await.unwrap());
    assert!(set("second", "third", 6).await);
    let found = stores.accounts.find(ann.id()).await.unwrap().unwrap();
    assert_eq!((found.password, found.disabled_at), (hash("third"), Some(at(5))));
    assert_eq!(found.user.updated_at, at(6));
}

/// What was there before is there again, but for the sessions.
pub async fn enabling_lets_in_again(stores: Stores) {
    let ann = register(&stores, "ann").await;
    assert!(stores.accounts.disable(ann.id(), &event(at(1))).await.unwrap());
    assert!(stores.accounts.enable(ann.id(), &event(at(2))).await.unwrap());
    let found = stores.accounts.find(ann.id()).await.unwrap().unwrap();
    assert_eq!((found.disabled_at, found.user), (None, ann.user.clone()));
    assert_eq!(living(&stores, ann.id(), at(3)).await, []);
    assert!(sign_in(&stores, ann.id(), &new_session(at(3))).await);
}

/// Once is enough, and the first time counts.
pub async fn disabling_twice_is_false(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let accounts = &stores.accounts;
    assert!(!accounts.enable(ann.id(), &event(at(0))).await.unwrap());
    assert!(accounts.disable(ann.id(), &event(at(1))).await.unwrap());
    assert!(!accounts.disable(ann.id(), &event(at(2))).await.unwrap());
    let found = accounts.find(ann.id()).await.unwrap().unwrap();
    assert_eq!(found.disabled_at, Some(at(1)));
    assert!(accounts.enable(ann.id(), &event(at(3))).await.unwrap());
    assert!(!accounts.enable(ann.id(), &event(at(4))).await.unwrap());
    let nobody = UserId(i64::MAX);
    assert!(!accounts.disable(nobody, &event(at(5))).await.unwrap());
    assert!(!accounts.enable(nobody, &event(at(5))).await.unwrap());
}

/// The administration sees all, page by page; an account may have no session at all.
pub async fn accounts_are_listed_by_id(stores: Stores) {
    assert_eq!(stores.accounts.accounts(None, 10).await.unwrap(), []);
    let mut expected = Vec::new();
    for name in ["ann", "bob", "cid"] {
        let account = new_account(&format!("{name}@example.com"), name);
        let made = stores.accounts.register(&account, None, &event(at(0))).await;
        let user = made.unwrap();
        assert_eq!(living(&stores, user.id, at(1)).await, []);
        let disabled_at = None;
        expected.push(AccountState { user, disabled_at });
    }
    let bob = expected[1].user.id;
    assert!(stores.accounts.disable(bob, &event(at(7))).await.unwrap());
    expected[1].disabled_at = Some(at(7));
    assert_eq!(stores.accounts.accounts(None, 10).await.unwrap(), expected);
    assert_eq!(stores.accounts.accounts(None, 2).await.unwrap(), expected[..2]);
    assert_eq!(
        stores.accounts.accounts(Some(bob), 10).await.unwrap(),
        expected[2..]
    );
    assert_eq!(
        stores
            .accounts
            .accounts(Some(UserId(i64::MAX)), 10)
            .await
            .unwrap(),
        []
    );
}
