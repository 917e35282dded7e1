//! Sessions: their life and their end.

use std::collections::BTreeSet;

use errand_application::ports::{NewSession, Rotation};
use errand_domain::event::EventKind;
use errand_domain::session::{ABSOLUTE_LIFE, IDLE_LIFE, MAX_PER_USER};
use errand_domain::{SessionId, UserId};

use crate::fixtures::{
    at, days, digest, ended_now, ended_since, event, hash, leave, living, micros, new_session, next_refresh,
    numbered_session, register, rotate, sign_in, start, started, unique, uuid,
};
use crate::harness::Stores;
use errand_application::ports::Start;

/// A session comes back with everything that it was started with, and with its expiry.
pub async fn a_session_comes_back_with_every_field(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let agents = [
        None,
        Some(String::new()),
        Some("Mozilla/5.0 (X11; \"Linux\"; 'x'; \\ 100%_)".to_owned()),
        Some("😀".repeat(200)),
    ];
    let mut expected = vec![started(ann.id(), &ann.session)];
    for (n, user_agent) in (1..).zip(agents) {
        let session = NewSession {
            user_agent,
            ..new_session(at(n).plus(micros(654_321)))
        };
        assert!(sign_in(&stores, ann.id(), &session).await);
        expected.push(started(ann.id(), &session));
    }
    assert_eq!(stores.sessions.list(ann.id(), at(10)).await.unwrap(), expected);
}

/// Oldest first, by creation; equally old ones by id.
pub async fn sessions_are_listed_oldest_first_then_by_id(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let numbers: Vec<u64> = (0..5).map(|_| unique()).collect();
    let mut expected = vec![(at(0), ann.session.id)];
    for (n, created_at) in [(3, 7), (1, 7), (4, 2), (0, 9), (2, 7)] {
        let session = numbered_session(numbers[n], at(created_at));
        assert!(sign_in(&stores, ann.id(), &session).await);
        expected.push((session.created_at, session.id));
    }
    expected.sort();
    let sessions = stores.sessions.list(ann.id(), at(10)).await.unwrap();
    let listed: Vec<_> = sessions.iter().map(|s| (s.created_at, s.id)).collect();
    assert_eq!(listed, expected);
}

/// No account, no session.
pub async fn absent_owners_have_no_sessions(stores: Stores) {
    for owner in [UserId(i64::MAX), UserId(0), UserId(-1)] {
        let session = new_session(at(0));
        assert!(!sign_in(&stores, owner, &session).await);
        assert_eq!(stores.sessions.list(owner, at(0)).await.unwrap(), []);
        assert!(
            !stores
                .sessions
                .end(owner, session.id, &event(at(0)))
                .await
                .unwrap()
        );
        assert_eq!(stores.sessions.end_all(owner, &event(at(0))).await.unwrap(), 0);
        let rotation = rotate(&stores, owner, &session, &session.token, &next_refresh(), at(0)).await;
        assert_eq!(rotation, Rotation::Unknown);
    }
}

/// One session more than a user may have ends the oldest, and that is recorded.
pub async fn one_session_too_many_ends_the_oldest(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let mut started = vec![ann.session.id];
    for n in 1..MAX_PER_USER as u64 {
        started.push(start(&stores, ann.id(), at(n)).await.id);
    }
    let cursor = ended_now(&stores).await;
    assert_eq!(
        living(&stores, ann.id(), at(100)).await,
        started,
        "as many as may be"
    );
    for n in 0..2 {
        started.push(start(&stores, ann.id(), at(101 + n)).await.id);
    }
    assert_eq!(living(&stores, ann.id(), at(200)).await, started[2..]);
    let events = stores.events.list(ann.id(), 1_000).await.unwrap();
    let told: BTreeSet<_> = events
        .iter()
        .filter(|event| event.kind == EventKind::SessionPushedOut)
        .map(|event| event.session.unwrap())
        .collect();
    let pushed_out: BTreeSet<_> = started[..2].iter().copied().collect();
    assert_eq!(told, pushed_out, "and its user can read of it");
    let ended = ended_since(&stores, cursor).await;
    assert!(
        started[..2].iter().all(|id| ended.contains(id)),
        "the pushed out are recorded"
    );
    assert!(
        started[2..].iter().all(|id| !ended.contains(id)),
        "the living are not"
    );
    let pushed_out = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &ann.session.token,
        &next_refresh(),
        at(200),
    )
    .await;
    assert_eq!(pushed_out, Rotation::Unknown);
}

