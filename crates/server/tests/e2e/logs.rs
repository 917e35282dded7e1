//! What errand writes about its requests, and what it must never write.

use std::time::Duration;

use errand_testbed::Person;
use serde_json::{Value, json};

use crate::support::{Backend, SIGNING_KEY, Service, create, on_all};

on_all!(one_line_per_request, no_secret_is_ever_written);

async fn one_line_per_request(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    for (method, path, status) in [
        ("GET", "/tasks?q=needle", 200),
        ("GET", "/tasks/9", 404),
        ("POST", "/tasks", 415),
    ] {
        let request = ann
            .request(&service.api, method, path)
            .header("x-request-id", "marked");
        assert_eq!(request.send().await.status, status);
    }
    // A line is written when its answer is under way already.
    let mut log = service.errand.log();
    for _ in 0..100 {
        if log.matches("\"marked\"").count() >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        log = service.errand.log();
    }
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let marked: Vec<_> = lines
        .iter()
        .filter(|l| l["request_id"] == "marked" && l["message"] == "request")
        .collect();
    assert_eq!(marked.len(), 3, "{log}");
    assert_eq!(marked[0]["route"], "/api/{user_id}/tasks");
    assert_eq!(
        (&marked[0]["method"], &marked[0]["status"]),
        (&json!("GET"), &json!(200))
    );
    assert!(marked[0]["duration_ms"].is_number(), "{}", marked[0]);
    assert_eq!(
        (&marked[1]["route"], &marked[1]["status"]),
        (&json!("/api/{user_id}/tasks/{id}"), &json!(404))
    );
    assert!(!log.contains("needle"), "a query string is in the log");
}

async fn no_secret_is_ever_written(backend: Backend) {
    let level = ("ERRAND__LOG__LEVEL", "trace".to_owned());
    let service = Service::start_with(backend, &[level]).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    create(
        api,
        &ann,
        json!({"title": "title-needle", "description": "text-needle"}),
    )
    .await;
    let login = json!({"email": ann.email, "password": "wrong-needle"});
    api.request("POST", "/api/auth/login").json(&login).send().await;
    api.request("POST", "/api/auth/refresh")
        .json(&json!({"refresh_token": ann.refresh}))
        .send()
        .await;
    let form = "grant_type=password&username=ann&password=form-needle";
    api.request("POST", "/api/auth/token")
        .raw(form, "application/x-www-form-urlencoded")
        .send()
        .await;
    ann.request(api, "GET", "/tasks?q=query-needle").send().await;
    ann.request(api, "POST", "/tasks")
        .raw("{\"title\":\"broken-needle", "application/json")
        .send()
        .await;
    let body = json!({"current_password": "wrong-needle", "new_password": "another-needle-tandem"});
    ann.request(api, "PUT", "/password").json(&body).send().await;
    let log = service.errand.log();
    assert!(log.lines().count() >= 9, "something was not logged: {log}");
    for secret in [
        &ann.password,
        &ann.access,
        &ann.refresh,
        &ann.email,
        "needle",
        SIGNING_KEY,
        "$bcrypt",
        "postgresql://",
    ] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}
