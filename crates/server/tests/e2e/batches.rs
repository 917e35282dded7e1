//! Batches that meet, that come again, and that complete tasks that repeat.

use serde_json::{Value, json};

use crate::batch::{done, fault, faults, send, tag};
use crate::support::{Backend, at_once, create, list, on_all, pluck, problem};
use crate::tasks::ann;

on_all!(
    batches_in_opposite_order_both_end,
    a_batch_with_a_key_is_done_once,
    a_batch_goes_on_with_series,
);

async fn batches_in_opposite_order_both_end(backend: Backend) {
    const TASKS: i64 = 30;
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let (_other, there) = service.replica().await;
    let make: Value = (0..TASKS)
        .map(|n| {
            // Every third one repeats, so that successors come and go as well.
            let rule = if n % 3 == 0 { json!("daily") } else { Value::Null };
            json!({"op": "create", "task": {"title": "a", "due_date": "2026-03-01", "recurrence": rule}})
        })
        .collect();
    done(api, &ann, make).await;
    for round in 0..30 {
        let answers = at_once(4, |n| {
            let mut ids: Vec<_> = (1..=TASKS).collect();
            if n % 2 == 1 {
                ids.reverse();
            }
            let operations: Value = ids
                .into_iter()
                .map(|id| match n {
                    0 | 1 => json!({"op": "complete", "id": id}),
                    _ => json!({"op": "update", "id": id, "task": {"title": format!("{round} by {n}")}}),
                })
                .collect();
            let request = ann.request(if n % 2 == 0 { api } else { &there }, "POST", "/batch");
            let request = request.json(&json!({"operations": operations}));
            async move { request.send().await }
        })
        .await;
        for answer in &answers {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let tasks = list(api, &ann, "?order=asc").await;
        let last = &tasks[0]["title"];
        for task in tasks.iter().take(30) {
            assert_eq!(&task["title"], last, "round {round}: two batches were mixed");
            assert_eq!(task["completed"], false, "round {round}: a toggle was lost");
            assert_eq!(
                task["version"],
                (round + 1) * 4 + 1,
                "round {round}: a change was lost"
            );
        }
        assert_eq!(tasks.len(), 30, "round {round}: a successor was left");
    }
}

async fn a_batch_with_a_key_is_done_once(backend: Backend) {
    let (mut service, ann) = ann(backend).await;
    let (_other, there) = service.replica().await;
    create(&service.api, &ann, json!({"title": "a"})).await;
    let body = json!({"operations": [
        {"op": "create", "task": {"title": "b", "due_date": "2026-03-01", "recurrence": "FREQ=DAILY;COUNT=9"}},
        {"op": "complete", "id": 1},
        {"op": "complete", "id": 2},
        {"op": "create", "task": {"title": "c"}},
        {"op": "delete", "id": 4},
    ]});
    let answers = at_once(30, |n| {
        let request = ann.request(if n % 2 == 0 { &service.api } else { &there }, "POST", "/batch");
        let request = request.header("idempotency-key", "k").json(&body);
        async move { request.send().await }
    })
    .await;
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.body),
            (200, &answers[0].body),
            "{}",
            answer.text()
        );
    }
    let new = answers
        .iter()
        .filter(|answer| answer.header("idempotency-replayed").is_none());
    assert_eq!(new.count(), 1);
    assert_eq!(
        answers[0].json()["results"][4],
        json!({"message": "Task deleted successfully", "id": 4})
    );
    let tasks = list(&service.api, &ann, "").await;
    assert_eq!(pluck(&tasks, "id"), [3, 2, 1]);
    service.crash_and_restart().await;
    let request = ann
        .request(&service.api, "POST", "/batch")
        .header("idempotency-key", "k");
    let again = request.json(&body).send().await;
    assert_eq!((again.status, &again.body), (200, &answers[0].body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let mut other = body.clone();
    other["operations"].as_array_mut().unwrap().pop();
    let request = ann
        .request(&there, "POST", "/batch")
        .header("idempotency-key", "k");
    problem(&request.json(&other).send().await, 422, "idempotency-key-reused");
    assert_eq!(list(&service.api, &ann, "").await, tasks);
    // Without a key it is done again.
    let twice = done(&there, &ann, json!([{"op": "complete", "id": 1}])).await;
    assert_eq!(twice[0]["completed"], false);
}

async fn a_batch_goes_on_with_series(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let open = async || {
        let open = list(api, &ann, "?status=pending&order=asc").await;
        pluck(&open, "id")
    };
    let made = done(
        api,
        &ann,
        json!([
            {"op": "create", "task": {"title": "a", "due_date": "2026-03-01", "recurrence": "FREQ=DAILY;COUNT=4"}},
            {"op": "create", "task": {"title": "b", "due_date": "2026-01-31", "recurrence": "monthly"}},
        ]),
    )
    .await;
    // Two series at once.
    let both = json!([{"op": "complete", "id": 1, "completed": true}, {"op": "complete", "id": 2}]);
    let results = done(api, &ann, both).await;
    assert_eq!(pluck(&results, "recurrence"), [Value::Null, Value::Null]);
    let follow = list(api, &ann, "?status=pending&order=asc").await;
    assert_eq!(pluck(&follow, "due_date"), ["2026-03-02", "2026-03-31"]);
    assert_eq!(open().await, [3, 4]);
    // Complete, undo and complete within one: what came between is gone.
    let turns = json!([
        {"op": "complete", "id": 1, "completed": false},
        {"op": "complete", "id": 1, "completed": true},
        {"op": "complete", "id": 1},
        {"op": "complete", "id": 1},
        {"op": "complete", "id": 2, "completed": false},
    ]);
    let results = done(api, &ann, turns).await;
    assert_eq!(results[2]["recurrence"], "FREQ=DAILY;COUNT=4");
    assert_eq!(results[4]["recurrence"], made[1]["recurrence"]);
    assert_eq!(open().await, [2, 6]);
    let trash = ann.request(api, "GET", "/trash").send().await;
    assert_eq!(trash.json(), json!([]), "what was taken back is no deletion");
    // A whole series within one: each completes what the last has made.
    let run: Value = (6..=8).map(|id| json!({"op": "complete", "id": id})).collect();
    let results = done(api, &ann, run).await;
    assert_eq!(
        pluck(&results, "due_date"),
        ["2026-03-02", "2026-03-03", "2026-03-04"]
    );
    assert_eq!(open().await, [2]);
    // What is taken back is absent to what comes after it.
    done(api, &ann, json!([{"op": "complete", "id": 2}])).await;
    let before = (list(api, &ann, "").await, tag(api, &ann).await);
    let late = json!([{"op": "complete", "id": 2}, {"op": "update", "id": 9, "task": {"title": "x"}}]);
    let answer = send(api, &ann, late).await;
    assert_eq!(faults(&answer), [fault("#/operations/1/id", "task-not-found")]);
    assert_eq!((list(api, &ann, "").await, tag(api, &ann).await), before);
    // Touched in the same batch it stays.
    let touched = json!([
        {"op": "update", "id": 9, "task": {"title": "mine now"}},
        {"op": "complete", "id": 2, "completed": false},
    ]);
    let results = done(api, &ann, touched).await;
    assert_eq!(
        (&results[1]["recurrence"], &results[0]["recurrence"]),
        (&Value::Null, &made[1]["recurrence"])
    );
    assert_eq!(open().await, [2, 9]);
}
