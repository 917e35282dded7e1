//! Batches: operations that are done together or not at all.

use errand_testbed::{Answer, Api, Person};
use serde_json::{Value, json};

use crate::support::{Backend, Service, all_pages, create, essence, list, on_all, pluck, problem};
use crate::tasks::ann;

on_all!(
    a_batch_answers_as_the_single_routes_do,
    a_batch_is_done_as_a_whole_or_not_at_all,
    all_faults_are_told_at_once_by_their_places,
    a_thousand_operations_are_done,
    large_batches_are_refused,
    a_foreign_id_and_an_absent_id_are_the_same,
);

pub async fn send(api: &Api, person: &Person, operations: Value) -> Answer {
    let body = json!({"operations": operations});
    person.request(api, "POST", "/batch").json(&body).send().await
}

pub async fn done(api: &Api, person: &Person, operations: Value) -> Vec<Value> {
    let answer = send(api, person, operations).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    body["results"].take().as_array().unwrap().clone()
}

/// Pointers and codes of the faults.
#[track_caller]
pub fn faults(answer: &Answer) -> Vec<(String, String)> {
    let told = problem(answer, 422, "validation-failed");
    let errors = told["errors"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    errors
        .map(|error| (text(&error["pointer"]), text(&error["code"])))
        .collect()
}

pub fn fault(pointer: &str, code: &str) -> (String, String) {
    (pointer.to_owned(), code.to_owned())
}

pub async fn tag(api: &Api, person: &Person) -> String {
    let answer = person.request(api, "GET", "/tasks").send().await;
    answer.header("etag").unwrap().to_owned()
}

/// What the route for one operation answers.
async fn alone(api: &Api, person: &Person, operation: &Value) -> Value {
    let id = &operation["id"];
    let (method, path, body) = match operation["op"].as_str().unwrap() {
        "create" => ("POST", "/tasks".to_owned(), operation["task"].clone()),
        "update" => ("PUT", format!("/tasks/{id}"), operation["task"].clone()),
        "delete" => ("DELETE", format!("/tasks/{id}"), Value::Null),
        _ => {
            let completed = operation.get("completed");
            (
                "PATCH",
                format!("/tasks/{id}/complete"),
                completed.map_or(Value::Null, |completed| json!({"completed": completed})),
            )
        }
    };
    let request = person.request(api, method, &path);
    let request = if body.is_null() {
        request
    } else {
        request.json(&body)
    };
    let answer = request.send().await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
    answer.json()
}

/// Without what tells people and moments apart.
fn timeless(mut task: Value) -> Value {
    if let Some(fields) = task.as_object_mut() {
        for name in ["user_id", "created_at", "updated_at", "deleted_at", "purge_at"] {
            fields.remove(name);
        }
        if let Some(completed) = fields.get_mut("completed_at") {
            *completed = json!(completed.is_string());
        }
    }
    task
}

async fn a_batch_answers_as_the_single_routes_do(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let bob = Person::register(api, "bob").await;
    let batches = [
        json!([
            {"op": "create", "task": {"title": " first ", "description": "line\nbreak", "priority": "hIgh",
                "due_date": "2026-12-01T10:00:00+02:00", "time_zone": "Europe/Berlin", "tags": "b,A,a",
                "user_id": 9, "id": 77}},
            {"op": "create", "task": {"title": "second", "completed": true}},
            {"op": "create", "task": {"title": "series", "due_date": "2026-03-01",
                "recursion_pattern": "monthly", "recurrence_from": "due"}},
            {"op": "create", "task": {"title": "gone", "tags": ["x"]}},
        ]),
        json!([
            {"op": "update", "id": 1, "task": {"title": "first again", "due_date": null, "tags": []}},
            {"op": "update", "id": 1, "task": {"title": "first again"}},
            {"op": "complete", "id": 1},
            {"op": "complete", "id": 1},
            {"op": "complete", "id": 2, "completed": true},
            {"op": "complete", "id": 2, "completed": false},
            {"op": "delete", "id": 4},
            {"op": "create", "task": {"title": "fifth"}},
            // What a batch makes it may go on with: ids are given in order.
            {"op": "update", "id": 5, "task": {"priority": "Low"}, "unknown": true},
            {"op": "create", "task": {"title": "come and gone"}},
            {"op": "delete", "id": 6},
            {"op": "complete", "id": 3, "completed": true},
            {"op": "update", "id": 7, "task": {"title": "what followed"}},
        ]),
        json!([
            {"op": "update", "id": 7, "task": {"recurrence": null}},
            {"op": "complete", "id": 3, "completed": false},
            {"op": "update", "id": 3, "task": {"completed": true, "title": "done"}},
        ]),
        json!([]),
    ];
    for operations in batches {
        let results = done(api, &ann, operations.clone()).await;
        let mut expected = Vec::new();
        for operation in operations.as_array().unwrap() {
            expected.push(timeless(alone(api, &bob, operation).await));
        }
        assert_eq!(results.into_iter().map(timeless).collect::<Vec<_>>(), expected);
    }
    for path in ["/tasks?order=asc", "/trash", "/tasks?sort=title&q=FIRST"] {
        let mut held = Vec::new();
        for person in [&ann, &bob] {
            let answer = person.request(api, "GET", path).send().await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let mut tasks = answer.json().as_array().unwrap().clone();
            // What one batch makes or deletes was so at one moment.
            tasks.sort_by_key(|task| task["id"].as_i64());
            held.push(tasks.into_iter().map(timeless).collect::<Vec<_>>());
        }
        assert!(!held[0].is_empty());
        assert_eq!(held[0], held[1], "{path}");
    }
}

async fn a_batch_is_done_as_a_whole_or_not_at_all(backend: Backend) {
    let quota = [("ERRAND__LIMITS__TASKS_PER_USER", "4".to_owned())];
    let service = Service::start_with(backend, &quota).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    create(api, &ann, json!({"title": "a"})).await;
    create(api, &ann, json!({"title": "b"})).await;
    let series = json!({"title": "c", "due_date": "2026-03-01", "recurrence": "daily"});
    create(api, &ann, series).await;
    let before = (list(api, &ann, "").await, tag(api, &ann).await);
    let good = json!([
        {"op": "update", "id": 1, "task": {"title": "changed"}},
        {"op": "complete", "id": 3},
        {"op": "delete", "id": 2},
    ]);
    for (bad, pointer, code) in [
        (
            json!({"op": "delete", "id": 9}),
            "#/operations/3/id",
            "task-not-found",
        ),
        (
            json!({"op": "delete", "id": 2}),
            "#/operations/3/id",
            "task-not-found",
        ),
        (
            json!({"op": "update", "id": i64::MAX, "task": {"title": "x"}}),
            "#/operations/3/id",
            "task-not-found",
        ),
        (
            json!({"op": "update", "id": 3, "task": {"recurrence": "weekly"}}),
            "#/operations/3/task/recurrence",
            "task-is-completed",
        ),
        (
            json!({"op": "update", "id": 1, "task": {"title": ""}}),
            "#/operations/3/task/title",
            "too-short",
        ),
    ] {
        let mut operations = good.as_array().unwrap().clone();
        operations.push(bad.clone());
        let answer = send(api, &ann, json!(operations)).await;
        assert_eq!(faults(&answer), [fault(pointer, code)], "{bad}");
        assert_eq!((list(api, &ann, "").await, tag(api, &ann).await), before, "{bad}");
    }
    // Each of these would fit alone.
    let many = json!([{"op": "create", "task": {"title": "d"}}, {"op": "create", "task": {"title": "e"}}]);
    problem(&send(api, &ann, many).await, 422, "quota-exceeded");
    assert_eq!((list(api, &ann, "").await, tag(api, &ann).await), before);
    let trash = ann.request(api, "GET", "/trash").send().await;
    assert_eq!(trash.json(), json!([]));
    // And the good ones are good: what goes makes room, and no id was used up.
    let mut operations = good.as_array().unwrap().clone();
    operations.push(json!({"op": "create", "task": {"title": "d"}}));
    let results = done(api, &ann, json!(operations)).await;
    assert_eq!(pluck(&results, "id"), [1, 3, 2, 5]);
    assert_eq!(
        pluck(&list(api, &ann, "?sort=title").await, "title"),
        ["c", "c", "changed", "d"]
    );
    assert_ne!(tag(api, &ann).await, before.1);
}

async fn all_faults_are_told_at_once_by_their_places(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    create(api, &ann, json!({"title": "a"})).await;
    create(
        api,
        &ann,
        json!({"title": "b", "due_date": "2026-03-01", "recurrence": "daily"}),
    )
    .await;
    let before = (list(api, &ann, "").await, tag(api, &ann).await);
    let answer = send(
        api,
        &ann,
        json!([
            {"op": "create", "task": {"title": " ", "tags": ["a", 1], "priority": "urgent"}},
            {"op": "update", "id": 1, "task": {}},
            {"op": "update", "id": "1", "task": {"due_date": "2026-02-30"}},
            {"op": "complete", "id": 1, "completed": "yes"},
            {"op": "delete"},
            {"op": "burn", "id": 1},
            null,
            {"op": "update", "id": 1, "task": {"title": "fine"}},
            {"op": "create", "task": {"title": "a", "recurrence": "FREQ=SECONDLY", "time_zone": "../x"}},
        ]),
    )
    .await;
    let expected = [
        ("0/task/priority", "unknown-value"),
        ("0/task/tags/1", "wrong-type"),
        ("0/task/title", "too-short"),
        ("1/task", "required"),
        ("2/id", "wrong-type"),
        ("2/task/due_date", "invalid-date"),
        ("3/completed", "wrong-type"),
        ("4/id", "required"),
        ("5/op", "invalid-value"),
        ("6", "wrong-type"),
        ("8/task/recurrence", "unsupported-recurrence"),
        ("8/task/time_zone", "unknown-time-zone"),
    ];
    let expected = expected.map(|(place, code)| fault(&format!("#/operations/{place}"), code));
    let mut told = faults(&answer);
    told.sort();
    assert_eq!(told, expected);
    // What only the tasks themselves can tell is told of all as well.
    let answer = send(
        api,
        &ann,
        json!([
            {"op": "delete", "id": 8},
            {"op": "update", "id": 1, "task": {"title": "fine"}},
            {"op": "update", "id": 2, "task": {"due_date": null}},
            {"op": "complete", "id": 9},
            {"op": "update", "id": 1, "task": {"recurrence": "daily"}},
        ]),
    )
    .await;
    let expected = [
        ("0/id", "task-not-found"),
        ("2/task/recurrence", "needs-due-date"),
        ("3/id", "task-not-found"),
        ("4/task/recurrence", "needs-due-date"),
    ];
    let expected = expected.map(|(place, code)| fault(&format!("#/operations/{place}"), code));
    assert_eq!(faults(&answer), expected);
    for (body, pointer, code) in [
        (json!({}), "#/operations", "required"),
        (json!({"operations": null}), "#/operations", "wrong-type"),
        (json!({"operations": {}}), "#/operations", "wrong-type"),
    ] {
        let answer = ann.request(api, "POST", "/batch").json(&body).send().await;
        assert_eq!(faults(&answer), [fault(pointer, code)], "{body}");
    }
    for (text, kind, status, code) in [
        ("[]", "application/json", 422, "validation-failed"),
        ("{\"operations\":[", "application/json", 400, "malformed-json"),
        ("{\"operations\":[]}", "text/plain", 415, "unsupported-media-type"),
    ] {
        let answer = ann.request(api, "POST", "/batch").raw(text, kind).send().await;
        problem(&answer, status, code);
    }
    assert_eq!((list(api, &ann, "").await, tag(api, &ann).await), before);
}

async fn a_thousand_operations_are_done(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let make = |most: usize| -> Value {
        (0..most)
            .map(|n| json!({"op": "create", "task": {"title": format!("{n}"), "tags": ["x"]}}))
            .collect()
    };
    let too_many = send(api, &ann, make(1_001)).await;
    assert_eq!(faults(&too_many), [fault("#/operations", "too-many")]);
    assert_eq!(list(api, &ann, "").await, Vec::<Value>::new());
    let made = done(api, &ann, make(1_000)).await;
    let ids: Vec<_> = (1..=1_000).map(Value::from).collect();
    assert_eq!(pluck(&made, "id"), ids);
    // A few of each kind, many times over the same tasks.
    let mixed: Value = (1..=250)
        .flat_map(|id| {
            [
                json!({"op": "update", "id": id, "task": {"title": format!("changed {id}"), "due_date": "2026-03-01"}}),
                json!({"op": "update", "id": id, "task": {"recurrence": "daily"}}),
                json!({"op": "complete", "id": id}),
                json!({"op": "delete", "id": id + 500}),
            ]
        })
        .collect();
    assert_eq!(done(api, &ann, mixed).await.len(), 1_000);
    let all = all_pages(api, &ann, "?order=asc").await;
    assert_eq!(all.len(), 1_000);
    let count = |wanted: &dyn Fn(&Value) -> bool| all.iter().filter(|task| wanted(task)).count();
    assert_eq!(count(&|task| task["completed"] == true), 250);
    assert_eq!(count(&|task| task["recurrence"] == "FREQ=DAILY"), 250);
    assert_eq!(count(&|task| task["due_date"] == "2026-03-02"), 250);
    let refused: Value = (1..=1_000).map(|id| json!({"op": "delete", "id": id})).collect();
    let refused = faults(&send(api, &ann, refused).await);
    assert!(
        refused.contains(&fault("#/operations/500/id", "task-not-found")),
        "{refused:?}"
    );
    assert_eq!(all_pages(api, &ann, "?order=asc").await, all);
    let all: Value = pluck(&all, "id")
        .into_iter()
        .map(|id| json!({"op": "delete", "id": id}))
        .collect();
    done(api, &ann, all).await;
    assert_eq!(list(api, &ann, "").await, Vec::<Value>::new());
}

async fn large_batches_are_refused(backend: Backend) {
    const MOST: usize = 1024 * 1024;
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let padded = |size: usize| {
        let mut text = json!({"operations": [{"op": "create", "task": {"title": "a"}}]}).to_string();
        text.push_str(&" ".repeat(size - text.len()));
        text
    };
    let send = async |size| {
        let request = ann.request(api, "POST", "/batch");
        request.raw(padded(size), "application/json").send().await
    };
    let told = problem(&send(MOST + 1).await, 413, "body-too-large");
    assert!(
        told["detail"].as_str().unwrap().contains(&MOST.to_string()),
        "{told}"
    );
    assert_eq!(list(api, &ann, "").await, Vec::<Value>::new());
    assert_eq!(send(MOST).await.status, 200);
    assert_eq!(list(api, &ann, "").await.len(), 1);
    // Values as long as they may be.
    let large = json!({"title": "\u{1f600}".repeat(200), "description": "\u{1f600}".repeat(10_000)});
    let operations: Value = (0..20).map(|_| json!({"op": "create", "task": large})).collect();
    let made = done(api, &ann, operations).await;
    assert!(
        made.iter()
            .all(|task| task["description"] == large["description"])
    );
}

async fn a_foreign_id_and_an_absent_id_are_the_same(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let bob = Person::register(api, "bob").await;
    create(api, &ann, json!({"title": "anns"})).await;
    for n in 0..4 {
        let body =
            json!({"title": format!("bobs-mark {n}"), "due_date": "2026-03-01", "recurrence": "daily"});
        create(api, &bob, body).await;
    }
    // 3 has a successor, 4 is in the trash.
    done(
        api,
        &bob,
        json!([{"op": "complete", "id": 3}, {"op": "delete", "id": 4}]),
    )
    .await;
    let before = bob.request(api, "GET", "/export").send().await.json();
    for operation in [
        json!({"op": "update", "task": {"title": "x", "user_id": bob.id, "owner_id": bob.id}}),
        json!({"op": "complete"}),
        json!({"op": "complete", "completed": false, "user_id": bob.id}),
        json!({"op": "delete"}),
    ] {
        let mut answers = Vec::new();
        for id in [2, 3, 4, 5, 999, i64::MAX] {
            let mut operation = operation.clone();
            operation["id"] = json!(id);
            let body = json!({"operations": [{"op": "update", "id": 1, "task": {"title": "y"}}, operation]});
            let request = ann
                .request(api, "POST", "/batch")
                .header("x-request-id", "same")
                .json(&body);
            let answer = request.send().await;
            assert_eq!(faults(&answer), [fault("#/operations/1/id", "task-not-found")]);
            answers.push(essence(&answer));
        }
        answers.dedup();
        assert_eq!(
            answers.len(),
            1,
            "{operation} tells a foreign id from an absent one"
        );
    }
    // An id of one's own is one's own, whatever Bob has under it.
    let results = done(
        api,
        &ann,
        json!([{"op": "update", "id": 1, "task": {"title": "mine"}}]),
    )
    .await;
    assert_eq!(
        (&results[0]["user_id"], &results[0]["title"]),
        (&json!(ann.id), &json!("mine"))
    );
    assert_eq!(
        bob.request(api, "GET", "/export").send().await.json()["tasks"],
        before["tasks"]
    );
    let foreign = json!({"operations": [{"op": "delete", "id": 1}]});
    let foreign = api
        .request("POST", &bob.path("/batch"))
        .bearer(&ann.access)
        .json(&foreign);
    problem(&foreign.send().await, 403, "wrong-user");
    assert_eq!(list(api, &bob, "").await.len(), 4);
}
