//! The changes on the wire.

use actix_web::HttpResponse;
use actix_web::web::{Data, ReqData};
use errand_application::Actor;
use errand_application::ports::Change;
use errand_domain::changes::ChangesPlace;
use errand_domain::query::PAGE_MAX;
use errand_domain::{Fault, UserId};
use serde::Serialize;

use super::TaskJson;
use super::list::Reader;
use crate::context::Services;
use crate::cursor;
use crate::problem::Problem;
use crate::query::Query;

/// The parameters.
pub(crate) const PARAMETERS: &[&str] = &["since", "limit"];

/// What a replica has to do.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ChangeJson<'a> {
    Upsert { task: TaskJson<'a> },
    Delete { id: i64 },
}

impl<'a> From<&'a Change> for ChangeJson<'a> {
    fn from(change: &'a Change) -> Self {
        match change {
            Change::Upsert(task) => Self::Upsert {
                task: TaskJson::from(&**task),
            },
            Change::Delete(id) => Self::Delete { id: id.0 },
        }
    }
}

/// A page, and from where to go on.
#[derive(Serialize)]
struct ChangesJson<'a> {
    changes: Vec<ChangeJson<'a>>,
    cursor: String,
    has_more: bool,
}

/// Where the page begins, and how long it may be.
fn read(query: &Query, owner: UserId) -> Result<(Option<ChangesPlace>, u32), Problem> {
    let mut reader = Reader::new(query);
    let limit = reader.number("limit", 1, PAGE_MAX).unwrap_or(PAGE_MAX);
    let since = reader.value("since", |text| {
        cursor::decode_changes(owner, text)
            .ok_or_else(|| Fault::new("invalid-cursor", "is no cursor of these changes"))
    });
    reader.finish()?;
    Ok((since, limit))
}

/// `GET /api/{user_id}/changes`
pub(crate) async fn list(
    services: Data<Services>,
    actor: ReqData<Actor>,
    query: ReqData<Query>,
) -> Result<HttpResponse, Problem> {
    let owner = actor.user();
    let (since, limit) = read(&query, owner)?;
    let page = services.tasks.changes_since(&actor, since, limit).await?;
    Ok(HttpResponse::Ok().json(ChangesJson {
        changes: page.changes.iter().map(ChangeJson::from).collect(),
        cursor: cursor::encode_changes(owner, page.next),
        has_more: page.has_more,
    }))
}
