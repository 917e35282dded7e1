//! Tasks.

use serde_json::json;
use utoipa::openapi::path::Parameter;
use utoipa::openapi::{Deprecated, ObjectBuilder};

use super::samples;
use super::schema::{between, custom, flag, list, query, text, words};
use super::{Answer, Description, Form, describe, json, schema, tag};
use crate::body::{AUTH_MAX, TASK_MAX};
use crate::problem::Code;
use errand_domain::query::{OFFSET_MAX, PAGE_MAX, SEARCH_MAX_CHARS};

/// A parameter with an example. It stands in words: pages that try a route out would send it.
fn parameter(name: &'static str, description: &str, schema: ObjectBuilder, example: &str) -> Parameter {
    query(name, &format!("{description} Example: `{example}`."), schema).build()
}

fn old(name: &'static str, of: &str, schema: ObjectBuilder) -> Parameter {
    query(name, &format!("The old name of `{of}`."), schema)
        .deprecated(Some(Deprecated::True))
        .build()
}

/// How many there are on a page.
pub(super) fn limit() -> Parameter {
    let schema = between(1, PAGE_MAX).default(Some(PAGE_MAX.into()));
    parameter("limit", "How many at most.", schema, "100")
}

/// Where to go on.
pub(super) fn cursor() -> Parameter {
    let text = text().min_length(Some(1)).format(Some(custom("cursor")));
    query(
        "cursor",
        "Where to go on: take it from `Link: <…>; rel=\"next\"`, or follow that.",
        text,
    )
    .build()
}

fn filters() -> Vec<Parameter> {
    let search = || {
        let pattern = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$";
        text().max_length(Some(SEARCH_MAX_CHARS)).pattern(Some(pattern))
    };
    let due = || text().format(Some(custom("date-or-date-time")));
    vec![
        parameter(
            "status",
            "Open tasks, completed ones, or all.",
            words(["all", "pending", "completed"]).default(Some("all".into())),
            "pending",
        ),
        parameter(
            "completed",
            "The same as `status`, as a boolean.",
            flag(),
            "false",
        ),
        parameter(
            "priority",
            "One or more of Low, Medium and High with commas between: any of them.",
            text().pattern(Some("^(Low|Medium|High)(,(Low|Medium|High))*$")),
            "High,Medium",
        ),
        parameter(
            "tag",
            "One or more tags with commas between: any of them, each as a whole, in any letter case.",
            text().min_length(Some(1)).format(Some(custom("tags"))),
            "work",
        ),
        parameter(
            "q",
            "Every word of it occurs in the title or the description, in any letter case.",
            search(),
            "plan",
        ),
        old("search", "q", search()),
        parameter(
            "due_before",
            "Due before this date or date-time, and not on it.",
            due(),
            "2026-12-24",
        ),
        parameter(
            "due_after",
            "Due after this date or date-time, and not on it.",
            due(),
            "2026-11-30",
        ),
    ]
}

fn order() -> Vec<Parameter> {
    let keys = ["created_at", "updated_at", "title", "due_date", "priority"];
    let old_keys = ["created", "updated"];
    vec![
        parameter(
            "sort",
            "By what. Tasks without a due date come last either way. `created` and `updated` are old names.",
            words(keys.into_iter().chain(old_keys)).default(Some("created_at".into())),
            "due_date",
        ),
        old("sort_by", "sort", words(keys.into_iter().chain(old_keys))),
        parameter(
            "order",
            "In which direction: without it, upwards by `title` and `due_date`, downwards otherwise.",
            words(["asc", "desc"]),
            "asc",
        ),
    ]
}

