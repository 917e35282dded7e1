//! `errand user` beside a running service.

use std::process::Output;
use std::time::Duration;

use errand_testbed::{Api, Person};
use serde_json::json;

use crate::support::{Backend, Service, essence, on_all, problem};

on_all!(
    accounts_are_made_and_listed,
    a_disabled_account_is_out_everywhere_and_looks_like_a_wrong_password,
    a_set_password_ends_every_session,
    a_deleted_account_is_gone,
    what_cannot_be_done_is_said_in_one_line,
);

/// What a command that succeeded wrote.
#[track_caller]
fn done(output: &Output) -> String {
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}{told}");
    shown
}

/// The one line of a command that failed.
#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let told = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = told.lines().filter(|line| line.starts_with("errand: ")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    lines[0].to_owned()
}

async fn login(api: &Api, email: &str, password: &str) -> errand_testbed::Answer {
    let body = json!({"email": email, "password": password});
    api.request("POST", "/api/auth/login")
        .header("x-request-id", "same")
        .json(&body)
        .send()
        .await
}

async fn accounts_are_made_and_listed(backend: Backend) {
    let service = Service::start(backend).await;
    let made = service.command(
        &["user", "create", "bob@example.com", "--username", "bobby"],
        "violet tandem bridge\n",
    );
    assert_eq!(done(&made), "created bobby <bob@example.com>, id 1\n");
    let signed_in = login(&service.api, "bob@example.com", "violet tandem bridge").await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text());
    let ann = Person::register(&service.api, "ann").await;
    done(&service.command(&["user", "disable", "BOBBY"], ""));
    let list = done(&service.command(&["user", "list"], ""));
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 2, "{list}");
    assert_eq!(rows[0][..3], ["1", "bobby", "bob@example.com"]);
    assert!(rows[0][3].starts_with("disabled since 20"), "{list}");
    assert_eq!(
        rows[1][..4],
        [ann.id.to_string().as_str(), "ann", "ann@example.com", "active"]
    );
}

async fn a_disabled_account_is_out_everywhere_and_looks_like_a_wrong_password(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let bob = Person::register(api, "bob").await;
    assert_eq!(ann.request(api, "GET", "/tasks").send().await.status, 200);
    let disable = || service.command(&["user", "disable", &ann.email], "");
    let whom = format!("ann <ann@example.com>, id {}\n", ann.id);
    assert_eq!(done(&disable()), format!("disabled {whom}"));
    assert_eq!(done(&disable()), format!("already disabled: {whom}"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    problem(
        &ann.request(api, "GET", "/tasks").send().await,
        401,
        "invalid-token",
    );
    let refresh = json!({"refresh_token": ann.refresh});
    let refresh = api.request("POST", "/api/auth/refresh").json(&refresh);
    problem(&refresh.send().await, 401, "invalid-refresh-token");
    let right = login(api, &ann.email, &ann.password).await;
    problem(&right, 401, "bad-credentials");
    let wrong = login(api, &bob.email, "a wrong guess").await;
    assert_eq!(essence(&right), essence(&wrong));
    // Nothing but enabling enables.
    done(&service.command(&["user", "set-password", "ann"], "another violet tandem\n"));
    problem(
        &login(api, &ann.email, "another violet tandem").await,
        401,
        "bad-credentials",
    );
    let enable = || service.command(&["user", "enable", "ann"], "");
    assert_eq!(done(&enable()), format!("enabled {whom}"));
    assert_eq!(done(&enable()), format!("already enabled: {whom}"));
    assert_eq!(login(api, &ann.email, "another violet tandem").await.status, 200);
    problem(
        &ann.request(api, "GET", "/tasks").send().await,
        401,
        "invalid-token",
    );
    assert_eq!(bob.request(api, "GET", "/tasks").send().await.status, 200);
}

async fn a_set_password_ends_every_session(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let id = format!("id:{}", ann.id);
    let set = service.command(&["user", "set-password", &id], "another violet tandem\r\n");
    assert_eq!(
        done(&set),
        format!(
            "password set, all sessions ended: ann <ann@example.com>, id {}\n",
            ann.id
        )
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
    problem(
        &ann.request(api, "GET", "/tasks").send().await,
        401,
        "invalid-token",
    );
    problem(
        &login(api, &ann.email, &ann.password).await,
        401,
        "bad-credentials",
    );
    assert_eq!(login(api, &ann.email, "another violet tandem").await.status, 200);
}

async fn a_deleted_account_is_gone(backend: Backend) {
    let service = Service::start(backend).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    let asked = refused(&service.command(&["user", "delete", "ann"], "ann@example.com\n"));
    assert!(asked.contains("--yes"), "{asked}");
    assert_eq!(ann.request(api, "GET", "/tasks").send().await.status, 200);
    done(&service.command(&["user", "delete", "ann", "--yes"], ""));
    tokio::time::sleep(Duration::from_secs(1)).await;
    problem(
        &ann.request(api, "GET", "/tasks").send().await,
        401,
        "invalid-token",
    );
    problem(
        &login(api, &ann.email, &ann.password).await,
        401,
        "bad-credentials",
    );
    assert_eq!(done(&service.command(&["user", "list"], "")), "");
}

async fn what_cannot_be_done_is_said_in_one_line(backend: Backend) {
    let service = Service::start(backend).await;
    let ann = Person::register(&service.api, "ann").await;
    for (arguments, input, told) in [
        (
            vec!["user", "disable", "nobody"],
            "",
            "there is no such account: nobody",
        ),
        (
            vec!["user", "disable", "id:999"],
            "",
            "there is no such account: id:999",
        ),
        (vec!["user", "disable", "x"], "", "\"x\" names no account: give"),
        (
            vec!["user", "create", "not an address"],
            "",
            "the e-mail address must be an e-mail address: one @ between",
        ),
        (
            vec!["user", "create", "ann@example.com"],
            "violet tandem bridge",
            "has this e-mail address",
        ),
        (
            vec!["user", "create", "cid@example.com", "--username", "ANN"],
            "violet tandem bridge",
            "has this user name",
        ),
        (
            vec!["user", "create", "cid@example.com"],
            "short\n",
            "the password must",
        ),
        (vec!["user", "create", "cid@example.com"], "", "standard input"),
        (
            vec!["user", "set-password", "ann"],
            "password\n",
            "commonly used passwords",
        ),
    ] {
        let line = refused(&service.command(&arguments, input));
        assert!(line.contains(told), "{arguments:?}: {line}");
        assert!(!line.contains("violet"), "{line}");
    }
    assert_eq!(
        ann.request(&service.api, "GET", "/tasks").send().await.status,
        200
    );
}
