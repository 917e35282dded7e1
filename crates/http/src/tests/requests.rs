//! What handlers make of good requests, and the headers around their answers.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use errand_application::ports::{AccountExport, Credentials, DeletedTask, Start};
use errand_domain::Timestamp;
use errand_domain::account::{LoginName, PasswordHash};
use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_domain::query::{PageStart, TaskPage};
use errand_domain::session::Session;
use serde_json::json;

use super::support::{Mocks, TOKEN, now, send, send_one, session, task, user};

pub(super) fn request(method: Method, path: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .method(method)
        .insert_header(("authorization", format!("Bearer {TOKEN}")))
}

pub(super) fn with_json(method: Method, path: &str, body: &str) -> TestRequest {
    request(method, path)
        .insert_header(("content-type", "application/json"))
        .set_payload(body.to_owned())
}

fn signing_in() -> Mocks {
    let mut mocks = Mocks::default().verifying(true);
    let found = || Credentials {
        user: user(),
        password: PasswordHash::new("stored".into()),
        disabled_at: None,
    };
    // Everybody is there but whoever is new.
    mocks.accounts.expect_credentials().returning(move |name| {
        let new = matches!(name, LoginName::Email(email) if email.as_str() == "new@example.com");
        Ok((!new).then(found))
    });
    mocks.accounts.expect_find().returning(move |_| Ok(Some(found())));
    mocks.accounts.expect_register().returning(|_, _, _| Ok(user()));
    mocks.accounts.expect_delete().returning(|_, _| Ok(true));
    mocks
        .accounts
        .expect_change_password()
        .returning(|_, _, _, _, _| Ok(true));
    mocks.sessions.expect_start().returning(|_, _, _, _, _| {
        Ok(Start::Started {
            pushed_out: Vec::new(),
        })
    });
    mocks.sessions.expect_end().returning(|_, _, _| Ok(true));
    mocks.sessions.expect_end_all().returning(|_, _| Ok(2));
    mocks
}

#[actix_web::test]
async fn every_way_to_a_grant() {
    let register = r#"{"email":"new@example.com","password":"violet tandem bridge"}"#;
    let form = TestRequest::post()
        .uri("/api/token")
        .insert_header(("content-type", "application/x-www-form-urlencoded; charset=UTF-8"))
        .set_payload("username=ann%40example.com&password=a+b&scope=&client_id=x");
    let change = r#"{"current_password":"old one","new_password":"violet tandem bridge"}"#;
    for (status, request) in [
        (201, with_json(Method::POST, "/api/auth/register", register)),
        (201, with_json(Method::POST, "/auth/signup", register)),
        (
            200,
            with_json(
                Method::POST,
                "/api/auth/login",
                r#"{"email":"ann@example.com","password":"x"}"#,
            ),
        ),
        (
            200,
            with_json(
                Method::POST,
                "/auth/login/",
                r#"{"username":"ann","password":"x"}"#,
            ),
        ),
        (200, form),
        (200, with_json(Method::PUT, "/api/1/password", change)),
    ] {
        let answer = send_one(signing_in(), request).await;
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let grant = answer.json();
        assert_eq!(grant["user_id"], "1");
        assert_eq!(grant["token_type"], "bearer");
        assert_eq!(grant["expires_in"], 900);
        assert_eq!(grant["access_token"], "signed");
        assert_eq!(grant["refresh_token"].as_str().unwrap().len(), 96);
        assert_eq!(
            (&grant["username"], &grant["email"]),
            (&json!("ann"), &json!("ann@example.com"))
        );
        assert_eq!(grant["user"]["id"], 1);
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains("password") && !text.contains("stored"), "{text}");
    }
}

#[actix_web::test]
async fn all_faults_of_a_registration_at_once() {
    let body = r#"{"email":"nobody","username":"x","password":"12345678"}"#;
    let answer = send_one(
        Mocks::default(),
        with_json(Method::POST, "/api/auth/register", body),
    )
    .await;
    assert_eq!(answer.code(), "validation-failed");
    let errors = answer.json()["errors"].clone();
    let pointers: Vec<_> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].clone())
        .collect();
    assert_eq!(pointers, ["#/email", "#/username", "#/password"]);
}

