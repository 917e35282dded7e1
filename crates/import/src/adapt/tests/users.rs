//! Users, and the hash of a row.

use super::{adapter, rules, task, text};
use crate::adapt::Adapter;
use crate::cell::Cell;
use crate::incoming::{Adapted, Finding, IncomingPassword, IncomingUser, NoPassword, Rule};

pub(super) fn user(
    adapter: &mut Adapter,
    cells: Vec<Cell>,
) -> Result<(IncomingUser, Vec<Finding>), Box<Finding>> {
    match adapter.user(cells) {
        Adapted::Imported { value, findings, .. } => Ok((value, findings)),
        Adapted::Quarantined { why, .. } => Err(Box::new(why)),
    }
}

#[test]
fn passwords() {
    let bcrypt = "$2b$12$S1PdMFgtN2DlMVGLINRuk.6ZrtMZrIRg37tLOa5H8yuNQtV7/u7IK";
    let scrypt = format!("{}:{}", "0f".repeat(16), "Ab".repeat(64));
    let kept = [
        bcrypt.to_owned(),
        bcrypt.replace("2b", "2a"),
        bcrypt.replace("2b", "2y"),
        scrypt.clone(),
    ];
    for stored in &kept {
        for cell in [text(stored), Cell::Blob(stored.clone().into_bytes())] {
            let fields = [
                ("key", Cell::Integer(1)),
                ("email", text("a@b.org")),
                ("password", cell),
            ];
            let (mut adapter, cells) = adapter("users", &fields);
            let (found, findings) = user(&mut adapter, cells).unwrap();
            assert!(
                matches!(&found.password, IncomingPassword::Hash(hash) if hash.as_str() == stored),
                "{stored}"
            );
            assert_eq!(rules(&findings), [Rule::UsernameAdapted]);
        }
    }
    let wrong = [
        "hunter2".to_owned(),
        "hashed_hunter2".to_owned(),
        bcrypt.replace("$12$", "$15$"),
        bcrypt.replace("$12$", "$3$"),
        bcrypt.replace("2b", "2x"),
        bcrypt[..59].to_owned(),
        format!("{bcrypt} "),
        scrypt.replace(':', ""),
        format!("{scrypt}0"),
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA".to_owned(),
    ];
    for stored in &wrong {
        let fields = [
            ("key", Cell::Integer(1)),
            ("email", text("a@b.org")),
            ("password", text(stored)),
        ];
        let (mut adapter, cells) = adapter("users", &fields);
        let adapted = adapter.user(cells);
        assert!(
            !format!("{adapted:?}").contains(stored.as_str()),
            "{stored} is shown"
        );
        let Adapted::Imported { value, .. } = adapted else {
            panic!("{stored}")
        };
        assert_eq!(
            value.password,
            IncomingPassword::None(NoPassword::NotAHash),
            "{stored}"
        );
    }
}

#[test]
fn a_row_hash_changes_with_the_row_and_tells_no_password() {
    let hash = |title: &str| task(&[("title", text(title))]).0.row_hash;
    assert_eq!(hash("a"), hash("a"));
    assert_ne!(hash("a"), hash("b"));
    let hash = |stored: &str| {
        let fields = [
            ("key", Cell::Integer(1)),
            ("email", text("a@b.org")),
            ("password", text(stored)),
        ];
        let (mut adapter, cells) = adapter("users", &fields);
        user(&mut adapter, cells).unwrap().0.row_hash
    };
    let bcrypt = "$2b$12$S1PdMFgtN2DlMVGLINRuk.6ZrtMZrIRg37tLOa5H8yuNQtV7/u7IK";
    assert_ne!(hash(bcrypt), hash(&bcrypt.replace("IK", "IJ")));
    // It would be easy to try passwords against it.
    assert_eq!(hash("hunter2"), hash("hunter3"));
}

#[test]
fn disabled_accounts_come_without_a_password() {
    let bcrypt = "$2b$12$S1PdMFgtN2DlMVGLINRuk.6ZrtMZrIRg37tLOa5H8yuNQtV7/u7IK";
    for (field, cell, disabled) in [
        ("active", Cell::Integer(0), true),
        ("active", text("false"), true),
        ("active", Cell::Integer(1), false),
        ("active", Cell::Null, false),
        ("disabled", Cell::Integer(1), true),
        ("disabled", Cell::Null, false),
    ] {
        let fields = [
            ("key", Cell::Integer(1)),
            ("email", text("a@b.org")),
            ("password", text(bcrypt)),
            (field, cell.clone()),
        ];
        let (mut adapter, cells) = adapter("users", &fields);
        let (found, findings) = user(&mut adapter, cells).unwrap();
        let is_disabled = found.password == IncomingPassword::None(NoPassword::Disabled);
        assert_eq!(is_disabled, disabled, "{field} {cell:?}");
        assert_eq!(rules(&findings).contains(&Rule::AccountDisabled), disabled);
    }
}

#[test]
fn names_and_addresses_are_unique() {
    let row = |key, name: &str, email: &str| {
        vec![
            Cell::Integer(key),
            text(email),
            if name.is_empty() { Cell::Null } else { text(name) },
        ]
    };
    let (mut adapter, _) = adapter(
        "users",
        &[
            ("key", Cell::Null),
            ("email", Cell::Null),
            ("username", Cell::Null),
        ],
    );
    let long = "x".repeat(30);
    for (key, name, email, now, found) in [
        (1, "ann", "ann@x.org", "ann", vec![]),
        (2, "ANN", "b@x.org", "ANN-2", vec![Rule::UsernameClash]),
        (3, "Ann", "c@x.org", "Ann-3", vec![Rule::UsernameClash]),
        (4, "ann-4", "d@x.org", "ann-4", vec![]),
        (5, "aNN", "e@x.org", "aNN-5", vec![Rule::UsernameClash]),
        (6, &long, "f@x.org", &long, vec![]),
        (
            7,
            &long,
            "g@x.org",
            &format!("{}-2", "x".repeat(28)),
            vec![Rule::UsernameClash],
        ),
        (
            8,
            "Ann  Smith, jr.",
            "h@x.org",
            "Ann.Smith.jr.",
            vec![Rule::UsernameAdapted],
        ),
        (9, "José", "jose@x.org", "jose", vec![Rule::UsernameAdapted]),
        (10, "", "ab@x.org", "userab", vec![Rule::UsernameAdapted]),
        (
            11,
            "AB",
            "ab@y.org",
            "userab-2",
            vec![Rule::UsernameAdapted, Rule::UsernameClash],
        ),
        (
            12,
            "a@b.example",
            "l@x.org",
            "ab.example",
            vec![Rule::UsernameAdapted],
        ),
    ] {
        let (user, findings) = user(&mut adapter, row(key, name, email)).unwrap();
        assert_eq!(
            (user.username.as_str(), rules(&findings)),
            (now, found),
            "{name:?}"
        );
    }
    let why = user(&mut adapter, row(20, "new", "ANN@X.org")).unwrap_err();
    assert_eq!(
        (why.rule, why.was.as_str(), why.key.0.as_str()),
        (Rule::EmailClash, "ANN@X.org", "20")
    );
    assert!(why.now.contains("user 1 "), "{}", why.now);
    for email in ["", "ann", "a@b", "a b@x.org"] {
        assert_eq!(
            user(&mut adapter, row(21, "new", email)).unwrap_err().rule,
            Rule::EmailInvalid,
            "{email}"
        );
    }
    // What stayed outside took no name.
    assert_eq!(
        user(&mut adapter, row(22, "new", "m@x.org"))
            .unwrap()
            .0
            .username
            .as_str(),
        "new"
    );
}
