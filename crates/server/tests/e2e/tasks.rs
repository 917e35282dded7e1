//! Tasks: fields, merging, completion.

use errand_testbed::Person;
use serde_json::{Value, json};

use crate::support::{Backend, Service, create, list, on_all, problem};

on_all!(
    the_six_routes,
    every_field_comes_back,
    changes_merge,
    the_same_values_change_nothing,
    completion_toggles_and_sets,
    old_clients_work,
);

pub async fn ann(backend: Backend) -> (Service, Person) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    (service, ann)
}

async fn the_six_routes(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    assert_eq!(list(api, &ann, "").await, Vec::<Value>::new());
    let made = ann
        .request(api, "POST", "/tasks")
        .json(&json!({"title": "  Write the plan "}))
        .send()
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("location"), Some("/api/1/tasks/1"));
    let task = made.json();
    assert_eq!(
        (&task["id"], &task["user_id"], &task["title"]),
        (&json!(1), &json!(1), &json!("Write the plan"))
    );
    assert_eq!(
        (&task["completed"], &task["priority"], &task["version"]),
        (&json!(false), &json!("Medium"), &json!(1))
    );
    let order = made.text();
    let mut last = 0;
    for key in [
        "id",
        "user_id",
        "title",
        "description",
        "completed",
        "priority",
        "due_date",
        "time_zone",
        "tags",
        "recurrence",
        "completed_at",
        "created_at",
        "updated_at",
        "version",
    ] {
        let place = order
            .find(&format!("\"{key}\":"))
            .unwrap_or_else(|| panic!("{key} is missing: {order}"));
        assert!(place >= last, "{key} is out of order: {order}");
        last = place;
    }
    let read = ann.request(api, "GET", "/tasks/1").send().await;
    assert_eq!((read.status, read.json()), (200, task.clone()));
    assert_eq!(read.header("etag"), made.header("etag"));
    assert!(read.header("etag").unwrap().starts_with('"'), "strong");
    let put = ann
        .request(api, "PUT", "/tasks/1")
        .json(&json!({"priority": "high"}))
        .send()
        .await;
    assert_eq!((put.status, &put.json()["priority"]), (200, &json!("High")));
    assert_ne!(put.header("etag"), made.header("etag"));
    let done = ann.request(api, "PATCH", "/tasks/1/complete").send().await;
    assert_eq!((done.status, &done.json()["completed"]), (200, &json!(true)));
    let gone = ann.request(api, "DELETE", "/tasks/1").send().await;
    assert_eq!(
        (gone.status, gone.json()),
        (200, json!({"message": "Task deleted successfully", "id": 1}))
    );
    for (method, path) in [
        ("DELETE", "/tasks/1"),
        ("GET", "/tasks/1"),
        ("PATCH", "/tasks/1/complete"),
    ] {
        let body = problem(
            &ann.request(api, method, path).send().await,
            404,
            "task-not-found",
        );
        assert_eq!(body["detail"], "Task not found");
    }
    let next = create(api, &ann, json!({"title": "next"})).await;
    assert_eq!(next["id"], 2, "ids are not given twice");
}

async fn every_field_comes_back(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let long = "é\u{1f600}\"\\\n\t".repeat(1_666);
    for (sent, key, back) in [
        (
            json!({"title": "'); drop table tasks;--"}),
            "title",
            json!("'); drop table tasks;--"),
        ),
        (
            json!({"title": "😀".repeat(200)}),
            "title",
            json!("😀".repeat(200)),
        ),
        (
            json!({"title": "a\u{202e}b\u{200d}c"}),
            "title",
            json!("a\u{202e}b\u{200d}c"),
        ),
        (
            json!({"title": "x", "description": long}),
            "description",
            json!(long),
        ),
        (json!({"title": "x", "description": ""}), "description", json!("")),
        (
            json!({"title": "x", "due_date": "2026-12-01"}),
            "due_date",
            json!("2026-12-01"),
        ),
        (
            json!({"title": "x", "due_date": "2026-12-01T09:30:00+02:00"}),
            "due_date",
            json!("2026-12-01T07:30:00Z"),
        ),
        (
            json!({"title": "x", "due_date": "2026-12-01T00:00:00Z"}),
            "due_date",
            json!("2026-12-01T00:00:00Z"),
        ),
        (
            json!({"title": "x", "due_date": "2026-12-01T09:30:00.123456789"}),
            "due_date",
            json!("2026-12-01T09:30:00.123456Z"),
        ),
        (
            json!({"title": "x", "due_date": "0001-01-01"}),
            "due_date",
            json!("0001-01-01"),
        ),
        (
            json!({"title": "x", "due_date": "9999-12-31T23:59:59Z"}),
            "due_date",
            json!("9999-12-31T23:59:59Z"),
        ),
        (
            json!({"title": "x", "tags": "b, a,B,,"}),
            "tags",
            json!(["b", "a"]),
        ),
        (
            json!({"title": "x", "tags": [" Ü ", "ü", "%_"]}),
            "tags",
            json!(["Ü", "%_"]),
        ),
        (json!({"title": "x", "tags": null}), "tags", json!([])),
        (json!({"title": "x", "completed": true}), "completed", json!(true)),
        (json!({"title": "x", "priority": "LOW"}), "priority", json!("Low")),
        (
            json!({"title": "x", "user_id": 2, "id": 77, "version": 9, "created_at": "2000-01-01"}),
            "user_id",
            json!(1),
        ),
    ] {
        let task = create(api, &ann, sent).await;
        assert_eq!(task[key], back);
        let read = ann
            .request(api, "GET", &format!("/tasks/{}", task["id"]))
            .send()
            .await
            .json();
        assert_eq!(read, task);
    }
    assert_eq!(list(api, &ann, "").await.len(), 17);
}

