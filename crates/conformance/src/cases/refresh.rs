//! Refresh tokens: rotation, replay and reuse.

use errand_application::ports::{NextRefresh, Rotation};
use errand_domain::SessionId;
use errand_domain::session::{Digest, REPLAY_GRACE, Session};

use errand_domain::session::REFRESHES;

use crate::fixtures::{
    Person, at, digest, ended_now, ended_since, event, hash, living, micros, new_session, next_refresh,
    register, rotate, start, started, unique, uuid,
};
use crate::harness::Stores;

/// Rotates and expects it to work.
async fn rotated(stores: &Stores, person: &Person, token: &Digest, seconds: u64) -> (Session, NextRefresh) {
    let next = next_refresh();
    match rotate(stores, person.id(), &person.session, token, &next, at(seconds)).await {
        Rotation::Rotated { session, .. } => (session, next),
        other => panic!("the current token was refused: {other:?}"),
    }
}

/// The current token is replaced, use and expiry move, and the session and its user come along.
pub async fn rotating_replaces_the_token_and_moves_the_expiry(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let other = start(&stores, ann.id(), at(1)).await;
    let (mut token, mut expected) = (ann.session.token, started(ann.id(), &ann.session));
    for seconds in [3600, 7200, 7200, 7201] {
        let (next, now) = (next_refresh(), at(seconds).plus(micros(17)));
        let rotation = rotate(&stores, ann.id(), &ann.session, &token, &next, now).await;
        expected.last_used_at = now;
        expected.expires_at = errand_domain::session::expiry(expected.created_at, now);
        let (session, user) = (expected.clone(), ann.user.clone());
        assert_eq!(rotation, Rotation::Rotated { session, user });
        token = next.token;
    }
    let listed = stores.sessions.list(ann.id(), at(7300)).await.unwrap();
    assert_eq!(listed, [expected, started(ann.id(), &other)]);
}

/// The user that comes along is the user as it is now.
pub async fn rotating_gives_the_user_as_it_is_now(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let new = new_session(at(5));
    let changed = stores
        .accounts
        .change_password(
            ann.id(),
            &hash("first"),
            &hash("second"),
            Some(new.clone()),
            &event(at(5)),
        )
        .await;
    assert!(changed.unwrap());
    match rotate(&stores, ann.id(), &new, &new.token, &next_refresh(), at(6)).await {
        Rotation::Rotated { user, .. } => assert_eq!(user.updated_at, at(5)),
        other => panic!("{other:?}"),
    }
}

/// The token just replaced gets the stored salt again, however often, to the end of the grace; nothing moves.
pub async fn a_replay_within_the_grace_gives_the_stored_salt(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let (session, next) = rotated(&stores, &ann, &ann.session.token, 100).await;
    let end = at(100).plus(REPLAY_GRACE);
    for now in [at(100), at(101), end] {
        let replay = rotate(
            &stores,
            ann.id(),
            &ann.session,
            &ann.session.token,
            &next_refresh(),
            now,
        )
        .await;
        let expected = Rotation::Replayed {
            session: session.clone(),
            user: ann.user.clone(),
            salt: next.salt,
        };
        assert_eq!(replay, expected);
    }
    assert_eq!(stores.sessions.list(ann.id(), end).await.unwrap(), [session]);
    rotated(&stores, &ann, &next.token, 111).await;
}

/// After the grace the token just replaced is an old one: the session ends, and that is recorded.
pub async fn the_parent_after_the_grace_ends_the_session(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let (_, next) = rotated(&stores, &ann, &ann.session.token, 100).await;
    let cursor = ended_now(&stores).await;
    let late = at(100).plus(REPLAY_GRACE).plus(micros(1));
    let reuse = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &ann.session.token,
        &next_refresh(),
        late,
    )
    .await;
    assert_eq!(reuse, Rotation::Reused);
    assert_eq!(living(&stores, ann.id(), late).await, []);
    assert!(ended_since(&stores, cursor).await.contains(&ann.session.id));
    let current = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &next.token,
        &next_refresh(),
        late,
    )
    .await;
    assert_eq!(
        current,
        Rotation::Unknown,
        "the thief and the victim are both out"
    );
}

/// A token older than the one just replaced ends the session at once, within the grace too.
pub async fn a_grandparent_ends_the_session_at_once(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let (_, second) = rotated(&stores, &ann, &ann.session.token, 100).await;
    let (_, third) = rotated(&stores, &ann, &second.token, 101).await;
    let cursor = ended_now(&stores).await;
    let reuse = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &ann.session.token,
        &next_refresh(),
        at(102),
    )
    .await;
    assert_eq!(reuse, Rotation::Reused);
    assert_eq!(living(&stores, ann.id(), at(102)).await, []);
    assert!(ended_since(&stores, cursor).await.contains(&ann.session.id));
    for token in [&second.token, &third.token] {
        let gone = rotate(&stores, ann.id(), &ann.session, token, &next_refresh(), at(102)).await;
        assert_eq!(gone, Rotation::Unknown);
    }
}

