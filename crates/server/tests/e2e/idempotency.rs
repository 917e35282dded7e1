//! `Idempotency-Key`: a request that comes again is done once, whoever is asked and whatever crashed meanwhile.

use errand_testbed::{Answer, Api, Person, Request};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::support::{Backend, Service, at_once, create, list, on_all, problem};
use crate::tasks::ann;

on_all!(
    a_hundred_at_once_make_one_task,
    another_request_with_a_known_key_is_refused,
    of_parallel_requests_with_one_key_one_is_known,
    everybody_has_keys_of_their_own,
    a_replay_tells_what_was_told,
    what_was_refused_is_not_remembered,
    keys_that_are_none_are_refused,
    an_account_that_goes_takes_its_keys_along,
    a_key_is_forgotten_after_a_day,
);

pub fn keyed(api: &Api, person: &Person, method: &str, path: &str, key: &str) -> Request {
    person.request(api, method, path).header("idempotency-key", key)
}

pub async fn post(api: &Api, person: &Person, key: &str, body: &Value) -> Answer {
    keyed(api, person, "POST", "/tasks", key).json(body).send().await
}

pub async fn toggle(api: &Api, person: &Person, id: i64, key: &str) -> Answer {
    let path = format!("/tasks/{id}/complete");
    keyed(api, person, "PATCH", &path, key).send().await
}

/// Whether an answer is one that was given before.
#[track_caller]
pub fn replayed(answer: &Answer, status: u16) -> bool {
    assert_eq!(answer.status, status, "{}", answer.text());
    let told = answer.header("idempotency-replayed");
    assert!(matches!(told, None | Some("true")), "{told:?}");
    told.is_some()
}

#[track_caller]
fn reused(answer: &Answer) {
    let told = problem(answer, 422, "idempotency-key-reused");
    assert_eq!(told["errors"][0]["header"], "Idempotency-Key", "{told}");
}

async fn a_hundred_at_once_make_one_task(backend: Backend) {
    let (mut service, ann) = ann(backend).await;
    let (_other, there) = service.replica().await;
    let bodies = [
        json!({"title": "a", "due_date": "2026-03-01", "recurrence": "daily", "tags": ["x"]}),
        json!({"title": "b"}),
        json!({"title": "c", "completed": true}),
    ];
    let mut told = Vec::new();
    for (n, body) in bodies.iter().enumerate() {
        let key = format!("key-{n}");
        let answers = at_once(100, |n| {
            let api = if n % 2 == 0 { &service.api } else { &there };
            let request = keyed(api, &ann, "POST", "/tasks", &key).json(body);
            async move { request.send().await }
        })
        .await;
        let first = &answers[0];
        for answer in &answers {
            assert_eq!(
                (answer.status, &answer.body),
                (201, &first.body),
                "{}",
                answer.text()
            );
            for name in ["location", "etag"] {
                assert!(answer.header(name).is_some(), "{name}");
                assert_eq!(answer.header(name), first.header(name));
            }
        }
        let new = answers.iter().filter(|answer| !replayed(answer, 201));
        assert_eq!(new.count(), 1, "each but one was answered as an earlier time");
        assert_eq!(list(&service.api, &ann, "?limit=1").await, [first.json()]);
        told.push(first.json());
    }
    assert_eq!(list(&service.api, &ann, "").await.len(), bodies.len());
    // A key is known after a crash as well.
    service.crash_and_restart().await;
    for api in [&service.api, &there] {
        for (n, (body, told)) in bodies.iter().zip(&told).enumerate() {
            let again = post(api, &ann, &format!("key-{n}"), body).await;
            assert!(replayed(&again, 201));
            assert_eq!(again.json(), *told);
        }
    }
    assert_eq!(list(&service.api, &ann, "").await.len(), bodies.len());
}

