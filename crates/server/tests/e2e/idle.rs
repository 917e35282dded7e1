//! An idle errand lets its database sleep.

use std::time::Duration;

use errand_testbed::{Person, Postgres, Proxy};
use serde_json::json;

use crate::support::{Backend, Service, create};

/// How long connections may take to go: a minute without use, and the next look after it.
const UNTIL_CLOSED: u32 = 150;
const IDLE: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_idle_minutes_send_nothing_to_the_database() {
    let proxy = Proxy::start(Postgres::shared().addr()).await;
    let database = Postgres::shared().create_database().await;
    let by_proxy = ("DATABASE_URL", database.url_at(proxy.addr().port()));
    let ca_file = ("DATABASE_CA_FILE", database.ca_file.display().to_string());
    let service = Service::start_with(Backend::Sqlite, &[by_proxy, ca_file]).await;
    let api = &service.api;
    // Whatever could leave something behind that goes on: sessions, limits, events, an ended session.
    let ann = Person::register(api, "ann").await;
    create(api, &ann, json!({"title": "before"})).await;
    for password in ["a wrong guess", &ann.password] {
        let body = json!({"email": ann.email, "password": password});
        let answer = api.request("POST", "/api/auth/login").json(&body).send().await;
        assert!(answer.status == 200 || answer.status == 401);
    }
    assert!(proxy.connections() > 0);
    for _ in 0..UNTIL_CLOSED {
        if proxy.connections() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(proxy.connections(), 0, "connections are kept open");
    let before = proxy.bytes_from_client();
    let liveness = async {
        for _ in 0..18 {
            tokio::time::sleep(IDLE / 18).await;
            for path in ["/health/live", "/health/ready"] {
                assert_eq!(api.request("GET", path).send().await.status, 200, "{path}");
            }
        }
    };
    liveness.await;
    assert_eq!(proxy.bytes_from_client(), before, "something was sent");
    assert_eq!(proxy.connections(), 0, "something connected");
    let tasks = ann.request(api, "GET", "/tasks").send().await;
    assert_eq!(tasks.json().as_array().unwrap().len(), 1, "it wakes");
}
