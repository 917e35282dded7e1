//! Request bodies that cannot be taken: every fault is named, and nothing is left behind.

use serde_json::json;

use crate::support::{Backend, list, on_all, problem};
use crate::tasks::ann;

on_all!(every_fault_of_a_body_is_named, bodies_of_the_wrong_kind);

async fn every_fault_of_a_body_is_named(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let body = json!({"title": "x".repeat(201), "description": 5, "priority": "urgent", "due_date": "2024-02-30",
        "tags": ["ok", "", "a,b"], "completed": "true"});
    let told = problem(
        &ann.request(api, "POST", "/tasks").json(&body).send().await,
        422,
        "validation-failed",
    );
    let mut places: Vec<_> = told["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    places.sort_unstable();
    assert_eq!(
        places,
        [
            "#/completed",
            "#/description",
            "#/due_date",
            "#/priority",
            "#/tags/1",
            "#/tags/2",
            "#/title"
        ]
    );
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("title must have 1 to 200 characters"),
        "{told}"
    );
    for bad in [
        json!({}),
        json!({"title": null}),
        json!({"title": " \n "}),
        json!({"title": "a\u{0}b"}),
        json!({"title": 1}),
    ] {
        let answer = ann.request(api, "POST", "/tasks").json(&bad).send().await;
        assert_eq!(
            problem(&answer, 422, "validation-failed")["errors"][0]["pointer"],
            "#/title",
            "{bad}"
        );
    }
    for due in [
        "tomorrow",
        "0000-01-01",
        "10000-01-01",
        "2026-12-01T24:00:00Z",
        "2026-12-01T10:00:60Z",
        "",
        "1764547200",
    ] {
        let answer = ann
            .request(api, "POST", "/tasks")
            .json(&json!({"title": "x", "due_date": due}))
            .send()
            .await;
        assert_eq!(
            problem(&answer, 422, "validation-failed")["errors"][0]["pointer"],
            "#/due_date",
            "{due}"
        );
    }
    let many: Vec<_> = (0..21).map(|n| n.to_string()).collect();
    let answer = ann
        .request(api, "POST", "/tasks")
        .json(&json!({"title": "x", "tags": many}))
        .send()
        .await;
    assert_eq!(
        problem(&answer, 422, "validation-failed")["errors"][0]["pointer"],
        "#/tags"
    );
    assert!(
        list(api, &ann, "").await.is_empty(),
        "a refused body left something behind"
    );
}

async fn bodies_of_the_wrong_kind(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let send =
        async |body: &[u8], kind: &str| ann.request(api, "POST", "/tasks").raw(body, kind).send().await;
    for body in [
        "",
        "{",
        "{\"title\":\"a\"} x",
        "{\"title\":\"a\",}",
        "{'title':1}",
        "{\"title\":NaN}",
        "\u{feff}{\"title\":\"a\"}",
        "{\"title\":\"a\",\"title\":\"b\"}",
        "{\"title\":\"\\ud800\"}",
        "// c\n{}",
    ] {
        problem(
            &send(body.as_bytes(), "application/json").await,
            400,
            "malformed-json",
        );
    }
    problem(
        &send(b"{\"title\":\"\xff\"}", "application/json").await,
        400,
        "malformed-json",
    );
    problem(
        &send("[".repeat(100_000).as_bytes(), "application/json").await,
        400,
        "malformed-json",
    );
    let deep = format!("{{\"title\":\"a\",\"x\":{}1{}}}", "[".repeat(17), "]".repeat(17));
    problem(
        &send(deep.as_bytes(), "application/json").await,
        400,
        "malformed-json",
    );
    for body in ["[]", "\"a\"", "1", "null", "true", "[{\"title\":\"a\"}]"] {
        problem(
            &send(body.as_bytes(), "application/json").await,
            422,
            "validation-failed",
        );
    }
    let good = b"{\"title\":\"a\"}";
    for kind in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/vnd.x+json",
        "application/json; charset=utf-16",
        "application/jsonx",
    ] {
        problem(&send(good, kind).await, 415, "unsupported-media-type");
    }
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
    ] {
        assert_eq!(send(good, kind).await.status, 201, "{kind}");
    }
    let zipped = ann
        .request(api, "POST", "/tasks")
        .header("content-encoding", "gzip")
        .raw(&good[..], "application/json");
    problem(&zipped.send().await, 415, "unsupported-media-type");
    let large = format!("{{\"title\":\"a\",\"x\":\"{}\"}}", "y".repeat(300 * 1024));
    problem(
        &send(large.as_bytes(), "application/json").await,
        413,
        "body-too-large",
    );
    let login = api
        .request("POST", "/api/auth/login")
        .raw(format!("{{\"x\":\"{}\"}}", "y".repeat(5000)), "application/json");
    problem(&login.send().await, 413, "body-too-large");
    assert_eq!(list(api, &ann, "").await.len(), 3);
}
