//! Isolation: two users, every route of the table, every method.

use std::collections::BTreeSet;

use errand_http::Access;
use errand_testbed::{Api, Person};
use serde_json::{Value, json};

use crate::support::{Backend, Service, create, essence, list, on_all, problem};

on_all!(
    no_route_serves_without_a_token,
    no_route_serves_another_users_path,
    a_foreign_id_and_an_absent_id_are_the_same,
    no_answer_shows_anything_of_another_user,
);

/// A body that every route takes as far as its shape goes.
fn body() -> Value {
    json!({"title": "from outside", "completed": true, "password": "wrong", "current_password": "wrong",
        "new_password": "a new violet tandem", "email": "x@example.com", "refresh_token": "x", "user_id": 2})
}

/// Ann with one task, and Bob with three tasks and two sessions, all marked.
async fn two_users(service: &Service) -> (Person, Person) {
    let api = &service.api;
    let (ann, bob) = (
        Person::register(api, "ann").await,
        Person::register(api, "bob").await,
    );
    create(api, &ann, json!({"title": "anns"})).await;
    for n in 0..3 {
        let body =
            json!({"title": format!("bobs-mark {n}"), "description": "bobs-mark", "tags": ["bobs-mark"]});
        create(api, &bob, body).await;
    }
    create(api, &bob, json!({"title": "bobs-mark in the trash"})).await;
    let deleted = bob.request(api, "DELETE", "/tasks/4").send().await;
    assert_eq!(deleted.status, 200);
    let login = json!({"email": bob.email, "password": bob.password});
    let login = api
        .request("POST", "/api/auth/login")
        .header("user-agent", "bobs-mark")
        .json(&login);
    assert_eq!(login.send().await.status, 200);
    (ann, bob)
}

