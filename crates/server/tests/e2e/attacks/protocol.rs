//! HTTP that two programs on the way could read differently. All of it is held by the framework; errand pins it.

use errand_testbed::Person;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::bodies::task_head;
use super::scene::Scene;
use super::suite::attacks;
use crate::support::{create, list};

attacks! {
    "http-framing": a_length_beside_chunks_is_refused, two_different_lengths_are_refused,
        two_equal_lengths_are_one_request, a_length_with_a_sign_is_refused, a_negative_length_is_refused,
        an_unknown_transfer_encoding_is_refused, chunks_that_are_not_last_are_refused,
        chunks_of_http_1_0_are_refused, a_chunk_beyond_numbers_is_refused, a_chunk_that_is_no_number_is_refused,
        the_body_of_a_get_is_no_request, the_rest_of_a_refused_body_is_no_request;
    "http-parser": a_folded_line_is_refused, a_blank_before_the_colon_is_refused, nul_in_a_field_is_refused,
        a_bare_carriage_return_is_refused, a_name_with_a_blank_is_refused, a_hundred_fields_are_refused,
        a_line_without_version_is_refused, http_2_is_not_spoken_in_clear, an_endless_head_is_refused;
    "http-upgrade": an_upgrade_is_not_taken, a_connect_is_not_taken;
    "http-host": no_host_chooses_anything;
}

/// A person with one task, which the request that is smuggled would delete.
async fn owner(scene: &Scene) -> (Person, String) {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "kept"})).await;
    let smuggled = format!(
        "DELETE {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        person.path("/tasks/1"),
        person.access
    );
    (person, smuggled)
}

/// The first request is refused and nothing behind it is read as another.
async fn refused(scene: &Scene, head: impl Fn(&Person) -> String) {
    let (person, smuggled) = owner(scene).await;
    let answer = scene.raw(head(&person) + &smuggled).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(list(&scene.api, &person, "").await.len(), 1);
}

async fn a_length_beside_chunks_is_refused(scene: &Scene) {
    refused(scene, |person| {
        task_head(person, "Content-Length: 4\r\nTransfer-Encoding: chunked") + "0\r\n\r\n"
    })
    .await;
    refused(scene, |person| {
        task_head(person, "Transfer-Encoding: chunked\r\nContent-Length: 4") + "0\r\n\r\n"
    })
    .await;
}

async fn two_different_lengths_are_refused(scene: &Scene) {
    refused(scene, |person| {
        task_head(person, "Content-Length: 0\r\nContent-Length: 5") + "hello"
    })
    .await;
    refused(scene, |person| {
        task_head(person, "Content-Length: 0, 5") + "hello"
    })
    .await;
}

/// Refused or read once, but never as two.
async fn two_equal_lengths_are_one_request(scene: &Scene) {
    let (person, smuggled) = owner(scene).await;
    let length = format!("Content-Length: {0}\r\nContent-Length: {0}", smuggled.len());
    let answer = scene.raw(task_head(&person, &length) + &smuggled).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(list(&scene.api, &person, "").await.len(), 1);
}

async fn a_length_with_a_sign_is_refused(scene: &Scene) {
    refused(scene, |person| task_head(person, "Content-Length: +5") + "hello").await;
    refused(scene, |person| task_head(person, "Content-Length: 0x5") + "hello").await;
}

async fn a_negative_length_is_refused(scene: &Scene) {
    refused(scene, |person| task_head(person, "Content-Length: -5") + "hello").await;
    refused(scene, |person| {
        task_head(person, "Content-Length: 99999999999999999999999")
    })
    .await;
}

async fn an_unknown_transfer_encoding_is_refused(scene: &Scene) {
    for encoding in ["xchunked", "gzip", "identity", "chunked, chunked"] {
        refused(scene, |person| {
            task_head(person, &format!("Transfer-Encoding: {encoding}"))
        })
        .await;
    }
}

async fn chunks_that_are_not_last_are_refused(scene: &Scene) {
    refused(scene, |person| {
        task_head(person, "Transfer-Encoding: chunked, gzip") + "0\r\n\r\n"
    })
    .await;
}

async fn chunks_of_http_1_0_are_refused(scene: &Scene) {
    refused(scene, |person| {
        task_head(person, "Transfer-Encoding: chunked").replace("HTTP/1.1", "HTTP/1.0") + "0\r\n\r\n"
    })
    .await;
}

async fn a_chunk_beyond_numbers_is_refused(scene: &Scene) {
    refused(scene, |person| {
        task_head(person, "Transfer-Encoding: chunked\r\nConnection: close") + "fffffffffffffffff\r\nx"
    })
    .await;
}

async fn a_chunk_that_is_no_number_is_refused(scene: &Scene) {
    for size in ["x", "-1", "0x5", "5 5"] {
        refused(scene, |person| {
            task_head(person, "Transfer-Encoding: chunked\r\nConnection: close") + size + "\r\nhello\r\n"
        })
        .await;
    }
}

