//! The trash on the wire.

use actix_web::web::{Data, ReqData};
use actix_web::{HttpRequest, HttpResponse};
use errand_application::Actor;
use errand_application::ports::DeletedTask;
use errand_domain::query::PAGE_MAX;
use errand_domain::trash::TrashPlace;
use errand_domain::{Fault, Timestamp, UserId};
use serde::Serialize;
use url::form_urlencoded::Serializer;

use super::list::Reader;
use super::{DeletedTaskJson, answer, id};
use crate::context::Services;
use crate::cursor;
use crate::problem::Problem;
use crate::query::Query;
use crate::wire::{Message, Shown};

/// The parameters of the list.
pub(crate) const PARAMETERS: &[&str] = &["limit", "cursor"];

/// A task in the trash, with when it goes.
#[derive(Serialize)]
struct TrashJson<'a> {
    #[serde(flatten)]
    task: DeletedTaskJson<'a>,
    purge_at: Shown<Timestamp>,
}

impl<'a> From<&'a DeletedTask> for TrashJson<'a> {
    fn from(deleted: &'a DeletedTask) -> Self {
        Self {
            task: DeletedTaskJson::from(deleted),
            purge_at: Shown(deleted.purge_at()),
        }
    }
}

/// Where the page begins, and how long it may be.
fn read(query: &Query, owner: UserId) -> Result<(Option<TrashPlace>, u32), Problem> {
    let mut reader = Reader::new(query);
    let limit = reader.number("limit", 1, PAGE_MAX).unwrap_or(PAGE_MAX);
    let place = reader.value("cursor", |text| {
        cursor::decode_trash(owner, text)
            .ok_or_else(|| Fault::new("invalid-cursor", "does not belong to this list"))
    });
    reader.finish()?;
    Ok((place, limit))
}

/// `GET /api/{user_id}/trash`
pub(crate) async fn list(
    services: Data<Services>,
    actor: ReqData<Actor>,
    query: ReqData<Query>,
) -> Result<HttpResponse, Problem> {
    let owner = actor.user();
    let (after, limit) = read(&query, owner)?;
    let page = services.tasks.trash(&actor, after, limit).await?;
    let mut response = HttpResponse::Ok();
    if let Some(place) = page.next {
        let parameters = Serializer::new(String::new())
            .append_pair("limit", &limit.to_string())
            .append_pair("cursor", &cursor::encode_trash(owner, place))
            .finish();
        let link = format!("</api/{owner}/trash?{parameters}>; rel=\"next\"");
        response.insert_header(("link", link));
    }
    let tasks: Vec<_> = page.tasks.iter().map(TrashJson::from).collect();
    Ok(response.json(tasks))
}

/// `POST /api/{user_id}/trash/{id}/restore`
pub(crate) async fn restore(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
) -> Result<HttpResponse, Problem> {
    let task = services.tasks.restore(&actor, id(&req)?).await?;
    Ok(answer(HttpResponse::Ok(), &task))
}

/// `DELETE /api/{user_id}/trash/{id}`
pub(crate) async fn erase(
    req: HttpRequest,
    services: Data<Services>,
    actor: ReqData<Actor>,
) -> Result<HttpResponse, Problem> {
    let id = id(&req)?;
    services.tasks.erase(&actor, id).await?;
    Ok(HttpResponse::Ok().json(Message::about("Task deleted for good", id.0)))
}
