//! Bodies of requests: their type, size and time are bounded before anything is read out of them.

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use actix_web::web::{BytesMut, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use errand_application::Actor;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;

use crate::context::{Services, Settings};
use crate::fields::Fields;
use crate::json;
use crate::problem::{Code, Problem};

/// The most bytes of a body with credentials.
pub(crate) const AUTH_MAX: usize = 4 * 1024;
/// The most bytes of a body with a task: the longest description, every character of it escaped.
pub(crate) const TASK_MAX: usize = 256 * 1024;
/// The most bytes of a body with a batch.
pub(crate) const BATCH_BYTES_MAX: usize = 1024 * 1024;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The JSON object in a body of at most `MAX` bytes.
pub(crate) struct JsonBody<const MAX: usize>(pub(crate) Fields);

/// The same, or nothing if there is no body.
pub(crate) struct OptionalJsonBody<const MAX: usize>(pub(crate) Option<Fields>);

/// The text of a form of at most `MAX` bytes, still encoded.
pub(crate) struct FormBody<const MAX: usize>(pub(crate) String);

impl<const MAX: usize> FromRequest for JsonBody<MAX> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            check_type(req.headers(), JSON)?;
            let bytes = read(&req, payload, MAX).await?;
            Ok(Self(Fields::new(json::parse_object(&bytes)?)))
        })
    }
}

impl<const MAX: usize> FromRequest for OptionalJsonBody<MAX> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let bytes = read(&req, payload, MAX).await?;
            if bytes.is_empty() {
                return Ok(Self(None));
            }
            check_type(req.headers(), JSON)?;
            Ok(Self(Some(Fields::new(json::parse_object(&bytes)?))))
        })
    }
}

impl<const MAX: usize> FromRequest for FormBody<MAX> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            check_type(req.headers(), FORM)?;
            let bytes = read(&req, payload, MAX).await?;
            let text = std::str::from_utf8(&bytes).map_err(|_| Problem::new(Code::MalformedForm))?;
            Ok(Self(text.to_owned()))
        })
    }
}

/// Reads the whole body, or fails as soon as it is known to be too large or too slow.
async fn read(req: &HttpRequest, mut payload: Payload, max: usize) -> Result<BytesMut, Problem> {
    let too_large =
        || Problem::new(Code::BodyTooLarge).with_detail(format!("The body may have at most {max} bytes"));
    let declared = req.headers().get(CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > max) {
        return Err(too_large());
    }
    let whole = async {
        let mut body = BytesMut::with_capacity(declared.unwrap_or_default());
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::new(Code::BadRequest))?;
            if body.len() + chunk.len() > max {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    let settings = req.app_data::<Data<Settings>>();
    let limit = settings.map_or_else(|| Settings::default().body_timeout, |s| s.body_timeout);
    let body = tokio::time::timeout(limit, whole)
        .await
        .unwrap_or_else(|_| Err(Problem::new(Code::RequestTimeout)))?;
    still_admitted(req).await?;
    Ok(body)
}

/// A body takes as long as its client likes; the session may have ended since the head was admitted.
async fn still_admitted(req: &HttpRequest) -> Result<(), Problem> {
    let actor = req.extensions().get::<Actor>().copied();
    if let (Some(actor), Some(services)) = (actor, req.app_data::<Data<Services>>()) {
        services.sessions.check_alive(&actor).await?;
    }
    Ok(())
}

/// Fails unless the body is declared as `expected`, uncompressed, in UTF-8.
fn check_type(headers: &HeaderMap, expected: &'static str) -> Result<(), Problem> {
    let encoded = match only(headers, CONTENT_ENCODING) {
        Only::None => false,
        Only::One(encoding) => !encoding.trim().eq_ignore_ascii_case("identity"),
        Only::Unclear => true,
    };
    if encoded {
        return Err(Problem::new(Code::UnsupportedMediaType).with_detail("The body must not be compressed"));
    }
    match only(headers, CONTENT_TYPE) {
        Only::One(value) if is_type(value, expected) => Ok(()),
        _ => Err(Problem::new(Code::UnsupportedMediaType)
            .with_detail(format!("The body must have Content-Type: {expected}"))),
    }
}

fn is_type(value: &str, expected: &str) -> bool {
    let mut parts = value.split(';');
    let essence = parts.next().unwrap_or_default();
    let charset_ok = parts.all(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim();
        let value = value
            .strip_prefix('"')
            .and_then(|v| v.strip_suffix('"'))
            .unwrap_or(value);
        !name.trim().eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
    });
    essence.trim().eq_ignore_ascii_case(expected) && charset_ok
}

enum Only<'a> {
    None,
    One(&'a str),
    /// Given twice, or not even text.
    Unclear,
}

fn only(headers: &HeaderMap, name: HeaderName) -> Only<'_> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Only::None,
        (Some(value), None) => value.to_str().map_or(Only::Unclear, Only::One),
        (Some(_), Some(_)) => Only::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn content_types() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; profile=x",
        ] {
            assert!(is_type(good, JSON), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/x+json",
            "application/json; charset=utf-16",
            "application/json; charset",
            "application/jsonp",
            "application/json, application/json",
        ] {
            assert!(!is_type(bad, JSON), "{bad}");
        }
    }

    async fn outcome(request: TestRequest) -> Option<Code> {
        let (req, mut payload) = request.to_http_parts();
        let body = JsonBody::<20>::from_request(&req, &mut payload).await;
        body.err().map(|problem| problem.code())
    }

    fn typed(body: &'static [u8]) -> TestRequest {
        TestRequest::post()
            .insert_header((CONTENT_TYPE, JSON))
            .set_payload(body)
    }

    #[actix_web::test]
    async fn checks_come_in_order() {
        assert_eq!(outcome(typed(b"{}")).await, None);
        assert_eq!(outcome(typed(b"")).await, Some(Code::MalformedJson));
        assert_eq!(outcome(typed(&[b' '; 21])).await, Some(Code::BodyTooLarge));
        let declared = typed(b"{}").insert_header((CONTENT_LENGTH, "1000000000"));
        assert_eq!(outcome(declared).await, Some(Code::BodyTooLarge));
        let unsupported = Some(Code::UnsupportedMediaType);
        assert_eq!(outcome(TestRequest::post().set_payload("{}")).await, unsupported);
        let gzip = typed(b"{}").insert_header((CONTENT_ENCODING, "gzip"));
        assert_eq!(outcome(gzip).await, unsupported);
        let identity = typed(b"{}").insert_header((CONTENT_ENCODING, "identity"));
        assert_eq!(outcome(identity).await, None);
        let twice = typed(b"{}").append_header((CONTENT_TYPE, JSON));
        assert_eq!(outcome(twice).await, unsupported);
    }

    #[actix_web::test]
    async fn no_body_is_not_an_empty_object() {
        let (req, mut payload) = TestRequest::patch().to_http_parts();
        let none = OptionalJsonBody::<20>::from_request(&req, &mut payload).await;
        assert!(none.is_ok_and(|body| body.0.is_none()));
        let (req, mut payload) = typed(b"{}").to_http_parts();
        let some = OptionalJsonBody::<20>::from_request(&req, &mut payload).await;
        assert!(some.is_ok_and(|body| body.0.is_some()));
    }
}
