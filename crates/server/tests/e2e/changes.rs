//! Following the changes: a replica that does nothing but apply them.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use errand_testbed::{Answer, Api, Person};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Backend, Service, all_pages, create, on_all, problem};
use crate::tasks::ann;
use crate::trash::age;

on_all!(
    a_replica_follows_every_kind_of_write,
    what_is_no_place_among_the_changes_is_refused,
    a_place_before_forgotten_deletions_has_expired,
    a_replica_equals_the_server_through_lost_answers_and_crashes,
);

/// Somebody's tasks by id, and from where to go on.
#[derive(Debug, Clone, Default)]
struct Replica {
    tasks: BTreeMap<i64, Value>,
    cursor: Option<String>,
}

impl Replica {
    fn path(&self, limit: u32) -> String {
        match &self.cursor {
            Some(cursor) => format!("/changes?limit={limit}&since={cursor}"),
            None => format!("/changes?limit={limit}"),
        }
    }

    /// Does what an answer says; whether there is more.
    fn apply(&mut self, answer: &Answer) -> bool {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        for change in page["changes"].as_array().unwrap() {
            match change["type"].as_str().unwrap() {
                "upsert" => {
                    let task = &change["task"];
                    self.tasks.insert(task["id"].as_i64().unwrap(), task.clone());
                }
                "delete" => {
                    self.tasks.remove(&change["id"].as_i64().unwrap());
                }
                other => panic!("{other}"),
            }
        }
        self.cursor = Some(page["cursor"].as_str().unwrap().to_owned());
        page["has_more"].as_bool().unwrap()
    }

    async fn catch_up(&mut self, api: &Api, person: &Person, limit: u32) {
        while self.apply(&person.request(api, "GET", &self.path(limit)).send().await) {}
    }

    /// It has what the list shows.
    async fn is_equal(&self, api: &Api, person: &Person) {
        let listed = all_pages(api, person, "").await;
        let listed: BTreeMap<_, _> = listed
            .into_iter()
            .map(|task| (task["id"].as_i64().unwrap(), task))
            .collect();
        for (id, task) in &listed {
            assert_eq!(self.tasks.get(id), Some(task), "task {id}");
        }
        assert_eq!(self.tasks.len(), listed.len(), "tasks that are there no more");
    }
}