async fn the_body_of_a_get_is_no_request(scene: &Scene) {
    let (person, smuggled) = owner(scene).await;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{smuggled}",
        person.path("/tasks"),
        person.access,
        smuggled.len()
    );
    let answer = scene.raw(request).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert_eq!(list(&scene.api, &person, "").await.len(), 1);
}

/// The gate refuses without reading the body; what comes then is still that body.
async fn the_rest_of_a_refused_body_is_no_request(scene: &Scene) {
    let (person, smuggled) = owner(scene).await;
    let head = format!(
        "POST /api/1/tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        smuggled.len()
    );
    let mut stream = scene.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = scene.head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    drop(stream.write_all(smuggled.as_bytes()).await);
    let rest = scene.rest(&mut stream).await;
    assert!(!rest.contains("HTTP/1.1"), "{rest}");
    assert_eq!(list(&scene.api, &person, "").await.len(), 1);
}

/// A line among the fields of an otherwise good request.
async fn field(scene: &Scene, line: &str) {
    let person = scene.person().await;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{line}\r\nConnection: close\r\n\r\n",
        person.path("/tasks"),
        person.access
    );
    let answer = scene.raw(request).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{line:?}: {answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

async fn a_folded_line_is_refused(scene: &Scene) {
    field(scene, "X-Folded: a\r\n b").await;
    field(scene, "X-Folded: a\r\n\tTransfer-Encoding: chunked").await;
}

async fn a_blank_before_the_colon_is_refused(scene: &Scene) {
    field(scene, "Content-Length : 5").await;
    field(scene, "Transfer-Encoding\t: chunked").await;
}

async fn nul_in_a_field_is_refused(scene: &Scene) {
    field(scene, "X-Nul: a\0b").await;
    field(scene, "X-\0Nul: a").await;
}

async fn a_bare_carriage_return_is_refused(scene: &Scene) {
    field(scene, "X-Bare: a\rContent-Length: 5").await;
}

async fn a_name_with_a_blank_is_refused(scene: &Scene) {
    field(scene, "X User: a").await;
    field(scene, ": nameless").await;
    field(scene, "no colon").await;
}

async fn a_hundred_fields_are_refused(scene: &Scene) {
    let fields: Vec<_> = (0..100).map(|n| format!("X-{n}: a\r\n")).collect();
    let fields = fields.concat();
    garbled(scene, &format!("GET /health HTTP/1.1\r\nHost: x\r\n{fields}\r\n")).await;
}

async fn garbled(scene: &Scene, request: &str) {
    let answer = scene.raw(request).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert!(answer.matches("HTTP/1.").count() <= 1, "{answer}");
}

async fn a_line_without_version_is_refused(scene: &Scene) {
    garbled(scene, "GET /health\r\n\r\n").await;
    garbled(scene, "GET /health HTTP/9.9\r\nHost: x\r\n\r\n").await;
    garbled(scene, "GET  /health  HTTP/1.1\r\nHost: x\r\n\r\n").await;
}

async fn http_2_is_not_spoken_in_clear(scene: &Scene) {
    garbled(scene, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
}

async fn an_endless_head_is_refused(scene: &Scene) {
    let long = "x".repeat(200_000);
    garbled(
        scene,
        &format!("GET /health HTTP/1.1\r\nHost: x\r\nX-Long: {long}"),
    )
    .await;
    garbled(scene, &format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
}

async fn an_upgrade_is_not_taken(scene: &Scene) {
    for upgrade in ["websocket", "h2c", "TLS/1.0"] {
        let request = format!(
            "GET /api/auth/me HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: {upgrade}\r\n\
             HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut stream = scene.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = scene.head(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
}

async fn a_connect_is_not_taken(scene: &Scene) {
    let mut stream = scene.connect().await;
    let request = "CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = scene.head(&mut stream).await;
    assert!(
        !answer.starts_with("HTTP/1.1 2") && !answer.starts_with("HTTP/1.1 5"),
        "{answer}"
    );
}

/// Errand has no use for the name that it was called by: nothing is chosen by it, and nothing repeats it.
async fn no_host_chooses_anything(scene: &Scene) {
    let person = scene.person().await;
    for host in [
        "",
        "Host: evil.example\r\n",
        "Host: a\r\nHost: evil.example\r\n",
        "Host: evil.example@x/..\r\n",
    ] {
        let request = format!(
            "GET {} HTTP/1.1\r\n{host}Authorization: Bearer {}\r\nConnection: close\r\n\r\n",
            person.path("/tasks"),
            person.access
        );
        let answer = scene.raw(request).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 400"),
            "{answer}"
        );
        assert!(!answer.contains("evil"), "{answer}");
    }
}