async fn another_request_with_a_known_key_is_refused(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let body = json!({"title": "a", "priority": "High"});
    let made = post(api, &ann, "k", &body).await;
    assert!(!replayed(&made, 201));
    create(api, &ann, json!({"title": "b"})).await;
    let before = list(api, &ann, "").await;
    reused(&post(api, &ann, "k", &json!({"title": "a"})).await);
    reused(&post(api, &ann, "k", &json!({"title": "a", "priority": "Low"})).await);
    reused(&toggle(api, &ann, 1, "k").await);
    let batch = json!({"operations": [{"op": "create", "task": body}]});
    let batch = keyed(api, &ann, "POST", "/batch", "k").json(&batch);
    reused(&batch.send().await);
    assert_eq!(list(api, &ann, "").await, before, "something was done");
    // Faults of the body are told first; nothing else is known of such a request.
    problem(
        &post(api, &ann, "k", &json!({"title": ""})).await,
        422,
        "validation-failed",
    );
    // The same request in another spelling is the same.
    for (path, text) in [
        ("/tasks", "{ \"priority\":\"High\",\n\"title\" : \"\\u0061\" }"),
        ("/tasks/", "{\"title\":\"a\",\"priority\":\"High\"}"),
    ] {
        let request = keyed(api, &ann, "POST", path, "k").raw(text, "application/json; charset=utf-8");
        let again = request.send().await;
        assert!(replayed(&again, 201), "{text}");
        assert_eq!(again.body, made.body);
    }
    // Keys differ by every character, letter case included.
    for key in ["K", "k2", "~!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}", &"x".repeat(255)] {
        assert!(!replayed(&post(api, &ann, key, &body).await, 201), "{key}");
        assert!(replayed(&post(api, &ann, key, &body).await, 201), "{key}");
    }
    // A toggle of another task, or with a body, is another request.
    assert!(!replayed(&toggle(api, &ann, 1, "t").await, 200));
    reused(&toggle(api, &ann, 2, "t").await);
    let set = keyed(api, &ann, "PATCH", "/tasks/1/complete", "t").json(&json!({"completed": true}));
    reused(&set.send().await);
}

async fn of_parallel_requests_with_one_key_one_is_known(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let (_other, there) = service.replica().await;
    for round in 0..10 {
        let key = format!("{round}");
        let answers = at_once(20, |n| {
            let api = if n % 2 == 0 { &service.api } else { &there };
            let request = keyed(api, &ann, "POST", "/tasks", &key);
            let request = request.json(&json!({"title": format!("{round} by {n}")}));
            async move { request.send().await }
        })
        .await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(made.len(), 1, "{made:?}");
        assert!(!replayed(&made[0], 201));
        refused.iter().for_each(reused);
        let tasks = list(&service.api, &ann, "").await;
        assert_eq!((tasks.len(), &tasks[0]), (round + 1, &made[0].json()));
    }
}

async fn everybody_has_keys_of_their_own(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let bob = Person::register(api, "bob").await;
    create(api, &bob, json!({"title": "bobs"})).await;
    let body = json!({"title": "a"});
    let anns = post(api, &ann, "same", &body).await;
    assert!(!replayed(&anns, 201));
    let bobs = post(api, &bob, "same", &body).await;
    assert!(!replayed(&bobs, 201));
    assert_eq!(
        (&anns.json()["id"], &bobs.json()["id"], &bobs.json()["user_id"]),
        (&json!(1), &json!(2), &json!(bob.id))
    );
    // Nor does a body that Ann has not sent tell Bob of hers, or the other way round.
    post(api, &ann, "anns", &json!({"title": "hers"})).await;
    assert!(!replayed(
        &post(api, &bob, "anns", &json!({"title": "his"})).await,
        201
    ));
    let foreign = api.request("POST", &bob.path("/tasks")).bearer(&ann.access);
    let foreign = foreign.header("idempotency-key", "same").json(&body).send().await;
    problem(&foreign, 403, "wrong-user");
}

async fn a_replay_tells_what_was_told(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let body = json!({"title": "a", "description": "d", "priority": "low", "due_date": "2026-03-29T02:30:00+01:00",
        "time_zone": "Europe/Berlin", "tags": ["x", "Y"], "recurrence": "daily", "recurrence_from": "completion"});
    let made = post(api, &ann, "make", &body).await;
    let done = toggle(api, &ann, 1, "done").await;
    assert!(!replayed(&made, 201) && !replayed(&done, 200));
    assert_eq!(
        (&done.json()["completed"], done.header("etag")),
        (&json!(true), Some("\"2\""))
    );
    let change = ann.request(api, "PUT", "/tasks/1").json(&json!({"title": "b"}));
    assert_eq!(change.send().await.status, 200);
    for change in ["/tasks/1", "/trash/1"] {
        for (answer, told, status) in [
            (post(api, &ann, "make", &body).await, &made, 201),
            (toggle(api, &ann, 1, "done").await, &done, 200),
        ] {
            assert!(replayed(&answer, status));
            assert_eq!(answer.body, told.body);
            for name in ["etag", "location", "content-type"] {
                assert_eq!(answer.header(name), told.header(name), "{name}");
            }
        }
        let gone = ann.request(api, "DELETE", change).send().await;
        assert_eq!(gone.status, 200, "{}", gone.text());
    }
    assert_eq!(list(api, &ann, "").await.len(), 1, "only what followed");
}

