//! The gate before every handler: size of the head, then who it is (401), whose path it is (403), how much is
//! under way for them (429), then the query (400, 422). Bodies are read behind it.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::dev::{RequestHead, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};
use errand_application::AppError;
use errand_application::in_flight::UnderWay;
use futures_util::FutureExt;
use tokio::time::timeout;

use crate::auth;
use crate::context::{Access, Matched, Services, Settings, segment_of};
use crate::pace;
use crate::problem::{Code, Problem};
use crate::query::Query;

/// The longest path with query, in bytes.
const URI_MAX: usize = 8 * 1024;
/// The most header fields.
const HEADERS_MAX: usize = 64;
/// The most bytes of all header fields.
const HEADERS_MAX_BYTES: usize = 16 * 1024;

/// Whoever waited so long to be let in waited for a database that does not answer, and may not wait for it as long
/// again.
const LONG: Duration = Duration::from_secs(1);

/// Lets a request through to its handler, or answers it. A panic on the way is the answer 500 and costs neither
/// the connection nor the worker.
pub(crate) async fn admit(
    matched: Matched,
    parameters: Option<&'static [&'static str]>,
    services: Data<Services>,
    req: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    req.extensions_mut().insert(matched);
    let request = req.request().clone();
    let patience = req
        .app_data::<Data<Settings>>()
        .map_or(Duration::MAX, |settings| settings.patience);
    let began = Instant::now();
    let work = async {
        match check(matched, parameters, &services, &req).await {
            Ok(_under_way) => {
                let waited = began.elapsed();
                if waited < LONG {
                    return next.call(req).await;
                }
                let request = req.request().clone();
                let left = patience.saturating_sub(waited);
                // Nothing is begun that cannot be waited for.
                let outcome = match left {
                    Duration::ZERO => None,
                    left => timeout(left, next.call(req)).await.ok(),
                };
                outcome.unwrap_or_else(|| {
                    let late = AppError::Unavailable("no answer within the deadline".into());
                    Ok(ServiceResponse::from_err(Problem::from(late), request))
                })
            }
            Err(problem) => Ok(req.error_response(problem)),
        }
    };
    // What a panic leaves half done is dropped with the request.
    let outcome = match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) => Ok(ServiceResponse::from_err(
            Problem::internal("a handler panicked"),
            request,
        )),
    };
    if outcome.as_ref().is_ok_and(is_refusal) {
        pace::refusal().await;
    }
    outcome
}

/// An answer that costs so little that who gets it could ask for many.
fn is_refusal(answer: &ServiceResponse) -> bool {
    let problem = answer.response().error().and_then(Error::as_error::<Problem>);
    problem.is_some_and(|problem| {
        matches!(
            problem.code(),
            Code::TooManyAttempts | Code::TooManyRequests | Code::Overloaded
        )
    })
}

async fn check(
    matched: Matched,
    parameters: Option<&[&str]>,
    services: &Services,
    req: &ServiceRequest,
) -> Result<Option<UnderWay>, Problem> {
    check_head(req.head())?;
    let mut under_way = None;
    if matched.access != Access::Public {
        let actor = auth::authenticate(req.headers(), services).await?;
        req.extensions_mut().insert(actor);
        if matched.access == Access::Owner {
            actor.check_path(segment_of(req, "user_id"))?;
        }
        let begun = services.in_flight.begin(actor.user());
        under_way = Some(begun.ok_or_else(|| Problem::too_many_requests(services.in_flight.most()))?);
    }
    if let Some(parameters) = parameters {
        let query = Query::parse(req.query_string(), parameters)?;
        req.extensions_mut().insert(query);
    }
    Ok(under_way)
}

fn check_head(head: &RequestHead) -> Result<(), Problem> {
    let uri = head.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > URI_MAX {
        return Err(Problem::new(Code::UriTooLong));
    }
    let fields = head.headers.iter();
    let sizes = fields.map(|(name, value)| name.as_str().len() + value.len());
    let (count, bytes) = sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
    if count > HEADERS_MAX || bytes > HEADERS_MAX_BYTES {
        return Err(Problem::new(Code::HeadersTooLarge));
    }
    Ok(())
}
