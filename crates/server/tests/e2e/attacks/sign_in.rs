//! Getting in without the password, or learning whom one could try it on.

use errand_testbed::Answer;
use serde_json::{Value, json};

use super::scene::{Scene, invalid, text};
use super::suite::attacks;
use crate::support::{essence, problem};

attacks! {
    "sign-in-alike": an_unknown_address_looks_like_a_wrong_password,
        an_unknown_user_name_looks_like_a_wrong_password, a_name_that_nobody_can_have_looks_like_a_wrong_password,
        a_password_that_nobody_can_have_looks_like_a_wrong_one,
        an_unknown_name_in_a_form_looks_like_a_wrong_password;
    "password-whole": the_first_72_bytes_of_a_password_are_not_enough, a_byte_behind_a_long_password_counts,
        the_last_character_of_a_wide_password_counts, what_stands_before_a_nul_is_not_the_password;
    "password-exact": blanks_around_a_password_count, another_letter_case_is_another_password,
        another_composition_is_another_password, an_empty_password_opens_nothing;
    "body-text": a_password_of_another_type_opens_nothing, a_name_of_another_type_means_nobody;
    "body-null": a_password_of_null_opens_nothing;
    "sign-in-one-name": a_second_name_means_nobody;
    "sql": sql_in_a_name_means_nobody, sql_in_a_password_opens_nothing, wildcards_in_a_name_mean_nobody;
    "form-once": a_form_field_given_twice_is_refused;
    "grant-types": an_unknown_kind_of_grant_is_refused;
    "url-decoding": broken_escapes_in_a_form_are_refused;
    "body-type": json_is_no_form, a_form_is_no_json;
    "query-known": credentials_in_the_address_are_refused;
    "route-method": credentials_in_a_get_are_refused;
    "deletion": a_deleted_account_lets_nobody_in, a_registered_again_address_has_nothing_of_the_old;
    "password-proof": a_wrong_current_password_changes_nothing, a_wrong_password_deletes_nothing;
    "password-differs": the_same_password_is_no_change;
    "password-change-policy": a_common_password_is_no_change, the_own_address_is_no_change;
    "password-race": of_two_parallel_changes_one_wins;
}

async fn form(scene: &Scene, body: String) -> Answer {
    let request = scene.api.request("POST", "/api/auth/token");
    request
        .raw(body, "application/x-www-form-urlencoded")
        .send()
        .await
}

async fn attempt(scene: &Scene, body: &Value) -> Answer {
    let request = scene.api.request("POST", "/api/auth/login").json(body);
    request.header("x-request-id", "same").send().await
}

/// The attempt is answered as that with a wrong password is.
async fn alike(scene: &Scene, body: &Value) {
    let person = scene.person().await;
    let wrong = json!({"email": person.email, "password": scene.secret("a wrong wilted password")});
    let expected = attempt(scene, &wrong).await;
    problem(&expected, 401, "bad-credentials");
    let answer = attempt(scene, body).await;
    assert_eq!(answer.status, 401, "{body}: {}", answer.text());
    assert_eq!(essence(&answer), essence(&expected), "{body}");
}

async fn an_unknown_address_looks_like_a_wrong_password(scene: &Scene) {
    let body = json!({"email": scene.address(), "password": scene.password()});
    alike(scene, &body).await;
}

async fn an_unknown_user_name_looks_like_a_wrong_password(scene: &Scene) {
    let body = json!({"username": scene.name(), "password": scene.password()});
    alike(scene, &body).await;
}

async fn a_name_that_nobody_can_have_looks_like_a_wrong_password(scene: &Scene) {
    for name in ["", "@", "a\u{0}b@example.com", "x", &"x".repeat(3000), "ann\r\n"] {
        alike(scene, &json!({"email": name, "password": scene.password()})).await;
    }
}

async fn a_password_that_nobody_can_have_looks_like_a_wrong_one(scene: &Scene) {
    let person = scene.person().await;
    for password in ["x".repeat(1025), "a\u{0}b".to_owned()] {
        alike(scene, &json!({"email": person.email, "password": password})).await;
    }
}