pub(crate) fn list_all() -> Description {
    let page = vec![
        limit(),
        cursor(),
        parameter(
            "offset",
            "How many to pass over; not together with `cursor`.",
            between(0, OFFSET_MAX),
            "0",
        ),
        parameter(
            "count",
            "Whether to count all that match into `X-Total-Count`.",
            flag(),
            "true",
        ),
    ];
    describe("listTasks", tag::TASKS, "List tasks")
        .text(
            "The newest first, unless `sort` says otherwise. Follow `Link: <…>; rel=\"next\"` to the end and every \
             task that is there throughout comes once, whatever is written meanwhile. Ask again with \
             `If-None-Match`, and an unchanged list costs next to nothing.",
        )
        .query(filters().into_iter().chain(order()).chain(page))
        .headers(&["If-None-Match"])
        .answer(
            200,
            json("A page of tasks.", list(schema("Task")), json!([samples::task()]))
                .headers(&["ETag", "Link", "X-Total-Count"]),
        )
        .or_not_modified()
        .codes(&[Code::BadRequest, Code::CursorExpired])
}

/// One task.
fn one(text: &str, example: serde_json::Value) -> Answer {
    json(text, schema("Task"), example).headers(&["ETag"])
}

pub(crate) fn create() -> Description {
    let own = [("user_id", "$request.path.user_id"), ("id", "$response.body#/id")];
    describe("createTask", tag::TASKS, "Create a task")
        .text("Send an `Idempotency-Key` and repeat the request without fear when its answer is lost.")
        .headers(&["Idempotency-Key"])
        .body("NewTask", TASK_MAX, samples::new_task())
        .answer(
            201,
            one("The task.", samples::task())
                .headers(&["Location", "Idempotency-Replayed"])
                .link("getTask", &own)
                .link("updateTask", &own)
                .link("putTask", &own)
                .link("completeTask", &own)
                .link("deleteTask", &own)
                .link("listTasks", &[("user_id", "$request.path.user_id")]),
        )
        .codes(&[Code::QuotaExceeded, Code::IdempotencyKeyReused, Code::TooManyKeys])
}

pub(crate) fn get() -> Description {
    describe("getTask", tag::TASKS, "Read a task")
        .headers(&["If-None-Match"])
        .answer(200, one("The task.", samples::task()))
        .or_not_modified()
        .codes(&[Code::BadRequest, Code::TaskNotFound])
}

fn change(id: &'static str, summary: &'static str) -> Description {
    describe(id, tag::TASKS, summary)
        .text(
            "Members that are sent change, the others stay; null empties what may be empty. The same values change \
             nothing, `version` neither. With `If-Match` nobody's change is overwritten unseen.",
        )
        .headers(&["If-Match"])
        .body("TaskChange", TASK_MAX, samples::change())
        .answer(200, one("The task as it is now.", samples::changed_task()))
        .codes(&[
            Code::TaskNotFound,
            Code::PreconditionFailed,
            Code::QuotaExceeded,
        ])
}

pub(crate) fn put() -> Description {
    change("putTask", "Change a task (the same as PATCH)")
}

pub(crate) fn patch() -> Description {
    change("updateTask", "Change a task")
}

pub(crate) fn delete() -> Description {
    let own = [("user_id", "$request.path.user_id"), ("id", "$response.body#/id")];
    describe("deleteTask", tag::TASKS, "Move a task to the trash")
        .headers(&["If-Match"])
        .answer(
            200,
            json(
                "It can be taken back for 30 days.",
                schema("Done"),
                samples::deleted(),
            )
            .link("restoreTask", &own)
            .link("eraseTask", &own),
        )
        .codes(&[Code::BadRequest, Code::TaskNotFound, Code::PreconditionFailed])
}

pub(crate) fn complete() -> Description {
    let examples = vec![("set", json!({"completed": true}))];
    describe("completeTask", tag::TASKS, "Complete a task, or open it again")
        .text(
            "With `completed` it is set; without, or without a body, it is the other way round from what it was. A \
             task that repeats makes its successor.",
        )
        .headers(&["If-Match", "Idempotency-Key"])
        .bodies(Form::JsonOrNothing, "Completion", AUTH_MAX, examples)
        .answer(
            200,
            one("The task as it is now.", samples::completed_task()).headers(&["Idempotency-Replayed"]),
        )
        .codes(&[
            Code::TaskNotFound,
            Code::PreconditionFailed,
            Code::QuotaExceeded,
            Code::IdempotencyKeyReused,
            Code::TooManyKeys,
        ])
}