/// The grace counts from each rotation anew, and each gives its own salt.
pub async fn every_rotation_has_its_own_grace(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let mut token = ann.session.token;
    for seconds in [100, 109, 118] {
        let (session, next) = rotated(&stores, &ann, &token, seconds).await;
        let replay = rotate(
            &stores,
            ann.id(),
            &ann.session,
            &token,
            &next_refresh(),
            at(seconds + 9),
        )
        .await;
        let (user, salt) = (ann.user.clone(), next.salt);
        assert_eq!(replay, Rotation::Replayed { session, user, salt });
        token = next.token;
    }
}

/// Reuse ends the one session; the user's others go on.
pub async fn reuse_ends_only_its_own_session(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let other = start(&stores, ann.id(), at(1)).await;
    let unseen = digest(b'x', unique());
    let reuse = rotate(&stores, ann.id(), &ann.session, &unseen, &next_refresh(), at(2)).await;
    assert_eq!(
        reuse,
        Rotation::Reused,
        "the family is right, the token is not known"
    );
    let listed = stores.sessions.list(ann.id(), at(2)).await.unwrap();
    assert_eq!(listed, [started(ann.id(), &other)]);
}

/// Without the family value a token is nonsense, and nonsense ends nobody's session.
pub async fn a_token_of_another_family_is_unknown_and_harmless(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let other = start(&stores, ann.id(), at(1)).await;
    let (_, next) = rotated(&stores, &ann, &ann.session.token, 2).await;
    let before = stores.sessions.list(ann.id(), at(3)).await.unwrap();
    for family in [other.family, digest(b'x', unique()), Digest([0; 32])] {
        for token in [ann.session.token, next.token, other.token, Digest([0; 32])] {
            let rotation = stores
                .sessions
                .rotate(
                    ann.id(),
                    ann.session.id,
                    &family,
                    &token,
                    &next_refresh(),
                    &event(at(3)),
                )
                .await;
            assert_eq!(rotation.unwrap(), Rotation::Unknown);
        }
    }
    assert_eq!(stores.sessions.list(ann.id(), at(3)).await.unwrap(), before);
}

/// A token belongs to one session of its owner.
pub async fn a_token_of_another_session_is_unknown(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let other = start(&stores, ann.id(), at(1)).await;
    let before = stores.sessions.list(ann.id(), at(3)).await.unwrap();
    for id in [other.id, SessionId(uuid(u64::MAX >> 2))] {
        let (next, event) = (next_refresh(), event(at(3)));
        let (family, token) = (&ann.session.family, &ann.session.token);
        let rotation = stores.sessions.rotate(ann.id(), id, family, token, &next, &event);
        assert_eq!(rotation.await.unwrap(), Rotation::Unknown);
    }
    assert_eq!(stores.sessions.list(ann.id(), at(3)).await.unwrap(), before);
    rotated(&stores, &ann, &ann.session.token, 4).await;
}

/// Beyond the allowance a token is refused and stays what it is; later it can be used.
pub async fn a_flood_of_refreshes_waits_and_loses_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let mut token = ann.session.token;
    for _ in 0..REFRESHES.burst {
        let next = next_refresh();
        let rotation = rotate(&stores, ann.id(), &ann.session, &token, &next, at(1)).await;
        assert!(matches!(rotation, Rotation::Rotated { .. }), "{rotation:?}");
        token = next.token;
    }
    let wait = REFRESHES.every;
    for _ in 0..3 {
        let rotation = rotate(&stores, ann.id(), &ann.session, &token, &next_refresh(), at(1)).await;
        assert_eq!(rotation, Rotation::Limited { wait });
    }
    assert_eq!(living(&stores, ann.id(), at(2)).await, [ann.session.id]);
    let later = at(1).plus(wait);
    let rotation = rotate(&stores, ann.id(), &ann.session, &token, &next_refresh(), later).await;
    assert!(matches!(rotation, Rotation::Rotated { .. }), "{rotation:?}");
}

/// A token that is replayed counts like one that is used: nobody keeps a session's rows busy with one.
pub async fn replays_are_limited_too(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let first = next_refresh();
    for n in 0..REFRESHES.burst {
        let next = if n == 0 { first.clone() } else { next_refresh() };
        let answer = rotate(&stores, ann.id(), &ann.session, &ann.session.token, &next, at(1)).await;
        match answer {
            Rotation::Rotated { .. } => assert_eq!(n, 0),
            Rotation::Replayed { salt, .. } => assert_eq!(salt, first.salt),
            other => panic!("{other:?}"),
        }
    }
    let wait = REFRESHES.every;
    let next = next_refresh();
    let limited = rotate(&stores, ann.id(), &ann.session, &ann.session.token, &next, at(1)).await;
    assert_eq!(limited, Rotation::Limited { wait });
    let later = at(1).plus(wait);
    let rotation = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &first.token,
        &next_refresh(),
        later,
    )
    .await;
    assert!(matches!(rotation, Rotation::Rotated { .. }), "{rotation:?}");
}
