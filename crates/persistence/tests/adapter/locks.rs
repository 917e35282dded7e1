//! Who holds what first, and what waiting for it must not change.

use std::time::Duration;

use errand_application::ports::{NewSession, NextRefresh, Rotation};
use errand_conformance::{Harness, Stores};
use errand_domain::{Timestamp, UserId};
use sqlx::PgConnection;

use crate::support::{PostgreSql, account, at, digest, event, session, until_blocked};

async fn ann(stores: &Stores) -> (UserId, NewSession) {
    let first = session();
    let ann = account("ann@example.com", "ann");
    (
        stores
            .accounts
            .register(&ann, Some(first.clone()), &event(at(0)))
            .await
            .unwrap()
            .id,
        first,
    )
}

async fn run(conn: &mut PgConnection, statements: &[&'static str]) {
    for sql in statements {
        sqlx::query(*sql).execute(&mut *conn).await.unwrap();
    }
}

async fn rotate(stores: &Stores, owner: UserId, of: &NewSession, n: u64, at: Timestamp) -> Rotation {
    let token = if n == 0 { of.token } else { digest(900 + n) };
    let next = NextRefresh {
        token: digest(901 + n),
        salt: [1; 32],
    };
    stores
        .sessions
        .rotate(owner, of.id, &of.family, &token, &next, &event(at))
        .await
        .unwrap()
}

/// Ending all sessions holds the account, then records them, then removes them. Who came to one of them the
/// other way round would wait for it in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_ends_a_session_holds_the_account_first() {
    for reuse in [false, true] {
        let postgres = PostgreSql::fresh().await;
        let stores = postgres.stores();
        let (owner, first) = ann(&stores).await;
        for n in [0, 1] {
            let rotated = rotate(&stores, owner, &first, n, at(1)).await;
            assert!(matches!(rotated, Rotation::Rotated { .. }));
        }
        let mut holder = postgres.outside().await;
        run(&mut holder, &["BEGIN", "SELECT id FROM users FOR NO KEY UPDATE"]).await;
        let ending = {
            let (stores, first) = (stores.clone(), first.clone());
            async move {
                if reuse {
                    rotate(&stores, owner, &first, 0, at(2)).await == Rotation::Reused
                } else {
                    stores.sessions.end(owner, first.id, &event(at(2))).await.unwrap()
                }
            }
        };
        let holding = async {
            until_blocked(&mut postgres.outside().await).await;
            run(
                &mut holder,
                &["SELECT id FROM sessions FOR UPDATE NOWAIT", "COMMIT"],
            )
            .await;
        };
        let (ended, ()) = tokio::join!(ending, holding);
        assert!(ended, "{reuse}");
        assert_eq!(stores.sessions.list(owner, at(2)).await.unwrap(), []);
    }
}

/// The client that waited for a sleeping database comes again when it is awake.
#[tokio::test(flavor = "multi_thread")]
async fn the_grace_counts_from_when_a_token_really_was_replaced() {
    let postgres = PostgreSql::fresh().await;
    let stores = postgres.stores();
    let (owner, first) = ann(&stores).await;
    let mut holder = postgres.outside().await;
    run(&mut holder, &["BEGIN", "SELECT id FROM users FOR NO KEY UPDATE"]).await;
    let holding = async {
        until_blocked(&mut postgres.outside().await).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        run(&mut holder, &["COMMIT"]).await;
    };
    let (rotated, ()) = tokio::join!(rotate(&stores, owner, &first, 0, at(5)), holding);
    let Rotation::Rotated { session, .. } = rotated else {
        panic!("{rotated:?}")
    };
    assert_eq!(session.last_used_at, at(5));
    // Eleven seconds after the question, and less than ten after the deed.
    let again = rotate(&stores, owner, &first, 0, at(16)).await;
    assert!(matches!(again, Rotation::Replayed { .. }), "{again:?}");
}
