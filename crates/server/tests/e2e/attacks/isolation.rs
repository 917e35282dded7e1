//! Reaching for what belongs to somebody else.

use errand_testbed::{Answer, Person};
use serde_json::{Value, json};

use super::scene::Scene;
use super::suite::attacks;
use crate::support::{create, essence, list, next_link, pluck, problem};

attacks! {
    "path-check": anothers_list_is_not_shown, anothers_task_is_not_shown, no_task_is_made_for_another,
        anothers_task_is_not_changed_by_its_path, anothers_task_is_not_completed_by_its_path,
        anothers_task_is_not_deleted_by_its_path, anothers_sessions_are_not_shown_by_their_path,
        anothers_sessions_are_not_ended_by_their_path, anothers_password_is_not_changed,
        anothers_data_are_not_exported, anothers_account_is_not_deleted, no_batch_is_done_for_another,
        who_exists_does_not_show;
    "path-text": a_zero_before_ones_id_is_another_user, a_blank_behind_ones_id_is_another_user,
        a_plus_before_ones_id_is_another_user;
    "tenant-in-scope": anothers_task_is_not_found_by_its_id, a_search_does_not_find_anothers_tasks,
        a_tag_does_not_find_anothers_tasks, a_count_does_not_count_anothers_tasks,
        an_export_holds_nothing_of_another, no_order_shows_anothers_tasks,
        anothers_key_is_not_known;
    "tenant-in-work": anothers_task_is_not_changed_by_its_id, anothers_task_is_not_completed_by_its_id,
        anothers_task_is_not_shown_by_a_batch;
    "tenant-in-delete": anothers_task_is_not_deleted_by_its_id;
    "task-numbers": ones_ids_do_not_tell_of_anothers_tasks;
    "body-fields": a_task_is_not_made_for_the_user_in_the_body, a_task_is_not_given_away,
        a_change_cannot_choose_another_task, a_new_task_cannot_choose_its_id;
    "owner-from-token": a_header_does_not_make_one_another_user, a_header_does_not_make_another_path,
        a_proxys_header_does_not_make_one_another_user;
    "cursor-check": anothers_cursor_is_refused;
    "tenant-in-walk": a_forged_cursor_does_not_lead_into_anothers_walk;
    "trash-hidden": a_deleted_task_is_not_shown, a_deleted_task_is_not_changed;
    "http-requests": two_users_on_one_connection_are_kept_apart;
}

/// The attacker does this to the victim's path, and nothing comes of it.
async fn foreign(scene: &Scene, method: &str, rest: &str) -> Answer {
    let (attacker, victim) = scene.pair().await;
    let before = scene.snapshot(&victim).await;
    let request = scene
        .api
        .request(method, &victim.path(rest))
        .bearer(&attacker.access);
    let body = json!({"title": "from outside", "completed": true, "password": attacker.password,
        "current_password": attacker.password, "new_password": scene.password(),
        "operations": [{"op": "delete", "id": 1}]});
    let answer = request.json(&body).send().await;
    problem(&answer, 403, "wrong-user");
    assert_eq!(scene.snapshot(&victim).await, before);
    answer
}

async fn anothers_list_is_not_shown(scene: &Scene) {
    foreign(scene, "GET", "/tasks").await;
}

async fn anothers_task_is_not_shown(scene: &Scene) {
    foreign(scene, "GET", "/tasks/1").await;
}

async fn no_batch_is_done_for_another(scene: &Scene) {
    foreign(scene, "POST", "/batch").await;
}

async fn no_task_is_made_for_another(scene: &Scene) {
    foreign(scene, "POST", "/tasks").await;
}

async fn anothers_task_is_not_changed_by_its_path(scene: &Scene) {
    foreign(scene, "PUT", "/tasks/1").await;
    foreign(scene, "PATCH", "/tasks/1").await;
}

async fn anothers_task_is_not_completed_by_its_path(scene: &Scene) {
    foreign(scene, "PATCH", "/tasks/1/complete").await;
}

async fn anothers_task_is_not_deleted_by_its_path(scene: &Scene) {
    foreign(scene, "DELETE", "/tasks/1").await;
}

async fn anothers_sessions_are_not_shown_by_their_path(scene: &Scene) {
    foreign(scene, "GET", "/sessions").await;
}

async fn anothers_sessions_are_not_ended_by_their_path(scene: &Scene) {
    foreign(scene, "DELETE", "/sessions").await;
    foreign(scene, "DELETE", "/sessions/01985a3c-7d10-7000-8000-00000000abcd").await;
}

