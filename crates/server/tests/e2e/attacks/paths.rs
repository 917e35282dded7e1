//! Paths and methods.

use serde_json::json;

use super::scene::Scene;
use super::suite::attacks;
use crate::support::{create, problem};

attacks! {
    "uri-length": a_path_of_nine_kilobytes_is_refused, a_query_of_nine_kilobytes_is_refused;
    "router": dot_segments_lead_nowhere, dot_segments_in_disguise_lead_nowhere, two_slashes_lead_nowhere,
        a_slash_in_disguise_leads_nowhere, capitals_lead_nowhere, a_backslash_leads_nowhere,
        a_twice_encoded_path_leads_nowhere;
    "path-check": a_user_with_a_parameter_behind_is_another_user, a_user_cut_off_by_nul_is_another_user,
        an_address_in_the_request_line_is_looked_at_too;
    "id-spelling": an_id_with_a_zero_before_it_is_no_task, an_id_with_a_plus_is_no_task;
    "id-form": an_id_with_nul_is_no_task, an_id_with_a_line_break_is_no_task, an_id_of_other_bytes_is_no_task,
        an_id_beyond_numbers_is_no_task, an_id_with_a_fraction_is_no_task, markup_is_no_task;
    "route-method": another_method_by_a_header_is_not_taken, another_method_by_a_parameter_is_not_taken,
        trace_is_refused, an_unknown_method_is_refused, a_method_in_small_letters_is_refused;
    "http-methods": options_shows_no_data, head_shows_no_data;
}

/// The attacker asks for this path, given the victim's id, and gets nothing of the victim's.
async fn astray(scene: &Scene, path: impl Fn(i64, i64) -> String) {
    let (attacker, victim) = scene.pair().await;
    let path = path(attacker.id, victim.id);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        attacker.access
    );
    let answer = scene.raw(request).await;
    let refused = ["HTTP/1.1 400", "HTTP/1.1 403", "HTTP/1.1 404"];
    assert!(
        refused.iter().any(|status| answer.starts_with(status)),
        "{path}: {answer}"
    );
    assert!(!answer.contains("victims-mark"), "{path}: {answer}");
}

async fn a_path_of_nine_kilobytes_is_refused(scene: &Scene) {
    let person = scene.person().await;
    let request = person.request(&scene.api, "GET", &format!("/tasks/{}", "9".repeat(9000)));
    problem(&request.send().await, 414, "uri-too-long");
}

async fn a_query_of_nine_kilobytes_is_refused(scene: &Scene) {
    let person = scene.person().await;
    let request = person.request(&scene.api, "GET", &format!("/tasks?q={}", "x".repeat(9000)));
    problem(&request.send().await, 414, "uri-too-long");
}

async fn dot_segments_lead_nowhere(scene: &Scene) {
    astray(scene, |a, v| format!("/api/{a}/tasks/../../{v}/tasks")).await;
    astray(scene, |a, v| format!("/api/{a}/../{v}/tasks")).await;
    astray(scene, |_, v| format!("/api/./{v}/tasks")).await;
}

async fn dot_segments_in_disguise_lead_nowhere(scene: &Scene) {
    astray(scene, |a, v| format!("/api/{a}/tasks/%2e%2e/%2e%2e/{v}/tasks")).await;
    astray(scene, |a, v| format!("/api/{a}/%2E./{v}/export")).await;
}

async fn two_slashes_lead_nowhere(scene: &Scene) {
    astray(scene, |_, v| format!("//api/{v}/tasks")).await;
    astray(scene, |_, v| format!("/api//{v}/tasks")).await;
    astray(scene, |a, v| format!("/api/{a}//{v}/tasks")).await;
}

async fn a_slash_in_disguise_leads_nowhere(scene: &Scene) {
    astray(scene, |a, v| format!("/api/{a}%2f..%2f{v}/tasks")).await;
    astray(scene, |a, v| format!("/api/{a}%2f{v}/tasks")).await;
}

async fn capitals_lead_nowhere(scene: &Scene) {
    astray(scene, |_, v| format!("/API/{v}/tasks")).await;
    astray(scene, |_, v| format!("/api/{v}/TASKS")).await;
}

async fn a_backslash_leads_nowhere(scene: &Scene) {
    astray(scene, |a, v| format!("/api/{a}\\..\\{v}/tasks")).await;
    astray(scene, |a, v| format!("/api/{a}%5c..%5c{v}/tasks")).await;
}

async fn a_twice_encoded_path_leads_nowhere(scene: &Scene) {
    astray(scene, |a, v| {
        format!("/api/{a}/tasks/%252e%252e/%252e%252e/{v}/tasks")
    })
    .await;
    astray(scene, |_, v| {
        let twice: Vec<_> = v.to_string().bytes().map(|b| format!("%25{b:02x}")).collect();
        format!("/api/{}/tasks", twice.concat())
    })
    .await;
}

async fn wrong_user(scene: &Scene, target: impl Fn(i64, i64) -> String) {
    let (attacker, victim) = scene.pair().await;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        target(attacker.id, victim.id),
        attacker.access
    );
    let answer = scene.raw(request).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

async fn a_user_with_a_parameter_behind_is_another_user(scene: &Scene) {
    wrong_user(scene, |a, _| format!("/api/{a};admin=1/tasks")).await;
    wrong_user(scene, |_, v| format!("/api/{v};x/tasks")).await;
}

