//! Accounts that must not come into being.

use serde_json::{Value, json};

use super::scene::{Scene, invalid, text};
use super::suite::attacks;
use crate::support::{at_once, problem};

attacks! {
    "password-nul": a_password_with_nul_is_refused;
    "password-min": seven_characters_are_no_password, seven_wide_characters_are_no_password;
    "password-max": a_password_over_a_kibibyte_is_refused;
    "password-common": a_common_password_is_refused, a_walk_on_the_keyboard_is_no_password;
    "password-repetition": one_character_a_hundred_times_is_no_password;
    "password-not-name": the_address_is_no_password, the_local_part_is_no_password;
    "email-printable": an_address_with_nul_is_refused, an_address_with_a_line_break_is_refused,
        an_address_with_a_blank_is_refused, an_address_that_runs_backwards_is_refused,
        an_address_with_an_invisible_character_is_refused;
    "email-domain": an_address_without_a_domain_is_refused, an_address_with_two_ats_is_refused,
        an_address_at_a_number_is_refused, a_domain_with_a_dot_behind_is_refused;
    "email-local": an_address_in_angle_brackets_is_refused, a_list_of_addresses_is_refused,
        a_local_part_with_two_dots_is_refused, an_endless_local_part_is_refused;
    "email-length": an_address_of_255_bytes_is_refused;
    "email-fold": the_same_address_in_capitals_is_taken, the_sharp_s_makes_no_second_address,
        the_kelvin_sign_makes_no_second_address;
    "email-exact": an_accent_makes_another_address, a_cyrillic_letter_makes_another_address;
    "email-unique": of_parallel_registrations_one_makes_the_account;
    "username-alphabet": an_address_is_no_user_name, a_look_alike_is_no_user_name, markup_is_no_user_name;
    "username-fold": the_same_user_name_in_capitals_is_taken;
    "body-fields": a_registration_cannot_choose_its_id;
}

async fn with_password(scene: &Scene, password: &str) {
    scene.secret(password);
    let body = json!({"email": scene.address(), "password": password});
    invalid(&scene.register(&body).await, "#/password");
    assert_eq!(
        scene
            .login(body["email"].as_str().unwrap(), password)
            .await
            .status,
        401
    );
}

async fn with_email(scene: &Scene, email: &str) {
    let body = json!({"email": email, "password": scene.password()});
    invalid(&scene.register(&body).await, "#/email");
}

async fn with_username(scene: &Scene, username: &str) {
    let body = json!({"email": scene.address(), "password": scene.password(), "username": username});
    invalid(&scene.register(&body).await, "#/username");
}

/// Registers an address and then one that must be the same.
async fn taken(scene: &Scene, first: &str, second: &str) {
    for (email, status) in [(first, 201), (second, 409)] {
        let body = json!({"email": email, "password": scene.password()});
        let answer = scene.register(&body).await;
        assert_eq!(answer.status, status, "{email}: {}", answer.text());
    }
}

/// Registers an address and then one that must be somebody else's; the second's password does not open the first.
async fn apart(scene: &Scene, first: &str, second: &str) {
    let passwords = [scene.password(), scene.password()];
    let mut ids = Vec::new();
    for (email, password) in [first, second].into_iter().zip(&passwords) {
        let answer = scene
            .register(&json!({"email": email, "password": password}))
            .await;
        assert_eq!(answer.status, 201, "{email}: {}", answer.text());
        ids.push(text(&answer, "user_id"));
    }
    assert_ne!(ids[0], ids[1]);
    problem(&scene.login(first, &passwords[1]).await, 401, "bad-credentials");
    assert_eq!(text(&scene.login(first, &passwords[0]).await, "user_id"), ids[0]);
}

async fn a_password_with_nul_is_refused(scene: &Scene) {
    with_password(scene, "plum\u{0}plum tandem").await;
}

async fn seven_characters_are_no_password(scene: &Scene) {
    with_password(scene, "kQ9!vv7").await;
}

/// Seven characters of three bytes each.
async fn seven_wide_characters_are_no_password(scene: &Scene) {
    with_password(scene, "密碼學的長測試").await;
}

