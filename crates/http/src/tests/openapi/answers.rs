//! Every answer that a test of this crate gets is one that the document tells of.

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use serde_json::Value;

use super::document::{members, misfit, operations, resolve};
use crate::openapi::UNTOLD;
use crate::problem::Code;
use crate::routes::{ENDPOINTS, Endpoint};

/// What the framework and the outermost layer add to any answer.
const GENERAL: [&str; 12] = [
    "allow",
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "cache-control",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "referrer-policy",
    "vary",
    "x-content-type-options",
];

/// Sent where they make a difference, and told of there in words.
const RARE: [&str; 2] = ["pragma", "strict-transport-security"];

/// The row that answers to this method and path.
fn row(method: &Method, path: &str) -> Option<&'static Endpoint> {
    let method = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let parts = |path: &str| -> Vec<String> {
        let parts = path.strip_suffix("/").unwrap_or(path).split('/');
        parts.map(str::to_owned).collect()
    };
    let asked = parts(path);
    let same = |pattern: &str| {
        let pattern = parts(pattern);
        let mut pairs = pattern.iter().zip(&asked);
        pattern.len() == asked.len() && pairs.all(|(a, b)| a == b || a.starts_with('{') && !b.is_empty())
    };
    let mut rows: Vec<_> = ENDPOINTS
        .iter()
        .filter(|row| row.method == *method)
        .filter(|row| {
            std::iter::once(&row.path)
                .chain(row.aliases)
                .any(|path| same(path))
        })
        .collect();
    // `/api/me` before `/api/{user_id}`.
    rows.sort_by_key(|row| row.path.contains("{user_id}"));
    rows.first().copied()
}

/// Panics with what the document does not know.
pub fn assert_documented(method: &Method, path: &str, status: u16, headers: &HeaderMap, body: &[u8]) {
    let told = format!("{method} {path}: {status} {}", String::from_utf8_lossy(body));
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let code = json.as_ref().and_then(|json| json["code"].as_str());
    let everywhere = UNTOLD.map(Code::slug);
    let Some(row) = row(method, path) else {
        return;
    };
    if *method == Method::OPTIONS || code.is_some_and(|code| everywhere.contains(&code)) {
        return;
    }
    let operations = operations();
    let operation = operations
        .iter()
        .find(|(method, path, _)| *method == row.method.as_str() && *path == row.path);
    let (_, _, operation) = operation.unwrap();
    let responses = &operation["responses"];
    let response = responses
        .get(status.to_string())
        .unwrap_or_else(|| panic!("status of {told}"));
    let response = resolve(response);
    let response = resolve(response);
    for (name, _) in headers {
        let name = name.as_str();
        let known = members(&response["headers"]).any(|(known, _)| known.eq_ignore_ascii_case(name));
        let elsewhere = GENERAL.contains(&name) || RARE.contains(&name);
        assert!(known || elsewhere, "header {name} of {told}");
    }
    for (name, _) in members(&response["headers"]) {
        // These come only when there is something to say.
        let sometimes = ["Link", "X-Total-Count", "Idempotency-Replayed"].contains(&name);
        assert!(
            sometimes || headers.contains_key(name.to_lowercase()),
            "no {name} in {told}"
        );
    }
    let Some(media) = headers.get("content-type") else {
        assert!(
            response.get("content").is_none() || *method == Method::HEAD,
            "no type of {told}"
        );
        return;
    };
    let media = media.to_str().unwrap().split(';').next().unwrap();
    let content = members(&response["content"]).find(|(known, _)| *known == media);
    let (_, content) = content.unwrap_or_else(|| panic!("type {media} of {told}"));
    if *method == Method::HEAD || !media.ends_with("json") || row.path == "/openapi.json" {
        return;
    }
    let json = json.as_ref().unwrap_or_else(|| panic!("no JSON: {told}"));
    assert_eq!(misfit(json, &content["schema"]), None, "{told}");
    if status >= 400 {
        let known = members(&content["examples"]).any(|(known, _)| Some(known) == code);
        assert!(known, "code of {told}");
    }
}
