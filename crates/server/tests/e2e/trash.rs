//! The trash: taking back, erasing, and what goes with time.

use errand_testbed::{Answer, Api, Person};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection};

use crate::support::{Backend, Service, create, list, next_link, on_all, pluck, problem};
use crate::tasks::ann;

on_all!(
    a_deleted_task_can_be_taken_back,
    the_trash_pages,
    what_is_erased_is_gone,
    the_quota_holds_for_what_is_taken_back,
    what_is_over_is_purged,
);

async fn send(api: &Api, person: &Person, method: &str, path: &str) -> Answer {
    person.request(api, method, path).send().await
}

async fn delete(api: &Api, person: &Person, id: i64) {
    let answer = send(api, person, "DELETE", &format!("/tasks/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn trash(api: &Api, person: &Person) -> Vec<Value> {
    let answer = send(api, person, "GET", "/trash").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().as_array().unwrap().clone()
}

async fn a_deleted_task_can_be_taken_back(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let body = json!({"title": "a", "description": "d", "priority": "High", "due_date": "2026-12-01",
        "tags": ["x", "Y"], "completed": true});
    let before = create(api, &ann, body).await;
    assert_eq!(trash(api, &ann).await, Vec::<Value>::new());
    delete(api, &ann, 1).await;
    let lying = &trash(api, &ann).await[0];
    for (key, value) in before.as_object().unwrap() {
        assert_eq!(&lying[key], value, "{key}");
    }
    let time = |key: &str| errand_domain::Timestamp::parse(lying[key].as_str().unwrap()).unwrap();
    assert_eq!(
        time("purge_at"),
        errand_domain::trash::purge_at(time("deleted_at"))
    );
    let tag = send(api, &ann, "GET", "/tasks")
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    let restored = send(api, &ann, "POST", "/trash/1/restore").await;
    assert_eq!((restored.status, restored.header("etag")), (200, Some("\"2\"")));
    let restored = restored.json();
    for (key, value) in before.as_object().unwrap() {
        match key.as_str() {
            "version" => assert_eq!(restored[key], 2),
            "updated_at" => assert!(restored[key].as_str() > value.as_str()),
            _ => assert_eq!(&restored[key], value, "{key}"),
        }
    }
    assert_eq!(send(api, &ann, "GET", "/tasks/1").await.json(), restored);
    let polled = ann.request(api, "GET", "/tasks").header("if-none-match", &tag);
    assert_eq!(polled.send().await.json(), json!([restored]));
    assert_eq!(trash(api, &ann).await, Vec::<Value>::new());
    for id in ["1", "2", "0", "x"] {
        for (method, path) in [
            ("POST", format!("/trash/{id}/restore")),
            ("DELETE", format!("/trash/{id}")),
        ] {
            problem(&send(api, &ann, method, &path).await, 404, "task-not-found");
        }
    }
}

async fn the_trash_pages(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    for n in 0..5 {
        create(api, &ann, json!({"title": format!("{n}")})).await;
    }
    for id in [3, 1, 5, 2, 4] {
        delete(api, &ann, id).await;
    }
    assert_eq!(pluck(&trash(api, &ann).await, "id"), [4, 2, 5, 1, 3]);
    let (mut seen, mut next) = (Vec::new(), Some(ann.path("/trash?limit=2")));
    while let Some(path) = next {
        let page = api.request("GET", &path).bearer(&ann.access).send().await;
        assert_eq!(page.status, 200, "{}", page.text());
        seen.extend(pluck(page.json().as_array().unwrap(), "id"));
        next = next_link(&page);
        if let Some(path) = &next {
            let bob = Person::register(api, &format!("bob{}", seen.len())).await;
            let stolen = path.replace(&ann.path(""), "");
            problem(&send(api, &bob, "GET", &stolen).await, 422, "validation-failed");
        }
    }
    assert_eq!(seen, [4, 2, 5, 1, 3]);
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("offset=1", "offset"),
    ] {
        let answer = send(api, &ann, "GET", &format!("/trash?{query}")).await;
        let told = problem(&answer, 422, "validation-failed");
        assert_eq!(told["errors"][0]["parameter"], parameter);
    }
}

async fn what_is_erased_is_gone(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    create(
        api,
        &ann,
        json!({"title": "secret-mark", "description": "secret-mark", "tags": "secret-mark"}),
    )
    .await;
    delete(api, &ann, 1).await;
    let export = async || send(api, &ann, "GET", "/export").await;
    assert_eq!(export().await.json()["deleted_tasks"][0]["title"], "secret-mark");
    let erased = send(api, &ann, "DELETE", "/trash/1").await;
    assert_eq!(
        (erased.status, erased.json()),
        (200, json!({"message": "Task deleted for good", "id": 1}))
    );
    assert_eq!(trash(api, &ann).await, Vec::<Value>::new());
    assert!(!export().await.text().contains("secret-mark"));
    assert_eq!(export().await.json()["deleted_tasks"], json!([]));
    for (method, path) in [
        ("DELETE", "/trash/1"),
        ("POST", "/trash/1/restore"),
        ("GET", "/tasks/1"),
    ] {
        problem(&send(api, &ann, method, path).await, 404, "task-not-found");
    }
    assert_eq!(create(api, &ann, json!({"title": "next"})).await["id"], 2);
}

async fn the_quota_holds_for_what_is_taken_back(backend: Backend) {
    let quota = [("ERRAND__LIMITS__TASKS_PER_USER", "2".to_owned())];
    let service = Service::start_with(backend, &quota).await;
    let api = &service.api;
    let ann = Person::register(api, "ann").await;
    for n in 0..3 {
        create(api, &ann, json!({"title": format!("{n}")})).await;
        if n == 0 {
            delete(api, &ann, 1).await;
        }
    }
    problem(
        &send(api, &ann, "POST", "/trash/1/restore").await,
        422,
        "quota-exceeded",
    );
    delete(api, &ann, 2).await;
    assert_eq!(send(api, &ann, "POST", "/trash/1/restore").await.status, 200);
    assert_eq!(pluck(&list(api, &ann, "").await, "id"), [3, 1]);
}

/// Sets a deletion so many days back, past errand.
pub async fn age(service: &Service, owner: i64, id: i64, days: u32) {
    if let Some(path) = service.setting("DATABASE_URL").unwrap().strip_prefix("sqlite://") {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut conn = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        // In the spelling that is there: only the day is another.
        let sql = format!(
            "UPDATE tasks SET deleted_at = date(substr(deleted_at, 1, 10), '-{days} days') || substr(deleted_at, 11) \
             WHERE user_id = {owner} AND id = {id}"
        );
        sqlx::query(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    } else {
        let mut conn = service.database().connect().await;
        let lift = "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY; ALTER TABLE task_counters NO FORCE ROW LEVEL SECURITY";
        let force =
            "ALTER TABLE tasks FORCE ROW LEVEL SECURITY; ALTER TABLE task_counters FORCE ROW LEVEL SECURITY";
        let sql = format!(
            "{lift}; UPDATE tasks SET deleted_at = deleted_at - interval '{days} days' \
             WHERE user_id = {owner} AND id = {id}; {force}"
        );
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut conn)
            .await
            .unwrap();
    }
}

async fn what_is_over_is_purged(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let bob = Person::register(api, "bob").await;
    for person in [&ann, &bob] {
        for n in 1..=4 {
            create(api, person, json!({"title": format!("{n}")})).await;
        }
        for id in 1..=3 {
            delete(api, person, id).await;
        }
        age(&service, person.id, 1, 31).await;
        age(&service, person.id, 2, 29).await;
    }
    // What is over is not shown, whether its row is still there or not.
    assert_eq!(pluck(&trash(api, &ann).await, "id"), [3, 2]);
    problem(
        &send(api, &ann, "POST", "/trash/1/restore").await,
        404,
        "task-not-found",
    );
    let held = async |person: &Person| {
        let export = send(api, person, "GET", "/export").await.json();
        pluck(export["deleted_tasks"].as_array().unwrap(), "id")
    };
    assert_eq!(held(&ann).await, [1, 2, 3]);
    // The next deletion takes it along, its owner's alone.
    delete(api, &ann, 4).await;
    assert_eq!(
        (held(&ann).await, held(&bob).await),
        (
            vec![json!(2), json!(3), json!(4)],
            vec![json!(1), json!(2), json!(3)]
        )
    );
    // The rest by hand.
    age(&service, ann.id, 2, 2).await;
    let purge = || {
        let output = service.command(&["purge"], "");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(purge(), "removed 2 deleted tasks of 2 users\n");
    assert_eq!(
        (held(&ann).await, held(&bob).await),
        (vec![json!(3), json!(4)], vec![json!(2), json!(3)])
    );
    assert_eq!(purge(), "removed 0 deleted tasks of 0 users\n");
    assert_eq!(list(api, &bob, "").await.len(), 1);
}
