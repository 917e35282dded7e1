//! Accounts.

use std::collections::BTreeSet;

use errand_application::ports::{Created, Credentials, NewAccount, Rotation, StoreError, UniqueKey};
use errand_domain::account::EMAIL_MAX_BYTES;
use errand_domain::{TaskId, UserId};

use crate::fixtures::{
    UNLIMITED, at, change, create, create_titled, days, email, ended_now, ended_since, event, export, hash,
    leave, living, login, micros, new_account, new_session, next_refresh, register, retitled, rich_task,
    rotate, sign_in, start, started, task, username,
};
use crate::harness::Stores;

/// Owners that nobody is.
const NOBODY: [UserId; 4] = [UserId(i64::MAX), UserId(4711), UserId(0), UserId(-1)];

/// What was taken, if that is why a registration failed.
async fn refused(stores: &Stores, account: &NewAccount) -> Option<UniqueKey> {
    let answer = stores
        .accounts
        .register(account, Some(new_session(at(1))), &event(at(0)))
        .await;
    match answer {
        Err(StoreError::Conflict(key)) => Some(key),
        Err(other) => panic!("neither registered nor taken: {other:?}"),
        Ok(_) => None,
    }
}

/// The user that registration gives has all that was sent, and is found so again.
pub async fn registering_gives_back_what_was_sent(stores: Stores) {
    let account = NewAccount {
        email: email("Ann.Smith+x@Example.COM"),
        username: username("Ann.S_m-9"),
        password: hash("$2b$12$abcdefghijklmnopqrstuuvwxyz./ABCDEFGHIJKLMNOPQRSTUVWXYZ0"),
        created_at: at(7).plus(micros(123_455)),
    };
    let session = new_session(at(8));
    let user = stores
        .accounts
        .register(&account, Some(session.clone()), &event(at(0)))
        .await
        .unwrap();
    assert!(user.id.0 > 0, "ids are positive");
    assert_eq!(user.email.as_str(), "Ann.Smith+x@Example.COM", "as typed");
    assert_eq!(user.username, account.username, "as typed");
    assert_eq!(
        (user.created_at, user.updated_at),
        (account.created_at, account.created_at)
    );
    let expected = Credentials {
        user: user.clone(),
        password: account.password,
        disabled_at: None,
    };
    let found = stores.accounts.find(user.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&expected));
    for name in ["Ann.Smith+x@Example.COM", "Ann.S_m-9"] {
        let found = stores.accounts.credentials(&login(name)).await.unwrap();
        assert_eq!(found.as_ref(), Some(&expected), "{name}");
    }
}

/// The longest and strangest legal values survive.
pub async fn accounts_keep_every_character(stores: Stores) {
    let long = format!("{}@{}.example", "a".repeat(64), "b".repeat(181));
    assert_eq!(long.len(), EMAIL_MAX_BYTES);
    let addresses = [
        long.as_str(),
        "o'neil%_*?&=/@x.io",
        "密碼@例子.測試",
        "é\u{301}😀@x.io",
        "MiXeD@CaSe.Io",
    ];
    for (n, address) in addresses.into_iter().enumerate() {
        let account = NewAccount {
            username: username(&format!("{n}{}", "Z".repeat(29))),
            password: hash(&format!(
                "$argon2id$v=19$m=65536,t=3,p=4$'\"\\{n}é{}",
                "x".repeat(400)
            )),
            ..new_account(address, "unused")
        };
        let user = stores
            .accounts
            .register(&account, Some(new_session(at(0))), &event(at(0)))
            .await
            .unwrap();
        let found = stores.accounts.find(user.id).await.unwrap().unwrap();
        assert_eq!(found.user.email.as_str(), address);
        assert_eq!(
            (found.user.username, found.password),
            (account.username, account.password)
        );
    }
}

/// Registration starts a session that is a session like any other.
pub async fn registering_starts_the_first_session(stores: Stores) {
    let session = new_session(at(3));
    let account = new_account("ann@example.com", "ann");
    let user = stores
        .accounts
        .register(&account, Some(session.clone()), &event(at(0)))
        .await
        .unwrap();
    let sessions = stores.sessions.list(user.id, at(3)).await.unwrap();
    assert_eq!(sessions, [started(user.id, &session)]);
    let rotation = rotate(&stores, user.id, &session, &session.token, &next_refresh(), at(4)).await;
    assert!(matches!(rotation, Rotation::Rotated { .. }), "{rotation:?}");
}

