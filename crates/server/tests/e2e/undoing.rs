//! Tasks that repeat: what undoing a completion takes back, and completions that meet.

use errand_testbed::Person;
use serde_json::{Value, json};

use crate::recurrence::{change, complete, send};
use crate::support::{Backend, Service, at_once, create, list, on_all, pluck, problem};
use crate::tasks::ann;

on_all!(
    undoing_takes_the_successor_back,
    a_whole_task_sent_back_takes_the_successor_back,
    a_successor_that_was_touched_stays,
    parallel_completions_make_one_successor,
    a_refused_completion_makes_nothing,
);

async fn undoing_takes_the_successor_back(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let before = create(
        api,
        &ann,
        json!({"title": "a", "due_date": "2026-03-01", "recurrence": "daily", "recurrence_from": "completion"}),
    )
    .await;
    complete(api, &ann, 1, true).await;
    let toggled = send(api, &ann, "PATCH", "/tasks/1/complete", &Value::Null)
        .await
        .json();
    for (key, value) in before.as_object().unwrap() {
        match key.as_str() {
            "version" => assert_eq!(toggled[key], 3),
            "updated_at" => assert!(toggled[key].as_str() > value.as_str()),
            _ => assert_eq!(&toggled[key], value, "{key}"),
        }
    }
    assert_eq!(list(api, &ann, "").await, [toggled]);
    let gone = async |id: i64| {
        let trash = send(api, &ann, "GET", "/trash", &Value::Null).await;
        assert_eq!(trash.json(), json!([]), "{id}");
        for (method, path) in [
            ("GET", format!("/tasks/{id}")),
            ("DELETE", format!("/tasks/{id}")),
            ("PATCH", format!("/tasks/{id}/complete")),
            ("POST", format!("/trash/{id}/restore")),
            ("DELETE", format!("/trash/{id}")),
        ] {
            let answer = send(api, &ann, method, &path, &Value::Null).await;
            problem(&answer, 404, "task-not-found");
        }
    };
    gone(2).await;
    // Complete, undo, complete: one open task, and an id is never given twice.
    complete(api, &ann, 1, true).await;
    assert_eq!(pluck(&list(api, &ann, "?status=pending").await, "id"), [3]);
    gone(2).await;
    // A chain is taken back from its end.
    complete(api, &ann, 3, true).await;
    complete(api, &ann, 3, false).await;
    assert_eq!(pluck(&list(api, &ann, "").await, "id"), [3, 1]);
    gone(4).await;
    // The completed one may go meanwhile and come back.
    let open = change(api, &ann, 3, json!({"title": "a"})).await;
    assert_eq!(open["version"], 3, "nothing changed");
}

