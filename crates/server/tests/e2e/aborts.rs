//! Clients that go away in the middle: 10,000 requests, reset at any moment, over a slow wire to PostgreSQL.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use errand_testbed::{Person, Postgres, Proxy};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{SIGNING_KEY, all_pages, binary};

const ABORTED: u64 = 10_000;
const CLIENTS: u64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_aborted_requests_lose_nothing() {
    let database = Postgres::shared().create_database().await;
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let env = [
        ("JWT_SECRET", SIGNING_KEY.to_owned()),
        ("ERRAND__AUTH__BCRYPT_COST", "10".to_owned()),
        ("DATABASE_URL", database.url_at(proxy.addr().port())),
        ("DATABASE_CA_FILE", database.ca_file.display().to_string()),
        ("ERRAND__DATABASE__MAX_CONNECTIONS", "8".to_owned()),
    ];
    let errand = errand_testbed::Errand::start(binary(), &env).await;
    let api = errand_testbed::Api::new(errand.base_url());
    let ann = Person::register(&api, "ann").await;
    proxy.set_delay(Duration::from_millis(3));

    let address = errand.base_url().replace("http://", "");
    let acknowledged = Arc::new(Mutex::new(HashSet::new()));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (address, ann, acknowledged) = (address.clone(), ann.clone(), acknowledged.clone());
        clients.spawn(async move {
            for n in 0..ABORTED / CLIENTS {
                let title = format!("c{client} n{n}");
                // Half are creations, half run in a transaction: those are what a dropped BEGIN would poison.
                let request = if n % 2 == 0 {
                    creation(&ann, &title)
                } else {
                    ending(&ann, client * 1_000 + n)
                };
                let patience = Duration::from_millis((client * 7 + n * 3) % 90);
                if request_and_reset(&address, &request, patience).await && n % 2 == 0 {
                    acknowledged.lock().unwrap().insert(title);
                }
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }

    let in_the_storm = acknowledged.lock().unwrap().len();
    assert!(in_the_storm > 0, "nothing was acknowledged in the storm");

    // Every connection of the pool is borrowed many times: a poisoned one would swallow some of these.
    for n in 0..1_000 {
        let title = format!("after {n}");
        let request = ann.request(&api, "POST", "/tasks").json(&json!({"title": title}));
        let answer = request.send().await;
        // The storm's own work is still being finished at first.
        if answer.status == 201 {
            acknowledged.lock().unwrap().insert(title);
        } else {
            assert_eq!(answer.status, 503, "{}", answer.text());
        }
    }
    let seen_by_errand: HashSet<_> = all_pages(&api, &ann, "")
        .await
        .iter()
        .map(|t| t["title"].as_str().unwrap().to_owned())
        .collect();
    drop(errand);

    let mut independent = database.connect().await;
    let rows: Vec<(String,)> = sqlx::query_as("select title from tasks where deleted_at is null")
        .fetch_all(&mut independent)
        .await
        .unwrap();
    let there: HashSet<_> = rows.into_iter().map(|(title,)| title).collect();
    let acknowledged = acknowledged.lock().unwrap();
    assert!(
        acknowledged.len() >= in_the_storm + 900,
        "only {} were acknowledged",
        acknowledged.len()
    );
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged writes are lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    assert_eq!(seen_by_errand, there, "errand saw what is not in the database");
}

fn creation(ann: &Person, title: &str) -> String {
    let body = json!({"title": title}).to_string();
    format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        ann.path("/tasks"),
        ann.access,
        body.len()
    )
}

/// Ends a session that does not exist: a transaction that writes nothing.
fn ending(ann: &Person, n: u64) -> String {
    let path = ann.path(&format!("/sessions/01985a3c-7d10-7000-8000-{n:012x}"));
    format!(
        "DELETE {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        ann.access
    )
}

/// Sends a request and waits a moment; then resets the connection. Says whether a 201 had come by then.
async fn request_and_reset(address: &str, request: &str, patience: Duration) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    stream.set_zero_linger().unwrap();
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut answer = [0; 16];
    let read = tokio::time::timeout(patience, stream.read_exact(&mut answer)).await;
    matches!(read, Ok(Ok(_))) && answer.starts_with(b"HTTP/1.1 201")
}

/// No connection is left inside a transaction once the clients are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_stays_inside_a_transaction() {
    let service = crate::support::Service::start(crate::support::Backend::Postgres).await;
    let ann = Person::register(&service.api, "ann").await;
    let address = service.errand.base_url().replace("http://", "");
    for n in 0..300 {
        request_and_reset(&address, &ending(&ann, n), Duration::from_micros(n * 20)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut independent = service.database().connect().await;
    let query = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
    let (open,): (i64,) = sqlx::query_as(query).fetch_one(&mut independent).await.unwrap();
    assert_eq!(open, 0);
}