async fn anothers_password_is_not_changed(scene: &Scene) {
    foreign(scene, "PUT", "/password").await;
}

async fn anothers_data_are_not_exported(scene: &Scene) {
    foreign(scene, "GET", "/export").await;
}

async fn anothers_account_is_not_deleted(scene: &Scene) {
    foreign(scene, "DELETE", "").await;
}

async fn who_exists_does_not_show(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let mut answers = Vec::new();
    for user in [
        victim.id.to_string(),
        "999999999".into(),
        "abc".into(),
        "0".into(),
    ] {
        let request = scene.api.request("GET", &format!("/api/{user}/tasks"));
        let request = request.bearer(&attacker.access).header("x-request-id", "same");
        let answer = request.send().await;
        problem(&answer, 403, "wrong-user");
        answers.push(essence(&answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

/// One's own id, spelled in a way that a parser of numbers would take.
async fn spelled(scene: &Scene, spelling: impl Fn(i64) -> String) {
    let person = scene.person().await;
    for rest in ["/tasks", "/export"] {
        let path = format!("/api/{}{rest}", spelling(person.id));
        let answer = scene
            .api
            .request("GET", &path)
            .bearer(&person.access)
            .send()
            .await;
        problem(&answer, 403, "wrong-user");
    }
}

async fn a_zero_before_ones_id_is_another_user(scene: &Scene) {
    spelled(scene, |id| format!("0{id}")).await;
}

async fn a_blank_behind_ones_id_is_another_user(scene: &Scene) {
    spelled(scene, |id| format!("{id}%20")).await;
    spelled(scene, |id| format!("%20{id}")).await;
}

async fn a_plus_before_ones_id_is_another_user(scene: &Scene) {
    spelled(scene, |id| format!("+{id}")).await;
    spelled(scene, |id| format!("%2B{id}")).await;
}

/// The victim's ids under one's own path: as if there were nothing.
async fn by_id(scene: &Scene, method: &str, rest: &str) {
    let (attacker, victim) = scene.pair().await;
    let before = (scene.snapshot(&attacker).await, scene.snapshot(&victim).await);
    let mut answers = Vec::new();
    // The attacker has a task 1 only.
    for id in ["2", "3", "999", "9223372036854775807"] {
        let request = attacker.request(&scene.api, method, &format!("/tasks/{id}{rest}"));
        let request = request.header("x-request-id", "same");
        let answer = request
            .json(&json!({"title": "mine", "completed": true}))
            .send()
            .await;
        assert_eq!(answer.status, 404, "{method} {id}: {}", answer.text());
        answers.push(essence(&answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "a foreign id shows");
    assert_eq!(
        (scene.snapshot(&attacker).await, scene.snapshot(&victim).await),
        before
    );
}

async fn anothers_task_is_not_found_by_its_id(scene: &Scene) {
    by_id(scene, "GET", "").await;
}

async fn anothers_task_is_not_changed_by_its_id(scene: &Scene) {
    by_id(scene, "PUT", "").await;
    by_id(scene, "PATCH", "").await;
}

async fn anothers_task_is_not_completed_by_its_id(scene: &Scene) {
    by_id(scene, "PATCH", "/complete").await;
}

async fn anothers_task_is_not_shown_by_a_batch(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let before = scene.snapshot(&victim).await;
    for operation in [
        json!({"op": "update", "id": 2, "task": {"priority": "High", "user_id": victim.id}}),
        json!({"op": "complete", "id": 3}),
    ] {
        let body = json!({"operations": [operation]});
        let request = attacker.request(&scene.api, "POST", "/batch").json(&body);
        super::scene::invalid(&request.send().await, "#/operations/0/id");
    }
    assert_eq!(scene.snapshot(&victim).await, before);
}

/// Who sends the key of somebody else is not told that it is known, nor what it was for.
async fn anothers_key_is_not_known(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    for person in [&victim, &attacker] {
        let request = person
            .request(&scene.api, "POST", "/tasks")
            .header("idempotency-key", "guessed");
        let answer = request.json(&json!({"title": "with a key"})).send().await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.header("idempotency-replayed"), None);
        assert_eq!(answer.json()["user_id"], person.id);
    }
}

async fn anothers_task_is_not_deleted_by_its_id(scene: &Scene) {
    by_id(scene, "DELETE", "").await;
}

/// The attacker's list with this query has nothing of the victim's.
async fn listed(scene: &Scene, query: &str) -> Vec<Value> {
    let (attacker, _) = scene.pair().await;
    let answer = attacker
        .request(&scene.api, "GET", &format!("/tasks{query}"))
        .send()
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("victims-mark"), "{}", answer.text());
    answer.json().as_array().unwrap().clone()
}

async fn a_search_does_not_find_anothers_tasks(scene: &Scene) {
    assert!(listed(scene, "?q=victims-mark").await.is_empty());
}

async fn a_tag_does_not_find_anothers_tasks(scene: &Scene) {
    assert!(listed(scene, "?tag=victims-mark").await.is_empty());
}

async fn a_count_does_not_count_anothers_tasks(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    for _ in 0..2 {
        let answer = attacker
            .request(&scene.api, "GET", "/tasks?count=true")
            .send()
            .await;
        assert_eq!(answer.header("x-total-count"), Some("1"));
        create(&scene.api, &victim, json!({"title": "one more"})).await;
    }
}

async fn an_export_holds_nothing_of_another(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let all = scene.snapshot(&attacker).await;
    assert_eq!(all["tasks"].as_array().unwrap().len(), 1);
    let all = all.to_string();
    assert!(
        !all.contains("victims-mark") && !all.contains(&victim.email),
        "{all}"
    );
}

async fn no_order_shows_anothers_tasks(scene: &Scene) {
    for key in ["created_at", "updated_at", "title", "due_date", "priority"] {
        let tasks = listed(scene, &format!("?sort={key}&limit=1")).await;
        assert_eq!(pluck(&tasks, "title"), [json!("the attackers own")], "{key}");
    }
}

async fn ones_ids_do_not_tell_of_anothers_tasks(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    for _ in 0..3 {
        create(&scene.api, &victim, json!({"title": "one more"})).await;
    }
    let next = create(&scene.api, &attacker, json!({"title": "mine"})).await;
    assert_eq!(next["id"], 2);
}

async fn a_task_is_not_made_for_the_user_in_the_body(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let before = scene.snapshot(&victim).await;
    let body = json!({"title": "yours", "user_id": victim.id, "owner_id": victim.id, "owner": victim.id});
    let made = create(&scene.api, &attacker, body).await;
    assert_eq!(made["user_id"], json!(attacker.id));
    assert_eq!(scene.snapshot(&victim).await, before);
}

async fn a_task_is_not_given_away(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let before = scene.snapshot(&victim).await;
    let body = json!({"title": "yours now", "user_id": victim.id});
    let answer = attacker
        .request(&scene.api, "PUT", "/tasks/1")
        .json(&body)
        .send()
        .await;
    assert_eq!(
        (answer.status, &answer.json()["user_id"]),
        (200, &json!(attacker.id))
    );
    assert_eq!(scene.snapshot(&victim).await, before);
    assert_eq!(
        pluck(&list(&scene.api, &attacker, "").await, "title"),
        [json!("yours now")]
    );
}

async fn a_change_cannot_choose_another_task(scene: &Scene) {
    let person = scene.person().await;
    for title in ["first", "second"] {
        create(&scene.api, &person, json!({"title": title})).await;
    }
    let body = json!({"title": "changed", "id": 2, "version": 40, "created_at": "2001-01-01T00:00:00Z"});
    let answer = person
        .request(&scene.api, "PATCH", "/tasks/1")
        .json(&body)
        .send()
        .await;
    let task = answer.json();
    assert_eq!((&task["id"], &task["version"]), (&json!(1), &json!(2)));
    assert!(!task["created_at"].as_str().unwrap().starts_with("2001"));
    assert_eq!(
        pluck(&list(&scene.api, &person, "").await, "title"),
        [json!("second"), json!("changed")]
    );
}

async fn a_new_task_cannot_choose_its_id(scene: &Scene) {
    let (attacker, _) = scene.pair().await;
    let body = json!({"title": "x", "id": 1, "version": 9, "completed_at": "2001-01-01T00:00:00Z",
        "deleted_at": "2001-01-01T00:00:00Z", "change_seq": 9, "creation_key": "x"});
    let made = create(&scene.api, &attacker, body).await;
    assert_eq!(
        (&made["id"], &made["version"], &made["completed_at"]),
        (&json!(2), &json!(1), &Value::Null)
    );
    assert_eq!(list(&scene.api, &attacker, "").await.len(), 2);
}

/// With these headers one's own list is still one's own, and the victim's still closed.
async fn with_headers(scene: &Scene, names: &[&str], value: impl Fn(&Person) -> String) {
    let (attacker, victim) = scene.pair().await;
    for name in names {
        let value = value(&victim);
        let theirs = scene.api.request("GET", &victim.path("/tasks"));
        let answer = theirs.bearer(&attacker.access).header(name, &value).send().await;
        problem(&answer, 403, "wrong-user");
        let own = attacker.request(&scene.api, "GET", "/tasks").header(name, &value);
        let answer = own.send().await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert!(!answer.text().contains("victims-mark"), "{name}");
    }
}

async fn a_header_does_not_make_one_another_user(scene: &Scene) {
    let names = [
        "x-user-id",
        "x-user",
        "x-account-id",
        "x-tenant-id",
        "x-on-behalf-of",
    ];
    with_headers(scene, &names, |victim| victim.id.to_string()).await;
}

async fn a_header_does_not_make_another_path(scene: &Scene) {
    let names = [
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-uri",
        "x-forwarded-prefix",
    ];
    with_headers(scene, &names, |victim| victim.path("/tasks")).await;
}

async fn a_proxys_header_does_not_make_one_another_user(scene: &Scene) {
    let names = [
        "x-forwarded-user",
        "x-remote-user",
        "x-auth-request-user",
        "x-webauth-user",
    ];
    with_headers(scene, &names, |victim| victim.id.to_string()).await;
}

async fn anothers_cursor_is_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    for sort in ["created_at", "title"] {
        let path = format!("/tasks?sort={sort}&limit=1");
        let page = victim.request(&scene.api, "GET", &path).send().await;
        let next = next_link(&page).unwrap();
        let (_, query) = next.split_once('?').unwrap();
        let answer = attacker
            .request(&scene.api, "GET", &format!("/tasks?{query}"))
            .send()
            .await;
        super::scene::invalid(&answer, "cursor");
    }
}

/// The check of a cursor is no secret. Whoever makes one for the victim's walk finds no walk.
async fn a_forged_cursor_does_not_lead_into_anothers_walk(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let page = victim
        .request(&scene.api, "GET", "/tasks?sort=title&limit=1")
        .send()
        .await;
    let next = next_link(&page).unwrap();
    let (_, cursor) = next.split_once("cursor=").unwrap();
    let path = |person: &Person| {
        let forged = super::query::forged_cursor(cursor, person.id, super::query::BY_TITLE);
        person.path(&format!("/tasks?sort=title&limit=1&cursor={forged}"))
    };
    let own = scene.api.request("GET", &path(&victim));
    let own = own.bearer(&victim.access).send().await;
    assert_eq!(
        own.status,
        200,
        "not even a faithful copy is taken: {}",
        own.text()
    );
    let answer = scene.api.request("GET", &path(&attacker));
    let answer = answer.bearer(&attacker.access).send().await;
    problem(&answer, 410, "cursor-expired");
}

async fn trashed(scene: &Scene) -> Person {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "gone", "tags": ["gone"]})).await;
    let answer = person.request(&scene.api, "DELETE", "/tasks/1").send().await;
    assert_eq!(answer.status, 200);
    person
}