/// All of a user's data, but for the session times that reading it may move.
async fn snapshot(api: &Api, person: &Person) -> Value {
    let answer = person.request(api, "GET", "/export").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn owner_routes() -> Vec<(String, &'static str)> {
    let routes: Vec<_> = errand_http::endpoints()
        .into_iter()
        .filter(|e| e.access == Access::Owner)
        .flat_map(|e| {
            std::iter::once(e.path)
                .chain(e.aliases.iter().copied())
                .map(move |path| (e.method.clone(), path))
        })
        .collect();
    assert!(routes.len() >= 16, "the table lost routes: {routes:?}");
    routes
}

fn fill(pattern: &str, user: &str, id: &str, session: &str) -> String {
    pattern
        .replace("{user_id}", user)
        .replace("{id}", id)
        .replace("{session_id}", session)
}

async fn no_route_serves_without_a_token(backend: Backend) {
    let service = Service::start(backend).await;
    let (_, bob) = two_users(&service).await;
    let before = snapshot(&service.api, &bob).await;
    let mut public = BTreeSet::new();
    for endpoint in errand_http::endpoints() {
        for pattern in std::iter::once(&endpoint.path).chain(endpoint.aliases) {
            if endpoint.access == Access::Public {
                public.insert(format!("{} {pattern}", endpoint.method));
                continue;
            }
            let path = fill(pattern, &bob.id.to_string(), "1", "x");
            for token in [None, Some("x.y.z".to_owned()), Some(format!("{}x", bob.access))] {
                let request = service.api.request(&endpoint.method, &path).json(&body());
                let request = match &token {
                    Some(token) => request.bearer(token),
                    None => request,
                };
                problem(&request.send().await, 401, "invalid-token");
            }
        }
    }
    assert_eq!(snapshot(&service.api, &bob).await, before);
    // What needs no token is written down here; a new public route must be added on purpose.
    let expected: BTreeSet<_> = [
        "GET /",
        "GET /health",
        "GET /health/live",
        "GET /health/ready",
        "GET /problems/{code}",
        "GET /openapi.json",
        "GET /docs",
        "GET /docs/{file}",
        "POST /api/auth/register",
        "POST /auth/signup",
        "POST /api/register",
        "POST /api/auth/login",
        "POST /auth/login",
        "POST /api/login",
        "POST /api/auth/token",
        "POST /api/token",
        "POST /api/auth/refresh",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    assert_eq!(public, expected);
}

async fn no_route_serves_another_users_path(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let (ann, bob) = two_users(&service).await;
    let before = snapshot(api, &bob).await;
    let session = before["sessions"][0]["id"].as_str().unwrap();
    for (method, pattern) in owner_routes() {
        let mut answers = Vec::new();
        for user in [
            bob.id.to_string(),
            "999999".into(),
            "abc".into(),
            "01".into(),
            "0".into(),
            "-1".into(),
        ] {
            let path = fill(pattern, &user, "2", session);
            let answer = api
                .request(&method, &path)
                .bearer(&ann.access)
                .header("x-request-id", "same")
                .json(&body())
                .send()
                .await;
            problem(&answer, 403, "wrong-user");
            answers.push(essence(&answer));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{method} {pattern} tells users apart");
    }
    assert_eq!(snapshot(api, &bob).await, before);
}

async fn a_foreign_id_and_an_absent_id_are_the_same(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let (ann, bob) = two_users(&service).await;
    let before = (snapshot(api, &ann).await, snapshot(api, &bob).await);
    let session = before.1["sessions"][1]["id"].as_str().unwrap();
    let absent = "01985a3c-7d10-7000-8000-00000000abcd";
    let mut seen = 0;
    for (method, pattern) in owner_routes() {
        if !pattern.contains("{id}") && !pattern.contains("{session_id}") {
            continue;
        }
        seen += 1;
        let mut answers = Vec::new();
        // Ann has task 1 only; 2 and 3 are Bob's.
        for (task, session) in [
            ("2", session),
            ("3", session),
            // In Bob's trash.
            ("4", session),
            ("999", absent),
            ("9223372036854775807", absent),
        ] {
            let path = fill(pattern, &ann.id.to_string(), task, session);
            let answer = api
                .request(&method, &path)
                .bearer(&ann.access)
                .header("x-request-id", "same")
                .json(&body())
                .send()
                .await;
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text());
            answers.push(essence(&answer));
        }
        answers.dedup();
        assert_eq!(
            answers.len(),
            1,
            "{method} {pattern} tells a foreign id from an absent one"
        );
    }
    assert!(seen >= 8);
    assert_eq!((snapshot(api, &ann).await, snapshot(api, &bob).await), before);
}

async fn no_answer_shows_anything_of_another_user(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let (ann, bob) = two_users(&service).await;
    let before = list(api, &ann, "?count=true").await;
    for (method, pattern) in owner_routes() {
        if method != "GET" {
            continue;
        }
        for query in [
            "",
            "?q=bobs-mark",
            "?tag=bobs-mark",
            "?count=true",
            "?sort=title&limit=1",
            "?status=all",
        ] {
            if !query.is_empty() && !pattern.ends_with("/tasks") {
                continue;
            }
            let path = format!("{}{query}", fill(pattern, &ann.id.to_string(), "1", "x"));
            let answer = api.request("GET", &path).bearer(&ann.access).send().await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let headers = format!("{:?}", answer.headers);
            for text in [answer.text(), headers] {
                for mark in ["bobs-mark", "bob@example.com", "bob"] {
                    assert!(!text.contains(mark), "{path} shows Bob's: {text}");
                }
            }
        }
    }
    // Bob works; nothing that Ann can count moves.
    for _ in 0..5 {
        create(api, &bob, json!({"title": "more"})).await;
    }
    let answer = ann.request(api, "GET", "/tasks?count=true").send().await;
    assert_eq!(answer.header("x-total-count"), Some("1"));
    assert_eq!(answer.json().as_array().unwrap(), &before);
    assert_eq!(
        create(api, &ann, json!({"title": "mine"})).await["id"],
        2,
        "an id tells of Bob's tasks"
    );
    let spoofed = create(
        api,
        &ann,
        json!({"title": "x", "user_id": bob.id, "owner_id": bob.id, "id": 1}),
    )
    .await;
    assert_eq!((&spoofed["user_id"], &spoofed["id"]), (&json!(ann.id), &json!(3)));
    assert_eq!(list(api, &bob, "").await.len(), 8);
}
