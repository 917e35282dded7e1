//! Header fields: too many, too strange, or meant for somebody else.

use serde_json::json;

use super::scene::Scene;
use super::suite::attacks;
use crate::support::{create, problem};

attacks! {
    "headers-count": sixty_five_fields_are_refused;
    "headers-bytes": seventeen_kilobytes_of_fields_are_refused;
    "request-id": a_request_id_with_markup_is_not_echoed, a_request_id_without_end_is_not_echoed,
        a_request_id_of_other_bytes_is_not_echoed, a_request_id_cannot_break_a_line_of_the_log;
    "relative-links": a_location_names_no_host, a_link_names_no_host;
    "http-encoding": a_line_break_in_a_link_is_encoded;
    "http-headers": a_range_shows_no_part, an_accept_of_html_gets_no_html,
        an_expectation_costs_no_body_without_a_token;
}

async fn sixty_five_fields_are_refused(scene: &Scene) {
    let person = scene.person().await;
    let request = person.request(&scene.api, "GET", "/tasks");
    let request = (0..65).fold(request, |request, n| request.header(&format!("x-{n}"), "x"));
    problem(&request.send().await, 431, "headers-too-large");
}

async fn seventeen_kilobytes_of_fields_are_refused(scene: &Scene) {
    let person = scene.person().await;
    let request = person.request(&scene.api, "GET", "/tasks");
    let request = request.header("x-long", &"x".repeat(17 * 1024));
    problem(&request.send().await, 431, "headers-too-large");
}

async fn not_echoed(scene: &Scene, id: &[u8]) {
    let request = scene.api.request("GET", "/nothing");
    let answer = request.header_bytes("x-request-id", id).send().await;
    let told = answer.header("x-request-id").unwrap();
    assert_eq!(told.len(), 36, "{told}");
    assert_ne!(told.as_bytes(), id);
    assert_eq!(problem(&answer, 404, "not-found")["request_id"], told);
}

async fn a_request_id_with_markup_is_not_echoed(scene: &Scene) {
    for id in [
        "<script>alert(1)</script>",
        "a b",
        "a\"b",
        "\u{0}".trim_matches('\0'),
        "../x",
        "${jndi:x}",
    ] {
        not_echoed(scene, id.as_bytes()).await;
    }
}

async fn a_request_id_without_end_is_not_echoed(scene: &Scene) {
    not_echoed(scene, &[b'x'; 129]).await;
    not_echoed(scene, &[b'x'; 8000]).await;
}

async fn a_request_id_of_other_bytes_is_not_echoed(scene: &Scene) {
    not_echoed(scene, "é".as_bytes()).await;
    not_echoed(scene, b"\xff\xfe").await;
    not_echoed(scene, "\u{9b}31m".as_bytes()).await;
}

async fn a_request_id_cannot_break_a_line_of_the_log(scene: &Scene) {
    let id = "\",\"message\":\"forged-line";
    not_echoed(scene, id.as_bytes()).await;
    let log = scene.service.errand.log();
    assert!(!log.contains("forged-line"));
}

/// Whoever chooses the host of a request must not choose where others are sent.
async fn a_location_names_no_host(scene: &Scene) {
    let person = scene.person().await;
    let request = person.request(&scene.api, "POST", "/tasks");
    let request = request
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example");
    let answer = request.json(&json!({"title": "a"})).send().await;
    assert_eq!(answer.header("location"), Some(person.path("/tasks/1").as_str()));
    assert!(!format!("{:?}{}", answer.headers, answer.text()).contains("evil"));
}

async fn a_link_names_no_host(scene: &Scene) {
    let person = scene.person().await;
    for _ in 0..2 {
        create(&scene.api, &person, json!({"title": "a"})).await;
    }
    let request = person.request(&scene.api, "GET", "/tasks?limit=1");
    let request = request
        .header("host", "evil.example")
        .header("forwarded", "host=evil.example;proto=http");
    let answer = request.send().await;
    let link = answer.header("link").unwrap();
    assert!(
        link.starts_with(&format!("<{}?", person.path("/tasks"))),
        "{link}"
    );
}

/// The link repeats what was searched for.
async fn a_line_break_in_a_link_is_encoded(scene: &Scene) {
    let person = scene.person().await;
    for _ in 0..2 {
        create(&scene.api, &person, json!({"title": "a x-injected: 1>; b"})).await;
    }
    let query = "q=a%0d%0aX-Injected:%201%3E%3B&limit=1";
    let answer = person
        .request(&scene.api, "GET", &format!("/tasks?{query}"))
        .send()
        .await;
    assert_eq!((answer.status, answer.header("x-injected")), (200, None));
    let link = answer.header("link").unwrap();
    assert!(link.contains("%0D%0A") && link.contains("%3E%3B"), "{link}");
    assert_eq!(link.matches('>').count(), 1, "{link}");
}

async fn a_range_shows_no_part(scene: &Scene) {
    let (attacker, _) = scene.pair().await;
    let request = attacker
        .request(&scene.api, "GET", "/tasks")
        .header("range", "bytes=0-0,2-3,5-9");
    let answer = request.send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json().as_array().unwrap().len(), 1);
}

async fn an_accept_of_html_gets_no_html(scene: &Scene) {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "<script>alert(1)</script>"})).await;
    for path in ["/tasks", "/tasks/1", "/tasks/%3Cscript%3E"] {
        let request = person
            .request(&scene.api, "GET", path)
            .header("accept", "text/html");
        let answer = request.send().await;
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("application/"), "{kind}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

async fn an_expectation_costs_no_body_without_a_token(scene: &Scene) {
    let answer = scene
        .raw(
            "POST /api/1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\
             Expect: 100-continue\r\nConnection: close\r\n\r\n",
        )
        .await;
    let answer = answer.replace("HTTP/1.1 100 Continue\r\n\r\n", "");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}