/// An account that was never made is `None` and `false`.
pub async fn absent_accounts_are_absent(stores: Stores) {
    register(&stores, "ann").await;
    let accounts = &stores.accounts;
    for owner in NOBODY {
        let session = new_session(at(1));
        let (old, new) = (hash("first"), hash("second"));
        assert_eq!(accounts.find(owner).await.unwrap(), None);
        assert_eq!(accounts.export(owner, at(1)).await.unwrap(), None);
        assert!(!accounts.renew_hash(owner, &old, &new).await.unwrap());
        assert!(!leave(&stores, owner).await);
        let changed = accounts
            .change_password(owner, &old, &new, Some(session.clone()), &event(at(1)))
            .await;
        assert!(!changed.unwrap());
    }
    for name in ["bob", "bob@example.com", "ann@example.org", "an", "ann@"] {
        let Some(name) = errand_domain::account::LoginName::parse(name) else {
            continue;
        };
        assert_eq!(accounts.credentials(&name).await.unwrap(), None);
    }
}

/// A sign-in name means its account in any letter case, also beyond ASCII; a name is never taken for an address.
pub async fn sign_in_names_ignore_letter_case(stores: Stores) {
    let account = new_account("Émile.Straße@Exämple.com", "Emile-9");
    let session = new_session(at(0));
    let user = stores
        .accounts
        .register(&account, Some(session.clone()), &event(at(0)))
        .await
        .unwrap();
    for name in [
        "émile.straße@exämple.com",
        "ÉMILE.STRASSE@EXÄMPLE.COM",
        "emile-9",
        "EMILE-9",
    ] {
        let found = stores.accounts.credentials(&login(name)).await.unwrap();
        assert_eq!(found.map(|c| c.user), Some(user.clone()), "{name}");
    }
    for name in ["emile.strasse@exämple.com", "emile_9", "emile-"] {
        assert_eq!(
            stores.accounts.credentials(&login(name)).await.unwrap(),
            None,
            "{name}"
        );
    }
}

/// An address is taken in any letter case, also beyond ASCII; what only looks alike is another.
pub async fn addresses_are_unique_in_any_letter_case(stores: Stores) {
    let pairs = [
        ("ann@example.com", "ANN@Example.Com"),
        ("Éric@example.com", "éric@example.com"),
        ("straße@example.com", "STRASSE@example.com"),
        ("οδος@example.com", "ΟΔΟΣ@example.com"),
    ];
    for (n, (first, second)) in pairs.into_iter().enumerate() {
        assert_eq!(
            refused(&stores, &new_account(first, &format!("first{n}"))).await,
            None,
            "{first}"
        );
        let again = refused(&stores, &new_account(second, &format!("second{n}"))).await;
        assert_eq!(again, Some(UniqueKey::Email), "{second}");
    }
    let other = refused(&stores, &new_account("eric@example.com", "third")).await;
    assert_eq!(other, None, "another letter is another address");
}

/// A user name is taken in any letter case.
pub async fn user_names_are_unique_in_any_letter_case(stores: Stores) {
    assert_eq!(
        refused(&stores, &new_account("ann@example.com", "Ann-B.C_1")).await,
        None
    );
    for name in ["Ann-B.C_1", "ann-b.c_1", "ANN-B.C_1"] {
        let again = refused(&stores, &new_account("bob@example.com", name)).await;
        assert_eq!(again, Some(UniqueKey::Username), "{name}");
    }
    let other = refused(&stores, &new_account("bob@example.com", "ann-b.c-1")).await;
    assert_eq!(other, None);
}

/// If both are taken, by one account or by two, it is the address that is reported.
pub async fn a_taken_address_is_reported_before_a_taken_name(stores: Stores) {
    register(&stores, "ann").await;
    register(&stores, "bob").await;
    for (address, name) in [
        ("ann@example.com", "ann"),
        ("ann@example.com", "bob"),
        ("BOB@example.com", "Ann"),
    ] {
        let taken = refused(&stores, &new_account(address, name)).await;
        assert_eq!(taken, Some(UniqueKey::Email), "{address} {name}");
    }
}