/// Of equally old sessions the one with the smallest id is the oldest, whenever it was used.
pub async fn the_oldest_session_is_by_creation_then_id(stores: Stores) {
    let ann = register(&stores, "ann").await;
    assert!(
        stores
            .sessions
            .end(ann.id(), ann.session.id, &event(at(0)))
            .await
            .unwrap()
    );
    let mut numbers: Vec<u64> = (0..MAX_PER_USER).map(|_| unique()).collect();
    numbers.reverse();
    let mut sessions = Vec::new();
    for number in numbers {
        let session = numbered_session(number, at(10));
        assert!(sign_in(&stores, ann.id(), &session).await);
        sessions.push(session);
    }
    let smallest = sessions.last().unwrap();
    let used = rotate(
        &stores,
        ann.id(),
        smallest,
        &smallest.token,
        &next_refresh(),
        at(20),
    )
    .await;
    assert!(matches!(used, Rotation::Rotated { .. }));
    start(&stores, ann.id(), at(30)).await;
    let living = living(&stores, ann.id(), at(30)).await;
    assert_eq!(living.len(), MAX_PER_USER);
    assert!(!living.contains(&smallest.id), "the smallest id is the oldest");
}

/// Whoever gave the right password before it was changed gets no session for it; a renewed hash of the same
/// password keeps nobody out.
pub async fn a_password_proven_before_a_change_starts_no_session(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let proven = stores.accounts.find(ann.id()).await.unwrap().unwrap();
    let (as_of, renewed) = (proven.user.updated_at, hash("renewed"));
    assert!(
        stores
            .accounts
            .renew_hash(ann.id(), &proven.password, &renewed)
            .await
            .unwrap()
    );
    let session = new_session(at(1));
    let started = stores
        .sessions
        .start(ann.id(), as_of, &session, MAX_PER_USER, &event(at(0)))
        .await
        .unwrap();
    assert_eq!(
        started,
        Start::Started {
            pushed_out: Vec::new()
        }
    );
    let new = new_session(at(5));
    assert!(
        stores
            .accounts
            .change_password(ann.id(), &renewed, &hash("new"), Some(new.clone()), &event(at(5)))
            .await
            .unwrap()
    );
    let refused = stores
        .sessions
        .start(ann.id(), as_of, &new_session(at(6)), MAX_PER_USER, &event(at(0)))
        .await
        .unwrap();
    assert_eq!(refused, Start::Refused);
    let living = stores.sessions.list(ann.id(), at(6)).await.unwrap();
    assert_eq!(living.iter().map(|s| s.id).collect::<Vec<_>>(), [new.id]);
}

/// Only living sessions count against the limit: the oldest of all stays while the expired are in the way.
pub async fn expired_sessions_push_nobody_out(stores: Stores) {
    let ann = register(&stores, "ann").await;
    for n in 1..MAX_PER_USER as u64 {
        start(&stores, ann.id(), at(n)).await;
    }
    let later = at(0).plus(days(13));
    let used = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &ann.session.token,
        &next_refresh(),
        later,
    )
    .await;
    assert!(matches!(used, Rotation::Rotated { .. }));
    let later = at(0).plus(days(20));
    let mut alive = vec![ann.session.id];
    for n in 1..MAX_PER_USER as u64 {
        alive.push(start(&stores, ann.id(), later.plus(micros(n))).await.id);
        assert_eq!(living(&stores, ann.id(), later.plus(micros(n))).await, alive);
    }
}

/// The sessions of others do not count against the limit.
pub async fn the_limit_is_for_each_user(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    for n in 1..=MAX_PER_USER as u64 {
        start(&stores, bob.id(), at(n)).await;
    }
    assert_eq!(living(&stores, ann.id(), at(100)).await, [ann.session.id]);
}