#[actix_web::test]
async fn a_password_that_nobody_can_have_is_a_wrong_one() {
    for password in [r"P\u0000P", &"x".repeat(2000)] {
        let mut mocks = Mocks::default();
        mocks.accounts.expect_credentials().never();
        let mocks = mocks.verifying(false);
        let body = format!(r#"{{"email":"ann@example.com","password":"{password}"}}"#);
        let answer = send_one(mocks, with_json(Method::POST, "/api/auth/login", &body)).await;
        assert_eq!(answer.code(), "bad-credentials");
    }
}

#[actix_web::test]
async fn short_answers() {
    for (request, expected) in [
        (
            request(Method::POST, "/api/auth/logout").set_payload("ignored"),
            json!({"message": "Logout successful"}),
        ),
        (
            request(Method::DELETE, "/api/1/sessions"),
            json!({"message": "All sessions ended"}),
        ),
        (
            request(
                Method::DELETE,
                "/api/1/sessions/0198f3a0-0000-7000-8000-000000000001",
            ),
            json!({"message": "Session ended", "id": "0198f3a0-0000-7000-8000-000000000001"}),
        ),
        (
            with_json(Method::DELETE, "/api/1", r#"{"password":"x"}"#),
            json!({"message": "Account deleted", "id": 1}),
        ),
        (
            request(Method::DELETE, "/api/1/tasks/1").set_payload("ignored"),
            json!({"message": "Task deleted successfully", "id": 1}),
        ),
        (request(Method::GET, "/health"), json!({"status": "ok"})),
        (
            request(Method::GET, "/health/ready?anything=1"),
            json!({"status": "ready"}),
        ),
    ] {
        let answer = send_one(signing_in().with_task(), request).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, expected));
    }
    let welcome = send_one(Mocks::default(), TestRequest::with_uri("/?utm_source=x")).await;
    assert_eq!(welcome.json()["message"], "Welcome to the Todo API");
    let me = send_one(signing_in(), request(Method::GET, "/api/me")).await;
    assert_eq!(
        String::from_utf8(me.body).unwrap(),
        concat!(
            r#"{"id":1,"username":"ann","email":"ann@example.com","created_at":"2026-11-23T07:00:00.000000Z","#,
            r#""updated_at":"2026-11-23T07:00:00.000000Z"}"#
        )
    );
}

fn signed_in(at: Timestamp) -> SecurityEvent {
    SecurityEvent {
        id: session().0,
        kind: EventKind::SignedIn,
        at,
        origin: Origin::new(Some("192.0.2.1".parse().unwrap()), Some("phone/1.0")),
        session: Some(session()),
    }
}

#[actix_web::test]
async fn events_have_their_shape() {
    let mut mocks = Mocks::default();
    mocks.events.expect_list().returning(|_, _| {
        let bare = SecurityEvent {
            origin: Origin::default(),
            session: None,
            kind: EventKind::Disabled,
            ..signed_in(now())
        };
        Ok(vec![signed_in(now()), bare])
    });
    let answer = send_one(mocks, request(Method::GET, "/api/1/events")).await;
    let id = session().to_string();
    let at = "2026-11-23T07:00:00.000000Z";
    assert_eq!(
        answer.json(),
        json!([
            {"id": id, "kind": "signed-in", "at": at, "address": "192.0.2.1", "user_agent": "phone/1.0",
             "session_id": id},
            {"id": id, "kind": "disabled", "at": at, "address": null, "user_agent": null,
             "session_id": null},
        ])
    );
}

