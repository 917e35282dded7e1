//! Conditional requests, and the trash.

use actix_web::http::Method;
use errand_application::ports::{DeletedTask, TrashPage};
use errand_domain::query::TaskPage;
use serde_json::json;

use super::requests::{request, with_json};
use super::support::{Mocks, now, send_one, task};

/// The store is asked for a page only if the client cannot have it: anything else that is called fails.
#[actix_web::test]
async fn an_unchanged_list_is_told_by_the_counter_alone() {
    let page = || {
        let mut mocks = Mocks::default();
        mocks.tasks.expect_page().times(1).returning(|_, _, _| {
            Ok(Some(TaskPage {
                tasks: vec![task(1)],
                next: None,
                total: None,
                changes: 4,
            }))
        });
        mocks
    };
    let first = send_one(page(), request(Method::GET, "/api/1/tasks?q=milk")).await;
    let tag = first.header("etag").unwrap().to_owned();
    assert!(tag.starts_with("\"4-"), "{tag}");
    let again = |path: &str, tag: &str| request(Method::GET, path).insert_header(("if-none-match", tag));
    let mut mocks = Mocks::default();
    mocks.tasks.expect_changes().times(1).returning(|_| Ok(4));
    let answer = send_one(mocks, again("/api/1/tasks?q=MILK&limit=1000", &tag)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("etag")),
        (304, Some(tag.as_str()))
    );
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    let mut mocks = page();
    mocks.tasks.expect_changes().times(1).returning(|_| Ok(5));
    assert_eq!(
        send_one(mocks, again("/api/1/tasks?q=milk", &tag)).await.status,
        200
    );
    // Of another list: not even the counter is asked for.
    let other = again("/api/1/tasks?q=bread", &tag);
    assert_eq!(send_one(page(), other).await.status, 200);
    for malformed in ["4", "\"", "W/4"] {
        let answer = send_one(Mocks::default(), again("/api/1/tasks", malformed)).await;
        assert_eq!(answer.code(), "bad-request");
    }
}

#[actix_web::test]
async fn the_trash_leads_on_and_gives_back() {
    let deleted = |id| DeletedTask {
        task: task(id),
        deleted_at: now(),
    };
    let mut mocks = Mocks::default().with_task();
    mocks
        .tasks
        .expect_trash()
        .withf(|_, after, limit, _| after.is_none() && *limit == 1)
        .returning(move |_, _, _, _| {
            Ok(TrashPage {
                tasks: vec![deleted(3)],
                next: Some(deleted(3).place()),
            })
        });
    mocks
        .tasks
        .expect_trash()
        .withf(move |_, after, limit, _| *after == Some(deleted(3).place()) && *limit == 1)
        .returning(move |_, _, _, _| {
            Ok(TrashPage {
                tasks: vec![deleted(2)],
                next: None,
            })
        });
    let app = actix_web::test::init_service(crate::app(&mocks.services(), &super::support::settings())).await;
    let get = |path: &str| actix_web::test::call_service(&app, request(Method::GET, path).to_request());
    let first = get("/api/1/trash?limit=1").await;
    let link = first.headers().get("link").unwrap().to_str().unwrap().to_owned();
    let body: serde_json::Value = actix_web::test::read_body_json(first).await;
    assert_eq!(
        (&body[0]["id"], &body[0]["deleted_at"], &body[0]["purge_at"]),
        (
            &json!(3),
            &json!("2026-11-23T07:00:00.000000Z"),
            &json!("2026-12-23T07:00:00.000000Z")
        )
    );
    let path = link
        .strip_prefix('<')
        .unwrap()
        .strip_suffix(">; rel=\"next\"")
        .unwrap();
    assert!(path.starts_with("/api/1/trash?limit=1&cursor="), "{path}");
    let second = get(path).await;
    assert!(second.status().is_success() && second.headers().get("link").is_none());
    for (method, path, status) in [
        (Method::POST, "/api/1/trash/2/restore", 200),
        (Method::POST, "/api/1/trash/3/restore", 422),
        (Method::POST, "/api/1/trash/9/restore", 404),
        (Method::DELETE, "/api/1/trash/2", 200),
        (Method::DELETE, "/api/1/trash/1", 404),
        (Method::GET, "/api/1/trash?cursor=x", 422),
        (Method::GET, "/api/1/trash?limit=0", 422),
    ] {
        let answer = actix_web::test::call_service(&app, request(method, path).to_request()).await;
        assert_eq!(answer.status(), status, "{path}");
        if path.ends_with("2/restore") {
            assert_eq!(answer.headers().get("etag").unwrap(), "\"2\"");
        }
    }
}

#[actix_web::test]
async fn a_write_may_be_meant_for_a_version() {
    for (condition, status) in [
        ("\"1\"", 200),
        ("*", 200),
        ("\"2\"", 412),
        ("W/\"1\"", 412),
        ("1", 400),
    ] {
        let requests = [
            with_json(Method::PUT, "/api/1/tasks/1", r#"{"title":"bread"}"#),
            with_json(Method::PATCH, "/api/1/tasks/1", r#"{"title":"bread"}"#),
            request(Method::PATCH, "/api/1/tasks/1/complete"),
            request(Method::DELETE, "/api/1/tasks/1"),
        ];
        for request in requests {
            let request = request.insert_header(("if-match", condition));
            let answer = send_one(Mocks::default().with_task(), request).await;
            assert_eq!(answer.status, status, "{condition}");
        }
    }
    for (path, condition) in [("/api/1/tasks/9", "\"2\""), ("/api/1/tasks/x", "*")] {
        let request = request(Method::DELETE, path).insert_header(("if-match", condition));
        let answer = send_one(Mocks::default().with_task(), request).await;
        assert_eq!(answer.code(), "task-not-found", "absent, whatever is expected");
    }
}