/// A session lives until its expiry comes, not a microsecond longer.
pub async fn an_unused_session_expires(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let end = at(0).plus(IDLE_LIFE);
    let last = end.minus(micros(1));
    assert_eq!(living(&stores, ann.id(), last).await, [ann.session.id]);
    assert_eq!(living(&stores, ann.id(), end).await, []);
    let at_the_end = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &ann.session.token,
        &next_refresh(),
        end,
    )
    .await;
    assert_eq!(at_the_end, Rotation::Unknown);
    assert!(
        !stores
            .sessions
            .end(ann.id(), ann.session.id, &event(end))
            .await
            .unwrap()
    );
}

/// In its last moment a session can still be used and ended.
pub async fn a_session_lives_to_its_last_moment(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let second = start(&stores, ann.id(), at(0)).await;
    let last = at(0).plus(IDLE_LIFE).minus(micros(1));
    let used = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &ann.session.token,
        &next_refresh(),
        last,
    )
    .await;
    assert!(matches!(used, Rotation::Rotated { .. }), "{used:?}");
    assert!(
        stores
            .sessions
            .end(ann.id(), second.id, &event(last))
            .await
            .unwrap()
    );
}

/// Use prolongs a session, but not beyond its absolute end.
pub async fn every_session_expires_in_the_end(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let mut token = ann.session.token;
    for day in [13, 26, 29] {
        let (next, now) = (next_refresh(), at(0).plus(days(day)));
        let rotation = rotate(&stores, ann.id(), &ann.session, &token, &next, now).await;
        let Rotation::Rotated { session, .. } = rotation else {
            panic!("day {day}: {rotation:?}");
        };
        assert_eq!((session.created_at, session.last_used_at), (at(0), now));
        let expected = now.plus(IDLE_LIFE).min(at(0).plus(ABSOLUTE_LIFE));
        assert_eq!(session.expires_at, expected, "day {day}");
        let listed = stores.sessions.list(ann.id(), now).await.unwrap();
        assert_eq!(listed, [session]);
        token = next.token;
    }
    let end = at(0).plus(ABSOLUTE_LIFE);
    assert_eq!(living(&stores, ann.id(), end.minus(micros(1))).await.len(), 1);
    assert_eq!(living(&stores, ann.id(), end).await, []);
    let late = rotate(&stores, ann.id(), &ann.session, &token, &next_refresh(), end).await;
    assert_eq!(late, Rotation::Unknown);
}

/// A session ends once; the others stay.
pub async fn ending_a_session_ends_it_once(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let second = start(&stores, ann.id(), at(1)).await;
    assert!(
        stores
            .sessions
            .end(ann.id(), ann.session.id, &event(at(2)))
            .await
            .unwrap()
    );
    assert!(
        !stores
            .sessions
            .end(ann.id(), ann.session.id, &event(at(2)))
            .await
            .unwrap()
    );
    assert!(
        !stores
            .sessions
            .end(ann.id(), SessionId(uuid(u64::MAX >> 2)), &event(at(2)))
            .await
            .unwrap()
    );
    let listed = stores.sessions.list(ann.id(), at(2)).await.unwrap();
    assert_eq!(listed, [started(ann.id(), &second)]);
    let rotation = rotate(
        &stores,
        ann.id(),
        &ann.session,
        &ann.session.token,
        &next_refresh(),
        at(2),
    )
    .await;
    assert_eq!(
        rotation,
        Rotation::Unknown,
        "an ended session cannot be refreshed"
    );
}

/// Ending all says how many there were, and leaves other users alone.
pub async fn ending_all_sessions_counts_them(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    for n in 1..5 {
        start(&stores, ann.id(), at(n)).await;
    }
    assert!(
        stores
            .sessions
            .end(ann.id(), ann.session.id, &event(at(5)))
            .await
            .unwrap()
    );
    assert_eq!(stores.sessions.end_all(ann.id(), &event(at(0))).await.unwrap(), 4);
    assert_eq!(living(&stores, ann.id(), at(6)).await, []);
    assert_eq!(stores.sessions.end_all(ann.id(), &event(at(0))).await.unwrap(), 0);
    assert_eq!(living(&stores, bob.id(), at(6)).await, [bob.session.id]);
    let again = start(&stores, ann.id(), at(7)).await;
    assert_eq!(living(&stores, ann.id(), at(7)).await, [again.id]);
}

