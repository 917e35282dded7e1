//! Requests that come again, and operations that are done together.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use super::support::{Answer, Mocks, TOKEN, send_one};

fn request(method: Method, path: &str, body: Option<&Value>) -> TestRequest {
    let request = TestRequest::with_uri(path)
        .method(method)
        .insert_header(("authorization", format!("Bearer {TOKEN}")));
    match body {
        Some(body) => request.set_json(body),
        None => request,
    }
}

async fn create(keys: &[&str]) -> Answer {
    let mut post = request(Method::POST, "/api/1/tasks", Some(&json!({"title": "milk"})));
    for key in keys {
        post = post.append_header(("idempotency-key", *key));
    }
    send_one(Mocks::default().with_task(), post).await
}

#[actix_web::test]
async fn a_replay_says_so() {
    for (keys, replayed) in [(vec![], None), (vec!["new"], None), (vec!["known"], Some("true"))] {
        let answer = create(&keys).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("idempotency-replayed"), replayed);
        assert_eq!(answer.header("location"), Some("/api/1/tasks/7"));
        assert_eq!(answer.header("etag"), Some("\"1\""));
    }
    for (path, method) in [
        ("/api/1/tasks/1/complete", Method::PATCH),
        ("/api/1/batch", Method::POST),
    ] {
        let body = json!({"operations": []});
        let body = (method == Method::POST).then_some(&body);
        let known = request(method, path, body).insert_header(("idempotency-key", "known"));
        let answer = send_one(Mocks::default().with_task(), known).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("idempotency-replayed")),
            (200, Some("true"))
        );
    }
}

#[actix_web::test]
async fn a_key_that_is_none_is_named_by_its_header() {
    let long = "x".repeat(256);
    for keys in [
        vec![""],
        vec!["a b"],
        vec!["\u{fc}"],
        vec![&*long],
        vec!["a", "b"],
        vec!["a", "a"],
    ] {
        let answer = create(&keys).await;
        assert_eq!(answer.code(), "validation-failed", "{keys:?}");
        let json = answer.json();
        assert_eq!(json["errors"][0]["header"], "Idempotency-Key");
        assert!(
            json["detail"]
                .as_str()
                .unwrap()
                .starts_with("Idempotency-Key must "),
            "{json}"
        );
    }
    let answer = create(&["reused"]).await;
    assert_eq!(answer.code(), "idempotency-key-reused");
    assert_eq!(answer.json()["errors"][0]["header"], "Idempotency-Key");
}

async fn batch(body: Value) -> Answer {
    send_one(
        Mocks::default().with_task(),
        request(Method::POST, "/api/1/batch", Some(&body)),
    )
    .await
}

#[actix_web::test]
async fn a_batch_is_answered_in_order() {
    let answer = batch(json!({"operations": [
        {"op": "create", "task": {"title": "new", "owner_id": 9}},
        {"op": "update", "id": 1, "task": {"priority": "high"}, "extra": 1},
        {"op": "complete", "id": 1, "completed": true},
        {"op": "complete", "id": 1},
        {"op": "delete", "id": 1},
    ]}))
    .await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    let results = json["results"].as_array().unwrap();
    let ids: Vec<_> = results.iter().map(|result| &result["id"]).collect();
    assert_eq!(ids, [7, 1, 1, 1, 1]);
    assert_eq!(results[0]["title"], "new");
    assert_eq!(
        results[4],
        json!({"message": "Task deleted successfully", "id": 1})
    );
    assert_eq!(
        batch(json!({"operations": []})).await.json(),
        json!({"results": []})
    );
}

#[actix_web::test]
async fn all_faults_of_a_batch_are_named_by_their_places() {
    let answer = batch(json!({"operations": [
        {"op": "create", "task": {"title": " ", "tags": ["a", 1], "due_date": "x"}},
        {"op": "update", "task": {"title": ""}},
        {"op": "update", "id": 1, "task": {}},
        {"op": "complete", "id": "1", "completed": "yes"},
        {"op": "delete", "id": 0},
        {"op": "delete", "id": 1.5},
        {"op": "burn", "id": 1},
        {"id": 1},
        7,
        {"op": "create", "task": []},
        {"op": "create"},
        {"op": "create", "task": {"title": "a", "time_zone": "No/Where"}},
    ]}))
    .await;
    assert_eq!(answer.code(), "validation-failed");
    let json = answer.json();
    let places: Vec<_> = json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["pointer"].as_str().unwrap(),
                error["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ("#/operations/0/task/title", "too-short"),
            ("#/operations/0/task/due_date", "invalid-date"),
            ("#/operations/0/task/tags/1", "wrong-type"),
            ("#/operations/1/id", "required"),
            ("#/operations/1/task/title", "too-short"),
            ("#/operations/2/task", "required"),
            ("#/operations/3/id", "wrong-type"),
            ("#/operations/3/completed", "wrong-type"),
            ("#/operations/4/id", "invalid-id"),
            ("#/operations/5/id", "invalid-id"),
            ("#/operations/6/op", "invalid-value"),
            ("#/operations/7/op", "required"),
            ("#/operations/8", "wrong-type"),
            ("#/operations/9/task", "wrong-type"),
            ("#/operations/10/task", "required"),
        ]
    );
    let detail = json["detail"].as_str().unwrap();
    assert!(detail.contains("operations[0].task.title must"), "{detail}");

    for (body, pointer, code) in [
        (json!({}), "#/operations", "required"),
        (json!({"operations": {}}), "#/operations", "wrong-type"),
        (
            json!({"operations": vec![json!({"op": "delete", "id": 1}); 1001]}),
            "#/operations",
            "too-many",
        ),
        (
            json!({"operations": [{"op": "create", "task": {"title": "a", "time_zone": "No/Where"}}]}),
            "#/operations/0/task/time_zone",
            "unknown-time-zone",
        ),
        (
            json!({"operations": [{"op": "create", "task": {"title": "a", "recurrence": "daily"}}]}),
            "#/operations/0/task/recurrence",
            "needs-due-date",
        ),
        (
            json!({"operations": [{"op": "delete", "id": 1}, {"op": "delete", "id": 2}]}),
            "#/operations/1/id",
            "task-not-found",
        ),
    ] {
        let answer = batch(body).await;
        assert_eq!(answer.code(), "validation-failed");
        let error = &answer.json()["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code))
        );
    }
}
