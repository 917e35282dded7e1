use errand_domain::UserId;
use errand_domain::task::Tags;
use serde_json::{Value, json};

use super::*;

fn fields(value: Value) -> Fields {
    match value {
        Value::Object(map) => Fields::new(map),
        _ => panic!("an object"),
    }
}

fn change(value: Value) -> Result<TaskChange, String> {
    task_change(fields(value)).map_err(|faults| invalid(faults).to_string())
}

fn task() -> Task {
    let new = new_task(fields(json!({
        "title": " Write the plan ", "priority": "medium", "due_date": "2026-12-01",
        "tags": "work, plan", "id": 7, "user_id": 9, "version": 12,
    })));
    let now = Timestamp::parse("2026-11-23T07:00:00Z").unwrap();
    Task::new(UserId(1), TaskId(1), new.unwrap(), now)
}

#[test]
fn the_shape_of_the_contract() {
    assert_eq!(
        serde_json::to_string(&TaskJson::from(&task())).unwrap(),
        concat!(
            r#"{"id":1,"user_id":1,"title":"Write the plan","description":null,"completed":false,"#,
            r#""priority":"Medium","due_date":"2026-12-01","time_zone":null,"tags":["work","plan"],"#,
            r#""recurrence":null,"completed_at":null,"created_at":"2026-11-23T07:00:00.000000Z","#,
            r#""updated_at":"2026-11-23T07:00:00.000000Z","version":1}"#
        )
    );
    let deleted = DeletedTask {
        deleted_at: task().created_at,
        task: task(),
    };
    let text = serde_json::to_string(&DeletedTaskJson::from(&deleted)).unwrap();
    assert!(
        text.ends_with(r#""version":1,"deleted_at":"2026-11-23T07:00:00.000000Z"}"#),
        "{text}"
    );
}

#[test]
fn a_change_has_only_what_was_sent() {
    assert_eq!(
        change(json!({"description": null, "due_date": null, "tags": null})),
        Ok(TaskChange {
            description: Some(None),
            due: Some(None),
            tags: Some(Tags::default()),
            ..TaskChange::default()
        })
    );
    assert_eq!(
        change(json!({"completed": true, "nonsense": 1})),
        Ok(TaskChange::completing(Completion::Set(true)))
    );
}

#[test]
fn a_change_of_nothing_is_refused() {
    for nothing in [json!({}), json!({"id": 5, "user_id": 2, "created_at": "x"})] {
        assert_eq!(
            change(nothing).unwrap_err(),
            "validation-failed: the body must have at least one of title, description, priority, due_date, \
             time_zone, tags, recurrence, recursion_pattern, recurrence_from, completed"
        );
    }
}

#[test]
fn a_recurrence_has_two_names_and_many_spellings() {
    let rule = |sent: Value| change(sent).unwrap().rule;
    let weekly = Rule::parse("FREQ=WEEKLY").ok();
    for sent in [
        json!({"recurrence": "weekly"}),
        json!({"recursion_pattern": "Weekly"}),
        json!({"recurrence": "RRULE:FREQ=WEEKLY"}),
        json!({"recurrence": "daily", "recursion_pattern": "weekly"}),
        json!({"recurrence": null, "recursion_pattern": "weekly"}),
    ] {
        assert_eq!(rule(sent), Some(weekly.clone()));
    }
    for sent in [
        json!({"recurrence": null}),
        json!({"recursion_pattern": null}),
        json!({"recursion_pattern": ""}),
        json!({"recurrence": "daily", "recursion_pattern": ""}),
    ] {
        assert_eq!(rule(sent), Some(None));
    }
    assert_eq!(rule(json!({"title": "a"})), None);
    let fault =
        change(json!({"recursion_pattern": "now and then", "recurrence_from": "x", "time_zone": "a b"}));
    let fault = fault.unwrap_err();
    for part in ["time_zone must", "recursion_pattern must", "recurrence_from must"] {
        assert!(fault.contains(part), "{fault}");
    }
    let from = |sent: Value| change(sent).unwrap().recurrence_from;
    assert_eq!(
        from(json!({"recurrence_from": "Completion"})),
        Some(RecurrenceFrom::Completion)
    );
    assert_eq!(from(json!({"recurrence_from": null})), Some(RecurrenceFrom::Due));

    let new = new_task(fields(json!({
        "title": "a", "due_date": "2026-12-01", "time_zone": "Europe/Berlin",
        "recursion_pattern": "monthly", "recurrence_from": "completion",
    })));
    let task = Task::new(UserId(1), TaskId(1), new.unwrap(), task().created_at);
    let sent = serde_json::to_value(TaskJson::from(&task)).unwrap();
    assert_eq!(
        (&sent["recurrence"], &sent["recurrence_from"], &sent["time_zone"]),
        (
            &json!("FREQ=MONTHLY"),
            &json!("completion"),
            &json!("Europe/Berlin")
        )
    );
}

#[test]
fn null_is_no_title_no_priority_and_no_completion() {
    for name in ["title", "priority", "completed"] {
        let fault = change(json!({ name: null })).unwrap_err();
        assert!(
            fault.starts_with(&format!("validation-failed: {name} must be ")),
            "{fault}"
        );
    }
    for completed in [json!("true"), json!(1), json!([])] {
        assert!(change(json!({ "completed": completed })).is_err());
    }
}

#[test]
fn completing() {
    let read = |body: Option<Value>| completion(body.map(fields)).ok();
    assert_eq!(read(None), Some(Completion::Toggle));
    assert_eq!(read(Some(json!({}))), Some(Completion::Toggle));
    assert_eq!(
        read(Some(json!({"completed": false}))),
        Some(Completion::Set(false))
    );
    assert_eq!(read(Some(json!({"completed": null}))), None);
    assert_eq!(read(Some(json!({"completed": "yes"}))), None);
}

#[test]
fn a_version_is_its_own_validator() {
    let answered = answer(HttpResponse::Ok(), &task());
    assert_eq!(answered.headers().get(ETAG).unwrap(), "\"1\"");
}
