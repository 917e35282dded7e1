//! Bodies that are not what they say, that two readers would read differently, or that do not end.

use errand_testbed::{Answer, Person};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::scene::{Scene, invalid};
use super::suite::attacks;
use crate::support::{create, list, pluck, problem};

attacks! {
    "json-duplicates": a_key_given_twice_is_refused, a_key_given_twice_in_another_spelling_is_refused,
        a_key_given_twice_deep_inside_is_refused;
    "json-depth": seventeen_levels_are_refused;
    "json-parser": a_hundred_thousand_levels_are_refused, comments_in_json_are_refused,
        a_comma_too_many_is_refused, single_quotes_are_refused, not_a_number_is_refused,
        a_number_beyond_numbers_is_refused, a_lone_surrogate_is_refused,
        a_bare_control_character_is_refused, a_byte_order_mark_is_refused, utf16_is_refused,
        half_a_body_is_refused, a_number_with_a_zero_before_it_is_refused;
    "json-end": something_behind_the_json_is_refused, a_second_document_is_refused;
    "json-utf8": bytes_that_are_no_utf8_are_refused, overlong_utf8_is_refused, surrogates_in_utf8_are_refused;
    "json-object": an_array_is_no_body, a_bare_value_is_no_body;
    "json-empty": an_empty_body_is_refused;
    "body-type": json_as_plain_text_is_refused, a_form_as_a_task_is_refused, a_body_of_no_type_is_refused,
        a_dialect_of_json_is_refused, another_charset_is_refused, two_types_are_refused;
    "body-encoding": a_compressed_body_is_refused, an_unknown_encoding_is_refused, two_encodings_are_refused;
    "body-size": an_account_of_five_kilobytes_is_refused, a_task_of_300_kilobytes_is_refused,
        a_gigabyte_announced_is_refused, a_body_in_endless_chunks_is_refused,
        a_completion_of_five_kilobytes_is_refused;
    "body-timeout": a_body_that_drips_is_cut_off;
}

async fn send(scene: &Scene, person: &Person, body: &[u8]) -> Answer {
    let request = person.request(&scene.api, "POST", "/tasks");
    request.raw(body, "application/json").send().await
}

/// Refused as JSON that is none, and no task is made.
async fn malformed(scene: &Scene, body: impl AsRef<[u8]>) {
    let person = scene.person().await;
    problem(&send(scene, &person, body.as_ref()).await, 400, "malformed-json");
    assert!(list(&scene.api, &person, "").await.is_empty());
}

