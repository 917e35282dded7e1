//! Accounts: register, sign in, change the password, export, leave.

use errand_testbed::{Answer, Api, Person};
use serde_json::{Value, json};

use crate::support::{Backend, Service, create, essence, list, on_all, problem};

on_all!(
    a_grant_has_the_shape_of_the_contract,
    every_old_path_works,
    token_speaks_oauth2,
    registration_names_every_fault,
    names_and_addresses_are_taken_without_regard_to_case,
    long_and_strange_passwords,
    unknown_and_wrong_are_the_same_answer,
    a_changed_password_ends_every_other_session,
    deletion_leaves_nothing,
    export_holds_everything_and_no_secret,
);

async fn post(api: &Api, path: &str, body: &Value) -> Answer {
    api.request("POST", path).json(body).send().await
}

async fn a_grant_has_the_shape_of_the_contract(backend: Backend) {
    let service = Service::start(backend).await;
    let body =
        json!({"email": "Ann@Example.com", "password": "violet tandem bridge", "is_admin": true, "id": 99});
    let answer = post(&service.api, "/api/auth/register", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let grant = answer.json();
    let keys: Vec<_> = grant.as_object().unwrap().keys().cloned().collect();
    let mut expected = [
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "user_id",
        "username",
        "email",
        "user",
    ];
    expected.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(
        (&grant["token_type"], &grant["expires_in"]),
        (&json!("bearer"), &json!(900))
    );
    assert_eq!(grant["user_id"], json!("1"));
    assert_eq!(grant["username"], json!("Ann"));
    assert_eq!(grant["email"], json!("Ann@Example.com"));
    assert_eq!(grant["user"]["id"], json!(1));
    assert_eq!(grant["access_token"].as_str().unwrap().split('.').count(), 3);

    let me = service
        .api
        .request("GET", "/api/auth/me")
        .bearer(grant["access_token"].as_str().unwrap())
        .send()
        .await;
    assert_eq!((me.status, me.json()), (200, grant["user"].clone()));
}

async fn every_old_path_works(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let password = "violet tandem bridge";
    for (n, path) in [
        "/api/auth/register",
        "/auth/signup",
        "/api/register",
        "/api/register/",
    ]
    .iter()
    .enumerate()
    {
        let answer = post(
            api,
            path,
            &json!({"email": format!("u{n}@example.com"), "password": password}),
        )
        .await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text());
    }
    for (path, body) in [
        (
            "/api/auth/login",
            json!({"email": "u0@example.com", "password": password}),
        ),
        (
            "/auth/login",
            json!({"username": "U0@EXAMPLE.COM", "password": password}),
        ),
        ("/api/login/", json!({"username": "u0x", "password": password})),
    ] {
        let answer = post(api, path, &body).await;
        if path == "/api/login/" {
            problem(&answer, 401, "bad-credentials");
            continue;
        }
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        for me in ["/api/auth/me", "/auth/me", "/api/me", "/api/me/"] {
            assert_eq!(
                api.request("GET", me).bearer(&token).send().await.status,
                200,
                "{me}"
            );
        }
        let logout = if path == "/auth/login" {
            "/auth/logout"
        } else {
            "/api/logout"
        };
        let answer = api.request("POST", logout).bearer(&token).send().await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"message": "Logout successful"}))
        );
        problem(
            &api.request("GET", "/api/me").bearer(&token).send().await,
            401,
            "invalid-token",
        );
    }
}

