//! Security events: what leaves one, and how long they are kept.

use errand_application::ports::Rotation;
use errand_domain::UserId;
use errand_domain::event::{EventKind, KEPT, KEPT_FAILURES, SecurityEvent};
use errand_domain::session::MAX_PER_USER;

use crate::fixtures::{
    at, event_of, export, hash, leave, new_account, new_session, next_refresh, register, start,
};
use crate::harness::Stores;

/// More than are kept.
const ALL: u32 = 10_000;

/// What is kept of somebody, newest first.
async fn events(stores: &Stores, owner: UserId) -> Vec<SecurityEvent> {
    stores.events.list(owner, ALL).await.unwrap()
}

/// Notes an event, and waits until it is there by asking for it.
async fn note(stores: &Stores, owner: UserId, event: &SecurityEvent) {
    stores.events.note(owner, event);
    for _ in 0..100_000 {
        if events(stores, owner).await.iter().any(|kept| kept.id == event.id) {
            return;
        }
    }
    panic!("the event was not kept: {event:?}");
}

/// Each act that is given an event keeps it, every field of it, in the same step.
pub async fn every_act_leaves_its_event(stores: Stores) {
    let mut expected = Vec::new();
    let mut next = |kind, seconds| {
        let event = event_of(kind, at(seconds));
        expected.push(event.clone());
        event
    };
    let (account, session) = (new_account("ann@example.com", "ann"), new_session(at(0)));
    let event = next(EventKind::Registered, 0);
    let ann = stores
        .accounts
        .register(&account, Some(session.clone()), &event)
        .await;
    let ann = ann.unwrap();
    let second = new_session(at(1));
    let event = next(EventKind::SignedIn, 1);
    let sessions = &stores.sessions;
    let started = sessions.start(ann.id, ann.updated_at, &second, MAX_PER_USER, &event);
    started.await.unwrap();
    let event = next(EventKind::SessionEnded, 2);
    assert!(sessions.end(ann.id, second.id, &event).await.unwrap());
    let event = next(EventKind::AllSessionsEnded, 3);
    assert_eq!(sessions.end_all(ann.id, &event).await.unwrap(), 1);
    let (old, new) = (hash("first"), hash("second"));
    let event = next(EventKind::PasswordChanged, 4);
    let third = new_session(at(4));
    let accounts = &stores.accounts;
    let changed = accounts.change_password(ann.id, &old, &new, Some(third.clone()), &event);
    assert!(changed.await.unwrap());
    let event = next(EventKind::Disabled, 5);
    assert!(accounts.disable(ann.id, &event).await.unwrap());
    let event = next(EventKind::Enabled, 6);
    assert!(accounts.enable(ann.id, &event).await.unwrap());
    assert_eq!(export(&stores, ann.id, at(7)).await.events, expected);
    expected.reverse();
    assert_eq!(events(&stores, ann.id).await, expected);
}

/// No act, no event.
pub async fn what_does_not_happen_leaves_none(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let before = events(&stores, ann.id()).await;
    assert_eq!(before.len(), 1);
    let event = event_of(EventKind::SignedIn, at(1));
    let (accounts, sessions) = (&stores.accounts, &stores.sessions);
    let account = new_account("ann@example.com", "other");
    assert!(accounts.register(&account, None, &event).await.is_err());
    let session = new_session(at(1));
    let refused = sessions.start(ann.id(), at(9), &session, MAX_PER_USER, &event);
    refused.await.unwrap();
    assert!(!sessions.end(ann.id(), session.id, &event).await.unwrap());
    let (wrong, new) = (hash("wrong"), hash("second"));
    let changed = accounts.change_password(ann.id(), &wrong, &new, Some(session.clone()), &event);
    assert!(!changed.await.unwrap());
    assert!(!accounts.enable(ann.id(), &event).await.unwrap());
    let (token, next) = (ann.session.token, next_refresh());
    let rotation = sessions.rotate(
        ann.id(),
        ann.session.id,
        &ann.session.family,
        &token,
        &next,
        &event,
    );
    assert!(matches!(rotation.await.unwrap(), Rotation::Rotated { .. }));
    assert_eq!(events(&stores, ann.id()).await, before);
    let nobody = UserId(i64::MAX);
    stores.events.note(nobody, &event);
    assert_eq!(events(&stores, nobody).await, []);
}

