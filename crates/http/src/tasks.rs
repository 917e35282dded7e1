//! Tasks.

mod batch;
pub(crate) mod changes;
mod list;
pub(crate) mod trash;
mod validator;

use actix_web::http::header::{ETAG, HeaderValue, LOCATION};
use actix_web::web::{Data, ReqData};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use errand_application::Actor;
use errand_application::ports::DeletedTask;
use errand_domain::task::{
    Completion, Description, Due, NewTask, Priority, Recurrence, RecurrenceFrom, Rule, Task, TaskChange,
    TimeZone, Title,
};
use errand_domain::{Fault, FieldFault, TaskId, Timestamp};
use serde::Serialize;

use crate::body::{AUTH_MAX, JsonBody, OptionalJsonBody, TASK_MAX};
use crate::conditions::{expected, if_none_match};
use crate::context::Services;
use crate::context::segment;
use crate::fields::Fields;
use crate::idempotency;
use crate::problem::{Code, Invalid, Problem};
use crate::query::Query;
use crate::wire::{Message, Shown};
use validator::Validator;

pub(crate) use batch::batch;
pub(crate) use list::PARAMETERS as LIST_PARAMETERS;

/// A task on the wire. The shape is fixed, but for `recurrence_from`, which only those have that repeat.
#[derive(Serialize)]
pub(crate) struct TaskJson<'a> {
    id: i64,
    user_id: i64,
    title: &'a str,
    description: Option<&'a str>,
    completed: bool,
    priority: &'static str,
    due_date: Option<Shown<Due>>,
    time_zone: Option<&'a str>,
    tags: &'a [String],
    recurrence: Option<Shown<&'a Rule>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recurrence_from: Option<&'static str>,
    completed_at: Option<Shown<Timestamp>>,
    created_at: Shown<Timestamp>,
    updated_at: Shown<Timestamp>,
    version: i64,
}

impl<'a> From<&'a Task> for TaskJson<'a> {
    fn from(task: &'a Task) -> Self {
        // Destructured, so that a new field cannot be forgotten.
        let Task {
            id,
            owner,
            title,
            description,
            priority,
            due,
            time_zone,
            tags,
            recurrence,
            handed_on: _,
            completed_at,
            created_at,
            updated_at,
            version,
        } = task;
        Self {
            id: id.0,
            user_id: owner.0,
            title: title.as_str(),
            description: description.as_ref().map(Description::as_str),
            completed: task.is_completed(),
            priority: priority.as_str(),
            due_date: due.map(Shown),
            time_zone: time_zone.as_ref().map(TimeZone::as_str),
            tags: tags.as_slice(),
            recurrence: recurrence.as_ref().map(|recurrence| Shown(&recurrence.rule)),
            recurrence_from: recurrence.as_ref().map(|recurrence| recurrence.from.as_str()),
            completed_at: completed_at.map(Shown),
            created_at: Shown(*created_at),
            updated_at: Shown(*updated_at),
            version: *version,
        }
    }
}

/// A task in the trash.
#[derive(Serialize)]
pub(crate) struct DeletedTaskJson<'a> {
    #[serde(flatten)]
    task: TaskJson<'a>,
    deleted_at: Shown<Timestamp>,
}

impl<'a> From<&'a DeletedTask> for DeletedTaskJson<'a> {
    fn from(deleted: &'a DeletedTask) -> Self {
        Self {
            task: TaskJson::from(&deleted.task),
            deleted_at: Shown(deleted.deleted_at),
        }
    }
}

/// What is said of a deletion.
const DELETED: &str = "Task deleted successfully";

/// The fields that a change may have.
const CHANGEABLE: [&str; 10] = [
    "title",
    "description",
    "priority",
    "due_date",
    "time_zone",
    "tags",
    "recurrence",
    OLD_RECURRENCE,
    "recurrence_from",
    "completed",
];

/// The name of `recurrence` in older front ends, where it is a text that may be empty.
const OLD_RECURRENCE: &str = "recursion_pattern";

fn new_task(mut fields: Fields) -> Result<NewTask, Vec<FieldFault>> {
    let title = fields.required("title", Title::parse);
    let description = fields.nullable("description", Description::parse).flatten();
    let priority = fields.present("priority", Priority::parse).unwrap_or_default();
    let due = fields.nullable("due_date", Due::parse).flatten();
    let time_zone = fields.nullable("time_zone", TimeZone::parse).flatten();
    let tags = fields.tags("tags").unwrap_or_default();
    let rule = rule(&mut fields).flatten();
    let from = fields
        .nullable("recurrence_from", RecurrenceFrom::parse)
        .flatten();
    let completed = fields.flag("completed").unwrap_or_default();
    let title = fields.read(title)?;
    Ok(NewTask {
        title,
        description,
        priority,
        due,
        time_zone,
        tags,
        recurrence: rule.map(|rule| Recurrence::new(rule, from.unwrap_or_default())),
        completed,
    })
}

fn task_change(mut fields: Fields) -> Result<TaskChange, Vec<FieldFault>> {
    if !fields.has_any(&CHANGEABLE) {
        let detail = format!("must have at least one of {}", CHANGEABLE.join(", "));
        return Err(vec![FieldFault::new("", Fault::new("required", detail))]);
    }
    let change = TaskChange {
        title: fields.present("title", Title::parse),
        description: fields.nullable("description", Description::parse),
        priority: fields.present("priority", Priority::parse),
        due: fields.nullable("due_date", Due::parse),
        time_zone: fields.nullable("time_zone", TimeZone::parse),
        tags: fields.tags("tags"),
        rule: rule(&mut fields),
        recurrence_from: fields
            .nullable("recurrence_from", RecurrenceFrom::parse)
            .map(Option::unwrap_or_default),
        completion: fields.flag("completed").map(Completion::Set),
    };
    fields.read(Some(change))
}

