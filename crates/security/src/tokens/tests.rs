use errand_domain::account::{Email, User, Username};
use jsonwebtoken::{Validation, decode, decode_header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const KEY: &str = "kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEaT";
const OTHER_KEY: &str = "Qz4NwTj6hVb2XsKg0PyMf1DrLc9UoI7e";
const SESSION: &str = "0198f3a0-0000-7000-8000-000000000001";
const TOKEN: &str = "0198f3a0-0000-7000-8000-000000000002";
/// Seconds since 1970 of the tests' time, and the life of their tokens.
const NOW: i64 = 1_800_000_000;
const LIFE: i64 = 900;

fn settings() -> TokenSettings {
    TokenSettings {
        signing_key: KEY.into(),
        verifying_keys: vec![],
        issuer: "errand".into(),
        audience: "errand-api".into(),
        max_lifetime: Duration::from_secs(LIFE.unsigned_abs()),
    }
}

fn tokens() -> JwtTokens {
    JwtTokens::new(settings()).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

fn claims() -> AccessClaims {
    AccessClaims {
        user: User {
            id: UserId(7),
            username: Username::parse("ann").unwrap(),
            email: Email::parse("ann@example.com").unwrap(),
            created_at: at(NOW),
            updated_at: at(NOW),
        },
        session: SessionId::parse(SESSION).unwrap(),
        id: SessionId::parse(TOKEN).unwrap().0,
        issued_at: at(NOW),
        expires_at: at(NOW + LIFE),
    }
}

fn token() -> String {
    tokens().sign(&claims()).unwrap()
}

fn header_json() -> Value {
    json!({"alg": "HS256", "typ": TYP, "kid": key_id(KEY.as_bytes())})
}

fn claims_json() -> Value {
    json!({
        "iss": "errand", "aud": "errand-api", "sub": "7", "sid": SESSION, "jti": TOKEN,
        "iat": NOW, "exp": NOW + LIFE, "user_id": "7", "email": "ann@example.com", "username": "ann",
    })
}

/// A token of these texts with a right HS256 signature by `key`.
fn forge_with(key: &str, header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let key = EncodingKey::from_secret(key.as_bytes());
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn forge(header: &Value, claims: &Value) -> String {
    forge_with(KEY, &header.to_string(), &claims.to_string())
}

fn is_believed(token: &str) -> bool {
    tokens().verify(token, at(NOW)).is_some()
}

/// `value` with one member set, or taken away by `null`.
fn with(mut value: Value, member: &str, to: Value) -> Value {
    let object = value.as_object_mut().unwrap();
    object.remove(member);
    if to != Value::Null {
        object.insert(member.into(), to);
    }
    value
}

#[test]
fn what_is_signed_is_believed() {
    let verified = tokens().verify(&token(), at(NOW)).unwrap();
    assert_eq!(
        (verified.user, verified.session.to_string()),
        (UserId(7), SESSION.to_owned())
    );
    assert!(
        is_believed(&forge(&header_json(), &claims_json())),
        "the tests below forge well"
    );
}

#[test]
fn header_and_claims_are_exactly_those_of_the_contract() {
    let token = token();
    let part = |n| -> Value {
        let json = URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap();
        serde_json::from_slice(&json).unwrap()
    };
    assert_eq!(part(0), header_json());
    assert_eq!(part(1), claims_json());
}

#[test]
fn another_service_with_the_secret_can_verify() {
    // The library looks at the wall clock: give the token a life around every possible one.
    let long = AccessClaims {
        expires_at: at(8_000_000_000),
        ..claims()
    };
    let token = tokens().sign(&long).unwrap();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["errand-api"]);
    let key = DecodingKey::from_secret(KEY.as_bytes());
    let data = decode::<Value>(&token, &key, &validation).unwrap();
    assert_eq!(data.claims["sub"], "7");
    assert_eq!(data.header.typ.as_deref(), Some("at+jwt"));
}

#[test]
fn keys_roll_without_a_refusal() {
    let token = token();
    let next = JwtTokens::new(TokenSettings {
        signing_key: OTHER_KEY.into(),
        verifying_keys: vec![KEY.into()],
        ..settings()
    })
    .unwrap();
    assert!(next.verify(&token, at(NOW)).is_some());
    let of_next = next.sign(&claims()).unwrap();
    assert!(next.verify(&of_next, at(NOW)).is_some());
    assert!(!is_believed(&of_next), "a key that is not configured");
    assert_ne!(
        decode_header(&of_next).unwrap().kid,
        decode_header(&token).unwrap().kid
    );
    // The right key's name over another key's signature.
    let liar = forge_with(OTHER_KEY, &header_json().to_string(), &claims_json().to_string());
    assert!(!is_believed(&liar));
    assert!(next.verify(&liar, at(NOW)).is_none());
}

#[test]
fn weak_keys_are_refused() {
    for (signing_key, verifying_keys) in [("", vec![]), ("short", vec![]), (KEY, vec!["changeme".into()])] {
        let settings = TokenSettings {
            signing_key: signing_key.into(),
            verifying_keys,
            ..settings()
        };
        assert!(JwtTokens::new(settings).is_err());
    }
}

#[test]
fn settings_do_not_show_their_keys() {
    let shown = format!("{:?}", settings());
    assert!(!shown.contains(KEY), "{shown}");
}

#[test]
fn no_character_can_be_changed_added_or_removed() {
    let (tokens, token) = (tokens(), token());
    let refused = |text: &str| assert!(tokens.verify(text, at(NOW)).is_none(), "{text}");
    for (position, original) in token.char_indices() {
        for other in "ABQgw09-_.=+/ %\n\0é".chars().filter(|c| *c != original) {
            let (before, after) = (&token[..position], &token[position + 1..]);
            refused(&format!("{before}{other}{after}"));
        }
        refused(&format!("{}{}", &token[..position], &token[position + 1..]));
        refused(&format!("{}A{}", &token[..position], &token[position..]));
    }
    // Every other last character, also those that differ only in bits that belong to no byte.
    let (head, last) = token.split_at(token.len() - 1);
    for other in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']) {
        if !last.contains(other) {
            refused(&format!("{head}{other}"));
        }
    }
}

#[test]
fn other_shapes_are_refused() {
    let token = token();
    let parts: Vec<&str> = token.split('.').collect();
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        parts[0].into(),
        parts[..2].join("."),
        format!("{}.{}.", parts[0], parts[1]),
        format!(".{}.{}", parts[1], parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{}", parts[2]),
        format!("{token}.{}.{}", parts[1], parts[2]),
        format!("{token}="),
        format!("{token}=="),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token},{token}"),
        format!("Bearer {token}"),
        json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string(),
    ] {
        assert!(!is_believed(&bad), "{bad:?}");
    }
}

