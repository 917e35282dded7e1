//! Fairness: one user cannot take everybody's share.

use std::time::Duration;

use errand_testbed::Person;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Backend, Service, create, on_all, problem};

on_all!(
    requests_at_once_are_capped_for_each_user,
    tasks_are_capped_for_each_user,
    sessions_are_capped_for_each_user,
);

fn capped(key: &'static str, most: u32) -> (&'static str, String) {
    (key, most.to_string())
}

/// A creation whose body is awaited: it is under way until the body comes.
async fn begin_creation(service: &Service, person: &Person, body: &str) -> TcpStream {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        person.path("/tasks"),
        person.access,
        body.len()
    );
    let address = service.errand.base_url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Begins creations until one is answered, which must be a refusal; gives those that wait for their bodies.
async fn fill(service: &Service, person: &Person, body: &str) -> (Vec<TcpStream>, String) {
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut stream = begin_creation(service, person, body).await;
        let mut answer = [0; 4096];
        // Who is refused hears of it at once; the connection goes on until its body was waited for.
        let heard = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut answer)).await;
        if let Ok(length) = heard {
            let answer = String::from_utf8_lossy(&answer[..length.unwrap()]);
            return (open, answer.into_owned());
        }
        open.push(stream);
    }
    panic!("nothing is refused");
}

async fn requests_at_once_are_capped_for_each_user(backend: Backend) {
    let three = capped("ERRAND__LIMITS__REQUESTS_IN_FLIGHT_PER_USER", 3);
    let service = Service::start_with(backend, &[three]).await;
    let api = &service.api;
    let (ann, bob) = (
        Person::register(api, "ann").await,
        Person::register(api, "bob").await,
    );
    let body = "{\"title\":\"at last\"}";
    let (mut open, refused) = fill(&service, &ann, body).await;
    assert_eq!(open.len(), 3);
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let refused = ann.request(api, "GET", "/tasks").send().await;
    problem(&refused, 429, "too-many-requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(
        refused.header("ratelimit-policy"),
        Some("\"requests\";q=3;qu=\"concurrent-requests\"")
    );
    let me = api
        .request("GET", "/api/auth/me")
        .bearer(&ann.access)
        .send()
        .await;
    problem(&me, 429, "too-many-requests");
    assert_eq!(bob.request(api, "GET", "/tasks").send().await.status, 200);
    // One that ends makes room, and one whose client goes away as well.
    let mut first = open.remove(0);
    first.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(ann.request(api, "GET", "/tasks").send().await.status, 200);
    drop(open);
    for _ in 0..50 {
        if fill(&service, &ann, body).await.0.len() == 3 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("those that went away still count");
}

async fn tasks_are_capped_for_each_user(backend: Backend) {
    let three = capped("ERRAND__LIMITS__TASKS_PER_USER", 3);
    let service = Service::start_with(backend, &[three]).await;
    let api = &service.api;
    let (ann, bob) = (
        Person::register(api, "ann").await,
        Person::register(api, "bob").await,
    );
    for n in 0..3 {
        create(api, &ann, json!({"title": format!("task {n}")})).await;
    }
    let one_more = async || {
        let body = json!({"title": "one more"});
        ann.request(api, "POST", "/tasks").json(&body).send().await
    };
    let refused = problem(&one_more().await, 422, "quota-exceeded");
    assert_eq!(refused["errors"][0]["pointer"], "#");
    assert_eq!(refused["errors"][0]["code"], "too-many-tasks");
    assert!(refused["detail"].as_str().unwrap().contains("3 tasks"));
    create(api, &bob, json!({"title": "bobs"})).await;
    assert_eq!(ann.request(api, "DELETE", "/tasks/2").send().await.status, 200);
    assert_eq!(one_more().await.status, 201);
    problem(&one_more().await, 422, "quota-exceeded");
}

async fn sessions_are_capped_for_each_user(backend: Backend) {
    let two = capped("ERRAND__LIMITS__SESSIONS_PER_USER", 2);
    let service = Service::start_with(backend, &[two]).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let login = json!({"email": ann.email, "password": ann.password});
    for _ in 0..2 {
        let answer = api.request("POST", "/api/auth/login").json(&login).send().await;
        assert_eq!(answer.status, 200);
    }
    problem(
        &ann.request(api, "GET", "/tasks").send().await,
        401,
        "invalid-token",
    );
}