async fn a_password_over_a_kibibyte_is_refused(scene: &Scene) {
    with_password(scene, &format!("x{}", "kQ9! vv7".repeat(128))).await;
}

async fn a_common_password_is_refused(scene: &Scene) {
    with_password(scene, "Football1").await;
}

async fn a_walk_on_the_keyboard_is_no_password(scene: &Scene) {
    with_password(scene, "qwertyuiop").await;
}

/// Too long for the estimate of how common it is.
async fn one_character_a_hundred_times_is_no_password(scene: &Scene) {
    with_password(scene, &"j".repeat(100)).await;
}

async fn the_address_is_no_password(scene: &Scene) {
    let email = format!("Vulpine.{}", scene.address());
    let body = json!({"email": email, "password": email.to_uppercase()});
    invalid(&scene.register(&body).await, "#/password");
}

async fn the_local_part_is_no_password(scene: &Scene) {
    let local = format!("vulpine.tandem.{}", scene.name());
    let body = json!({"email": format!("{local}@example.com"), "password": local.to_uppercase()});
    invalid(&scene.register(&body).await, "#/password");
}

async fn an_address_with_nul_is_refused(scene: &Scene) {
    with_email(scene, "an\u{0}n@example.com").await;
}

async fn an_address_with_a_line_break_is_refused(scene: &Scene) {
    with_email(scene, "ann\r\nBcc: eve\r\n@example.com").await;
    with_email(scene, "ann\n@example.com").await;
}

async fn an_address_with_a_blank_is_refused(scene: &Scene) {
    for email in [" ann@example.com", "an n@example.com", "an\u{a0}n@example.com"] {
        with_email(scene, email).await;
    }
}

async fn an_address_that_runs_backwards_is_refused(scene: &Scene) {
    for c in ['\u{202e}', '\u{2066}', '\u{200f}'] {
        with_email(scene, &format!("nna{c}@example.com")).await;
    }
}

async fn an_address_with_an_invisible_character_is_refused(scene: &Scene) {
    for c in ['\u{200b}', '\u{200d}', '\u{feff}', '\u{ad}', '\u{2060}'] {
        with_email(scene, &format!("an{c}n@example.com")).await;
    }
}

async fn an_address_without_a_domain_is_refused(scene: &Scene) {
    for email in ["ann@", "ann@localhost", "ann@.com"] {
        with_email(scene, email).await;
    }
}

async fn an_address_with_two_ats_is_refused(scene: &Scene) {
    with_email(scene, "ann@example.com@evil.example").await;
}

async fn an_address_at_a_number_is_refused(scene: &Scene) {
    with_email(scene, "ann@[127.0.0.1]").await;
    with_email(scene, "ann@[::1]").await;
}

async fn a_domain_with_a_dot_behind_is_refused(scene: &Scene) {
    with_email(scene, "ann@example.com.").await;
}

async fn an_address_in_angle_brackets_is_refused(scene: &Scene) {
    with_email(scene, "Ann<ann@example.com").await;
    with_email(scene, "\"ann\"@example.com").await;
}

async fn a_list_of_addresses_is_refused(scene: &Scene) {
    with_email(scene, "eve,ann@example.com").await;
    with_email(scene, "eve;ann@example.com").await;
}

async fn a_local_part_with_two_dots_is_refused(scene: &Scene) {
    for email in ["a..nn@example.com", ".ann@example.com", "ann.@example.com"] {
        with_email(scene, email).await;
    }
}

async fn an_endless_local_part_is_refused(scene: &Scene) {
    with_email(scene, &format!("{}@example.com", "a".repeat(65))).await;
}

async fn an_address_of_255_bytes_is_refused(scene: &Scene) {
    let email = format!("ann@{}com", "example.".repeat(31));
    assert_eq!(email.len(), 255);
    with_email(scene, &email).await;
}

async fn the_same_address_in_capitals_is_taken(scene: &Scene) {
    let address = scene.address();
    taken(scene, &address, &address.to_uppercase()).await;
}

