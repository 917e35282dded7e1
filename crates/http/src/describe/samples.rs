//! The examples: what errand answers, one after the other, when it is asked what stands beside them. A test of
//! `errand` asks it.

use serde_json::{Value, json};

const TIME: &str = "2026-11-30T08:15:00.000000Z";
const LATER: &str = "2026-11-30T08:20:00.000000Z";

pub(crate) const SESSION_ID: &str = "0198f3a0-0000-7000-8000-000000000001";

pub(crate) fn user() -> Value {
    json!({"id": 1, "username": "ann", "email": "ann@example.com", "created_at": TIME, "updated_at": TIME})
}

pub(crate) fn grant() -> Value {
    json!({
        "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "token_type": "bearer", "expires_in": 900, "refresh_token": "0198f3a00000700080000000000000010kQx",
        "user_id": "1", "username": "ann", "email": "ann@example.com", "user": user(),
    })
}

pub(crate) fn session() -> Value {
    json!({
        "id": SESSION_ID, "created_at": TIME, "last_used_at": TIME, "expires_at": "2026-12-14T08:15:00.000000Z",
        "user_agent": "Mozilla/5.0", "current": true,
    })
}

pub(crate) fn event() -> Value {
    json!({
        "id": "0198f3a0-0000-7000-8000-000000000002", "kind": "registered", "at": TIME, "address": "203.0.113.7",
        "user_agent": "Mozilla/5.0", "session_id": SESSION_ID,
    })
}

/// What is sent for [`task`].
pub(crate) fn new_task() -> Value {
    json!({"title": "Write the plan", "due_date": "2026-12-01", "tags": ["work", "plan"]})
}

pub(crate) fn task() -> Value {
    json!({
        "id": 1, "user_id": 1, "title": "Write the plan", "description": null, "completed": false,
        "priority": "Medium", "due_date": "2026-12-01", "time_zone": null, "tags": ["work", "plan"],
        "recurrence": null, "completed_at": null, "created_at": TIME, "updated_at": TIME, "version": 1,
    })
}

/// What is sent for [`changed_task`].
pub(crate) fn change() -> Value {
    json!({"priority": "High", "description": "Two pages"})
}

pub(crate) fn changed_task() -> Value {
    with(
        task(),
        json!({"priority": "High", "description": "Two pages", "updated_at": LATER, "version": 2}),
    )
}

pub(crate) fn completed_task() -> Value {
    with(
        changed_task(),
        json!({"completed": true, "completed_at": LATER, "version": 3}),
    )
}

pub(crate) fn deleted_task() -> Value {
    with(completed_task(), json!({"deleted_at": LATER}))
}

pub(crate) fn trashed_task() -> Value {
    with(deleted_task(), json!({"purge_at": "2026-12-30T08:20:00.000000Z"}))
}

pub(crate) fn restored_task() -> Value {
    with(completed_task(), json!({"version": 4}))
}

pub(crate) fn deleted() -> Value {
    json!({"message": "Task deleted successfully", "id": 1})
}

/// What is sent for [`results`].
pub(crate) fn operations() -> Value {
    json!({"operations": [
        {"op": "create", "task": {"title": "Water the plants", "due_date": "2026-12-05", "recurrence": "weekly"}},
        {"op": "update", "id": 1, "task": {"tags": ["work"]}},
        {"op": "complete", "id": 1, "completed": false},
    ]})
}

pub(crate) fn results() -> Value {
    let plants = json!({
        "id": 2, "title": "Water the plants", "due_date": "2026-12-05", "tags": [],
        "recurrence": "FREQ=WEEKLY", "recurrence_from": "due",
    });
    let open = json!({"completed": false, "completed_at": null, "tags": ["work"], "version": 6});
    json!({"results": [
        with(task(), plants),
        with(restored_task(), json!({"tags": ["work"], "version": 5})),
        with(restored_task(), open),
    ]})
}

/// The first, with the members of the second in it.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}