async fn a_user_cut_off_by_nul_is_another_user(scene: &Scene) {
    wrong_user(scene, |_, v| format!("/api/{v}%00/tasks")).await;
    wrong_user(scene, |a, v| format!("/api/{a}%00{v}/tasks")).await;
}

/// `GET http://…/api/2/tasks` is for a proxy, and must not go past the gate.
async fn an_address_in_the_request_line_is_looked_at_too(scene: &Scene) {
    wrong_user(scene, |_, v| format!("http://localhost/api/{v}/tasks")).await;
    wrong_user(scene, |a, v| format!("http://x/api/{v}/tasks?/api/{a}/tasks")).await;
}

/// No such id is a task, and nothing of it comes back.
async fn no_task(scene: &Scene, id: &str) {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "a"})).await;
    for (method, tail) in [("GET", ""), ("DELETE", ""), ("PATCH", "/complete")] {
        let request = person.request(&scene.api, method, &format!("/tasks/{id}{tail}"));
        let answer = request.send().await;
        problem(&answer, 404, "task-not-found");
        assert_eq!(answer.header("x-injected"), None);
    }
}

async fn an_id_with_a_zero_before_it_is_no_task(scene: &Scene) {
    no_task(scene, "01").await;
    no_task(scene, "00000000000000000001").await;
}

async fn an_id_with_a_plus_is_no_task(scene: &Scene) {
    no_task(scene, "+1").await;
    no_task(scene, "%2B1").await;
}

async fn an_id_with_nul_is_no_task(scene: &Scene) {
    no_task(scene, "1%00").await;
    no_task(scene, "%00").await;
}

async fn an_id_with_a_line_break_is_no_task(scene: &Scene) {
    no_task(scene, "1%0d%0aX-Injected:%201").await;
}

async fn an_id_of_other_bytes_is_no_task(scene: &Scene) {
    no_task(scene, "%ff%fe").await;
    no_task(scene, "%c0%b1").await;
}

async fn an_id_beyond_numbers_is_no_task(scene: &Scene) {
    no_task(scene, "9223372036854775808").await;
    no_task(scene, &"9".repeat(2000)).await;
}

async fn an_id_with_a_fraction_is_no_task(scene: &Scene) {
    no_task(scene, "1.0").await;
    no_task(scene, "1e0").await;
    no_task(scene, "0x1").await;
}

async fn markup_is_no_task(scene: &Scene) {
    no_task(scene, "%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    no_task(scene, "1'%20or%20'1'='1").await;
}

async fn another_method_by_a_header_is_not_taken(scene: &Scene) {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "a"})).await;
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let request = person
            .request(&scene.api, "POST", "/tasks/1")
            .header(name, "DELETE");
        problem(&request.send().await, 405, "method-not-allowed");
        let request = person
            .request(&scene.api, "GET", "/tasks/1")
            .header(name, "DELETE");
        assert_eq!(request.send().await.status, 200);
    }
    assert_eq!(
        person.request(&scene.api, "GET", "/tasks/1").send().await.status,
        200
    );
}

async fn another_method_by_a_parameter_is_not_taken(scene: &Scene) {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "a"})).await;
    let request = person.request(&scene.api, "POST", "/tasks/1?_method=DELETE");
    let request = request.raw("_method=DELETE", "application/x-www-form-urlencoded");
    problem(&request.send().await, 405, "method-not-allowed");
    assert_eq!(
        person.request(&scene.api, "GET", "/tasks/1").send().await.status,
        200
    );
}

async fn methods(scene: &Scene, method: &str) {
    let person = scene.person().await;
    for path in [
        "/api/auth/login".to_owned(),
        person.path("/tasks"),
        person.path("/password"),
    ] {
        let request = scene.api.request(method, &path).bearer(&person.access);
        let answer = request.header("x-probe", "needle").send().await;
        problem(&answer, 405, "method-not-allowed");
        assert!(answer.header("allow").is_some());
        assert!(!answer.text().contains("needle"));
    }
}

async fn trace_is_refused(scene: &Scene) {
    methods(scene, "TRACE").await;
    methods(scene, "TRACK").await;
}

async fn an_unknown_method_is_refused(scene: &Scene) {
    for method in ["FOO", "PROPFIND", "DEBUG", "LINK"] {
        methods(scene, method).await;
    }
}

async fn a_method_in_small_letters_is_refused(scene: &Scene) {
    methods(scene, "get").await;
    methods(scene, "delete").await;
}

async fn options_shows_no_data(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    for person in [&attacker, &victim] {
        let request = scene.api.request("OPTIONS", &person.path("/tasks"));
        let answer = request.bearer(&attacker.access).send().await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
}

async fn head_shows_no_data(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let own = scene.api.request("HEAD", &attacker.path("/tasks/2"));
    let answer = own.bearer(&attacker.access).send().await;
    assert_eq!((answer.status, answer.body.len()), (404, 0));
    let theirs = scene.api.request("HEAD", &victim.path("/tasks/2"));
    let answer = theirs.bearer(&attacker.access).send().await;
    assert_eq!((answer.status, answer.body.len()), (403, 0));
    assert_eq!(answer.header("etag"), None);
}