#[test]
fn no_token_is_longer_than_4096_bytes() {
    let of = |n: usize| {
        forge(
            &header_json(),
            &with(claims_json(), "email", json!("e".repeat(n))),
        )
    };
    let (short, long) = (of(2500), of(2900));
    assert!(short.len() <= 4096 && is_believed(&short));
    assert!(long.len() > 4096 && !is_believed(&long));
    assert!(!is_believed(&of(1_000_000)));
}

#[test]
fn other_algorithms_are_refused() {
    let claims = claims_json();
    for alg in [
        "none", "None", "NONE", "nOnE", "hs256", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "",
    ] {
        let header = with(header_json(), "alg", json!(alg));
        let token = forge(&header, &claims);
        assert!(!is_believed(&token), "{alg}");
        let (message, _) = token.rsplit_once('.').unwrap();
        assert!(!is_believed(&format!("{message}.")), "{alg} without a signature");
    }
    for (name, alg) in [("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        for named in [name, "HS256"] {
            let header = with(header_json(), "alg", json!(named));
            let token = forge(&header, &claims);
            let (message, _) = token.rsplit_once('.').unwrap();
            let key = EncodingKey::from_secret(KEY.as_bytes());
            let signature = crypto::sign(message.as_bytes(), &key, alg).unwrap();
            assert!(
                !is_believed(&format!("{message}.{signature}")),
                "{name} named {named}"
            );
        }
    }
}