/// A refused registration makes no account, starts no session and takes no name.
pub async fn a_refused_registration_leaves_nothing_behind(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let before = export(&stores, ann.id(), at(1)).await;
    let session = new_session(at(1));
    for account in [
        new_account("new@example.com", "ANN"),
        new_account("ANN@example.com", "newname"),
    ] {
        let answer = stores
            .accounts
            .register(&account, Some(session.clone()), &event(at(0)))
            .await;
        assert!(matches!(answer, Err(StoreError::Conflict(_))), "{answer:?}");
    }
    for name in ["new@example.com", "newname"] {
        assert_eq!(
            stores.accounts.credentials(&login(name)).await.unwrap(),
            None,
            "{name}"
        );
    }
    assert_eq!(export(&stores, ann.id(), at(1)).await, before);
    let account = new_account("new@example.com", "newname");
    let user = stores
        .accounts
        .register(&account, Some(session.clone()), &event(at(0)))
        .await;
    let user = user.expect("address, name and session id are still free");
    assert_eq!(living(&stores, user.id, at(1)).await, [session.id]);
}

/// The sessions of a deleted account end, and that is recorded.
pub async fn deleting_an_account_ends_its_sessions(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let second = start(&stores, ann.id(), at(1)).await;
    let cursor = ended_now(&stores).await;
    assert!(leave(&stores, ann.id()).await);
    let ended = ended_since(&stores, cursor).await;
    for session in [&ann.session, &second] {
        assert!(ended.contains(&session.id), "{ended:?}");
        let rotation = rotate(&stores, ann.id(), session, &session.token, &next_refresh(), at(2)).await;
        assert_eq!(rotation, Rotation::Unknown);
        assert!(
            !stores
                .sessions
                .end(ann.id(), session.id, &event(at(2)))
                .await
                .unwrap()
        );
    }
    assert_eq!(living(&stores, ann.id(), at(2)).await, []);
    assert_eq!(stores.sessions.end_all(ann.id(), &event(at(0))).await.unwrap(), 0);
    assert!(!sign_in(&stores, ann.id(), &new_session(at(2))).await);
}

/// Of a deleted account nothing can be read or changed any more.
pub async fn deleting_an_account_removes_everything(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let made = stores
        .tasks
        .create(ann.id(), "key", &rich_task("a"), UNLIMITED, at(1))
        .await;
    let kept = made.unwrap().task().unwrap();
    let trash = create_titled(&stores, ann.id(), "b").await;
    assert!(stores.tasks.delete(ann.id(), trash.id, at(2)).await.unwrap());
    assert!(leave(&stores, ann.id()).await);

    assert_eq!(stores.accounts.find(ann.id()).await.unwrap(), None);
    assert_eq!(stores.accounts.export(ann.id(), at(3)).await.unwrap(), None);
    for name in ["ann", "ann@example.com"] {
        assert_eq!(stores.accounts.credentials(&login(name)).await.unwrap(), None);
    }
    for id in [kept.id, trash.id] {
        assert_eq!(stores.tasks.find(ann.id(), id).await.unwrap(), None);
        let changed = stores.tasks.change(ann.id(), id, &retitled("x"), at(3)).await;
        assert_eq!(changed.unwrap(), None);
        assert!(!stores.tasks.delete(ann.id(), id, at(3)).await.unwrap());
    }
    for key in ["key", "another"] {
        let again = stores
            .tasks
            .create(ann.id(), key, &task("c"), UNLIMITED, at(3))
            .await;
        assert_eq!(again.unwrap(), Created::Gone, "{key}");
    }
    let query = crate::fixtures::filtered(errand_domain::query::TaskFilter::default());
    assert_eq!(crate::fixtures::page(&stores, ann.id(), &query).await.tasks, []);
}

/// An account can be deleted once.
pub async fn deleting_an_account_again_is_false(stores: Stores) {
    let (ann, bob) = (register(&stores, "ann").await, register(&stores, "bob").await);
    assert!(leave(&stores, ann.id()).await);
    assert!(!leave(&stores, ann.id()).await);
    assert!(stores.accounts.find(bob.id()).await.unwrap().is_some());
}

