//! Requests that may come again: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header, without its quotes).

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponseBuilder};
use aws_lc_rs::digest;
use errand_application::ports::Request;
use errand_domain::Fault;
use errand_domain::idempotency::IdempotencyKey;
use errand_domain::session::Digest;

use crate::fields::Fields;
use crate::problem::{IDEMPOTENCY_KEY, Invalid, Problem};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// By what a request is known when it comes again, if its client has given it a key. Another request is one to
/// another address, or with other fields in its body; in which order they stand does not matter.
pub(crate) fn request(req: &HttpRequest, body: Option<&Fields>) -> Result<Option<Request>, Problem> {
    let mut sent = req.headers().get_all(IDEMPOTENCY_KEY);
    let (Some(key), more) = (sent.next(), sent.next()) else {
        return Ok(None);
    };
    let key = match more {
        None => IdempotencyKey::parse(key.to_str().unwrap_or_default()),
        Some(_) => Err(Fault::new("repeated", "must be sent once")),
    };
    let key = key.map_err(|fault| Problem::invalid(vec![Invalid::header(IDEMPOTENCY_KEY, fault)]))?;
    let path = req.path().trim_end_matches('/');
    let body = body.map(Fields::spelled).unwrap_or_default();
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in [req.method().as_str(), path, &body] {
        hash.update(&part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(hash.finish().as_ref());
    Ok(Some(Request {
        key,
        fingerprint: Digest(fingerprint),
    }))
}

/// Tells a client that it was answered as an earlier time.
pub(crate) fn mark(response: &mut HttpResponseBuilder, replayed: bool) {
    if replayed {
        response.insert_header((REPLAYED, "true"));
    }
}
