use errand_application::ports::MockImportStore;
use errand_domain::Timestamp;
use errand_domain::account::{Email, PasswordHash};
use errand_domain::session::Digest;

use super::*;

/// Another run brings somebody between the first look and the second: they are in, and no stranger has the address.
#[tokio::test]
async fn who_came_in_at_this_moment_is_not_kept_out() {
    let user = ArrivingUser {
        key: "a".into(),
        id: None,
        username: Username::parse("ann").unwrap(),
        email: Email::parse("ann@example.com").unwrap(),
        password: PasswordHash::unusable(),
        created_at: Timestamp::from_micros(0).unwrap(),
        updated_at: Timestamp::from_micros(0).unwrap(),
        hash: Digest([1; 32]),
        password_digest: Digest([2; 32]),
        email_digest: Digest([3; 32]),
    };
    let known = KnownUser {
        key: "a".into(),
        id: UserId(7),
        run: 1,
        followed: None,
        hash: user.hash,
        password_digest: user.password_digest,
        email_digest: user.email_digest,
        created_at: user.created_at,
    };
    let mut store = MockImportStore::new();
    let mut looks = vec![vec![known], Vec::new()];
    store
        .expect_known_users()
        .times(2)
        .returning(move |_, _| Ok(looks.pop().unwrap()));
    store
        .expect_collisions()
        .returning(|_| Ok(vec![Some(Arrival::EmailTaken)]));
    // Nobody is left to bring.
    store.expect_bring().returning(|_, _, users| {
        assert!(users.is_empty());
        Ok(Vec::new())
    });
    let way = Way {
        store: &store,
        source: "s",
        run: 1,
        turn: None,
        dry: false,
        follow_up: false,
        tables: ["user".into(), "task".into()],
        familiar: AtomicBool::new(true),
    };
    let party = Party {
        user,
        row: Found::empty(),
        tasks: Vec::new(),
        rows: Vec::new(),
        continued: false,
    };
    let done = way.process(vec![party]).await.unwrap();
    assert_eq!(
        (done.users.imported, done.users.quarantined, done.met),
        (1, 0, false)
    );
}
