//! Security events: what a user learns of what happened to the account.

use std::time::Duration;

use errand_testbed::{Api, Person};
use serde_json::{Value, json};

use crate::support::{Backend, Service, on_all, pluck, problem};

on_all!(
    everything_that_happens_can_be_read,
    failures_are_kept_apart_and_nobody_else_sees_them,
);

async fn events(api: &Api, token: &str, user: i64) -> Vec<Value> {
    let path = format!("/api/{user}/events");
    let answer = api.request("GET", &path).bearer(token).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().clone()
}

/// The events, once there are so many: failures are written after their answers.
async fn so_many(api: &Api, person: &Person, count: usize) -> Vec<Value> {
    for _ in 0..500 {
        let events = events(api, &person.access, person.id).await;
        if events.len() >= count {
            return events;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("there are not {count} events");
}

async fn login(api: &Api, person: &Person, password: &str) -> (u16, Value) {
    let body = json!({"email": person.email, "password": password});
    let answer = api
        .request("POST", "/api/auth/login")
        .header("user-agent", "phone/1.0")
        .json(&body)
        .send()
        .await;
    (answer.status, answer.json())
}

async fn everything_that_happens_can_be_read(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    assert_eq!(login(api, &ann, "a wrong guess").await.0, 401);
    so_many(api, &ann, 2).await;
    let (_, phone) = login(api, &ann, &ann.password).await;
    let (_, other) = login(api, &ann, &ann.password).await;
    let token = |grant: &Value| grant["access_token"].as_str().unwrap().to_owned();
    let out = api.request("POST", "/api/auth/logout").bearer(&token(&phone));
    assert_eq!(out.send().await.status, 200);
    let sessions = ann.request(api, "GET", "/sessions").send().await.json();
    let id = sessions[1]["id"].as_str().unwrap().to_owned();
    let ended = ann.request(api, "DELETE", &format!("/sessions/{id}"));
    assert_eq!(ended.send().await.status, 200);
    problem(
        &api.request("GET", "/api/auth/me")
            .bearer(&token(&other))
            .send()
            .await,
        401,
        "invalid-token",
    );
    let refused = json!({"current_password": "wrong", "new_password": "another violet tandem"});
    let refused = ann.request(api, "PUT", "/password").json(&refused);
    problem(&refused.send().await, 403, "wrong-password");
    so_many(api, &ann, 7).await;
    let change = json!({"current_password": ann.password, "new_password": "another violet tandem"});
    let changed = ann.request(api, "PUT", "/password").json(&change).send().await;
    let (access, refresh) = (token(&changed.json()), changed.json()["refresh_token"].clone());
    let mut newest = refresh.clone();
    for _ in 0..2 {
        let body = json!({"refresh_token": newest});
        let answer = api.request("POST", "/api/auth/refresh").json(&body).send().await;
        newest = answer.json()["refresh_token"].clone();
    }
    let body = json!({"refresh_token": refresh});
    let reused = api.request("POST", "/api/auth/refresh").json(&body).send().await;
    problem(&reused, 401, "invalid-refresh-token");
    problem(
        &api.request("GET", "/api/auth/me").bearer(&access).send().await,
        401,
        "invalid-token",
    );
    let back = Person {
        password: "another violet tandem".to_owned(),
        ..ann.clone()
    };
    let (_, grant) = login(api, &back, &back.password).await;
    let events = events(api, &token(&grant), ann.id).await;
    assert_eq!(
        pluck(&events, "kind"),
        [
            "signed-in",
            "refresh-token-reused",
            "password-changed",
            "password-refused",
            "session-ended",
            "signed-out",
            "signed-in",
            "signed-in",
            "sign-in-failed",
            "registered"
        ]
    );
    assert_eq!(pluck(&events, "address"), vec![json!("127.0.0.1"); 10]);
    assert_eq!(
        (&events[4]["session_id"], &events[0]["user_agent"]),
        (&json!(id), &json!("phone/1.0"))
    );
    assert!(
        events
            .iter()
            .all(|event| event["at"].as_str().unwrap().ends_with('Z'))
    );
    let export = api.request("GET", &ann.path("/export")).bearer(&token(&grant));
    let mut exported = export.send().await.json()["events"].as_array().unwrap().clone();
    exported.reverse();
    assert_eq!(exported, events);
    let log = service.errand.log();
    for kind in [
        "sign-in-failed",
        "refresh-token-reused",
        "signed-out",
        "password-changed",
    ] {
        assert!(
            log.contains(&format!("\"event\":\"{kind}\"")),
            "{kind} is not in the log"
        );
    }
}

async fn failures_are_kept_apart_and_nobody_else_sees_them(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let (ann, bob) = (
        Person::register(api, "ann").await,
        Person::register(api, "bob").await,
    );
    for _ in 0..3 {
        assert_eq!(login(api, &ann, "a wrong guess").await.0, 401);
    }
    let anns = so_many(api, &ann, 4).await;
    assert_eq!(
        pluck(&anns, "kind"),
        ["sign-in-failed", "sign-in-failed", "sign-in-failed", "registered"]
    );
    assert_eq!(
        pluck(&events(api, &bob.access, bob.id).await, "kind"),
        ["registered"]
    );
    problem(
        &bob.request(api, "GET", "/events?limit=1").send().await,
        422,
        "validation-failed",
    );
}
