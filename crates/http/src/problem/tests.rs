use serde_json::{Value, json};

use super::*;

fn document(problem: &Problem) -> Value {
    serde_json::from_slice(&problem.document("id", false)).unwrap()
}

#[test]
fn the_shape_of_the_contract() {
    let fault = Fault::new("too-long", "must have 1 to 200 characters");
    let problem = Problem::invalid(vec![FieldFault::new("title", fault).into()]);
    let bytes = problem.document("r-1", false);
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        concat!(
            r##"{"type":"/problems/validation-failed","title":"Validation failed","status":422,"##,
            r##""detail":"title must have 1 to 200 characters","code":"validation-failed","##,
            r##""errors":[{"pointer":"#/title","code":"too-long","detail":"must have 1 to 200 characters"}],"##,
            r##""request_id":"r-1"}"##
        )
    );
}

#[test]
fn places_have_names_for_machines_and_for_humans() {
    let fault = || Fault::new("x", "is wrong");
    let problem = Problem::invalid(vec![
        FieldFault::new("tags/3", fault()).into(),
        Invalid::body(fault()),
        Invalid::parameter("limit", fault()),
    ]);
    let document = document(&problem);
    assert_eq!(
        document["detail"],
        "tags[3] is wrong; the body is wrong; limit is wrong"
    );
    assert_eq!(document["errors"][0]["pointer"], "#/tags/3");
    assert_eq!(document["errors"][1]["pointer"], "#");
    assert_eq!(
        document["errors"][2],
        json!({"parameter": "limit", "code": "x", "detail": "is wrong"})
    );
}

#[test]
fn a_flood_of_faults_is_cut() {
    let flood = (0..10_000).map(|n| Invalid::parameter(n.to_string(), Fault::new("x", "is wrong")));
    let document = document(&Problem::invalid(flood.collect()));
    assert_eq!(document["errors"].as_array().unwrap().len(), FAULTS_MAX);
    assert!(
        document["detail"]
            .as_str()
            .unwrap()
            .ends_with("9 is wrong; and 240 more")
    );
}

#[test]
fn causes_stay_inside() {
    for error in [
        AppError::Internal("secret cause".into()),
        AppError::Unavailable("secret cause".into()),
    ] {
        let problem = Problem::from(error);
        assert!(problem.source().is_some());
        let text = String::from_utf8(problem.document("id", true)).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn the_texts_that_front_ends_know() {
    for (error, status, detail) in [
        (AppError::EmailTaken, 409, "Email already registered"),
        (AppError::UsernameTaken, 409, "Username already taken"),
        (AppError::BadCredentials, 401, "Incorrect email or password"),
        (AppError::TaskNotFound, 404, "Task not found"),
        (
            AppError::WrongUser,
            403,
            "Not authorized to access this user's tasks",
        ),
    ] {
        let document = document(&Problem::from(error));
        assert_eq!(
            (&document["status"], &document["detail"]),
            (&json!(status), &json!(detail))
        );
    }
}

#[test]
fn challenges_and_delays() {
    for code in Code::ALL {
        let response = Problem::new(*code).error_response();
        let has = |name| response.headers().contains_key(name);
        assert_eq!(
            has(header::WWW_AUTHENTICATE),
            code.status() == StatusCode::UNAUTHORIZED
        );
        assert_eq!(
            has(header::RETRY_AFTER),
            code.status() == StatusCode::SERVICE_UNAVAILABLE
        );
    }
    let refused = Problem::refused_token().error_response();
    let challenges: Vec<_> = refused.headers().get_all(header::WWW_AUTHENTICATE).collect();
    assert_eq!(challenges, [CHALLENGE_INVALID]);
}

/// The file under `specs/` has a section for every code and for nothing else, and says the same.
#[test]
fn the_specification_agrees() {
    let specification = include_str!("../../../../specs/problems.md");
    let mut sections = specification.split("\n## `").skip(1);
    for code in Code::ALL {
        let section = sections
            .next()
            .unwrap_or_else(|| panic!("no section for {}", code.slug()));
        let expected = format!(
            "{}`\n\n**{}** – {}\n\n{}\n\n*What to do:* {}\n",
            code.slug(),
            code.title(),
            code.status().as_u16(),
            code.explanation(),
            code.remedy()
        );
        assert_eq!(section.trim_end(), expected.trim_end());
    }
    assert_eq!(sections.next(), None);
}

#[test]
fn slugs_are_kebab_case_and_unique() {
    for code in Code::ALL {
        assert!(
            code.slug().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
            "{code:?}"
        );
        assert_eq!(Code::parse(code.slug()), Some(*code));
    }
    assert_eq!(Code::parse("nonsense"), None);
}