async fn a_replica_follows_every_kind_of_write(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let mut replica = Replica::default();
    replica.catch_up(api, &ann, 1000).await;
    let begun = replica.clone();
    for (method, path, body) in [
        (
            "POST",
            "/tasks",
            json!({"title": "a", "tags": ["x"], "due_date": "2026-12-01"}),
        ),
        ("POST", "/tasks", json!({"title": "b", "completed": true})),
        ("POST", "/tasks", json!({"title": "c"})),
        ("PUT", "/tasks/1", json!({"title": "changed", "tags": null})),
        ("PATCH", "/tasks/2/complete", json!({})),
        ("DELETE", "/tasks/2", Value::Null),
        ("DELETE", "/tasks/3", Value::Null),
        ("POST", "/trash/2/restore", Value::Null),
        ("DELETE", "/trash/3", Value::Null),
        ("PATCH", "/tasks/1", json!({"title": "changed"})),
    ] {
        let written = ann.request(api, method, path).json(&body).send().await;
        assert!(written.status < 300, "{}", written.text());
        replica.catch_up(api, &ann, 1000).await;
        replica.is_equal(api, &ann).await;
    }
    assert_eq!(replica.tasks.keys().collect::<Vec<_>>(), [&1, &2]);
    for limit in [1, 2, 1000] {
        for mut late in [begun.clone(), Replica::default()] {
            late.catch_up(api, &ann, limit).await;
            assert_eq!(late.tasks, replica.tasks);
        }
    }
    // Where nothing happened nothing is told, and the way on is the same.
    let answer = ann.request(api, "GET", &replica.path(5)).send().await;
    let nothing = json!({"changes": [], "cursor": replica.cursor, "has_more": false});
    assert_eq!(answer.json(), nothing);
    let page = ann.request(api, "GET", "/changes?limit=2").send().await.json();
    let one = &replica.tasks[&1];
    assert_eq!(page["changes"][0], json!({"type": "upsert", "task": one}));
    assert_eq!(page["has_more"], true);
    let rest = ann.request(
        api,
        "GET",
        &format!("/changes?since={}", page["cursor"].as_str().unwrap()),
    );
    let rest = rest.send().await.json();
    assert_eq!(rest["changes"], json!([{"type": "delete", "id": 3}]));
    let head = ann.request(api, "HEAD", "/changes").send().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

async fn what_is_no_place_among_the_changes_is_refused(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let bob = Person::register(api, "bob").await;
    for n in 0..3 {
        create(api, &bob, json!({"title": format!("bobs {n}")})).await;
        create(api, &ann, json!({"title": format!("{n}")})).await;
    }
    let mut bobs = Replica::default();
    bobs.catch_up(api, &bob, 1000).await;
    assert!(bobs.tasks.values().all(|task| task["user_id"] == json!(bob.id)));
    let list = ann.request(api, "GET", "/tasks?limit=1").send().await;
    let of_a_list = list.header("link").unwrap().split("cursor=").nth(1).unwrap();
    let of_a_list = of_a_list.split('>').next().unwrap().to_owned();
    let bobs = bobs.cursor.unwrap();
    for (query, parameter) in [
        (format!("since={bobs}"), "since"),
        (format!("since={of_a_list}"), "since"),
        ("since=".to_owned(), "since"),
        ("since=0".to_owned(), "since"),
        ("limit=0".to_owned(), "limit"),
        ("limit=1001".to_owned(), "limit"),
        ("limit=5&limit=5".to_owned(), "limit"),
        ("cursor=x".to_owned(), "cursor"),
    ] {
        let answer = ann.request(api, "GET", &format!("/changes?{query}")).send().await;
        let told = problem(&answer, 422, "validation-failed");
        assert_eq!(told["errors"][0]["parameter"], parameter, "{query}");
    }
}

async fn a_place_before_forgotten_deletions_has_expired(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    for n in 1..=4 {
        create(api, &ann, json!({"title": format!("{n}")})).await;
    }
    let (mut before, mut half, mut after) = (Replica::default(), Replica::default(), Replica::default());
    before.catch_up(api, &ann, 1000).await;
    let delete = async |id: i64| {
        let answer = ann.request(api, "DELETE", &format!("/tasks/{id}")).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        age(&service, ann.id, id, 31).await;
    };
    delete(2).await;
    // Begins with nothing when the deletion is there already, and stops in the middle.
    assert!(half.apply(&ann.request(api, "GET", &half.path(1)).send().await));
    after.catch_up(api, &ann, 1000).await;
    let purge = || {
        let output = service.command(&["purge"], "");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "removed 1 deleted tasks of 1 users\n"
        );
    };
    purge();
    let expired = async |replica: &Replica| {
        let answer = ann.request(api, "GET", &replica.path(1000)).send().await;
        problem(&answer, 410, "cursor-expired");
    };
    expired(&before).await;
    for replica in [&mut half, &mut after, &mut Replica::default()] {
        replica.catch_up(api, &ann, 1).await;
        replica.is_equal(api, &ann).await;
    }
    delete(3).await;
    purge();
    for replica in [&before, &half, &after] {
        expired(replica).await;
    }
}

/// The two replicas of the service, one of which may be dying.
type Apis = Arc<Mutex<[Api; 2]>>;

fn either(apis: &Apis, turn: usize) -> Api {
    apis.lock().unwrap()[turn % 2].clone()
}

/// Writes until it was answered so many times; how often it was not. What got no answer may have happened or not.
async fn write(apis: Apis, person: Person, writer: usize, writes: usize) -> usize {
    let (mut mine, mut deleted) = (Vec::new(), Vec::new());
    let (mut turn, mut done, mut unanswered) = (writer, 0, 0);
    while done < writes {
        turn += 1;
        let title = json!({"title": format!("w{writer} n{turn}"), "tags": [format!("{turn}")]});
        let newest = mine.last().copied().unwrap_or(0);
        let (method, path, body) = match turn % 7 {
            1 if newest > 0 => ("PUT", format!("/tasks/{newest}"), title),
            3 if newest > 0 => ("PATCH", format!("/tasks/{newest}/complete"), json!({})),
            4 if newest > 0 => ("DELETE", format!("/tasks/{newest}"), Value::Null),
            5 if !deleted.is_empty() && turn % 2 == 0 => {
                ("POST", format!("/trash/{}/restore", deleted[0]), Value::Null)
            }
            6 if !deleted.is_empty() && turn % 3 == 0 => {
                ("DELETE", format!("/trash/{}", deleted[0]), Value::Null)
            }
            _ => ("POST", "/tasks".to_owned(), title),
        };
        let request = person.request(&either(&apis, turn), method, &path).json(&body);
        let Ok(answer) = request.try_send().await else {
            unanswered += 1;
            // To give who restarts some time, not to wait for anything.
            tokio::time::sleep(Duration::from_millis(2)).await;
            continue;
        };
        done += 1;
        let answered = answer.json();
        match (method, answer.status) {
            ("POST", 201) => mine.push(answered["id"].as_i64().unwrap()),
            ("DELETE", 200) if path.starts_with("/tasks") => {
                mine.pop();
                deleted.push(newest);
            }
            (_, 200) if path.starts_with("/trash") => drop(deleted.remove(0)),
            (_, 200) => {}
            // It had happened, and the answer was lost.
            (_, 404) => {
                mine.retain(|id| *id != newest);
                if path.starts_with("/trash") {
                    deleted.remove(0);
                }
            }
            _ => panic!("{method} {path}: {} {}", answer.status, answer.text()),
        }
    }
    unanswered
}

