//! The document of the interface as it is served, and a page to read it and to try it out (Swagger UI, in the
//! binary). The page may load from this service alone, and runs no script and no text that is not in a file.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::conditions::if_none_match;
use crate::context::segment;
use crate::problem::{Code, Problem};

/// The document, which is made elsewhere.
pub(crate) struct Document {
    text: &'static str,
    tag: String,
}

impl Document {
    pub(crate) fn new(text: &'static str) -> Self {
        Self {
            text,
            tag: tag(text.as_bytes()),
        }
    }
}

/// A file of the page.
struct File {
    name: &'static str,
    media: &'static str,
    bytes: &'static [u8],
    tag: String,
}

static PAGE: &str = include_str!("../assets/reference/index.html");

static FILES: LazyLock<[File; 4]> = LazyLock::new(|| {
    let css = "text/css; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    let file = |name, media, bytes| File {
        name,
        media,
        bytes,
        tag: tag(bytes),
    };
    [
        file(
            "swagger-ui.css",
            css,
            include_bytes!("../assets/swagger-ui/swagger-ui.css"),
        ),
        file(
            "swagger-ui-bundle.js",
            script,
            include_bytes!("../assets/swagger-ui/swagger-ui-bundle.js"),
        ),
        file(
            "reference.css",
            css,
            include_bytes!("../assets/reference/reference.css"),
        ),
        file(
            "reference.js",
            script,
            include_bytes!("../assets/reference/reference.js"),
        ),
    ]
});

/// `data:` is for the pictures in the style sheet; Swagger UI writes styles into its elements.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// May be kept, and is asked for before each use whether it is still good.
const KEEP: (HeaderName, &str) = (CACHE_CONTROL, "no-cache");

/// The names of the files.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|file| file.name)
}

/// `GET /openapi.json`
pub(crate) async fn openapi(req: HttpRequest, document: Data<Document>) -> Result<HttpResponse, Problem> {
    answer(&req, "application/json", document.text.as_bytes(), &document.tag)
}

/// `GET /docs`
pub(crate) async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(KEEP)
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(PAGE)
}

/// `GET /docs/{file}`
pub(crate) async fn file(req: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = segment(&req, "file");
    let file = FILES.iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| Problem::new(Code::NotFound))?;
    answer(&req, file.media, file.bytes, &file.tag)
}

fn answer(req: &HttpRequest, media: &str, bytes: &'static [u8], tag: &str) -> Result<HttpResponse, Problem> {
    let known = if_none_match(req)?.is_some_and(|has| has.knows(tag));
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((ETAG, format!("\"{tag}\"")))
        .insert_header(KEEP);
    Ok(if known {
        response.finish()
    } else {
        response.content_type(media).body(bytes)
    })
}

fn tag(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, bytes))
}