async fn a_deleted_task_is_not_shown(scene: &Scene) {
    let person = trashed(scene).await;
    let answer = person.request(&scene.api, "GET", "/tasks/1").send().await;
    problem(&answer, 404, "task-not-found");
    for query in ["", "?q=gone", "?tag=gone", "?sort=title"] {
        assert!(list(&scene.api, &person, query).await.is_empty(), "{query}");
    }
}

async fn a_deleted_task_is_not_changed(scene: &Scene) {
    let person = trashed(scene).await;
    for (method, rest) in [("PUT", ""), ("PATCH", "/complete"), ("DELETE", "")] {
        let request = person.request(&scene.api, method, &format!("/tasks/1{rest}"));
        let answer = request
            .json(&json!({"title": "back", "completed": true}))
            .send()
            .await;
        problem(&answer, 404, "task-not-found");
    }
}

/// Each answer of a pipeline is for the token of its own request.
async fn two_users_on_one_connection_are_kept_apart(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let people = [&attacker, &victim];
    let requests: Vec<_> = (0..40)
        .map(|n| {
            let end = if n == 39 { "Connection: close\r\n" } else { "" };
            let token = &people[n % 2].access;
            format!("GET /api/auth/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{end}\r\n")
        })
        .collect();
    let answers = scene.raw(requests.concat()).await;
    let bodies: Vec<_> = answers.split("\r\n\r\n").skip(1).collect();
    assert_eq!(bodies.len(), 40, "{answers}");
    for (n, body) in bodies.iter().enumerate() {
        assert!(body.contains(&people[n % 2].email), "{n}: {body}");
    }
}
