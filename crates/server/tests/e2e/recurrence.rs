//! Tasks that repeat: what completing one makes.

use errand_domain::Timestamp;
use errand_testbed::{Answer, Api, Person};
use serde_json::{Value, json};

use crate::support::{Backend, Service, create, list, on_all, pluck};
use crate::tasks::ann;

on_all!(
    rules_come_back_in_one_spelling,
    completing_makes_one_successor,
    a_date_steps_by_the_calendar,
    a_time_keeps_its_time_of_day_when_the_clock_changes,
    a_series_ends,
    a_series_may_count_from_the_completion,
    the_zone_of_the_server_does_not_matter,
);

const DAY: std::time::Duration = std::time::Duration::from_hours(24);

pub async fn send(api: &Api, person: &Person, method: &str, path: &str, body: &Value) -> Answer {
    let request = person.request(api, method, path);
    if body.is_null() {
        request.send().await
    } else {
        request.json(body).send().await
    }
}

/// Writes, which must work, and gives the task.
pub async fn change(api: &Api, person: &Person, id: i64, body: Value) -> Value {
    let answer = send(api, person, "PUT", &format!("/tasks/{id}"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

pub async fn complete(api: &Api, person: &Person, id: i64, completed: bool) -> Value {
    let path = format!("/tasks/{id}/complete");
    let answer = send(api, person, "PATCH", &path, &json!({"completed": completed})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Completes the newest task and gives the one that follows, if one does.
async fn follow(api: &Api, person: &Person) -> Option<Value> {
    let before = list(api, person, "?limit=1").await;
    let done = complete(api, person, before[0]["id"].as_i64().unwrap(), true).await;
    assert_eq!(
        (&done["completed"], &done["recurrence"]),
        (&json!(true), &Value::Null)
    );
    let newest = list(api, person, "?limit=1").await.remove(0);
    (newest["id"] != done["id"]).then_some(newest)
}

/// The due dates of a series that begins like this, as far as `more` completions take it.
async fn dues(api: &Api, person: &Person, first: Value, more: usize) -> Vec<Value> {
    let mut dues = vec![create(api, person, first).await["due_date"].clone()];
    for _ in 0..more {
        let Some(next) = follow(api, person).await else {
            break;
        };
        dues.push(next["due_date"].clone());
    }
    dues
}

async fn rules_come_back_in_one_spelling(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    for (sent, canonical) in [
        ("daily", "FREQ=DAILY"),
        ("Weekly", "FREQ=WEEKLY"),
        (" MONTHLY ", "FREQ=MONTHLY"),
        ("yearly", "FREQ=YEARLY"),
        ("RRULE:FREQ=WEEKLY;BYDAY=WE,MO,WE", "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("wkst=mo;interval=1;freq=monthly", "FREQ=MONTHLY"),
        ("COUNT=3;FREQ=DAILY;INTERVAL=02", "FREQ=DAILY;INTERVAL=2;COUNT=3"),
        (
            "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20271231",
            "FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20271231",
        ),
    ] {
        for name in ["recurrence", "recursion_pattern"] {
            let made = create(
                api,
                &ann,
                json!({"title": "a", "due_date": "2026-03-01", name: sent}),
            )
            .await;
            assert_eq!(made["recurrence"], canonical, "{name}: {sent}");
            assert_eq!(made["recurrence_from"], "due");
            let id = made["id"].as_i64().unwrap();
            let read = send(api, &ann, "GET", &format!("/tasks/{id}"), &Value::Null).await;
            assert_eq!(read.json(), made);
            let same = change(api, &ann, id, json!({name: sent})).await;
            assert_eq!(same, made, "the same rule changes nothing");
            let none = change(api, &ann, id, json!({name: null})).await;
            assert_eq!(
                (&none["recurrence"], none.get("recurrence_from")),
                (&Value::Null, None)
            );
            let again = change(
                api,
                &ann,
                id,
                json!({name: sent, "recurrence_from": "Completion"}),
            )
            .await;
            assert_eq!(
                (&again["recurrence"], &again["recurrence_from"], &again["version"]),
                (&json!(canonical), &json!("completion"), &json!(3))
            );
        }
    }
    // Older front ends send an empty text for none.
    let none = create(api, &ann, json!({"title": "a", "recursion_pattern": ""})).await;
    assert_eq!(none["recurrence"], Value::Null);
    // They send back the whole task that they were given, with what they mean under the old name.
    let both =
        json!({"title": "a", "due_date": "2026-03-01", "recurrence": "daily", "recursion_pattern": "weekly"});
    let both = create(api, &ann, both).await;
    assert_eq!(both["recurrence"], "FREQ=WEEKLY");
    let mut whole = both.clone();
    whole["recursion_pattern"] = json!("");
    let id = both["id"].as_i64().unwrap();
    assert_eq!(change(api, &ann, id, whole).await["recurrence"], Value::Null);
}

async fn completing_makes_one_successor(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    let mut id = 0;
    for (method, path, body) in [
        ("PATCH", "/complete", Value::Null),
        ("PATCH", "/complete", json!({"completed": true})),
        ("PUT", "", json!({"completed": true, "title": "done"})),
        ("PATCH", "", json!({"completed": true, "title": "done"})),
    ] {
        let before = create(
            api,
            &ann,
            json!({"title": "chore", "description": "d", "priority": "High", "due_date": "2026-03-01",
                "tags": ["x", "Y"], "time_zone": "Europe/Berlin", "recurrence": "weekly",
                "recurrence_from": "due"}),
        )
        .await;
        id += 2;
        assert_eq!(before["id"], id - 1);
        let answer = send(api, &ann, method, &format!("/tasks/{}{path}", id - 1), &body).await;
        assert_eq!(
            (answer.status, answer.header("etag")),
            (200, Some("\"2\"")),
            "{}",
            answer.text()
        );
        let done = answer.json();
        assert_eq!(
            (&done["id"], &done["completed"], &done["recurrence"]),
            (&before["id"], &json!(true), &Value::Null)
        );
        assert_eq!(done.get("recurrence_from"), None);
        assert!(done["completed_at"].is_string());
        let follows = &list(api, &ann, "?limit=1").await[0];
        for (key, value) in before.as_object().unwrap() {
            match key.as_str() {
                "id" => assert_eq!(follows[key], id),
                "due_date" => assert_eq!(follows[key], "2026-03-08"),
                "title" => assert_eq!(follows[key], done[key]),
                "created_at" | "updated_at" => assert!(follows[key].as_str() > value.as_str(), "{key}"),
                _ => assert_eq!(&follows[key], value, "{key}"),
            }
        }
        // Done once.
        let again = complete(api, &ann, id - 1, true).await;
        assert_eq!(again, done);
        assert_eq!(list(api, &ann, "").await.len(), usize::try_from(id).unwrap());
    }
    let open = list(api, &ann, "?status=pending").await;
    assert_eq!(pluck(&open, "id"), [8, 6, 4, 2]);
}

async fn a_date_steps_by_the_calendar(backend: Backend) {
    let (service, ann) = ann(backend).await;
    for (rule, expected) in [
        ("daily", ["2028-02-28", "2028-02-29", "2028-03-01"]),
        ("weekly", ["2026-12-28", "2027-01-04", "2027-01-11"]),
        // Months without a 31st are passed over; -1 is the last day of each.
        ("monthly", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        (
            "FREQ=MONTHLY;BYMONTHDAY=-1",
            ["2026-01-31", "2026-02-28", "2026-03-31"],
        ),
        ("yearly", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR",
            ["2026-03-02", "2026-03-06", "2026-03-16"],
        ),
        (
            "FREQ=MONTHLY;BYDAY=-1FR",
            ["2026-01-30", "2026-02-27", "2026-03-27"],
        ),
        ("daily", ["9999-12-30", "9999-12-31", ""]),
    ] {
        let first = json!({"title": rule, "due_date": expected[0], "recurrence": rule});
        let mut expected = expected.map(Value::from).to_vec();
        expected.retain(|due| due != "");
        assert_eq!(dues(&service.api, &ann, first, 2).await, expected, "{rule}");
    }
}

async fn a_time_keeps_its_time_of_day_when_the_clock_changes(backend: Backend) {
    let (service, ann) = ann(backend).await;
    for (rule, zone, first, expected) in [
        (
            "weekly",
            Some("Europe/Berlin"),
            "2026-03-22T09:00:00+01:00",
            [
                "2026-03-22T08:00:00Z",
                "2026-03-29T07:00:00Z",
                "2026-04-05T07:00:00Z",
            ],
        ),
        (
            "weekly",
            Some("Europe/Berlin"),
            "2026-10-18T09:00:00+02:00",
            [
                "2026-10-18T07:00:00Z",
                "2026-10-25T08:00:00Z",
                "2026-11-01T08:00:00Z",
            ],
        ),
        // A time that the clock skips is later by the gap, once; one that comes twice is the first.
        (
            "daily",
            Some("Europe/Berlin"),
            "2026-03-28T02:30:00+01:00",
            [
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:30:00Z",
                "2026-03-30T00:30:00Z",
            ],
        ),
        (
            "daily",
            Some("Europe/Berlin"),
            "2026-10-24T02:30:00+02:00",
            [
                "2026-10-24T00:30:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ],
        ),
        // No zone is UTC.
        (
            "weekly",
            None,
            "2026-03-22T09:00:00+01:00",
            [
                "2026-03-22T08:00:00Z",
                "2026-03-29T08:00:00Z",
                "2026-04-05T08:00:00Z",
            ],
        ),
        // The month is the one of the zone: there it is the 31st already.
        (
            "monthly",
            Some("Pacific/Auckland"),
            "2026-01-31T08:00:00+13:00",
            [
                "2026-01-30T19:00:00Z",
                "2026-03-30T19:00:00Z",
                "2026-05-30T20:00:00Z",
            ],
        ),
    ] {
        let first = json!({"title": rule, "due_date": first, "recurrence": rule, "time_zone": zone});
        let named = first.to_string();
        assert_eq!(
            dues(&service.api, &ann, first, 2).await,
            expected.map(Value::from),
            "{named}"
        );
    }
}

async fn a_series_ends(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    create(
        api,
        &ann,
        json!({"title": "a", "due_date": "2026-03-01", "recurrence": "FREQ=DAILY;COUNT=3"}),
    )
    .await;
    for left in ["FREQ=DAILY;COUNT=2", "FREQ=DAILY;COUNT=1"] {
        assert_eq!(follow(api, &ann).await.unwrap()["recurrence"], left);
    }
    assert_eq!(follow(api, &ann).await, None);
    assert_eq!(list(api, &ann, "?status=pending").await, Vec::<Value>::new());
    // The last one repeats again as well when it is open again.
    let undone = complete(api, &ann, 3, false).await;
    assert_eq!(undone["recurrence"], "FREQ=DAILY;COUNT=1");
    complete(api, &ann, 3, true).await;
    assert_eq!(list(api, &ann, "").await.len(), 3);

    for (rule, due, expected) in [
        (
            "FREQ=DAILY;UNTIL=20260303",
            "2026-03-01",
            vec!["2026-03-01", "2026-03-02", "2026-03-03"],
        ),
        (
            "FREQ=DAILY;UNTIL=20260302T080000Z",
            "2026-03-01T08:00:00Z",
            vec!["2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z"],
        ),
        (
            "FREQ=DAILY;UNTIL=20260302T075959Z",
            "2026-03-01T08:00:00Z",
            vec!["2026-03-01T08:00:00Z"],
        ),
        ("FREQ=DAILY;UNTIL=20200101", "2026-03-01", vec!["2026-03-01"]),
    ] {
        let first = json!({"title": rule, "due_date": due, "recurrence": rule});
        assert_eq!(dues(api, &ann, first, 5).await, expected, "{rule}");
    }
    assert_eq!(list(api, &ann, "?status=pending").await, Vec::<Value>::new());
}

/// The day of a completion and so many days, in UTC.
fn days_after(done: &Value, days: u32) -> String {
    let at = Timestamp::parse(done["completed_at"].as_str().unwrap()).unwrap();
    at.plus(DAY * days).to_string()[..10].to_owned()
}

async fn a_series_may_count_from_the_completion(backend: Backend) {
    let (service, ann) = ann(backend).await;
    let api = &service.api;
    for (due, time) in [
        ("2020-01-01", ""),
        ("2999-01-01", ""),
        ("2020-01-01T09:15:00Z", "T09:15:00Z"),
    ] {
        let made = create(
            api,
            &ann,
            json!({"title": "a", "due_date": due, "recurrence": "FREQ=DAILY;INTERVAL=3", "recurrence_from": "completion"}),
        )
        .await;
        assert_eq!(made["recurrence_from"], "completion");
        let done = complete(api, &ann, made["id"].as_i64().unwrap(), true).await;
        let next = &list(api, &ann, "?limit=1").await[0];
        assert_eq!(next["due_date"], days_after(&done, 3) + time, "{due}");
        assert_eq!(next["recurrence_from"], "completion", "it is given on");
    }
    // From the due date the next may well be past.
    let late = json!({"title": "a", "due_date": "2020-01-01", "recurrence": "daily"});
    assert_eq!(dues(api, &ann, late, 1).await, ["2020-01-01", "2020-01-02"]);
}

async fn the_zone_of_the_server_does_not_matter(backend: Backend) {
    let mut service = Service::start_with(backend, &[("TZ", "Pacific/Auckland".to_owned())]).await;
    let ann = Person::register(&service.api, "ann").await;
    service.set("TZ", "America/Los_Angeles");
    let (_other, there) = service.replica().await;
    for (at, read_at) in [(&service.api, &there), (&there, &service.api)] {
        for due in [
            "2026-03-08",
            "2026-12-31",
            "2026-09-27",
            "1969-07-20",
            "2026-03-08T02:30:00Z",
        ] {
            let made = create(
                at,
                &ann,
                json!({"title": "a", "due_date": due, "recurrence": "weekly"}),
            )
            .await;
            assert_eq!(made["due_date"], due);
            let id = made["id"].as_i64().unwrap();
            let read = send(read_at, &ann, "GET", &format!("/tasks/{id}"), &Value::Null).await;
            assert_eq!(read.json(), made);
            complete(read_at, &ann, id, true).await;
            let next = &list(at, &ann, "?limit=1").await[0];
            let expected = match due {
                "2026-03-08" => "2026-03-15",
                "2026-12-31" => "2027-01-07",
                "2026-09-27" => "2026-10-04",
                "1969-07-20" => "1969-07-27",
                _ => "2026-03-15T02:30:00Z",
            };
            assert_eq!(next["due_date"], expected);
        }
        // Without a zone the day of a completion is the one of UTC.
        let made = create(
            at,
            &ann,
            json!({"title": "a", "due_date": "2026-03-01", "recurrence": "daily", "recurrence_from": "completion"}),
        )
        .await;
        let done = complete(at, &ann, made["id"].as_i64().unwrap(), true).await;
        assert_eq!(
            list(at, &ann, "?limit=1").await[0]["due_date"],
            days_after(&done, 1)
        );
    }
}