async fn a_key_given_twice_is_refused(scene: &Scene) {
    malformed(scene, r#"{"title":"a","title":"b"}"#).await;
}

async fn a_key_given_twice_in_another_spelling_is_refused(scene: &Scene) {
    malformed(scene, r#"{"title":"a","\u0074itle":"b"}"#).await;
}

async fn a_key_given_twice_deep_inside_is_refused(scene: &Scene) {
    malformed(scene, r#"{"title":"a","x":[{"y":{"z":1,"z":2}}]}"#).await;
}

fn nested(levels: usize) -> String {
    format!(
        "{{\"title\":\"a\",\"x\":{}1{}}}",
        "[".repeat(levels),
        "]".repeat(levels)
    )
}

async fn seventeen_levels_are_refused(scene: &Scene) {
    malformed(scene, nested(16)).await;
    let person = scene.person().await;
    assert_eq!(send(scene, &person, nested(15).as_bytes()).await.status, 201);
}

/// A reader that calls itself would run out of stack.
async fn a_hundred_thousand_levels_are_refused(scene: &Scene) {
    malformed(scene, nested(100_000)).await;
    malformed(scene, "[".repeat(200_000)).await;
    malformed(scene, "{\"a\":".repeat(50_000)).await;
}

async fn comments_in_json_are_refused(scene: &Scene) {
    malformed(scene, "{\"title\":\"a\"/*, */}").await;
    malformed(scene, "// x\n{\"title\":\"a\"}").await;
}

async fn a_comma_too_many_is_refused(scene: &Scene) {
    malformed(scene, r#"{"title":"a",}"#).await;
    malformed(scene, r#"{"title":"a","tags":["b",]}"#).await;
}

async fn single_quotes_are_refused(scene: &Scene) {
    malformed(scene, "{'title':'a'}").await;
    malformed(scene, "{title:\"a\"}").await;
}

async fn not_a_number_is_refused(scene: &Scene) {
    for number in ["NaN", "Infinity", "-Infinity", "0x10", "+1", ".5", "1."] {
        malformed(scene, format!("{{\"title\":\"a\",\"x\":{number}}}")).await;
    }
}

async fn a_number_beyond_numbers_is_refused(scene: &Scene) {
    malformed(scene, r#"{"title":"a","x":1e400}"#).await;
    malformed(scene, format!("{{\"title\":\"a\",\"x\":{}}}", "9".repeat(10_000))).await;
}

async fn a_number_with_a_zero_before_it_is_refused(scene: &Scene) {
    malformed(scene, r#"{"title":"a","x":01}"#).await;
}

async fn a_lone_surrogate_is_refused(scene: &Scene) {
    for text in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\udc00\ud800"] {
        malformed(scene, format!("{{\"title\":\"a{text}\"}}")).await;
    }
}

async fn a_bare_control_character_is_refused(scene: &Scene) {
    malformed(scene, "{\"title\":\"a\u{1}b\"}").await;
    malformed(scene, "{\"title\":\"a\u{0}b\"}").await;
    malformed(scene, "{\"title\":\"a\nb\"}").await;
}

async fn a_byte_order_mark_is_refused(scene: &Scene) {
    malformed(scene, "\u{feff}{\"title\":\"a\"}").await;
}

async fn utf16_is_refused(scene: &Scene) {
    let body: Vec<u8> = r#"{"title":"a"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    malformed(scene, body).await;
}

async fn half_a_body_is_refused(scene: &Scene) {
    for body in ["{", r#"{"title""#, r#"{"title":"a"#, r#"{"title":"a""#] {
        malformed(scene, body).await;
    }
}

async fn something_behind_the_json_is_refused(scene: &Scene) {
    malformed(scene, r#"{"title":"a"} x"#).await;
    malformed(scene, "{\"title\":\"a\"}\0").await;
}

async fn a_second_document_is_refused(scene: &Scene) {
    malformed(scene, r#"{"title":"a"}{"title":"b"}"#).await;
    malformed(scene, "{\"title\":\"a\"}\n{\"title\":\"b\"}").await;
}

async fn bytes_that_are_no_utf8_are_refused(scene: &Scene) {
    malformed(scene, b"{\"title\":\"a\xff\"}").await;
}

async fn overlong_utf8_is_refused(scene: &Scene) {
    malformed(scene, b"{\"title\":\"a\xc0\xaf\"}").await;
    malformed(scene, b"{\"title\":\"a\xe0\x80\xaf\"}").await;
}

async fn surrogates_in_utf8_are_refused(scene: &Scene) {
    malformed(scene, b"{\"title\":\"a\xed\xa0\x80\"}").await;
}

/// Where every field may be absent, something else than an object must not pass for an empty one.
async fn completing_with(scene: &Scene, body: &str) {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "a"})).await;
    let request = person.request(&scene.api, "PATCH", "/tasks/1/complete");
    let answer = request.raw(body, "application/json").send().await;
    invalid(&answer, "#");
    assert_eq!(
        pluck(&list(&scene.api, &person, "").await, "completed"),
        [json!(false)]
    );
}

async fn an_array_is_no_body(scene: &Scene) {
    for body in ["[]", r#"[{"completed":true}]"#, "[true]"] {
        completing_with(scene, body).await;
    }
}

async fn a_bare_value_is_no_body(scene: &Scene) {
    for body in ["true", "null", "1", "\"completed\""] {
        completing_with(scene, body).await;
    }
}

async fn an_empty_body_is_refused(scene: &Scene) {
    malformed(scene, "").await;
}

const TASK: &str = r#"{"title":"a"}"#;

async fn typed(scene: &Scene, kind: &str) {
    let person = scene.person().await;
    let request = person.request(&scene.api, "POST", "/tasks");
    problem(
        &request.raw(TASK, kind).send().await,
        415,
        "unsupported-media-type",
    );
    assert!(list(&scene.api, &person, "").await.is_empty());
}

/// Any page can send this without being asked whether it may.
async fn json_as_plain_text_is_refused(scene: &Scene) {
    typed(scene, "text/plain").await;
    typed(scene, "text/plain;charset=UTF-8").await;
}

async fn a_form_as_a_task_is_refused(scene: &Scene) {
    typed(scene, "application/x-www-form-urlencoded").await;
    typed(scene, "multipart/form-data; boundary=x").await;
}

async fn a_body_of_no_type_is_refused(scene: &Scene) {
    typed(scene, "").await;
}

async fn a_dialect_of_json_is_refused(scene: &Scene) {
    for kind in [
        "application/vnd.api+json",
        "application/json5",
        "application/x-ndjson",
        "text/json",
    ] {
        typed(scene, kind).await;
    }
}

async fn another_charset_is_refused(scene: &Scene) {
    for charset in ["utf-16", "iso-8859-1", "utf-7", ""] {
        typed(scene, &format!("application/json; charset={charset}")).await;
    }
}

async fn two_types_are_refused(scene: &Scene) {
    let person = scene.person().await;
    let request = person.request(&scene.api, "POST", "/tasks");
    let request = request
        .raw(TASK, "application/json")
        .header("content-type", "text/plain");
    problem(&request.send().await, 415, "unsupported-media-type");
    typed(scene, "application/json, text/plain").await;
}

async fn encoded(scene: &Scene, encodings: &[&str], body: &[u8]) {
    let person = scene.person().await;
    let request = person
        .request(&scene.api, "POST", "/tasks")
        .raw(body, "application/json");
    let request = encodings.iter().fold(request, |request, encoding| {
        request.header("content-encoding", encoding)
    });
    problem(&request.send().await, 415, "unsupported-media-type");
    assert!(list(&scene.api, &person, "").await.is_empty());
}

/// A few bytes could become a gigabyte.
async fn a_compressed_body_is_refused(scene: &Scene) {
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        encoded(scene, &[encoding], TASK.as_bytes()).await;
    }
    let gzip = [
        31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 171, 86, 42, 201, 44, 201, 73, 85, 178, 82, 74, 84, 170, 5, 0,
    ];
    encoded(scene, &["gzip"], &gzip).await;
}

async fn an_unknown_encoding_is_refused(scene: &Scene) {
    encoded(scene, &["rot13"], TASK.as_bytes()).await;
}

async fn two_encodings_are_refused(scene: &Scene) {
    encoded(scene, &["identity", "gzip"], TASK.as_bytes()).await;
    encoded(scene, &["identity, gzip"], TASK.as_bytes()).await;
}

async fn an_account_of_five_kilobytes_is_refused(scene: &Scene) {
    let body = json!({"email": scene.address(), "password": scene.password(), "x": "y".repeat(5000)});
    problem(&scene.register(&body).await, 413, "body-too-large");
}

async fn a_task_of_300_kilobytes_is_refused(scene: &Scene) {
    let person = scene.person().await;
    let body = json!({"title": "a", "x": "y".repeat(300_000)}).to_string();
    problem(
        &send(scene, &person, body.as_bytes()).await,
        413,
        "body-too-large",
    );
    assert!(list(&scene.api, &person, "").await.is_empty());
}

/// The head of a task in the making, with a line for its length.
pub fn task_head(person: &Person, length: &str) -> String {
    format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n{length}\r\n\r\n",
        person.path("/tasks"),
        person.access
    )
}

async fn a_gigabyte_announced_is_refused(scene: &Scene) {
    let person = scene.person().await;
    let answer = scene
        .raw(task_head(&person, "Content-Length: 1073741824") + "{")
        .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

async fn a_body_in_endless_chunks_is_refused(scene: &Scene) {
    let person = scene.person().await;
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let body = task_head(&person, "Transfer-Encoding: chunked") + &chunk.repeat(20);
    let mut stream = scene.connect().await;
    drop(stream.write_all(body.as_bytes()).await);
    // Not until the connection ends: the framework goes on reading what it throws away.
    let answer = scene.head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    drop(stream);
    assert!(list(&scene.api, &person, "").await.is_empty());
}

async fn a_completion_of_five_kilobytes_is_refused(scene: &Scene) {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "a"})).await;
    let request = person.request(&scene.api, "PATCH", "/tasks/1/complete");
    let body = json!({"completed": true, "x": "y".repeat(5000)});
    problem(&request.json(&body).send().await, 413, "body-too-large");
}

async fn a_body_that_drips_is_cut_off(scene: &Scene) {
    let person = scene.person().await;
    let mut stream = scene.connect().await;
    let head = task_head(&person, "Content-Length: 1000");
    stream.write_all(head.as_bytes()).await.unwrap();
    let dripping = async {
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    // One byte a second would go on for a quarter of an hour.
    drop(tokio::time::timeout(std::time::Duration::from_secs(12), dripping).await);
    let answer = scene.rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(list(&scene.api, &person, "").await.is_empty());
}
