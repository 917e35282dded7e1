//! Tasks that repeat: series that are refused.

use serde_json::{Value, json};

use crate::recurrence::{change, send};
use crate::support::{Backend, create, list, on_all, problem};
use crate::tasks::ann;

on_all!(series_that_make_no_sense_are_refused,);

#[expect(clippy::too_many_lines, reason = "a table of what is refused")]
async fn series_that_make_no_sense_are_refused(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let due = json!("2026-03-01");
    create(api, &ann, json!({"title": "plain", "due_date": due})).await;
    create(
        api,
        &ann,
        json!({"title": "series", "due_date": due, "recurrence": "FREQ=DAILY;UNTIL=20260401"}),
    )
    .await;
    create(
        api,
        &ann,
        json!({"title": "done", "due_date": due, "completed": true}),
    )
    .await;
    let before = list(api, &ann, "").await;
    let refused = async |method: &str, path: &str, body: Value, pointer: &str, code: &str| {
        let answer = send(api, &ann, method, path, &body).await;
        let told = problem(&answer, 422, "validation-failed");
        let found = told["errors"]
            .as_array()
            .unwrap()
            .iter()
            .any(|error| error["pointer"] == pointer && error["code"] == code);
        assert!(found, "{body} -> {told}");
    };
    for (rule, code) in [
        ("", "too-short"),
        ("fortnightly", "invalid-recurrence"),
        ("FREQ=SECONDLY", "unsupported-recurrence"),
        ("FREQ=MINUTELY;INTERVAL=5", "unsupported-recurrence"),
        ("FREQ=HOURLY", "unsupported-recurrence"),
        ("FREQ=DAILY;BYHOUR=1,2,3", "unsupported-recurrence"),
        ("FREQ=DAILY;COUNT=10000", "invalid-recurrence"),
        ("FREQ=DAILY;COUNT=18446744073709551616", "invalid-recurrence"),
        ("FREQ=DAILY;COUNT=0", "invalid-recurrence"),
        ("FREQ=DAILY;COUNT=-1", "invalid-recurrence"),
        ("FREQ=DAILY;INTERVAL=0", "invalid-recurrence"),
        ("FREQ=DAILY;INTERVAL=1000", "invalid-recurrence"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "invalid-recurrence"),
        ("FREQ=DAILY;FREQ=WEEKLY", "invalid-recurrence"),
        ("FREQ=DAILY;UNTIL=20260230", "invalid-recurrence"),
        ("FREQ=DAILY;UNTIL=20270101T000000Z", "invalid-recurrence"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "never-occurs"),
        ("FREQ=YEARLY;BYMONTH=13", "invalid-recurrence"),
        ("DTSTART:20260101\nRRULE:FREQ=DAILY", "unsupported-recurrence"),
        (&format!("FREQ=DAILY;{}", "X=1;".repeat(100)), "too-long"),
    ] {
        let new = json!({"title": "a", "due_date": due, "recurrence": rule});
        refused("POST", "/tasks", new, "#/recurrence", code).await;
        refused(
            "PUT",
            "/tasks/1",
            json!({"recurrence": rule}),
            "#/recurrence",
            code,
        )
        .await;
    }
    refused(
        "POST",
        "/tasks",
        json!({"title": "a", "due_date": due, "recursion_pattern": "FREQ=SECONDLY"}),
        "#/recursion_pattern",
        "unsupported-recurrence",
    )
    .await;
    let zones = [
        "Nowhere/Land",
        "europe/berlin",
        "+02:00",
        "W. Europe Standard Time",
        "../UTC",
        "",
    ];
    for zone in zones {
        let new = json!({"title": "a", "time_zone": zone});
        refused("POST", "/tasks", new, "#/time_zone", "unknown-time-zone").await;
        let change = json!({"time_zone": zone});
        refused("PATCH", "/tasks/1", change, "#/time_zone", "unknown-time-zone").await;
    }
    for (method, path, body, pointer, code) in [
        (
            "POST",
            "/tasks",
            json!({"title": "a", "recurrence": "daily"}),
            "#/recurrence",
            "needs-due-date",
        ),
        (
            "PUT",
            "/tasks/1",
            json!({"recurrence": "daily", "due_date": null}),
            "#/recurrence",
            "needs-due-date",
        ),
        (
            "PUT",
            "/tasks/2",
            json!({"due_date": null}),
            "#/recurrence",
            "needs-due-date",
        ),
        (
            "PUT",
            "/tasks/2",
            json!({"due_date": "2026-03-01T09:00:00Z"}),
            "#/recurrence",
            "invalid-recurrence",
        ),
        (
            "PUT",
            "/tasks/2",
            json!({"recurrence": 7}),
            "#/recurrence",
            "wrong-type",
        ),
        (
            "PUT",
            "/tasks/2",
            json!({"recurrence_from": "creation"}),
            "#/recurrence_from",
            "invalid-value",
        ),
        (
            "POST",
            "/tasks",
            json!({"title": "a", "due_date": due, "recurrence": "daily", "completed": true}),
            "#/recurrence",
            "task-is-completed",
        ),
        (
            "PUT",
            "/tasks/3",
            json!({"recurrence": "daily"}),
            "#/recurrence",
            "task-is-completed",
        ),
        (
            "PUT",
            "/tasks/3",
            json!({"recurrence": "daily", "completed": true}),
            "#/recurrence",
            "task-is-completed",
        ),
    ] {
        refused(method, path, body, pointer, code).await;
    }
    assert_eq!(list(api, &ann, "").await, before, "something was done");
    // Opened with the same write it may have one.
    let open = change(api, &ann, 3, json!({"recurrence": "daily", "completed": false})).await;
    assert_eq!(
        (&open["recurrence"], &open["completed"]),
        (&json!("FREQ=DAILY"), &json!(false))
    );
}
