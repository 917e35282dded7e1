//! Conditional requests: what is unchanged is not sent again, and nobody overwrites what they have not seen.

use errand_testbed::{Answer, Api, Person};
use serde_json::{Value, json};

use crate::support::{Backend, at_once, create, list, next_link, on_all, problem};
use crate::tasks::ann;

on_all!(
    an_unchanged_task_is_not_sent_again,
    an_unchanged_list_is_not_sent_again,
    every_page_of_a_list_has_a_tag_of_its_own,
    stale_writes_are_refused,
    headers_that_say_nothing_are_refused,
    every_writer_with_a_condition_counts,
);

async fn get(api: &Api, person: &Person, path: &str, known: &str) -> Answer {
    let request = person.request(api, "GET", path).header("if-none-match", known);
    request.send().await
}

fn tag(answer: &Answer) -> String {
    answer.header("etag").unwrap().to_owned()
}

fn is_unchanged(answer: &Answer, tag: &str) {
    assert_eq!((answer.status, answer.text()), (304, String::new()));
    assert_eq!(answer.header("etag"), Some(tag));
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    let varies = |(name, value): &(String, String)| name == "vary" && value == "Authorization";
    assert!(answer.headers.iter().any(varies), "{:?}", answer.headers);
    assert_eq!(answer.header("content-type"), None);
}

async fn an_unchanged_task_is_not_sent_again(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    create(api, &ann, json!({"title": "a"})).await;
    for known in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
        is_unchanged(&get(api, &ann, "/tasks/1", known).await, "\"1\"");
    }
    let head = ann
        .request(api, "HEAD", "/tasks/1")
        .header("if-none-match", "\"1\"");
    assert_eq!(head.send().await.status, 304);
    for known in ["\"2\"", "\"01\"", "\"\"", "\"x\""] {
        let answer = get(api, &ann, "/tasks/1", known).await;
        assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(1)), "{known}");
    }
    let done = ann.request(api, "PATCH", "/tasks/1/complete").send().await;
    assert_eq!(get(api, &ann, "/tasks/1", "\"1\"").await.json(), done.json());
    is_unchanged(&get(api, &ann, "/tasks/1", &tag(&done)).await, "\"2\"");
    problem(&get(api, &ann, "/tasks/9", "*").await, 404, "task-not-found");
}

async fn an_unchanged_list_is_not_sent_again(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let bob = Person::register(api, "bob").await;
    let empty = get(api, &ann, "/tasks", "\"0\"").await;
    assert_eq!((empty.status, empty.json()), (200, json!([])));
    is_unchanged(&get(api, &ann, "/tasks", &tag(&empty)).await, &tag(&empty));
    is_unchanged(&get(api, &ann, "/tasks", "*").await, &tag(&empty));
    create(api, &bob, json!({"title": "bob's"})).await;
    is_unchanged(&get(api, &ann, "/tasks", &tag(&empty)).await, &tag(&empty));
    // Each write shows, also on a list that it is not on.
    let mut known = [
        tag(&empty),
        tag(&get(api, &ann, "/tasks?status=completed", "\"0\"").await),
    ];
    for (method, path, body) in [
        ("POST", "/tasks", json!({"title": "a"})),
        ("PUT", "/tasks/1", json!({"title": "b"})),
        ("PATCH", "/tasks/1/complete", json!({"completed": true})),
        ("DELETE", "/tasks/1", Value::Null),
    ] {
        let written = ann.request(api, method, path).json(&body).send().await;
        assert!(written.status < 300, "{}", written.text());
        for (path, known) in ["/tasks", "/tasks?status=completed"].iter().zip(&mut known) {
            let answer = get(api, &ann, path, known).await;
            assert_eq!(answer.status, 200, "{method} {path}");
            *known = tag(&answer);
            is_unchanged(&get(api, &ann, path, known).await, known);
        }
    }
    // What changes nothing leaves the tag.
    create(api, &ann, json!({"title": "a"})).await;
    let before = tag(&get(api, &ann, "/tasks", "\"0\"").await);
    let same = ann
        .request(api, "PUT", "/tasks/2")
        .json(&json!({"title": "a"}))
        .send()
        .await;
    assert_eq!(same.status, 200);
    problem(
        &ann.request(api, "DELETE", "/tasks/1").send().await,
        404,
        "task-not-found",
    );
    is_unchanged(&get(api, &ann, "/tasks", &before).await, &before);
    // On another replica too.
    let (_other, there) = service.replica().await;
    is_unchanged(&get(&there, &ann, "/tasks", &before).await, &before);
    let faulty = get(api, &ann, "/tasks?limit=0", "*").await;
    problem(&faulty, 422, "validation-failed");
}