async fn the_sharp_s_makes_no_second_address(scene: &Scene) {
    let name = scene.name();
    let (first, second) = (format!("{name}strasse"), format!("{name}straße"));
    taken(
        scene,
        &format!("{first}@example.com"),
        &format!("{second}@example.com"),
    )
    .await;
}

async fn the_kelvin_sign_makes_no_second_address(scene: &Scene) {
    let name = scene.name();
    taken(
        scene,
        &format!("{name}kate@example.com"),
        &format!("{name}\u{212a}ate@example.com"),
    )
    .await;
}

/// A database that compares without accents would take the one for the other.
async fn an_accent_makes_another_address(scene: &Scene) {
    let name = scene.name();
    apart(
        scene,
        &format!("{name}jose@example.com"),
        &format!("{name}josé@example.com"),
    )
    .await;
}

async fn a_cyrillic_letter_makes_another_address(scene: &Scene) {
    let name = scene.name();
    apart(
        scene,
        &format!("{name}anna@example.com"),
        &format!("{name}ann\u{430}@example.com"),
    )
    .await;
}

async fn of_parallel_registrations_one_makes_the_account(scene: &Scene) {
    let body = json!({"email": scene.address(), "password": scene.password()});
    // Each with a user name of its own, so that only the address is the same; so few that none is too many.
    let answers = at_once(8, |n| {
        let (api, mut body) = (scene.api.clone(), body.clone());
        body["username"] = json!(format!("{}-{n}", scene.name()));
        async move { api.request("POST", "/api/auth/register").json(&body).send().await }
    })
    .await;
    let mut ids: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(ids.len(), 1, "accounts with one address");
    let made = ids.pop().map(|answer| text(answer, "user_id"));
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        problem(answer, 409, "email-taken");
    }
    let login = scene
        .login(
            body["email"].as_str().unwrap(),
            body["password"].as_str().unwrap(),
        )
        .await;
    assert_eq!(Some(text(&login, "user_id")), made);
}

/// Else signing in with it could mean somebody else.
async fn an_address_is_no_user_name(scene: &Scene) {
    let victim = scene.person().await;
    with_username(scene, &victim.email).await;
}

async fn a_look_alike_is_no_user_name(scene: &Scene) {
    for name in ["\u{430}nna", "ann\u{200b}a", "ａｎｎａ", "an na"] {
        with_username(scene, name).await;
    }
}

async fn markup_is_no_user_name(scene: &Scene) {
    for name in ["<script>", "ann\u{0}a", "../../etc", "ann\r\na", "';--"] {
        with_username(scene, name).await;
    }
}

async fn the_same_user_name_in_capitals_is_taken(scene: &Scene) {
    let name = scene.name();
    for (name, status) in [(name.clone(), 201), (name.to_uppercase(), 409)] {
        let body = json!({"email": scene.address(), "password": scene.password(), "username": name});
        let answer = scene.register(&body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
}

async fn a_registration_cannot_choose_its_id(scene: &Scene) {
    let victim = scene.person().await;
    let body = json!({"email": scene.address(), "password": scene.password(), "id": victim.id,
        "user_id": victim.id, "is_admin": true, "role": "admin", "disabled_at": null, "email_key": victim.email,
        "password_hash": "x", "created_at": "2001-01-01T00:00:00Z", "updated_at": "2001-01-01T00:00:00Z"});
    let answer = scene.register(&body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let user = &answer.json()["user"];
    assert_ne!(user["id"], json!(victim.id));
    assert_eq!(user["id"].to_string(), text(&answer, "user_id"));
    assert!(!user["created_at"].as_str().unwrap().starts_with("2001"));
    let keys: Vec<_> = user.as_object().map(serde_json::Map::keys).unwrap().collect();
    assert_eq!(keys, ["created_at", "email", "id", "updated_at", "username"]);
    let token = text(&answer, "access_token");
    assert_eq!(scene.me(&token).await.json()["id"], user["id"]);
    let theirs = scene.me(&victim.access).await.json();
    assert_eq!(theirs["email"], Value::from(victim.email));
}