/// Whoever asks for the first time learns what ended in the last hour, of every user.
pub async fn the_record_of_ended_sessions_begins_an_hour_back(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    let second = start(&stores, ann.id(), at(1)).await;
    assert!(
        stores
            .sessions
            .end(ann.id(), second.id, &event(at(2)))
            .await
            .unwrap()
    );
    assert_eq!(stores.sessions.end_all(bob.id(), &event(at(0))).await.unwrap(), 1);
    let ended = stores.sessions.ended(None).await.unwrap().sessions;
    assert!(
        ended.contains(&second.id) && ended.contains(&bob.session.id),
        "{ended:?}"
    );
    assert!(!ended.contains(&ann.session.id), "it lives");
}

/// Following the cursors shows every session that was ended, in whatever way.
pub async fn following_the_record_misses_no_ending(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    let mut all = vec![ann.session.clone()];
    for n in 1..6 {
        all.push(start(&stores, ann.id(), at(n)).await);
    }
    let [first, second, third, fourth] = &all.clone()[..4] else {
        panic!("six were started");
    };
    let sessions = &stores.sessions;
    let mut cursor = ended_now(&stores).await;
    for way in 0..7 {
        let expected: Vec<SessionId> = match way {
            0 => {
                assert!(sessions.end(ann.id(), first.id, &event(at(10))).await.unwrap());
                vec![first.id]
            }
            1 => vec![], // nothing happened, and the cursor must still hold
            2 => {
                let reuse = rotate(
                    &stores,
                    ann.id(),
                    second,
                    &digest(b'x', 1),
                    &next_refresh(),
                    at(11),
                )
                .await;
                assert_eq!(reuse, Rotation::Reused);
                vec![second.id]
            }
            3 => {
                assert!(sessions.end(ann.id(), third.id, &event(at(12))).await.unwrap());
                assert!(sessions.end(ann.id(), fourth.id, &event(at(12))).await.unwrap());
                vec![third.id, fourth.id]
            }
            4 => {
                let new = new_session(at(13));
                let (old, next) = (hash("first"), hash("second"));
                let changed = stores
                    .accounts
                    .change_password(ann.id(), &old, &next, Some(new.clone()), &event(at(13)))
                    .await;
                assert!(changed.unwrap());
                let ended = all[4..].iter().map(|s| s.id).collect();
                all.push(new);
                ended
            }
            5 => {
                assert_eq!(sessions.end_all(ann.id(), &event(at(0))).await.unwrap(), 1);
                vec![all[6].id]
            }
            _ => {
                assert!(leave(&stores, bob.id()).await);
                vec![bob.session.id]
            }
        };
        let answer = sessions.ended(Some(cursor)).await.unwrap();
        let named: BTreeSet<_> = answer.sessions.iter().copied().collect();
        let missed: Vec<_> = expected.iter().filter(|id| !named.contains(id)).collect();
        assert!(missed.is_empty(), "way {way} to end was missed");
        assert!(
            way == 6 || !named.contains(&bob.session.id),
            "a living session was named"
        );
        cursor = answer.cursor;
    }
}

/// An old cursor shows everything since, also what others have seen already.
pub async fn every_reader_of_the_record_has_a_place_of_its_own(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let second = start(&stores, ann.id(), at(1)).await;
    let old = ended_now(&stores).await;
    assert!(
        stores
            .sessions
            .end(ann.id(), ann.session.id, &event(at(2)))
            .await
            .unwrap()
    );
    let fast = stores.sessions.ended(Some(old)).await.unwrap();
    assert!(fast.sessions.contains(&ann.session.id));
    assert!(
        stores
            .sessions
            .end(ann.id(), second.id, &event(at(3)))
            .await
            .unwrap()
    );
    let slow = ended_since(&stores, old).await;
    assert!(
        slow.contains(&ann.session.id) && slow.contains(&second.id),
        "{slow:?}"
    );
    assert!(ended_since(&stores, fast.cursor).await.contains(&second.id));
}
