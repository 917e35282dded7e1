//! Following the changes.

use actix_web::http::Method;
use errand_application::ports::{Change, ChangesPage};
use errand_domain::TaskId;
use errand_domain::changes::ChangesPlace;
use serde_json::json;

use super::requests::request;
use super::support::{Mocks, send_one, task};

const PLACE: ChangesPlace = ChangesPlace { seq: 7, base: 5 };

fn told(changes: Vec<Change>, has_more: bool) -> ChangesPage {
    ChangesPage {
        changes,
        next: PLACE,
        has_more,
    }
}

#[actix_web::test]
async fn the_shape_of_the_contract_and_the_way_on() {
    let mut mocks = Mocks::default();
    mocks
        .tasks
        .expect_changes_since()
        .withf(|owner, since, limit| owner.0 == 1 && since.is_none() && *limit == 1000)
        .times(1)
        .returning(|_, _, _| {
            let changes = vec![Change::Upsert(Box::new(task(2))), Change::Delete(TaskId(7))];
            Ok(Some(told(changes, true)))
        });
    let first = send_one(mocks, request(Method::GET, "/api/1/changes")).await;
    assert_eq!(first.status, 200);
    let text = String::from_utf8(first.body.clone()).unwrap();
    let start = r#"{"changes":[{"type":"upsert","task":{"id":2,"user_id":1,"title":"#;
    assert!(text.starts_with(start), "{text}");
    let middle = r#""version":1}},{"type":"delete","id":7}],"cursor":""#;
    assert!(text.contains(middle), "{text}");
    assert!(text.ends_with(r#"","has_more":true}"#), "{text}");
    let cursor = first.json()["cursor"].as_str().unwrap().to_owned();
    for path in [
        format!("/api/1/changes?since={cursor}&limit=3"),
        format!("/api/1/changes/?limit=3&since={cursor}"),
    ] {
        let mut mocks = Mocks::default();
        mocks
            .tasks
            .expect_changes_since()
            .withf(|owner, since, limit| owner.0 == 1 && *since == Some(PLACE) && *limit == 3)
            .times(1)
            .returning(|_, _, _| Ok(Some(told(Vec::new(), false))));
        let answer = send_one(mocks, request(Method::GET, &path)).await;
        assert_eq!(
            answer.json(),
            json!({"changes": [], "cursor": cursor, "has_more": false})
        );
    }
    let mut mocks = Mocks::default();
    mocks
        .tasks
        .expect_changes_since()
        .times(1)
        .returning(|_, _, _| Ok(None));
    let path = format!("/api/1/changes?since={cursor}");
    let answer = send_one(mocks, request(Method::GET, &path)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (410, "cursor-expired".into())
    );
}

/// The store is not asked.
#[actix_web::test]
async fn what_is_no_place_among_the_changes_is_refused() {
    let others = crate::cursor::encode_changes(errand_domain::UserId(2), PLACE);
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=1&limit=1", "limit"),
        ("since=", "since"),
        ("since=x", "since"),
        (&format!("since={others}"), "since"),
        (&format!("since={others}&since={others}"), "since"),
        ("cursor=x", "cursor"),
        ("offset=0", "offset"),
    ] {
        let path = format!("/api/1/changes?{query}");
        let answer = send_one(Mocks::default(), request(Method::GET, &path)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (422, "validation-failed".into())
        );
        assert_eq!(answer.json()["errors"][0]["parameter"], parameter, "{query}");
    }
}