async fn an_unknown_name_in_a_form_looks_like_a_wrong_password(scene: &Scene) {
    let person = scene.person().await;
    let mut answers = Vec::new();
    for name in [person.email.as_str(), "nobody-at-all", "nobody@example.com"] {
        let body = format!("grant_type=password&username={name}&password=wilted-wrong-password");
        let request = scene.api.request("POST", "/api/auth/token");
        let request = request.raw(body, "application/x-www-form-urlencoded");
        let answer = request.header("x-request-id", "same").send().await;
        assert_eq!(problem(&answer, 401, "bad-credentials")["error"], "invalid_grant");
        answers.push(essence(&answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

/// Somebody with this password, and what must not do for it.
async fn only(scene: &Scene, password: &str, others: &[String]) {
    let email = scene.address();
    scene.secret(password);
    let body = json!({"email": email, "password": password});
    let answer = scene.register(&body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    for other in others {
        problem(&scene.login(&email, other).await, 401, "bad-credentials");
    }
    assert_eq!(scene.login(&email, password).await.status, 200);
}

/// bcrypt itself looks no further.
async fn the_first_72_bytes_of_a_password_are_not_enough(scene: &Scene) {
    let password = "violet tandem ".repeat(6);
    only(
        scene,
        &password,
        &[password[..72].to_owned(), format!("{}!", &password[..72])],
    )
    .await;
}

async fn a_byte_behind_a_long_password_counts(scene: &Scene) {
    for length in [71, 72, 73] {
        let password = "violet tandem ".repeat(6)[..length].trim().to_owned();
        only(scene, &password, &[format!("{password}x")]).await;
    }
}

async fn the_last_character_of_a_wide_password_counts(scene: &Scene) {
    let password = "密碼學的長測試好".repeat(8);
    let mut other: String = password.chars().take(63).collect();
    other.push('壞');
    only(scene, &password, &[other]).await;
}

/// bcrypt's key ends with a NUL and repeats: `ab` and `ab\0ab` would be one.
async fn what_stands_before_a_nul_is_not_the_password(scene: &Scene) {
    let password = "violet tandem over";
    only(
        scene,
        password,
        &[format!("{password}\0{password}"), format!("{password}\0")],
    )
    .await;
}

async fn blanks_around_a_password_count(scene: &Scene) {
    let bare = "violet tandem 7 over";
    only(
        scene,
        &format!(" {bare} "),
        &[bare.to_owned(), format!(" {bare}"), format!("{bare} ")],
    )
    .await;
}

async fn another_letter_case_is_another_password(scene: &Scene) {
    only(
        scene,
        "Violet Tandem 7 over",
        &[
            "violet tandem 7 over".to_owned(),
            "VIOLET TANDEM 7 OVER".to_owned(),
        ],
    )
    .await;
}

async fn another_composition_is_another_password(scene: &Scene) {
    only(
        scene,
        "caf\u{e9} tandem 7 over",
        &[
            "cafe\u{301} tandem 7 over".to_owned(),
            "cafe tandem 7 over".to_owned(),
        ],
    )
    .await;
}

async fn an_empty_password_opens_nothing(scene: &Scene) {
    // Without a digit, so that nothing but the password itself tells it from an empty one.
    only(scene, "violet tandem over", &[String::new(), " ".to_owned()]).await;
}

async fn a_password_of_another_type_opens_nothing(scene: &Scene) {
    let email = scene.address();
    let body = json!({"email": email, "password": scene.secret("7391846205173")});
    assert_eq!(scene.register(&body).await.status, 201);
    for password in [
        json!(7_391_846_205_173_i64),
        json!(["7391846205173"]),
        json!(true),
        json!({}),
    ] {
        let answer = attempt(scene, &json!({"email": email, "password": password})).await;
        invalid(&answer, "#/password");
    }
}

async fn a_name_of_another_type_means_nobody(scene: &Scene) {
    let person = scene.person().await;
    for name in [json!([person.email]), json!({"$ne": null}), json!(1)] {
        let answer = attempt(scene, &json!({"email": name, "password": person.password})).await;
        invalid(&answer, "#/email");
    }
}

async fn a_password_of_null_opens_nothing(scene: &Scene) {
    let person = scene.person().await;
    let answer = attempt(scene, &json!({"email": person.email, "password": null})).await;
    invalid(&answer, "#/password");
}

async fn a_second_name_means_nobody(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let body = json!({"email": attacker.email, "username": victim.email, "password": attacker.password});
    assert_eq!(
        text(&attempt(scene, &body).await, "user_id"),
        attacker.id.to_string()
    );
    let body = json!({"email": victim.email, "username": attacker.email, "password": attacker.password});
    problem(&attempt(scene, &body).await, 401, "bad-credentials");
}

async fn sql_in_a_name_means_nobody(scene: &Scene) {
    let victim = scene.person().await;
    for name in [
        format!("{}'--", victim.email),
        "x'/**/or'1'='1'--@example.com".to_owned(),
        "x'/**/union/**/select/**/1--@example.com".to_owned(),
        "admin'--".to_owned(),
    ] {
        problem(
            // From elsewhere: names that nobody can have share one limit.
            &scene.login_from("198.51.100.90", &name, &victim.password).await,
            401,
            "bad-credentials",
        );
    }
}

async fn sql_in_a_password_opens_nothing(scene: &Scene) {
    let victim = scene.person().await;
    for password in ["' OR '1'='1", "x'; DROP TABLE users; --", "\" OR \"\"=\""] {
        problem(
            &scene.login(&victim.email, password).await,
            401,
            "bad-credentials",
        );
    }
    assert_eq!(scene.login(&victim.email, &victim.password).await.status, 200);
}

async fn wildcards_in_a_name_mean_nobody(scene: &Scene) {
    let victim = scene.person().await;
    let (local, _) = victim.email.split_once('@').unwrap();
    for name in [
        "%@example.com".to_owned(),
        format!("{}_@example.com", &local[..local.len() - 1]),
        "*@example.com".to_owned(),
    ] {
        problem(
            &scene.login(&name, &victim.password).await,
            401,
            "bad-credentials",
        );
    }
}

async fn a_form_field_given_twice_is_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let credentials = format!("password={}", attacker.password.replace(' ', "+"));
    for names in [
        format!("username={}&username={}", victim.email, attacker.email),
        format!("username={}&username={}", attacker.email, victim.email),
    ] {
        let answer = form(scene, format!("grant_type=password&{names}&{credentials}")).await;
        invalid(&answer, "#/username");
    }
}

async fn an_unknown_kind_of_grant_is_refused(scene: &Scene) {
    let person = scene.person().await;
    for kind in [
        "client_credentials",
        "authorization_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ] {
        let password = person.password.replace(' ', "+");
        let body = format!("grant_type={kind}&username={}&password={password}", person.email);
        let told = problem(&form(scene, body).await, 400, "unsupported-grant-type");
        assert_eq!(told["error"], "unsupported_grant_type");
    }
}

async fn broken_escapes_in_a_form_are_refused(scene: &Scene) {
    for password in ["%zz", "%ff", "%c0%af", "%4"] {
        let body = format!("username=ann%40example.com&password={password}");
        problem(&form(scene, body).await, 400, "malformed-form");
    }
}

async fn json_is_no_form(scene: &Scene) {
    let person = scene.person().await;
    let body = json!({"username": person.email, "password": person.password});
    let answer = scene
        .api
        .request("POST", "/api/auth/token")
        .json(&body)
        .send()
        .await;
    problem(&answer, 415, "unsupported-media-type");
}

/// Any page can send one without being asked whether it may.
async fn a_form_is_no_json(scene: &Scene) {
    let person = scene.person().await;
    let body = json!({"email": person.email, "password": person.password}).to_string();
    for kind in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data",
    ] {
        let request = scene.api.request("POST", "/api/auth/login");
        let answer = request.raw(body.clone(), kind).send().await;
        problem(&answer, 415, "unsupported-media-type");
    }
}

async fn credentials_in_the_address_are_refused(scene: &Scene) {
    let person = scene.person().await;
    let query = format!(
        "?email={}&password={}",
        person.email,
        person.password.replace(' ', "+")
    );
    for path in ["/api/auth/login", "/api/auth/token", "/api/auth/register"] {
        let request = scene.api.request("POST", &format!("{path}{query}"));
        let body = json!({"email": person.email, "password": person.password});
        let answer = request.json(&body).send().await;
        invalid(&answer, "password");
    }
}

async fn credentials_in_a_get_are_refused(scene: &Scene) {
    let person = scene.person().await;
    let body = json!({"email": person.email, "password": person.password});
    for method in ["GET", "HEAD", "PUT"] {
        let answer = scene
            .api
            .request(method, "/api/auth/login")
            .json(&body)
            .send()
            .await;
        assert_eq!(answer.status, 405, "{method}");
    }
}

async fn a_deleted_account_lets_nobody_in(scene: &Scene) {
    let person = scene.person().await;
    let body = json!({"password": person.password});
    let deleted = person.request(&scene.api, "DELETE", "").json(&body).send().await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    problem(
        &scene.login(&person.email, &person.password).await,
        401,
        "bad-credentials",
    );
    problem(
        &scene.refresh(&person.refresh).await,
        401,
        "invalid-refresh-token",
    );
}

async fn a_registered_again_address_has_nothing_of_the_old(scene: &Scene) {
    let (_, victim) = scene.pair().await;
    let body = json!({"password": victim.password});
    victim.request(&scene.api, "DELETE", "").json(&body).send().await;
    let body = json!({"email": victim.email, "password": scene.password()});
    let answer = scene.register(&body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let (id, token) = (text(&answer, "user_id"), text(&answer, "access_token"));
    assert_ne!(id, victim.id.to_string());
    for list in ["tasks", "export"] {
        let request = scene.api.request("GET", &format!("/api/{id}/{list}"));
        let answer = request.bearer(&token).send().await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("victims-mark"), "{}", answer.text());
    }
    let old = scene.api.request("GET", &victim.path("/tasks"));
    problem(&old.bearer(&token).send().await, 403, "wrong-user");
    problem(
        &victim.request(&scene.api, "GET", "/tasks").send().await,
        401,
        "invalid-token",
    );
}

async fn change(scene: &Scene, person: &errand_testbed::Person, current: &str, new: &str) -> Answer {
    let body = json!({"current_password": current, "new_password": new});
    let request = person.request(&scene.api, "PUT", "/password");
    request.json(&body).send().await
}

async fn a_wrong_current_password_changes_nothing(scene: &Scene) {
    let person = scene.person().await;
    let new = scene.password();
    for wrong in [scene.secret("a wrong wilted password"), String::new()] {
        problem(&change(scene, &person, &wrong, &new).await, 403, "wrong-password");
    }
    problem(&scene.login(&person.email, &new).await, 401, "bad-credentials");
    assert_eq!(scene.me(&person.access).await.status, 200);
}

async fn a_wrong_password_deletes_nothing(scene: &Scene) {
    let person = scene.person().await;
    let body = json!({"password": scene.secret("a wrong wilted password")});
    let answer = person.request(&scene.api, "DELETE", "").json(&body).send().await;
    problem(&answer, 403, "wrong-password");
    assert_eq!(scene.login(&person.email, &person.password).await.status, 200);
}

async fn the_same_password_is_no_change(scene: &Scene) {
    let person = scene.person().await;
    let answer = change(scene, &person, &person.password, &person.password).await;
    invalid(&answer, "#/new_password");
}

async fn a_common_password_is_no_change(scene: &Scene) {
    let person = scene.person().await;
    for new in ["Football1", "short", "jjjjjjjjjjjj"] {
        invalid(
            &change(scene, &person, &person.password, new).await,
            "#/new_password",
        );
    }
}

async fn the_own_address_is_no_change(scene: &Scene) {
    let person = scene.person().await;
    let answer = change(scene, &person, &person.password, &person.email).await;
    invalid(&answer, "#/new_password");
}

async fn of_two_parallel_changes_one_wins(scene: &Scene) {
    let person = scene.person().await;
    let new = [scene.password(), scene.password()];
    let answers = crate::support::at_once(2, |n| {
        let request = person.request(&scene.api, "PUT", "/password");
        let body = json!({"current_password": person.password, "new_password": new[n]});
        async move { request.json(&body).send().await }
    })
    .await;
    let won: Vec<_> = (0..2).filter(|n| answers[*n].status == 200).collect();
    assert_eq!(won.len(), 1, "{} {}", answers[0].status, answers[1].status);
    for (n, password) in new.iter().enumerate() {
        let expected = if won == [n] { 200 } else { 401 };
        assert_eq!(scene.login(&person.email, password).await.status, expected);
    }
}