#[test]
fn the_header_has_three_members_and_no_other() {
    for (member, value) in [
        ("typ", Value::Null),
        ("typ", json!("JWT")),
        ("typ", json!("AT+JWT")),
        ("typ", json!("application/at+jwt")),
        ("typ", json!("refresh+jwt")),
        ("kid", Value::Null),
        ("kid", json!("")),
        ("kid", json!("../../dev/null")),
        ("kid", json!("' or 1=1--")),
        ("kid", json!("https://example.com/key")),
        ("kid", json!("k".repeat(2000))),
        ("kid", json!([key_id(KEY.as_bytes())])),
        ("kid", json!(key_id(OTHER_KEY.as_bytes()))),
        ("alg", Value::Null),
        ("alg", json!(["HS256"])),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("jku", json!("https://example.com")),
        ("jwk", json!({"kty": "oct", "k": "AA"})),
        ("x5u", json!("https://example.com")),
        ("x5c", json!([])),
        ("x5t", json!("x")),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A128GCM")),
        ("nonce", json!("x")),
    ] {
        let header = with(header_json(), member, value);
        assert!(!is_believed(&forge(&header, &claims_json())), "{header}");
    }
    let (header, claims) = (header_json().to_string(), claims_json().to_string());
    let kid = key_id(KEY.as_bytes());
    for bad in [
        format!(" {header}"),
        format!("{header} x"),
        format!("[{header}]"),
        format!(r#"["HS256","at+jwt","{kid}"]"#),
        header.replacen('{', r#"{"alg":"HS256","#, 1),
        header.replacen('{', r#"{"ALG":"HS256","#, 1),
        "null".into(),
        "{}".into(),
        String::new(),
    ] {
        assert!(!is_believed(&forge_with(KEY, &bad, &claims)), "{bad}");
    }
}

#[test]
fn claims_have_exact_types_and_values() {
    let mut cases = vec![
        ("iss", json!("Errand")),
        ("iss", json!("errand ")),
        ("iss", json!(["errand"])),
        ("aud", json!("other")),
        ("aud", json!(["errand-api"])),
        ("aud", json!(["errand-api", "other"])),
        ("sub", json!(7)),
        ("sub", json!("07")),
        ("sub", json!("+7")),
        ("sub", json!("0")),
        ("sub", json!("-7")),
        ("sub", json!("8")),
        ("sub", json!("7 ")),
        ("sub", json!("ann")),
        ("sub", json!("9223372036854775808")),
        ("user_id", json!("8")),
        ("user_id", json!(7)),
        ("sid", json!(SESSION.to_uppercase())),
        ("sid", json!(SESSION.replace('-', ""))),
        ("sid", json!(1)),
        ("jti", json!("x")),
        ("jti", json!(TOKEN.to_uppercase())),
        ("email", json!(1)),
        ("username", json!(["ann"])),
        ("nbf", json!(NOW)),
        ("scope", json!("admin")),
        ("Sub", json!("7")),
    ];
    for member in ["iat", "exp"] {
        for value in [
            json!((NOW + 1).to_string()),
            json!(1_800_000_001.0),
            json!(1.0e300),
            json!(-1),
            json!(u64::MAX),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(true),
            json!([NOW + 1]),
            json!({}),
        ] {
            cases.push((member, value));
        }
    }
    let all = [
        "iss", "aud", "sub", "sid", "jti", "iat", "exp", "user_id", "email", "username",
    ];
    cases.extend(all.map(|member| (member, Value::Null)));
    for (member, value) in cases {
        let claims = with(claims_json(), member, value);
        assert!(!is_believed(&forge(&header_json(), &claims)), "{claims}");
    }
    let (header, claims) = (header_json().to_string(), claims_json().to_string());
    for bad in [
        claims.replacen('{', r#"{"sub":"7","#, 1),
        claims.replacen('{', r#"{"exp":null,"#, 1),
        claims.replace(r#""email":"ann@example.com""#, r#""email":null"#),
        format!("[{claims}]"),
        format!(
            r#"["errand","errand-api","7","{SESSION}","{TOKEN}",{NOW},{},"7","ann@example.com","ann"]"#,
            NOW + LIFE
        ),
        format!(" {claims}"),
        format!("{claims}{claims}"),
        "7".into(),
        String::new(),
    ] {
        assert!(!is_believed(&forge_with(KEY, &header, &bad)), "{bad}");
    }
}

#[test]
fn times_are_held_to_five_seconds() {
    let token = token();
    for (now, believed) in [
        (NOW - 6, false),
        (NOW - 5, true),
        (NOW, true),
        (NOW + LIFE + 4, true),
        (NOW + LIFE + 5, false),
        (NOW + LIFE + 6, false),
        (0, false),
        (8_000_000_000, false),
    ] {
        assert_eq!(
            tokens().verify(&token, at(now)).is_some(),
            believed,
            "{}",
            now - NOW
        );
    }
    for (iat, exp, believed) in [
        (NOW, NOW + LIFE, true),
        (NOW, NOW + LIFE + 1, false),
        (NOW - 1, NOW + LIFE, false),
        (NOW, NOW + 3_153_600_000, false),
        (NOW, NOW, false),
        (NOW + 2, NOW + 1, false),
        (NOW + 5, NOW + 6, true),
        (NOW + 6, NOW + 7, false),
        (NOW - LIFE, NOW - 4, true),
        (NOW - LIFE, NOW - 5, false),
        (-1, NOW, false),
        (0, i64::MAX, false),
    ] {
        let claims = with(with(claims_json(), "iat", json!(iat)), "exp", json!(exp));
        let token = forge(&header_json(), &claims);
        assert_eq!(
            is_believed(&token),
            believed,
            "iat {} exp {}",
            iat - NOW,
            exp - NOW
        );
    }
}

proptest! {
    #[test]
    fn noise_is_refused_without_a_panic(
        text in ".{0,200}",
        header in proptest::collection::vec(any::<u8>(), 0..60),
        payload in proptest::collection::vec(any::<u8>(), 0..60),
        now in any::<i32>(),
    ) {
        let tokens = tokens();
        prop_assert!(tokens.verify(&text, at(now.into())).is_none());
        // Signed noise: the parsers behind the signature.
        for (header, payload) in [(header, payload.clone()), (header_json().to_string().into_bytes(), payload)] {
            let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
            let key = EncodingKey::from_secret(KEY.as_bytes());
            let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
            let token = format!("{message}.{signature}");
            prop_assert!(tokens.verify(&token, at(NOW)).is_none());
        }
    }

    #[test]
    fn whoever_it_is_for_the_token_says_so(id in 1..=i64::MAX, local in "[a-zéü密\u{1f511}'*+/=?^_`{|}~&-]{1,12}") {
        let mut claims = claims();
        claims.user.id = UserId(id);
        claims.user.email = Email::parse(&format!("{local}@example.com")).unwrap();
        let token = tokens().sign(&claims).unwrap();
        let verified = tokens().verify(&token, at(NOW)).unwrap();
        prop_assert_eq!(verified.user, UserId(id));
    }
}