async fn a_whole_task_sent_back_takes_the_successor_back(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let before = create(
        api,
        &ann,
        json!({"title": "a", "due_date": "2026-03-01", "recurrence": "FREQ=DAILY;COUNT=5", "tags": ["x"]}),
    )
    .await;
    // A form sends all that it knows, with the box ticked or not.
    let mut form = before.clone();
    form["completed"] = json!(true);
    let mut done = change(api, &ann, 1, form.clone()).await;
    assert_eq!(
        (&done["completed"], &done["recurrence"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(list(api, &ann, "").await[0]["recurrence"], "FREQ=DAILY;COUNT=4");
    assert_eq!(change(api, &ann, 1, form).await, done, "the same write once more");
    done["completed"] = json!(false);
    let undone = change(api, &ann, 1, done).await;
    assert_eq!(
        (
            &undone["completed"],
            &undone["recurrence"],
            &undone["completed_at"]
        ),
        (&json!(false), &before["recurrence"], &Value::Null)
    );
    assert_eq!(list(api, &ann, "").await, [undone]);
}

async fn a_successor_that_was_touched_stays(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    for (n, touch) in ["change", "complete", "delete", "restore"]
        .into_iter()
        .enumerate()
    {
        let first = i64::try_from(n).unwrap() * 10 + 1;
        // Numbers that are easy to read.
        while list(api, &ann, "?limit=1")
            .await
            .first()
            .map_or(1, |task| task["id"].as_i64().unwrap() + 1)
            < first
        {
            create(api, &ann, json!({"title": "filler", "completed": true})).await;
        }
        let made = create(
            api,
            &ann,
            json!({"title": touch, "due_date": "2026-03-01", "recurrence": "daily"}),
        )
        .await;
        assert_eq!(made["id"], first);
        complete(api, &ann, first, true).await;
        let (task, trash) = (format!("/tasks/{}", first + 1), format!("/trash/{}", first + 1));
        match touch {
            "change" => {
                change(api, &ann, first + 1, json!({"priority": "High"})).await;
            }
            "complete" => {
                complete(api, &ann, first + 1, true).await;
            }
            _ => {
                let deleted = send(api, &ann, "DELETE", &task, &Value::Null).await;
                assert_eq!(deleted.status, 200);
                if touch == "restore" {
                    let restored = send(api, &ann, "POST", &format!("{trash}/restore"), &Value::Null).await;
                    assert_eq!(restored.status, 200);
                }
            }
        }
        let undone = complete(api, &ann, first, false).await;
        assert_eq!(
            (&undone["completed"], &undone["recurrence"]),
            (&json!(false), &Value::Null),
            "{touch}: the successor has the series"
        );
        if touch == "delete" {
            let restored = send(api, &ann, "POST", &format!("{trash}/restore"), &Value::Null).await;
            assert_eq!(restored.status, 200);
        }
        let open = list(api, &ann, "?status=pending").await;
        let series: Vec<_> = open
            .iter()
            .filter(|task| task["title"] == touch && !task["recurrence"].is_null())
            .map(|task| task["id"].as_i64().unwrap() - first)
            .collect();
        let expected = if touch == "complete" { 2 } else { 1 };
        assert_eq!(series, [expected], "{touch}: a series has one open task");
        // Nothing follows what has no series.
        let before = list(api, &ann, "").await.len();
        complete(api, &ann, first, true).await;
        assert_eq!(list(api, &ann, "").await.len(), before, "{touch}");
    }
}

async fn parallel_completions_make_one_successor(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let (_other, there) = service.replica().await;
    for round in 0..5 {
        let made = create(
            api,
            &ann,
            json!({"title": format!("{round}"), "due_date": "2026-03-01", "recurrence": "daily"}),
        )
        .await;
        let path = format!("/tasks/{}/complete", made["id"]);
        let both = |body: Value| {
            let (ann, path, api, there) = (&ann, &path, api, &there);
            at_once(50, move |n| {
                let request = ann.request(if n % 2 == 0 { api } else { there }, "PATCH", path);
                let request = if body.is_null() {
                    request
                } else {
                    request.json(&body)
                };
                async move {
                    let answer = request.send().await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    answer.json()
                }
            })
        };
        let answers = both(json!({"completed": true})).await;
        assert!(
            answers.iter().all(|done| *done == answers[0]),
            "done once: {answers:?}"
        );
        let open = list(api, &ann, "?status=pending").await;
        assert_eq!(open.len(), 1, "{open:?}");
        assert_eq!(open[0]["due_date"], "2026-03-02");
        // An even number of toggles: as before, whatever came and went meanwhile.
        let versions: std::collections::BTreeSet<_> = both(Value::Null)
            .await
            .iter()
            .map(|task| task["version"].as_i64().unwrap())
            .collect();
        assert_eq!(versions.len(), 50, "every toggle counts");
        let open = list(api, &ann, "?status=pending").await;
        assert_eq!(open.len(), 1, "{open:?}");
        assert_eq!(list(api, &ann, "").await.len(), 2);
        for task in list(api, &ann, "").await {
            let deleted = send(
                api,
                &ann,
                "DELETE",
                &format!("/tasks/{}", task["id"]),
                &Value::Null,
            )
            .await;
            assert_eq!(deleted.status, 200);
        }
    }
}

async fn a_refused_completion_makes_nothing(backend: Backend) {
    let quota = [("ERRAND__LIMITS__TASKS_PER_USER", "2".to_owned())];
    let service = Service::start_with(backend, &quota).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    for due in ["2026-03-01", "2026-04-01"] {
        create(
            api,
            &ann,
            json!({"title": "a", "due_date": due, "recurrence": "daily"}),
        )
        .await;
    }
    let before = list(api, &ann, "").await;
    let stale = ann
        .request(api, "PATCH", "/tasks/1/complete")
        .header("if-match", "\"7\"");
    problem(&stale.send().await, 412, "precondition-failed");
    // There is no room for what follows.
    let full = send(api, &ann, "PATCH", "/tasks/1/complete", &Value::Null).await;
    problem(&full, 422, "quota-exceeded");
    assert_eq!(list(api, &ann, "").await, before);
    let deleted = send(api, &ann, "DELETE", "/tasks/2", &Value::Null).await;
    assert_eq!(deleted.status, 200);
    complete(api, &ann, 1, true).await;
    assert_eq!(pluck(&list(api, &ann, "").await, "id"), [3, 1]);
}