#[actix_web::test]
async fn an_export_has_everything_but_secrets() {
    let mut mocks = Mocks::default();
    mocks.accounts.expect_export().returning(|_, at| {
        Ok(Some(AccountExport {
            user: user(),
            sessions: vec![Session {
                id: session(),
                owner: user().id,
                user_agent: None,
                created_at: at,
                last_used_at: at,
                expires_at: at,
            }],
            tasks: vec![task(1)],
            deleted: vec![DeletedTask {
                task: task(2),
                deleted_at: at,
            }],
            events: vec![signed_in(at)],
        }))
    });
    let answer = send_one(mocks, request(Method::GET, "/api/1/export")).await;
    let export = answer.json();
    let mut keys: Vec<_> = export.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["deleted_tasks", "events", "sessions", "tasks", "user"]);
    assert_eq!(export["sessions"][0]["current"], true);
    assert_eq!(
        (&export["tasks"][0]["id"], &export["deleted_tasks"][0]["id"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        export["deleted_tasks"][0]["deleted_at"],
        "2026-11-23T07:00:00.000000Z"
    );
}

#[actix_web::test]
async fn tasks_have_a_place_and_a_validator() {
    let body = r#"{"title":" milk ","user_id":2,"id":99}"#;
    let requests = vec![
        with_json(Method::POST, "/api/1/tasks", body),
        request(Method::GET, "/api/1/tasks/1"),
        with_json(Method::PUT, "/api/1/tasks/1", r#"{"title":"bread"}"#),
        with_json(Method::PATCH, "/api/1/tasks/1/", r#"{"title":"milk"}"#),
        request(Method::PATCH, "/api/1/tasks/1/complete"),
        with_json(Method::PATCH, "/api/1/tasks/1/complete", r#"{"completed":false}"#),
    ];
    let answers = send(Mocks::default().with_task(), requests).await;
    let seen: Vec<_> = answers
        .iter()
        .map(|a| {
            (
                a.status.as_u16(),
                a.header("etag").unwrap(),
                a.json()["completed"] == true,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (201, "\"1\"", false),
            (200, "\"1\"", false),
            (200, "\"2\"", false),
            (200, "\"1\"", false),
            (200, "\"2\"", true),
            (200, "\"1\"", false),
        ]
    );
    assert_eq!(answers[0].header("location"), Some("/api/1/tasks/7"));
    assert_eq!(
        (&answers[0].json()["id"], &answers[0].json()["user_id"]),
        (&json!(7), &json!(1))
    );
    for answer in &answers {
        assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
        assert!(answer.headers.get_all("vary").any(|v| v == "Authorization"));
    }
}

#[actix_web::test]
async fn a_list_leads_on() {
    let next = || PageStart::After {
        created_at: now(),
        id: task(2).id,
    };
    let mut mocks = Mocks::default();
    mocks
        .tasks
        .expect_page()
        .withf(|_, query, _| query.start == PageStart::Offset(0))
        .returning(move |_, _, _| {
            Ok(Some(TaskPage {
                tasks: vec![task(3), task(2)],
                next: Some(next()),
                total: Some(3),
                changes: 4,
            }))
        });
    mocks
        .tasks
        .expect_page()
        .withf(move |_, query, _| query.start == next())
        .returning(|_, _, _| {
            Ok(Some(TaskPage {
                tasks: vec![task(1)],
                next: None,
                total: None,
                changes: 4,
            }))
        });
    let app = actix_web::test::init_service(crate::app(&mocks.services(), &super::support::settings())).await;
    let get = |path: &str| actix_web::test::call_service(&app, request(Method::GET, path).to_request());
    let first = get("/api/1/tasks?limit=2&count=true").await;
    assert_eq!(first.headers().get("x-total-count").unwrap(), "3");
    let link = first.headers().get("link").unwrap().to_str().unwrap().to_owned();
    let path = link
        .strip_prefix('<')
        .unwrap()
        .strip_suffix(">; rel=\"next\"")
        .unwrap();
    assert!(
        path.starts_with("/api/1/tasks?limit=2&count=true&cursor="),
        "{path}"
    );
    let second = get(path).await;
    assert!(second.headers().get("link").is_none());
    let body = actix_web::body::to_bytes(second.into_body()).await.unwrap();
    let tasks: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(tasks[0]["id"], 1);
    let foreign = get(&format!("{path}&sort=title")).await;
    assert_eq!(foreign.status(), 422);
}

#[actix_web::test]
async fn pages_of_listed_origins_may_read_everything() {
    let origin = |request: TestRequest, origin: &str| request.insert_header(("origin", origin.to_owned()));
    let preflight = || {
        TestRequest::with_uri("/api/1/tasks/1")
            .method(Method::OPTIONS)
            .insert_header(("access-control-request-method", "PATCH"))
            .insert_header((
                "access-control-request-headers",
                "authorization, content-type, x-request-id",
            ))
    };
    let allowed = "http://localhost:3000";
    let answer = send_one(Mocks::default(), origin(preflight(), allowed)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(allowed));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert!(
        answer
            .header("access-control-allow-methods")
            .unwrap()
            .contains("PATCH")
    );
    for bad in [
        "https://localhost:3000",
        "http://localhost:3001",
        "http://localhost:3000.evil.example",
        "http://evillocalhost:3000",
        "null",
    ] {
        let answer = send_one(Mocks::default(), origin(preflight(), bad)).await;
        assert_eq!(answer.code(), "cors-rejected");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{bad}");
        let answer = send_one(
            Mocks::default().with_task(),
            origin(request(Method::GET, "/api/1/tasks/1"), bad),
        )
        .await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{bad}");
    }
    // Errors too, or the front end could not show what was wrong.
    for (path, status) in [
        ("/api/1/tasks/1", 200),
        ("/api/2/tasks", 403),
        ("/x", 404),
        ("/api/1/export", 500),
    ] {
        let answer = send_one(
            Mocks::default().with_task(),
            origin(request(Method::GET, path), allowed),
        )
        .await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(allowed),
            "{path}"
        );
        let exposed = answer
            .header("access-control-expose-headers")
            .unwrap()
            .to_lowercase();
        for name in [
            "etag",
            "link",
            "location",
            "x-total-count",
            "x-request-id",
            "retry-after",
        ] {
            assert!(exposed.contains(name), "{exposed}");
        }
        assert!(
            answer
                .headers
                .get_all("vary")
                .any(|v| v.to_str().unwrap().contains("Origin"))
        );
    }
}