/// The rule, under its name or the old one.
#[expect(
    clippy::option_option,
    reason = "absent, null and a value are three things, as in a TaskChange"
)]
fn rule(fields: &mut Fields) -> Option<Option<Rule>> {
    if !fields.has(OLD_RECURRENCE) {
        return fields.nullable("recurrence", Rule::parse);
    }
    // Never sent, so it is meant: whole tasks that are sent back have the new name as well.
    let old = fields.nullable(OLD_RECURRENCE, |text| match text {
        "" => Ok(None),
        text => Rule::parse(text).map(Some),
    });
    old.map(Option::flatten)
}

fn invalid(faults: Vec<FieldFault>) -> Problem {
    Problem::invalid(faults.into_iter().map(Invalid::from).collect())
}

/// Without a body, or without the field, it is the other way round from what it was.
fn completion(body: Option<Fields>) -> Result<Completion, Problem> {
    let Some(mut fields) = body else {
        return Ok(Completion::Toggle);
    };
    let completed = fields.flag("completed");
    fields.finish(Some(completed.map_or(Completion::Toggle, Completion::Set)))
}

fn id(req: &HttpRequest) -> Result<TaskId, Problem> {
    TaskId::parse(segment(req, "id")).ok_or_else(|| Problem::new(Code::TaskNotFound))
}

/// A task as the answer; its version is the strong validator.
fn answer(mut response: HttpResponseBuilder, task: &Task) -> HttpResponse {
    response
        .insert_header((ETAG, quoted(&task.version.to_string())))
        .json(TaskJson::from(task))
}

/// The client has it already.
fn not_modified(tag: &str) -> HttpResponse {
    HttpResponse::NotModified()
        .insert_header((ETAG, quoted(tag)))
        .finish()
}

fn quoted(tag: &str) -> String {
    format!("\"{tag}\"")
}

/// `GET /api/{user_id}/tasks`
pub(crate) async fn list(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
    query: ReqData<Query>,
) -> Result<HttpResponse, Problem> {
    let owner = actor.user();
    let wanted = list::read(&query, owner)?;
    let validator = Validator::new(owner, &wanted, services.clock.now());
    // Whoever polls an unchanged list costs one row, and leaves no walk behind.
    if let Some(condition) = if_none_match(&req)?.filter(|has| validator.may_be_known(has)) {
        let changes = services.tasks.changes(&actor).await?;
        if let Some(tag) = validator.known(&condition, changes) {
            return Ok(not_modified(&tag));
        }
    }
    let page = services.tasks.list(&actor, &wanted).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, quoted(&validator.of(&page))));
    if let Some(link) = list::next_link(&query, owner, &wanted, page.next) {
        response.insert_header(("link", link));
    }
    if let Some(total) = page.total {
        response.insert_header(("x-total-count", HeaderValue::from(total)));
    }
    let tasks: Vec<_> = page.tasks.iter().map(TaskJson::from).collect();
    Ok(response.json(tasks))
}

/// `POST /api/{user_id}/tasks`
pub(crate) async fn create(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
    body: JsonBody<TASK_MAX>,
) -> Result<HttpResponse, Problem> {
    let request = idempotency::request(&req, Some(&body.0))?;
    let new = new_task(body.0).map_err(invalid)?;
    let made = services.tasks.create(&actor, &new, request).await?;
    let task = &made.value;
    let mut response = HttpResponse::Created();
    response.insert_header((LOCATION, format!("/api/{}/tasks/{}", task.owner, task.id)));
    idempotency::mark(&mut response, made.replayed);
    Ok(answer(response, task))
}

/// `GET /api/{user_id}/tasks/{id}`
pub(crate) async fn get(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
) -> Result<HttpResponse, Problem> {
    let condition = if_none_match(&req)?;
    let task = services.tasks.get(&actor, id(&req)?).await?;
    let tag = task.version.to_string();
    if condition.is_some_and(|has| has.knows(&tag)) {
        return Ok(not_modified(&tag));
    }
    Ok(answer(HttpResponse::Ok(), &task))
}

/// `PUT` and `PATCH /api/{user_id}/tasks/{id}`
pub(crate) async fn change(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
    body: JsonBody<TASK_MAX>,
) -> Result<HttpResponse, Problem> {
    let change = task_change(body.0).map_err(invalid)?;
    let expected = expected(&req)?;
    let changed = services
        .tasks
        .change(&actor, id(&req)?, &expected, &change, None)
        .await?;
    Ok(answer(HttpResponse::Ok(), &changed.value))
}

/// `DELETE /api/{user_id}/tasks/{id}`
pub(crate) async fn delete(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
) -> Result<HttpResponse, Problem> {
    let expected = expected(&req)?;
    let id = id(&req)?;
    services.tasks.delete(&actor, id, &expected).await?;
    Ok(HttpResponse::Ok().json(Message::about(DELETED, id.0)))
}

/// `PATCH /api/{user_id}/tasks/{id}/complete`
pub(crate) async fn complete(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
    body: OptionalJsonBody<AUTH_MAX>,
) -> Result<HttpResponse, Problem> {
    let request = idempotency::request(&req, body.0.as_ref())?;
    let change = TaskChange::completing(completion(body.0)?);
    let expected = expected(&req)?;
    let changed = services
        .tasks
        .change(&actor, id(&req)?, &expected, &change, request)
        .await?;
    let mut response = HttpResponse::Ok();
    idempotency::mark(&mut response, changed.replayed);
    Ok(answer(response, &changed.value))
}

#[cfg(test)]
mod tests;
