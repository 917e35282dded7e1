//! The document of the interface: what is in it, that it is whole, and that it is true.

mod answers;
mod document;

use std::collections::{BTreeMap, BTreeSet};

use actix_web::test::TestRequest;
use serde_json::Value;

pub use answers::assert_documented;
use document::{DOCUMENT, members, misfit, operations, resolve};

use super::support::{Mocks, TOKEN, send_one};
use crate::openapi::UNTOLD;
use crate::problem::Code;
use crate::routes::ENDPOINTS;

#[test]
fn the_file_is_what_is_served() {
    let file = include_str!("../../../../specs/openapi.json");
    assert!(
        file == crate::openapi_json(),
        "specs/openapi.json is not up to date: cargo run -- openapi > specs/openapi.json"
    );
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let described: BTreeSet<_> = operations()
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    let routes = ENDPOINTS.iter().map(|row| (row.method.to_string(), row.path));
    assert_eq!(described, routes.collect());
    let ids: BTreeSet<_> = operations()
        .iter()
        .map(|(_, _, o)| o["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), ENDPOINTS.len());
    for id in ids {
        assert!(
            id.bytes().all(|b| b.is_ascii_alphabetic()) && id.starts_with(|c: char| c.is_lowercase()),
            "{id}"
        );
    }
    for (method, path, operation) in operations() {
        let row = ENDPOINTS
            .iter()
            .find(|row| row.method == *method && row.path == path)
            .unwrap();
        for alias in row.aliases {
            assert!(
                operation["description"]
                    .as_str()
                    .unwrap()
                    .contains(&format!("`{alias}`")),
                "{alias}"
            );
        }
    }
}

/// Every reference in a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, member) in object {
                match member.as_str().filter(|_| name == "$ref") {
                    Some(place) => drop(found.insert(place.to_owned())),
                    None => references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn what_is_shared_is_used_and_what_is_used_is_there() {
    let mut used = BTreeSet::new();
    references(&DOCUMENT, &mut used);
    let mut there = BTreeSet::new();
    for (kind, all) in members(&DOCUMENT["components"]).filter(|(kind, _)| *kind != "securitySchemes") {
        for (name, _) in members(all) {
            there.insert(format!("#/components/{kind}/{name}"));
        }
    }
    let unused: BTreeSet<_> = there.difference(&used).cloned().collect();
    assert_eq!(unused, BTreeSet::new(), "nothing refers to them");
    assert_eq!(used.difference(&there).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn links_lead_to_operations_and_fill_their_parameters() {
    let parameters: BTreeMap<&str, BTreeSet<&str>> = operations()
        .into_iter()
        .map(|(_, _, operation)| {
            let names = operation["parameters"].as_array().into_iter().flatten();
            let names = names.map(|parameter| resolve(parameter)["name"].as_str().unwrap());
            (operation["operationId"].as_str().unwrap(), names.collect())
        })
        .collect();
    let mut links = 0;
    for (_, path, operation) in operations() {
        for (_, response) in members(&operation["responses"]) {
            let response = resolve(response);
            for (_, link) in members(&response["links"]) {
                let target = &parameters[link["operationId"].as_str().unwrap()];
                assert!(
                    members(&link["parameters"]).all(|(name, _)| target.contains(name)),
                    "{path}: {link}"
                );
                links += 1;
            }
        }
    }
    assert!(links > 20, "{links}");
}

#[test]
fn parameters_of_queries_are_those_of_the_table() {
    for row in ENDPOINTS {
        let operation = operations()
            .into_iter()
            .find(|(m, p, _)| *m == row.method.as_str() && *p == row.path);
        let parameters = operation.unwrap().2["parameters"]
            .as_array()
            .into_iter()
            .flatten();
        let query = parameters
            .map(resolve)
            .filter(|parameter| parameter["in"] == "query");
        let named: BTreeSet<_> = query
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        if let Some(known) = row.query {
            assert_eq!(named, known.iter().copied().collect(), "{}", row.path);
        }
    }
}

#[test]
fn every_code_is_told_of() {
    let mut told = BTreeSet::new();
    for (_, path, operation) in operations() {
        for (status, response) in members(&operation["responses"]) {
            let response = resolve(response);
            for (code, _) in members(&response["content"]["application/problem+json"]["examples"]) {
                let code = Code::parse(code).unwrap();
                assert_eq!(code.status().as_str(), status, "{path}");
                told.insert(code.slug());
            }
        }
    }
    told.extend(UNTOLD.map(Code::slug));
    let all: BTreeSet<_> = Code::ALL.iter().map(|code| code.slug()).collect();
    assert_eq!(told, all);
}

#[test]
fn examples_fit_their_schemas() {
    let mut seen = 0;
    let mut check = |content: &'static Value, place: &str| {
        let many = members(&content["examples"]).map(|(_, example)| &resolve(example)["value"]);
        for example in many.chain(content.get("example")) {
            assert_eq!(misfit(example, &content["schema"]), None, "{place}");
            seen += 1;
        }
    };
    for (method, path, operation) in operations() {
        let place = format!("{method} {path}");
        members(&operation["requestBody"]["content"]).for_each(|(_, content)| check(content, &place));
        for (_, response) in members(&operation["responses"]) {
            let response = resolve(response);
            members(&response["content"]).for_each(|(_, content)| check(content, &place));
        }
    }
    assert!(seen > 300, "{seen}");
}

#[actix_web::test]
async fn bodies_may_be_as_long_as_the_document_says() {
    let mut bodies = 0;
    for (method, path, operation) in operations() {
        let Some(body) = operation.get("requestBody") else {
            continue;
        };
        let (media, _) = members(&body["content"]).next().unwrap();
        let path = path.replace("{user_id}", "1").replace("{id}", "1");
        let request = TestRequest::with_uri(&path)
            .method(method.parse().unwrap())
            .insert_header(("authorization", format!("Bearer {TOKEN}")))
            .insert_header(("content-type", media))
            .insert_header(("content-length", "100000000"));
        let answer = send_one(Mocks::default(), request).await;
        assert_eq!(answer.code(), "body-too-large", "{path}");
        let most = |text: &Value| text.as_str().unwrap().split(" most ").nth(1).map(str::to_owned);
        let (told, done) = (most(&body["description"]), most(&answer.json()["detail"]));
        assert_eq!(told.unwrap().trim_end_matches('.'), done.unwrap(), "{path}");
        bodies += 1;
    }
    assert!(bodies > 10, "{bodies}");
}

#[actix_web::test]
async fn the_document_is_served_and_kept() {
    let get = || TestRequest::with_uri("/openapi.json");
    let answer = send_one(Mocks::default(), get()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(answer.json(), *DOCUMENT);
    assert_eq!(DOCUMENT["openapi"], "3.1.0");
    let tag = answer.header("etag").unwrap().to_owned();
    let again = send_one(Mocks::default(), get().insert_header(("if-none-match", tag))).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    let other = get().insert_header(("origin", "http://localhost:3000"));
    let answer = send_one(Mocks::default(), other).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("http://localhost:3000")
    );
}

#[actix_web::test]
async fn the_reference_runs_nothing_but_its_own_files() {
    let page = send_one(Mocks::default(), TestRequest::with_uri("/docs")).await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let text = String::from_utf8(page.body).unwrap();
    assert!(!text.contains("style=") && !text.contains("<style") && !text.contains("<script>"));
    let sources = text
        .split("=\"/docs/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());
    let files: BTreeSet<_> = sources.collect();
    assert_eq!(files, crate::reference::names().collect());
    for file in files {
        let answer = send_one(Mocks::default(), TestRequest::with_uri(&format!("/docs/{file}"))).await;
        assert_eq!(answer.status, 200, "{file}");
        assert!(
            answer
                .header("content-security-policy")
                .unwrap()
                .starts_with("default-src 'none'; frame")
        );
    }
    for file in ["x", "..", "LICENSE", "%2e%2e%2fLICENSE"] {
        let answer = send_one(Mocks::default(), TestRequest::with_uri(&format!("/docs/{file}"))).await;
        assert_eq!(answer.status, 404, "{file}");
    }
}