async fn what_was_refused_is_not_remembered(backend: Backend) {
    let quota = [("ERRAND__LIMITS__TASKS_PER_USER", "3".to_owned())];
    let service = Service::start_with(backend, &quota).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    // 422 of a field, of fields together, and of a zone.
    for bad in [
        json!({"title": ""}),
        json!({"title": "a", "recurrence": "daily"}),
        json!({"title": "a", "time_zone": "No/Where"}),
    ] {
        problem(&post(api, &ann, "k", &bad).await, 422, "validation-failed");
    }
    let good = json!({"title": "a", "due_date": "2026-03-01", "recurrence": "daily"});
    assert!(!replayed(&post(api, &ann, "k", &good).await, 201));
    // 404, until there is something.
    problem(&toggle(api, &ann, 2, "t").await, 404, "task-not-found");
    create(api, &ann, json!({"title": "b"})).await;
    assert!(!replayed(&toggle(api, &ann, 2, "t").await, 200));
    assert!(replayed(&toggle(api, &ann, 2, "t").await, 200));
    // 412, until it fits.
    let conditional = async |tag: &str| {
        let request = keyed(api, &ann, "PATCH", "/tasks/1/complete", "c").header("if-match", tag);
        request.send().await
    };
    problem(&conditional("\"9\"").await, 412, "precondition-failed");
    let done = conditional("\"1\"").await;
    assert!(!replayed(&done, 200));
    assert_eq!(done.json()["completed"], true);
    assert!(
        replayed(&conditional("\"1\"").await, 200),
        "it is stale by now, and was done"
    );
    // The quota, until there is room. Task 3 followed task 1.
    let more = json!({"title": "more"});
    problem(&post(api, &ann, "q", &more).await, 422, "quota-exceeded");
    let deleted = ann.request(api, "DELETE", "/tasks/2").send().await;
    assert_eq!(deleted.status, 200);
    let made = post(api, &ann, "q", &more).await;
    assert!(!replayed(&made, 201));
    assert_eq!(made.json()["id"], 4);
    // A replay needs no room.
    assert!(replayed(&post(api, &ann, "q", &more).await, 201));
    // A batch that was refused as a whole.
    let batch = async |id: i64| {
        let body = json!({"operations": [{"op": "update", "id": 4, "task": {"title": "x"}}, {"op": "delete", "id": id}]});
        keyed(api, &ann, "POST", "/batch", "b").json(&body).send().await
    };
    problem(&batch(9).await, 422, "validation-failed");
    assert!(!replayed(&batch(3).await, 200));
    assert!(replayed(&batch(3).await, 200));
    reused(&batch(9).await);
}

async fn keys_that_are_none_are_refused(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    create(api, &ann, json!({"title": "a"})).await;
    let before = list(api, &ann, "").await;
    let long = "x".repeat(256);
    for keys in [
        vec![""],
        vec!["a b"],
        vec!["a\tb"],
        vec!["\u{fc}"],
        vec![&*long],
        vec!["a", "b"],
        vec!["a", "a"],
    ] {
        for (method, path, body) in [
            ("POST", "/tasks", json!({"title": "b"})),
            (
                "POST",
                "/batch",
                json!({"operations": [{"op": "complete", "id": 1}]}),
            ),
            ("PATCH", "/tasks/1/complete", Value::Null),
        ] {
            let mut request = ann.request(api, method, path);
            for key in &keys {
                request = request.header_bytes("idempotency-key", key.as_bytes());
            }
            let request = if body.is_null() {
                request
            } else {
                request.json(&body)
            };
            let told = problem(&request.send().await, 422, "validation-failed");
            assert_eq!(told["errors"][0]["header"], "Idempotency-Key", "{told}");
        }
    }
    assert_eq!(list(api, &ann, "").await, before);
}

/// Runs a statement on the database beneath, past errand.
async fn beneath(service: &Service, sql: &str) -> i64 {
    const LIFT: &str = "ALTER TABLE idempotency_keys NO FORCE ROW LEVEL SECURITY";
    const FORCE: &str = "ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY";
    if let Some(path) = service.setting("DATABASE_URL").unwrap().strip_prefix("sqlite://") {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut conn = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut conn).await;
        return row.unwrap().get(0);
    }
    let mut conn = service.database().connect().await;
    let lift = sqlx::raw_sql(LIFT).execute(&mut conn).await;
    lift.unwrap();
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut conn).await;
    let force = sqlx::raw_sql(FORCE).execute(&mut conn).await;
    force.unwrap();
    row.unwrap().get(0)
}