/// The end of a session by reuse is kept although its caller is refused.
pub async fn reuse_leaves_its_event(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let event = event_of(EventKind::RefreshTokenReused, at(1));
    let (token, next) = (next_refresh().token, next_refresh());
    let reused = stores.sessions.rotate(
        ann.id(),
        ann.session.id,
        &ann.session.family,
        &token,
        &next,
        &event,
    );
    assert_eq!(reused.await.unwrap(), Rotation::Reused);
    assert_eq!(events(&stores, ann.id()).await.first(), Some(&event));
}

/// An event that nobody waits for is there in the end, every field of it.
pub async fn a_noted_event_is_kept(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for kind in EventKind::ALL {
        let event = event_of(*kind, at(1));
        note(&stores, ann.id(), &event).await;
        assert_eq!(events(&stores, ann.id()).await.first(), Some(&event));
    }
    let bare = SecurityEvent {
        origin: errand_domain::event::Origin::default(),
        session: None,
        ..event_of(EventKind::PasswordSet, at(2))
    };
    note(&stores, ann.id(), &bare).await;
    assert_eq!(events(&stores, ann.id()).await.first(), Some(&bare));
}

/// The newest first, and no more than were asked for.
pub async fn events_come_newest_first_and_not_too_many(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for n in 0..5 {
        note(&stores, ann.id(), &event_of(EventKind::SignedOut, at(n))).await;
    }
    let all = events(&stores, ann.id()).await;
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by(|a, b| a.id > b.id));
    let newest = stores.events.list(ann.id(), 2).await.unwrap();
    assert_eq!(newest, all[..2]);
}

/// Beyond so many the oldest go.
pub async fn the_oldest_events_go(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let mut session = start(&stores, ann.id(), at(1)).await;
    for n in 0..KEPT / 2 + 3 {
        let event = event_of(EventKind::SessionEnded, at(2 + n));
        assert!(stores.sessions.end(ann.id(), session.id, &event).await.unwrap());
        session = start(&stores, ann.id(), at(2 + n)).await;
    }
    let kept = events(&stores, ann.id()).await;
    assert_eq!(kept.len() as u64, KEPT);
    let registered = stores.events.list(ann.id(), 1).await.unwrap();
    assert_eq!(registered, kept[..1], "the newest are kept");
}

/// However many failures there are, everything else stays.
pub async fn failures_push_out_only_failures(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let registered = events(&stores, ann.id()).await;
    let mut failures = Vec::new();
    for n in 0..KEPT_FAILURES + 5 {
        let kind = if n % 2 == 0 {
            EventKind::SignInFailed
        } else {
            EventKind::PasswordRefused
        };
        let event = event_of(kind, at(n));
        note(&stores, ann.id(), &event).await;
        failures.push(event);
    }
    failures.reverse();
    failures.truncate(usize::try_from(KEPT_FAILURES).unwrap());
    failures.extend(registered);
    assert_eq!(events(&stores, ann.id()).await, failures);
}

/// With an account its events are gone, and the next of that address sees none of them.
pub async fn events_go_with_their_account(stores: Stores) {
    let ann = register(&stores, "ann").await;
    note(&stores, ann.id(), &event_of(EventKind::SignInFailed, at(1))).await;
    assert!(leave(&stores, ann.id()).await);
    assert_eq!(events(&stores, ann.id()).await, []);
    let again = register(&stores, "ann").await;
    assert_eq!(events(&stores, again.id()).await.len(), 1);
}

/// Events are shown to their owner alone, and what others do pushes none of them out.
pub async fn another_owner_sees_no_events(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let before = events(&stores, ann.id()).await;
    let bob = register(&stores, "bob").await;
    for n in 0..=KEPT_FAILURES {
        note(&stores, bob.id(), &event_of(EventKind::SignInFailed, at(n))).await;
    }
    assert_eq!(events(&stores, ann.id()).await, before);
    assert!(
        events(&stores, bob.id())
            .await
            .iter()
            .all(|event| event.id != before[0].id)
    );
}