/// Applies page after page, each asked of the other server than the one before. Every third answer gets lost on
/// its way, or is thrown away when it is here; then the same page is asked for again.
async fn follow(apis: Apis, person: Person, limit: u32, writing: Arc<AtomicUsize>) -> (Replica, usize) {
    let (mut replica, mut turn, mut lost) = (Replica::default(), 0, 0);
    while writing.load(SeqCst) > 0 {
        turn += 1;
        let request = person.request(&either(&apis, turn), "GET", &replica.path(limit));
        let patience = if turn % 6 == 0 {
            Duration::from_micros(turn as u64 * 97 % 3_000)
        } else {
            Duration::from_mins(1)
        };
        match tokio::time::timeout(patience, request.try_send()).await {
            Ok(Ok(answer)) if turn % 3 != 0 => drop(replica.apply(&answer)),
            Ok(Ok(_)) | Err(_) => lost += 1,
            Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
    (replica, lost)
}

/// Writers and followers on two servers, which crash and come back in turn, and answers that get lost: in the
/// end every replica has what the list shows.
async fn a_replica_equals_the_server_through_lost_answers_and_crashes(backend: Backend) {
    const WRITERS: usize = 6;
    const WRITES: usize = 70;
    const CRASHES: usize = 4;
    let mut service = Service::start(backend).await;
    let (mut second, there) = service.replica().await;
    let ann = Person::register(&service.api, "ann").await;
    let apis: Apis = Arc::new(Mutex::new([service.api.clone(), there]));
    let writing = Arc::new(AtomicUsize::new(WRITERS));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (apis, ann, writing) = (apis.clone(), ann.clone(), writing.clone());
        writers.spawn(async move {
            let unanswered = write(apis, ann, writer, WRITES).await;
            writing.fetch_sub(1, SeqCst);
            unanswered
        });
    }
    let mut followers = JoinSet::new();
    for limit in [1, 3, 1000] {
        followers.spawn(follow(apis.clone(), ann.clone(), limit, writing.clone()));
    }
    for crash in 0..CRASHES {
        // In the middle of it, however fast it goes here.
        let enough = (crash + 1) * WRITERS * WRITES / (2 * CRASHES + 2);
        while writing.load(SeqCst) == WRITERS && all_of(&either(&apis, crash), &ann).await < enough {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let api = if crash % 2 == 0 {
            service.crash_and_restart().await;
            service.api.clone()
        } else {
            second.kill_9();
            let (errand, api) = service.replica().await;
            second = errand;
            api
        };
        apis.lock().unwrap()[crash % 2] = api;
    }
    let unanswered: usize = writers.join_all().await.into_iter().sum();
    assert!(unanswered > 0, "no crash was felt");
    let mut lost = 0;
    while let Some(followed) = followers.join_next().await {
        let (mut replica, without) = followed.unwrap();
        lost += without;
        for turn in 0..2 {
            replica.catch_up(&either(&apis, turn), &ann, 7).await;
            replica.is_equal(&either(&apis, turn + 1), &ann).await;
        }
        assert!(replica.tasks.len() > WRITERS, "{}", replica.tasks.len());
    }
    println!("{unanswered} writes had no answer, {lost} answers were lost");
    assert!(lost > 0, "no answer was lost");
    let mut anew = Replica::default();
    anew.catch_up(&service.api, &ann, 50).await;
    anew.is_equal(&service.api, &ann).await;
}

/// How many tasks were made so far: the list's newest id.
async fn all_of(api: &Api, person: &Person) -> usize {
    let newest = person.request(api, "GET", "/tasks?limit=1").send().await.json();
    usize::try_from(newest[0]["id"].as_i64().unwrap_or(0)).unwrap()
}
