//! Walks through lists that go under the reader's feet.

use std::time::Duration;

use errand_application::ports::WalkSeed;
use errand_conformance::{Harness, Stores};
use errand_domain::UserId;
use errand_domain::query::{PageStart, Sort, SortKey, TaskFilter, TaskPage, TaskQuery};
use errand_testbed::{Postgres, Proxy};
use uuid::Uuid;

use crate::support::{PostgreSql, Sqlite, UNLIMITED, at, register, task, until_blocked};

const FILL: &str = "INSERT INTO tasks (user_id, id, creation_key, title, title_folded, priority, due_is_date, tags, \
    tag_keys, created_at, updated_at, version, change_seq) \
    WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) \
    SELECT user_id, i, 'key-' || i, title, title_folded, priority, due_is_date, tags, tag_keys, created_at, \
    updated_at, version, 0 FROM tasks, n WHERE id = 1";
const ALL_BUT_THREE: &str = "UPDATE tasks SET completed_at = created_at, version = version + 1 \
    WHERE id > 1 AND id NOT IN (2500, 3999)";

async fn page(stores: &Stores, owner: UserId, start: PageStart) -> TaskPage {
    let query = TaskQuery {
        filter: TaskFilter {
            completed: Some(false),
            ..TaskFilter::default()
        },
        sort: Sort {
            key: SortKey::Title,
            descending: false,
        },
        start,
        limit: 1,
        count: true,
    };
    let seed = WalkSeed {
        id: Uuid::from_u128(1),
        at: at(1),
    };
    stores.tasks.page(owner, &query, seed).await.unwrap().unwrap()
}

macro_rules! nearly_all_go {
    ($stores:expr, $outside:expr) => {{
        let stores = $stores;
        let owner = register(&stores, "ann").await;
        let made = stores
            .tasks
            .create(owner, "key", &task("t"), UNLIMITED, at(1))
            .await;
        made.unwrap().task().unwrap();
        sqlx::query(FILL).execute(&mut $outside).await.unwrap();
        let mut seen = page(&stores, owner, PageStart::Offset(0)).await;
        sqlx::query(ALL_BUT_THREE).execute(&mut $outside).await.unwrap();
        let mut ids = Vec::new();
        loop {
            assert_eq!(seen.tasks.len(), 1);
            ids.push(seen.tasks[0].id.0);
            let Some(next) = seen.next else { break };
            seen = page(&stores, owner, next).await;
        }
        assert_eq!(ids, [1, 2500, 3999]);
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_goes_over_what_is_left_of_a_walk() {
    let sqlite = Sqlite::fresh().await;
    let mut outside = sqlite.outside().await;
    nearly_all_go!(sqlite.stores(), outside);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_goes_over_what_is_left_of_a_walk_in_few_steps() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let postgres = PostgreSql::at(Some(proxy.addr().port())).await;
    let mut outside = postgres.outside().await;
    nearly_all_go!(postgres.stores(), outside);
    // Every id once or twice; as thousands of statements it would be ten times as much.
    assert!(
        proxy.bytes_from_client() < 250_000,
        "{}",
        proxy.bytes_from_client()
    );
}

async fn three_tasks(stores: &Stores) -> UserId {
    let owner = register(stores, "ann").await;
    for key in ["1", "2", "3"] {
        let made = stores
            .tasks
            .create(owner, key, &task("t"), UNLIMITED, at(1))
            .await;
        assert!(made.unwrap().task().is_some());
    }
    owner
}

fn is_nothing(page: &TaskPage) -> bool {
    page.tasks.is_empty() && page.next.is_none() && page.total == Some(0)
}

/// The page is read before the walk is remembered, and between the two the account goes.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_begins_no_walk_for_an_account_that_goes() {
    let postgres = PostgreSql::fresh().await;
    let stores = postgres.stores();
    let owner = three_tasks(&stores).await;
    let mut outside = postgres.outside().await;
    for sql in ["BEGIN", "DELETE FROM users"] {
        sqlx::query(sql).execute(&mut outside).await.unwrap();
    }
    let going = async {
        until_blocked(&mut postgres.outside().await).await;
        sqlx::query("COMMIT").execute(&mut outside).await.unwrap();
    };
    let (page, ()) = tokio::join!(page(&stores, owner, PageStart::Offset(0)), going);
    assert!(is_nothing(&page), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_begins_no_walk_for_an_account_that_goes() {
    let sqlite = Sqlite::fresh().await;
    let stores = sqlite.stores();
    let owner = three_tasks(&stores).await;
    let mut outside = sqlite.outside().await;
    for sql in ["BEGIN IMMEDIATE", "DELETE FROM users"] {
        sqlx::query(sql).execute(&mut outside).await.unwrap();
    }
    let going = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        sqlx::query("COMMIT").execute(&mut outside).await.unwrap();
    };
    let (page, ()) = tokio::join!(page(&stores, owner, PageStart::Offset(0)), going);
    assert!(is_nothing(&page), "{page:?}");
}