async fn an_account_that_goes_takes_its_keys_along(backend: Backend) {
    let service = Service::start(backend).await;
    let (_other, there) = service.replica().await;
    let bob = Person::register(&service.api, "bob").await;
    assert!(!replayed(
        &post(&service.api, &bob, "bobs", &json!({"title": "b"})).await,
        201
    ));
    for round in 0..3 {
        let ann = Person::register(&service.api, &format!("ann{round}")).await;
        create(&service.api, &ann, json!({"title": "first"})).await;
        let answers = at_once(41, |n| {
            let api = if n % 2 == 0 {
                service.api.clone()
            } else {
                there.clone()
            };
            let ann = ann.clone();
            async move {
                let mut made = 0;
                if n == 40 {
                    let body = json!({"password": ann.password});
                    let answer = ann.request(&api, "DELETE", "").json(&body).send().await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    return made;
                }
                for turn in 0..200 {
                    let key = format!("{}-{turn}", n / 4);
                    let answer = match n % 4 {
                        0 | 1 => post(&api, &ann, &key, &json!({"title": key})).await,
                        2 => toggle(&api, &ann, 1, &format!("t-{n}-{turn}")).await,
                        _ => {
                            let body = json!({"operations": [{"op": "create", "task": {"title": "x"}},
                                {"op": "complete", "id": 1}]});
                            let request = keyed(&api, &ann, "POST", "/batch", &format!("b-{n}-{turn}"));
                            request.json(&body).send().await
                        }
                    };
                    match answer.status {
                        200 | 201 => made += 1,
                        _ => {
                            problem(&answer, 401, "invalid-token");
                            return made;
                        }
                    }
                }
                made
            }
        })
        .await;
        println!(
            "{} were done before the account was gone",
            answers.iter().sum::<i32>()
        );
        problem(
            &post(&there, &ann, "0-0", &json!({"title": "0-0"})).await,
            401,
            "invalid-token",
        );
        let left = format!("SELECT count(*) FROM idempotency_keys WHERE user_id = {}", ann.id);
        assert_eq!(beneath(&service, &left).await, 0);
        // Who registers anew begins anew.
        let again = Person::register(&service.api, &format!("ann{round}")).await;
        assert!(!replayed(
            &post(&there, &again, "0-0", &json!({"title": "other"})).await,
            201
        ));
    }
    assert!(replayed(
        &post(&there, &bob, "bobs", &json!({"title": "b"})).await,
        201
    ));
}

async fn a_key_is_forgotten_after_a_day(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let body = json!({"title": "a"});
    for key in ["old", "young"] {
        assert!(!replayed(&post(api, &ann, key, &body).await, 201));
    }
    let past = if backend == Backend::Sqlite {
        // In the spelling that is there: only the day is another.
        "date(substr(created_at, 1, 10), '-2 days') || substr(created_at, 11)"
    } else {
        "created_at - interval '2 days'"
    };
    let sql = format!(
        "UPDATE idempotency_keys SET created_at = {past} WHERE user_id = {} AND key = 'old' RETURNING user_id",
        ann.id
    );
    let kept = format!("SELECT count(*) FROM idempotency_keys WHERE user_id = {}", ann.id);
    assert_eq!(beneath(&service, &sql).await, ann.id);
    // Its answer goes with it, with the next request or by hand.
    let purged = service.command(&["purge"], "");
    assert!(
        purged.status.success(),
        "{}",
        String::from_utf8_lossy(&purged.stderr)
    );
    assert_eq!(beneath(&service, &kept).await, 1);
    assert!(!replayed(&post(api, &ann, "old", &body).await, 201));
    assert_eq!(beneath(&service, &sql).await, ann.id);
    assert!(replayed(&post(api, &ann, "young", &body).await, 201));
    reused(&post(api, &ann, "young", &json!({"title": "b"})).await);
    assert!(!replayed(
        &post(api, &ann, "old", &json!({"title": "b"})).await,
        201
    ));
    reused(&post(api, &ann, "old", &body).await);
    assert_eq!(beneath(&service, &kept).await, 2);
}