async fn every_page_of_a_list_has_a_tag_of_its_own(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    for n in 0..5 {
        create(api, &ann, json!({"title": format!("{n}")})).await;
    }
    let mut tags = Vec::new();
    for query in [
        "",
        "?limit=2",
        "?limit=2&count=true",
        "?offset=2",
        "?q=1",
        "?order=asc",
        "?sort=title&limit=2",
    ] {
        let mut next = Some(ann.path(&format!("/tasks{query}")));
        while let Some(path) = next {
            let path = path.strip_prefix(&ann.path("")).unwrap();
            let page = ann.request(api, "GET", path).send().await;
            let again = get(api, &ann, path, &tag(&page)).await;
            if query != "?sort=title&limit=2" || next_link(&page).is_none() {
                is_unchanged(&again, &tag(&page));
            } else {
                // Its tag ends with the half hour, because its link does with the hour.
                assert!([200, 304].contains(&again.status), "{}", again.text());
            }
            assert!(!tags.contains(&tag(&page)), "{path}");
            tags.push(tag(&page));
            next = next_link(&page);
        }
    }
    // The same asked otherwise is the same.
    let plain = tag(&get(api, &ann, "/tasks", "\"0\"").await);
    is_unchanged(
        &get(api, &ann, "/tasks/?status=all&limit=1000&sort=created", &plain).await,
        &plain,
    );
    for other in &tags[1..] {
        assert_eq!(get(api, &ann, "/tasks", other).await.status, 200);
    }
}

async fn stale_writes_are_refused(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let title = |n: i32| json!({"title": format!("{n}")});
    create(api, &ann, title(0)).await;
    let write = async |method: &str, path: &str, condition: &str, body: Value| {
        let request = ann.request(api, method, path).header("if-match", condition);
        if body.is_null() {
            request.send().await
        } else {
            request.json(&body).send().await
        }
    };
    let all = |n| {
        [
            ("PUT", "/tasks/1", title(n)),
            ("PATCH", "/tasks/1", title(n)),
            ("PATCH", "/tasks/1/complete", Value::Null),
            ("PATCH", "/tasks/1/complete", json!({"completed": true})),
            ("DELETE", "/tasks/1", Value::Null),
        ]
    };
    let before = list(api, &ann, "").await;
    for condition in ["\"2\"", "W/\"1\"", "\"x\"", "\"01\"", "\"3\", \"2\""] {
        for (method, path, body) in all(9) {
            let answer = write(method, path, condition, body).await;
            let told = problem(&answer, 412, "precondition-failed");
            assert_eq!(told["detail"], "The task has changed meanwhile");
        }
    }
    assert_eq!(list(api, &ann, "").await, before);
    // Whoever read last may write.
    let mut known = "\"1\"".to_owned();
    for (method, path, body) in all(1).into_iter().filter(|(method, ..)| *method != "DELETE") {
        let answer = write(method, path, &format!("\"77\", {known}"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        known = tag(&answer);
    }
    assert_eq!(write("PUT", "/tasks/1", "*", title(5)).await.status, 200);
    problem(
        &write("DELETE", "/tasks/1", &known, Value::Null).await,
        412,
        "precondition-failed",
    );
    let now = tag(&ann.request(api, "GET", "/tasks/1").send().await);
    assert_eq!(write("DELETE", "/tasks/1", &now, Value::Null).await.status, 200);
    // What is not there is not found, whatever is expected of it.
    for condition in [now.as_str(), "*", "\"1\"", "\"x\""] {
        for path in ["/tasks/1", "/tasks/2"] {
            problem(
                &write("PUT", path, condition, title(6)).await,
                404,
                "task-not-found",
            );
            problem(
                &write("DELETE", path, condition, Value::Null).await,
                404,
                "task-not-found",
            );
        }
    }
}

async fn headers_that_say_nothing_are_refused(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    create(api, &ann, json!({"title": "a"})).await;
    for malformed in ["1", "\"1", "\"1\" \"2\"", "*, \"1\"", "", "w/\"1\""] {
        for (method, path, header) in [
            ("GET", "/tasks", "if-none-match"),
            ("GET", "/tasks/1", "if-none-match"),
            ("DELETE", "/tasks/1", "if-match"),
            ("PATCH", "/tasks/1/complete", "if-match"),
        ] {
            let request = ann.request(api, method, path).header(header, malformed);
            let told = problem(&request.send().await, 400, "bad-request");
            assert!(told["detail"].as_str().unwrap().contains("entity tags"), "{told}");
        }
    }
    assert_eq!(list(api, &ann, "").await[0]["version"], 1);
}

async fn every_writer_with_a_condition_counts(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    create(api, &ann, json!({"title": "a"})).await;
    let (_other, there) = service.replica().await;
    let done = at_once(50, |n| {
        let (api, ann) = (if n % 2 == 0 { api.clone() } else { there.clone() }, ann.clone());
        async move {
            let (mut known, mut refused) = ("\"1\"".to_owned(), 0);
            loop {
                let request = ann.request(&api, "PUT", "/tasks/1").header("if-match", &known);
                let answer = request.json(&json!({"title": format!("by {n}")})).send().await;
                if answer.status == 200 {
                    return (answer.json()["version"].as_i64().unwrap(), refused);
                }
                problem(&answer, 412, "precondition-failed");
                refused += 1;
                assert!(refused < 1000, "somebody must win each time");
                known = tag(&ann.request(&api, "GET", "/tasks/1").send().await);
            }
        }
    })
    .await;
    let mut versions: Vec<_> = done.iter().map(|(version, _)| *version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=51).collect::<Vec<_>>(), "a write was lost");
    assert_eq!(list(api, &ann, "").await[0]["version"], 51);
}
