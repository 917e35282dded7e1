//! Operations that are done together.

use actix_web::web::{Data, ReqData};
use actix_web::{HttpRequest, HttpResponse};
use errand_application::Actor;
use errand_application::tasks::BATCH_MAX;
use errand_domain::task::{Completion, Expected, Operation, Outcome, TaskChange};
use errand_domain::{Fault, FieldFault, TaskId};
use serde::Serialize;
use serde_json::Value;

use super::{DELETED, TaskJson, invalid, new_task, task_change};
use crate::body::{BATCH_BYTES_MAX, JsonBody};
use crate::context::Services;
use crate::fields::Fields;
use crate::idempotency;
use crate::problem::Problem;
use crate::wire::Message;

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<ResultJson<'a>>,
}

/// What the route for one of them would answer.
#[derive(Serialize)]
#[serde(untagged)]
enum ResultJson<'a> {
    Task(Box<TaskJson<'a>>),
    Deleted(Message<i64>),
}

impl<'a> From<&'a Outcome> for ResultJson<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        match outcome {
            Outcome::Task(task) => Self::Task(Box::new(TaskJson::from(&**task))),
            Outcome::Deleted(id) => Self::Deleted(Message::about(DELETED, id.0)),
        }
    }
}

/// `POST /api/{user_id}/batch`
pub(crate) async fn batch(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
    body: JsonBody<BATCH_BYTES_MAX>,
) -> Result<HttpResponse, Problem> {
    let request = idempotency::request(&req, Some(&body.0))?;
    let operations = operations(body.0).map_err(invalid)?;
    let done = services.tasks.batch(&actor, operations, request).await?;
    let mut response = HttpResponse::Ok();
    idempotency::mark(&mut response, done.replayed);
    let results = done.value.iter().map(ResultJson::from).collect();
    Ok(response.json(Results { results }))
}

/// Reads all of them, so that all their faults are told at once.
fn operations(mut fields: Fields) -> Result<Vec<Operation>, Vec<FieldFault>> {
    let items = fields.array("operations");
    let items = fields.read(items)?;
    if items.len() > BATCH_MAX {
        let detail = format!("must have at most {BATCH_MAX} elements");
        return Err(vec![FieldFault::new(
            "operations",
            Fault::new("too-many", detail),
        )]);
    }
    let mut operations = Vec::with_capacity(items.len());
    let mut faults = Vec::new();
    for (place, item) in items.into_iter().enumerate() {
        match operation(item) {
            Ok(operation) => operations.push(operation),
            Err(of) => {
                let place = format!("operations/{place}");
                faults.extend(of.into_iter().map(|fault| within(&place, fault)));
            }
        }
    }
    if faults.is_empty() {
        Ok(operations)
    } else {
        Err(faults)
    }
}

enum Kind {
    Create,
    Update,
    Complete,
    Delete,
}

fn kind(text: &str) -> Result<Kind, Fault> {
    match text {
        "create" => Ok(Kind::Create),
        "update" => Ok(Kind::Update),
        "complete" => Ok(Kind::Complete),
        "delete" => Ok(Kind::Delete),
        _ => Err(Fault::new(
            "invalid-value",
            "must be create, update, complete or delete",
        )),
    }
}

fn operation(item: Value) -> Result<Operation, Vec<FieldFault>> {
    let Value::Object(map) = item else {
        let fault = Fault::new("wrong-type", "must be an object");
        return Err(vec![FieldFault::new("", fault)]);
    };
    let mut fields = Fields::new(map);
    let Some(kind) = fields.required("op", kind) else {
        return fields.read(None);
    };
    let id = match kind {
        Kind::Create => None,
        Kind::Update | Kind::Complete | Kind::Delete => fields.id("id").map(TaskId),
    };
    match kind {
        Kind::Create => {
            let task = fields.object("task");
            part(fields, Some(()), task, new_task).map(|((), task)| Operation::Create(task))
        }
        Kind::Update => {
            let task = fields.object("task");
            part(fields, id, task, task_change)
                .map(|(id, change)| Operation::Change(id, Expected::Any, change))
        }
        Kind::Complete => {
            let completed = fields.flag("completed");
            let completion = completed.map_or(Completion::Toggle, Completion::Set);
            let id = fields.read(id)?;
            Ok(Operation::Change(
                id,
                Expected::Any,
                TaskChange::completing(completion),
            ))
        }
        Kind::Delete => Ok(Operation::Delete(fields.read(id)?, Expected::Any)),
    }
}

/// What was read of an operation and of the task in it, with the faults of both.
fn part<I, T>(
    fields: Fields,
    id: Option<I>,
    task: Option<Fields>,
    read: impl FnOnce(Fields) -> Result<T, Vec<FieldFault>>,
) -> Result<(I, T), Vec<FieldFault>> {
    let task = task.map(read).transpose();
    let task = task.map_err(|faults| {
        let faults = faults.into_iter().map(|fault| within("task", fault));
        faults.collect::<Vec<_>>()
    });
    match (fields.read(id), task) {
        (Ok(id), Ok(Some(task))) => Ok((id, task)),
        (Ok(_), Ok(None)) => Err(vec![FieldFault::new(
            "task",
            Fault::new("required", "is required"),
        )]),
        (id, task) => Err(id.err().into_iter().chain(task.err()).flatten().collect()),
    }
}

fn within(place: &str, fault: FieldFault) -> FieldFault {
    let field = if fault.field.is_empty() {
        place.to_owned()
    } else {
        format!("{place}/{}", fault.field)
    };
    FieldFault::new(field, fault.fault)
}