async fn token_speaks_oauth2(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    let form = async |path: &str, body: String| {
        service
            .api
            .request("POST", path)
            .raw(body, "application/x-www-form-urlencoded")
            .send()
            .await
    };
    let password = ann.password.replace(' ', "+");
    for path in ["/api/auth/token", "/api/token"] {
        for name in ["ann", "ann%40example.com"] {
            let answer = form(
                path,
                format!("grant_type=password&username={name}&password={password}"),
            )
            .await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let refresh = answer.json()["refresh_token"].as_str().unwrap().to_owned();
            let answer = form(path, format!("grant_type=refresh_token&refresh_token={refresh}")).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
    for (body, status, error) in [
        (
            "grant_type=password&username=ann&password=wrong",
            400,
            "invalid_grant",
        ),
        (
            "grant_type=refresh_token&refresh_token=nonsense",
            400,
            "invalid_grant",
        ),
        ("grant_type=client_credentials", 400, "unsupported_grant_type"),
        ("grant_type=", 400, "unsupported_grant_type"),
        ("grant_type=password&username=ann", 400, "invalid_request"),
    ] {
        let answer = form("/api/auth/token", body.to_owned()).await;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["error"], error, "{body}: {}", answer.text());
        assert!(
            answer.status == status || answer.status == 401 || answer.status == 422,
            "{body}: {}",
            answer.text()
        );
    }
}

async fn registration_names_every_fault(backend: Backend) {
    let service = Service::start(backend).await;
    let body = json!({"email": "ann", "password": "short", "username": "a b"});
    let answer = post(&service.api, "/api/auth/register", &body).await;
    let body = problem(&answer, 422, "validation-failed");
    let places: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    for place in ["#/email", "#/password", "#/username"] {
        assert!(places.contains(&place), "{body}");
    }
    for (password, code) in [
        ("password123", "too-common"),
        ("annabelle", "too-common"),
        ("abc\0defgh-xyz", "control-character"),
        ("7 chars", "too-short"),
    ] {
        let answer = post(
            &service.api,
            "/api/auth/register",
            &json!({"email": "annabelle@example.com", "password": password}),
        )
        .await;
        let body = problem(&answer, 422, "validation-failed");
        assert_eq!(body["errors"][0]["code"], code, "{body}");
        assert!(!answer.text().contains(password), "an answer repeats a password");
    }
    let missing = post(&service.api, "/api/auth/register", &json!({})).await;
    assert_eq!(
        problem(&missing, 422, "validation-failed")["errors"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

async fn names_and_addresses_are_taken_without_regard_to_case(backend: Backend) {
    let service = Service::start(backend).await;
    Person::register(&service.api, "ann").await;
    let try_it = async |email: &str, username: Option<&str>| {
        let mut body = json!({"email": email, "password": "violet tandem bridge"});
        if let Some(name) = username {
            body["username"] = json!(name);
        }
        post(&service.api, "/api/auth/register", &body).await
    };
    let answer = try_it("ANN@example.COM", Some("other")).await;
    assert_eq!(
        problem(&answer, 409, "email-taken")["detail"],
        "Email already registered"
    );
    let answer = try_it("other@example.com", Some("ANN")).await;
    assert_eq!(
        problem(&answer, 409, "username-taken")["detail"],
        "Username already taken"
    );
    problem(&try_it("Ann@Example.com", Some("Ann")).await, 409, "email-taken");
    let made_up = try_it("ann@elsewhere.example", None).await;
    assert_eq!(made_up.status, 201, "{}", made_up.text());
    let name = made_up.json()["username"].as_str().unwrap().to_owned();
    assert!(name.starts_with("ann-") && name.len() <= 30, "{name}");
}

async fn long_and_strange_passwords(backend: Backend) {
    let service = Service::start(backend).await;
    let passwords = [
        "  outer blanks stay  ".to_owned(),
        format!("{}x", "kQ9!vv7 ".repeat(9)),
        "密碼學的長密碼測試好".repeat(6),
        "kQ9!vv7 ".repeat(128),
    ];
    for (n, password) in passwords.iter().enumerate() {
        let email = format!("u{n}@example.com");
        let answer = post(
            &service.api,
            "/api/auth/register",
            &json!({"email": email, "password": password}),
        )
        .await;
        assert_eq!(answer.status, 201, "{n}: {}", answer.text());
        let login = async |password: &str| {
            post(
                &service.api,
                "/api/auth/login",
                &json!({"email": email, "password": password}),
            )
            .await
            .status
        };
        assert_eq!(login(password).await, 200);
        let mut shorter = password.clone();
        shorter.pop();
        for wrong in [
            format!("{password}x"),
            shorter,
            format!("{password}\0{password}"),
            password.trim().to_owned(),
        ] {
            if wrong != *password {
                assert_eq!(login(&wrong).await, 401, "{n}");
            }
        }
    }
}

async fn unknown_and_wrong_are_the_same_answer(backend: Backend) {
    let service = Service::start(backend).await;
    Person::register(&service.api, "ann").await;
    let mut answers = Vec::new();
    for name in [
        "ann@example.com",
        "nobody@example.com",
        "no address",
        "nob",
        "Ann",
    ] {
        let body = json!({"email": name, "password": "not the password"});
        let answer = service
            .api
            .request("POST", "/api/auth/login")
            .header("x-request-id", "same")
            .json(&body)
            .send()
            .await;
        let body = problem(&answer, 401, "bad-credentials");
        assert_eq!(body["detail"], "Incorrect email or password");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        answers.push(essence(&answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the answers differ");
}

async fn a_changed_password_ends_every_other_session(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let login = async |password: &str| {
        post(
            api,
            "/api/auth/login",
            &json!({"email": ann.email, "password": password}),
        )
        .await
    };
    let other = login(&ann.password).await.json();
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        ann.request(api, "PUT", "/password").json(&body).send().await
    };
    problem(
        &change("wrong", "a new violet tandem").await,
        403,
        "wrong-password",
    );
    let body = problem(&change(&ann.password, "short").await, 422, "validation-failed");
    assert_eq!(body["errors"][0]["pointer"], "#/new_password");
    let granted = change(&ann.password, "a new violet tandem").await;
    assert_eq!(granted.status, 200, "{}", granted.text());

    for old in [ann.access.as_str(), other["access_token"].as_str().unwrap()] {
        problem(
            &api.request("GET", "/api/auth/me").bearer(old).send().await,
            401,
            "invalid-token",
        );
    }
    for old in [ann.refresh.as_str(), other["refresh_token"].as_str().unwrap()] {
        problem(
            &post(api, "/api/auth/refresh", &json!({"refresh_token": old})).await,
            401,
            "invalid-refresh-token",
        );
    }
    let grant = granted.json();
    let token = grant["access_token"].as_str().unwrap();
    let sessions = api
        .request("GET", &ann.path("/sessions"))
        .bearer(token)
        .send()
        .await
        .json();
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
    assert_eq!(sessions[0]["current"], true);
    problem(&login(&ann.password).await, 401, "bad-credentials");
    assert_eq!(login("a new violet tandem").await.status, 200);
}

async fn deletion_leaves_nothing(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let bob = Person::register(api, "bob").await;
    create(api, &ann, json!({"title": "secret plan"})).await;
    let delete = async |password: &str| {
        ann.request(api, "DELETE", "")
            .json(&json!({"password": password}))
            .send()
            .await
    };
    problem(&delete("wrong password").await, 403, "wrong-password");
    assert_eq!(list(api, &ann, "").await.len(), 1);
    let gone = delete(&ann.password).await;
    assert_eq!(
        (gone.status, gone.json()),
        (200, json!({"message": "Account deleted", "id": ann.id}))
    );
    problem(
        &ann.request(api, "GET", "/tasks").send().await,
        401,
        "invalid-token",
    );
    problem(
        &post(api, "/api/auth/refresh", &json!({"refresh_token": ann.refresh})).await,
        401,
        "invalid-refresh-token",
    );
    let again = Person::register(api, "ann").await;
    assert!(again.id > bob.id, "an id was given twice");
    assert!(list(api, &again, "").await.is_empty());
}

async fn export_holds_everything_and_no_secret(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let kept = create(
        api,
        &ann,
        json!({"title": "kept", "tags": "a,b", "due_date": "2026-12-01"}),
    )
    .await;
    let dropped = create(api, &ann, json!({"title": "dropped"})).await;
    assert_eq!(
        ann.request(api, "DELETE", &format!("/tasks/{}", dropped["id"]))
            .send()
            .await
            .status,
        200
    );
    let answer = ann.request(api, "GET", "/export").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let export = answer.json();
    assert_eq!(export["user"]["email"], "ann@example.com");
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(export["tasks"], json!([kept]));
    assert_eq!(export["deleted_tasks"][0]["title"], "dropped");
    assert!(export["deleted_tasks"][0]["deleted_at"].is_string());
    let text = answer.text();
    for secret in [&ann.password, &ann.refresh, &ann.access, "bcrypt"] {
        assert!(!text.contains(secret), "the export holds a secret");
    }
}
