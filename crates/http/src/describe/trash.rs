//! The trash.

use serde_json::json;

use super::samples;
use super::schema::list;
use super::tasks::{cursor, limit};
use super::{Description, describe, json, schema, tag};
use crate::problem::Code;

pub(crate) fn list_all() -> Description {
    let first = [
        ("user_id", "$request.path.user_id"),
        ("id", "$response.body#/0/id"),
    ];
    describe("listTrash", tag::TRASH, "List deleted tasks")
        .text("The newest deletion first. Each can be taken back until `purge_at`.")
        .query([limit(), cursor()])
        .answer(
            200,
            json(
                "A page of deleted tasks.",
                list(schema("TrashedTask")),
                json!([samples::trashed_task()]),
            )
            .headers(&["Link"])
            .link("restoreTask", &first)
            .link("eraseTask", &first),
        )
}

pub(crate) fn restore() -> Description {
    let own = [("user_id", "$request.path.user_id"), ("id", "$response.body#/id")];
    describe("restoreTask", tag::TRASH, "Take a deleted task back")
        .text("Everything is as it was, but `version` and `updated_at`.")
        .answer(
            200,
            json("The task.", schema("Task"), samples::restored_task())
                .headers(&["ETag"])
                .link("getTask", &own),
        )
        .codes(&[Code::TaskNotFound, Code::QuotaExceeded])
}

pub(crate) fn erase() -> Description {
    let example = json!({"message": "Task deleted for good", "id": 1});
    describe("eraseTask", tag::TRASH, "Erase a deleted task")
        .text("What it held is gone at once. Its id is not given again.")
        .answer(200, json("Gone for good.", schema("Done"), example))
        .codes(&[Code::TaskNotFound])
}
