//! What every request does costs one way to the server and back; behind row-level security four: `BEGIN`, whose
//! rows, the statement, `COMMIT`.

use std::time::Duration;

use errand_application::ports::Worked;
use errand_conformance::Harness;
use errand_domain::query::TaskQuery;
use errand_domain::query::{PageStart, Sort, TaskFilter};
use errand_domain::task::{Completion, Expected, Operation, TaskChange};
use errand_testbed::{Postgres, Proxy};
use uuid::Uuid;

use crate::support::{PostgreSql, UNLIMITED, at, keyed, register, task};

/// One way. The driver tests a connection after its use; with a delay that is counted after the call.
const DELAY: Duration = Duration::from_millis(30);

/// What a warm call takes.
async fn round_trips(proxy: &Proxy, mut call: impl AsyncFnMut(usize)) -> u64 {
    let mut fewest = u64::MAX;
    for n in 0..3 {
        let before = proxy.round_trips();
        call(n).await;
        // The first one prepares its statements, and who is slow may count a test that came before the answer.
        fewest = fewest.min(proxy.round_trips() - before);
        until_tested(proxy).await;
    }
    fewest
}

/// Waits until a connection that was used is free again.
async fn until_tested(proxy: &Proxy) {
    let mut seen = proxy.round_trips();
    loop {
        tokio::time::sleep(DELAY * 4).await;
        if proxy.round_trips() == seen {
            return;
        }
        seen = proxy.round_trips();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hot_operations_take_one() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    hot_operations_take(1, &proxy, postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_row_level_security_they_take_four() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let postgres = PostgreSql::guarded_at(Some(proxy.addr().port())).await;
    hot_operations_take(4, &proxy, postgres).await;
}

async fn hot_operations_take(trips: u64, proxy: &Proxy, postgres: PostgreSql) {
    let stores = postgres.stores();
    let owner = register(&stores, "ann").await;
    let made = stores
        .tasks
        .create(owner, "key", &task("t"), UNLIMITED, at(1))
        .await;
    let id = made.unwrap().task().unwrap().id;
    let query = TaskQuery {
        filter: TaskFilter::default(),
        sort: Sort::default(),
        start: PageStart::Offset(0),
        limit: 100,
        count: false,
    };
    let seed = errand_application::ports::WalkSeed {
        id: Uuid::nil(),
        at: at(1),
    };
    let toggle = TaskChange::completing(Completion::Toggle);
    let name = errand_domain::account::LoginName::parse("ann").unwrap();
    proxy.set_delay(DELAY);

    let create = round_trips(proxy, async |n| {
        let key = format!("key-{n}");
        drop(
            stores
                .tasks
                .create(owner, &key, &task("t"), UNLIMITED, at(2))
                .await
                .unwrap(),
        );
    });
    assert_eq!(create.await, trips, "create");
    let find = round_trips(proxy, async |_| drop(stores.tasks.find(owner, id).await.unwrap()));
    assert_eq!(find.await, trips, "find");
    let page = round_trips(proxy, async |_| {
        drop(stores.tasks.page(owner, &query, seed).await.unwrap());
    });
    assert_eq!(page.await, trips, "page");
    let renaming = TaskChange {
        title: Some(task("renamed").title),
        ..TaskChange::default()
    };
    for (what, change) in [("update", renaming), ("completion", toggle.clone())] {
        let changed = round_trips(proxy, async |_| {
            drop(stores.tasks.change(owner, id, &change, at(3)).await.unwrap());
        });
        assert_eq!(changed.await, trips, "{what}");
    }
    let expected = Expected::OneOf((1..50).collect());
    let change_if = round_trips(proxy, async |_| {
        let written = stores
            .tasks
            .change_if(owner, id, &expected, &toggle, u32::MAX, at(3))
            .await;
        assert!(written.unwrap().done().is_some());
    });
    assert_eq!(change_if.await, trips, "change_if");
    // BEGIN, the lock, what is known, the task, its answer, COMMIT; behind row-level security whose rows, too.
    let with_key = round_trips(proxy, async |n| {
        let work = keyed(&format!("key-{n}"), vec![Operation::Create(task("t"))], at(3));
        assert!(matches!(
            stores.tasks.work(owner, &work).await,
            Ok(Worked::Done { .. })
        ));
    });
    assert_eq!(with_key.await, 6 + u64::from(trips > 1), "a creation with a key");
    let changes = round_trips(proxy, async |_| {
        assert!(stores.tasks.changes(owner).await.unwrap() > 0);
    });
    assert_eq!(changes.await, trips, "changes");
    let changes_since = round_trips(proxy, async |_| {
        let page = stores.tasks.changes_since(owner, None, 100).await.unwrap();
        assert!(page.unwrap().changes.len() > 1);
    });
    assert_eq!(changes_since.await, trips, "changes_since");
    let delete = round_trips(proxy, async |_| {
        assert!(stores.tasks.delete(owner, id, at(4)).await.is_ok());
    });
    assert_eq!(delete.await, trips, "delete");
    let credentials = round_trips(proxy, async |_| {
        drop(stores.accounts.credentials(&name).await.unwrap());
    });
    assert_eq!(credentials.await, trips, "credentials");
    let ended = round_trips(proxy, async |_| drop(stores.sessions.ended(None).await.unwrap()));
    assert_eq!(ended.await, trips, "ended");
}