/// Whoever gave the right password before it was changed may not delete the account by it.
pub async fn a_password_proven_before_a_change_deletes_nothing(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let proven = stores.accounts.find(ann.id()).await.unwrap().unwrap().password;
    let (new, session) = (hash("new"), new_session(at(5)));
    assert!(
        stores
            .accounts
            .change_password(ann.id(), &proven, &new, Some(session.clone()), &event(at(5)))
            .await
            .unwrap()
    );
    assert!(!stores.accounts.delete(ann.id(), &proven).await.unwrap());
    assert!(stores.accounts.find(ann.id()).await.unwrap().is_some());
    assert!(stores.accounts.delete(ann.id(), &new).await.unwrap());
}

/// The id of a deleted account is never another's, not even that of the last one made.
pub async fn an_account_id_is_never_given_again(stores: Stores) {
    let mut given = BTreeSet::new();
    for _ in 0..4 {
        let ann = register(&stores, "ann").await;
        assert!(given.insert(ann.id()), "{} came again", ann.id());
        assert!(leave(&stores, ann.id()).await);
    }
}

/// Address and name of a deleted account are free, and who takes them sees nothing of what was.
pub async fn a_deleted_account_can_be_registered_anew_and_sees_nothing(stores: Stores) {
    let old = register(&stores, "ann").await;
    let made = stores
        .tasks
        .create(old.id(), "key", &task("secret"), UNLIMITED, at(1))
        .await;
    let secret = made.unwrap().task().unwrap();
    create_titled(&stores, old.id(), "another").await;
    assert!(leave(&stores, old.id()).await);

    let new = register(&stores, "ann").await;
    assert_ne!(new.id(), old.id());
    let export = export(&stores, new.id(), at(2)).await;
    assert_eq!((export.tasks, export.deleted), (vec![], vec![]));
    assert_eq!(export.sessions, [started(new.id(), &new.session)]);
    assert_eq!(stores.tasks.find(new.id(), secret.id).await.unwrap(), None);
    let made = stores
        .tasks
        .create(new.id(), "key", &task("mine"), UNLIMITED, at(2))
        .await;
    let mine = made
        .unwrap()
        .task()
        .expect("the old key went with the old account");
    assert_eq!((mine.id, mine.title.as_str()), (TaskId(1), "mine"));
}

/// The export holds account, living sessions, tasks and trash, each in its order.
pub async fn the_export_shows_everything_in_order(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let later = start(&stores, ann.id(), at(5)).await;
    let earlier = start(&stores, ann.id(), at(2)).await;
    let mut made = Vec::new();
    for n in 0..6 {
        // Later ones are older and sort first by title: only the ids count.
        let new = rich_task(&format!("{}", 9 - n));
        made.push(create(&stores, ann.id(), &new, at(100 - n)).await);
    }
    made[2] = change(&stores, ann.id(), made[2].id, &retitled("changed"), at(200)).await;
    for (n, deleted_at) in [(4, at(300)), (0, at(301).plus(micros(7)))] {
        assert!(
            stores
                .tasks
                .delete(ann.id(), made[n].id, deleted_at)
                .await
                .unwrap()
        );
    }
    let export = export(&stores, ann.id(), at(400)).await;
    assert_eq!(export.user, ann.user);
    let sessions = [&ann.session, &earlier, &later].map(|s| started(ann.id(), s));
    assert_eq!(export.sessions, sessions);
    let tasks = [1, 2, 3, 5].map(|n: usize| made[n].clone());
    assert_eq!(export.tasks, tasks);
    let deleted: Vec<_> = export
        .deleted
        .into_iter()
        .map(|d| (d.task, d.deleted_at))
        .collect();
    let expected = [
        (made[0].clone(), at(301).plus(micros(7))),
        (made[4].clone(), at(300)),
    ];
    assert_eq!(deleted, expected, "as they were when they were deleted");
}

/// A session that has expired or was ended is not exported.
pub async fn the_export_shows_only_living_sessions(stores: Stores) {
    let ann = register(&stores, "ann").await;
    let late = start(&stores, ann.id(), at(0).plus(days(10))).await;
    let ended = start(&stores, ann.id(), at(0).plus(days(11))).await;
    let now = at(0).plus(days(14));
    assert!(
        stores
            .sessions
            .end(ann.id(), ended.id, &event(now))
            .await
            .unwrap()
    );
    let export = export(&stores, ann.id(), now).await;
    assert_eq!(export.sessions, [started(ann.id(), &late)]);
}