async fn changes_merge(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let before = create(
        api,
        &ann,
        json!({"title": "a", "description": "d", "priority": "High", "due_date": "2026-12-01", "tags": "x"}),
    )
    .await;
    for method in ["PUT", "PATCH"] {
        for (change, key, value) in [
            (json!({"title": "b"}), "title", json!("b")),
            (json!({"description": null}), "description", json!(null)),
            (json!({"due_date": null, "unknown": 1}), "due_date", json!(null)),
            (json!({"tags": ["y"]}), "tags", json!(["y"])),
            (json!({"tags": null}), "tags", json!([])),
            (json!({"completed": true}), "completed", json!(true)),
            (
                json!({"title": "a", "description": "d", "due_date": "2026-12-01", "tags": "x", "completed": false}),
                "title",
                json!("a"),
            ),
        ] {
            let answer = ann.request(api, method, "/tasks/1").json(&change).send().await;
            assert_eq!(
                (answer.status, &answer.json()[key]),
                (200, &value),
                "{method} {change}"
            );
        }
        let after = ann.request(api, "GET", "/tasks/1").send().await.json();
        for key in [
            "title",
            "description",
            "due_date",
            "tags",
            "completed",
            "priority",
            "created_at",
            "completed_at",
        ] {
            assert_eq!(after[key], before[key], "{key}");
        }
        for (body, place) in [
            (json!({}), None),
            (json!({"user_id": 2}), None),
            (json!({"title": null}), Some("#/title")),
            (json!({"priority": null}), Some("#/priority")),
            (json!({"completed": null}), Some("#/completed")),
        ] {
            let answer = ann.request(api, method, "/tasks/1").json(&body).send().await;
            let told = problem(&answer, 422, "validation-failed");
            if let Some(place) = place {
                assert_eq!(told["errors"][0]["pointer"], place);
            }
        }
    }
}

async fn the_same_values_change_nothing(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let body = json!({"title": "a", "description": "d", "due_date": "2026-12-01T10:00:00Z", "tags": ["x", "y"], "priority": "High", "completed": true});
    let before = create(api, &ann, body.clone()).await;
    let same = ann.request(api, "PUT", "/tasks/1").json(&body).send().await;
    assert_eq!((same.status, same.json()), (200, before.clone()));
    let same = ann
        .request(api, "PATCH", "/tasks/1/complete")
        .json(&json!({"completed": true}))
        .send()
        .await;
    assert_eq!((same.status, same.json()), (200, before.clone()));
    let moved = ann
        .request(api, "PUT", "/tasks/1")
        .json(&json!({"due_date": "2026-12-01"}))
        .send()
        .await
        .json();
    assert_eq!(
        (&moved["due_date"], &moved["version"]),
        (&json!("2026-12-01"), &json!(2))
    );
    assert!(moved["updated_at"].as_str() > before["updated_at"].as_str());
}

async fn completion_toggles_and_sets(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    create(api, &ann, json!({"title": "a"})).await;
    let complete = async |body: Option<Value>| {
        let request = ann.request(api, "PATCH", "/tasks/1/complete");
        let answer = match &body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        };
        assert_eq!(answer.status, 200, "{body:?}: {}", answer.text());
        answer.json()
    };
    let done = complete(None).await;
    assert!(done["completed"] == true && done["completed_at"].is_string());
    let open = complete(None).await;
    assert!(open["completed"] == false && open["completed_at"].is_null());
    assert_eq!(
        complete(Some(json!({"completed": false}))).await["version"],
        open["version"]
    );
    assert_eq!(
        complete(Some(json!({"completed": true}))).await["completed"],
        true
    );
    assert_eq!(complete(Some(json!({"completed": true}))).await["version"], 4);
    let bad = ann
        .request(api, "PATCH", "/tasks/1/complete")
        .json(&json!({"completed": "true"}))
        .send()
        .await;
    assert_eq!(
        problem(&bad, 422, "validation-failed")["errors"][0]["pointer"],
        "#/completed"
    );
}

/// What front ends of the contract do: trailing slashes, `parseInt(user_id)`, `.json()` on every answer, and a
/// date input that must get back the date that it sent.
async fn old_clients_work(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let body = json!({"email": "ann@example.com", "username": "ann", "password": "violet tandem bridge"});
    let grant = api
        .request("POST", "/auth/signup")
        .json(&body)
        .send()
        .await
        .json();
    let user: i64 = grant["user_id"].as_str().unwrap().parse().unwrap();
    let token = grant["access_token"].as_str().unwrap();
    let call = async |method: &str, path: &str, body: Option<Value>| {
        let mut request = api.request(method, &format!("/api/{user}{path}")).bearer(token);
        request = request.header("origin", "http://localhost:3000");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("http://localhost:3000")
        );
        answer.json()
    };
    let form = json!({"title": "Plan", "description": "", "due_date": "2026-02-15", "priority": "Medium", "tags": "documentation,urgent", "recursion_pattern": "", "completed": false});
    let task = call("POST", "/tasks/", Some(form)).await;
    assert_eq!(task["due_date"], "2026-02-15");
    let id = &task["id"];
    assert_eq!(
        call("PUT", &format!("/tasks/{id}/"), Some(json!({"title": "Plan B"}))).await["due_date"],
        "2026-02-15"
    );
    assert_eq!(
        call("PATCH", &format!("/tasks/{id}/complete/"), None).await["completed"],
        true
    );
    assert_eq!(
        call("PATCH", &format!("/tasks/{id}/complete"), Some(json!({}))).await["completed"],
        false
    );
    assert_eq!(call("GET", "/tasks/", None).await.as_array().unwrap().len(), 1);
    assert_eq!(call("DELETE", &format!("/tasks/{id}"), None).await["id"], *id);
}
