//! What is tried too often.

use super::*;

fn knowing_nobody(matches: bool) -> Mocks {
    let mut mocks = Mocks::verifying(matches, false);
    mocks.accounts.expect_credentials().returning(|_| Ok(None));
    mocks
}

fn try_as(name: &str, address: &str) -> Login {
    Login {
        origin: from(address),
        ..login(Some(name))
    }
}

#[tokio::test]
async fn the_eleventh_wrong_guess_costs_no_hash() {
    let mut mocks = Mocks::default();
    mocks
        .accounts
        .expect_credentials()
        .times(10)
        .returning(|_| Ok(None));
    let verdict = Verdict {
        matches: false,
        outdated: false,
    };
    mocks
        .hasher
        .expect_verify()
        .times(10)
        .returning(move |_, _| Ok(verdict));
    let service = mocks.service();
    for _ in 0..10 {
        assert!(matches!(
            service.login(try_as("ann", "192.0.2.1")).await,
            Err(AppError::BadCredentials)
        ));
    }
    let refused = service.login(try_as("ann", "192.0.2.1")).await;
    assert!(matches!(refused, Err(AppError::Limited(limited)) if limited.policy == "sign-in-account"));
}

#[tokio::test]
async fn a_victim_gets_in_from_elsewhere() {
    let mut mocks = Mocks::default().noting(EventKind::SignInFailed, 10);
    mocks
        .accounts
        .expect_credentials()
        .returning(|_| Ok(Some(credentials(1))));
    let mut tries = 0;
    mocks.hasher.expect_verify().returning(move |_, _| {
        tries += 1;
        Ok(Verdict {
            matches: tries > 10,
            outdated: false,
        })
    });
    mocks.signer.expect_sign().returning(|_| Ok("token".into()));
    mocks.sessions.expect_start().returning(|_, _, _, _, _| {
        Ok(Start::Started {
            pushed_out: Vec::new(),
        })
    });
    let service = mocks.service();
    for _ in 0..20 {
        assert!(service.login(try_as("ann", "192.0.2.1")).await.is_err());
    }
    assert!(service.login(try_as("ann", "192.0.2.2")).await.is_ok());
}

#[tokio::test]
async fn one_network_guesses_at_many_names_no_longer_than_at_one() {
    let service = knowing_nobody(false).service();
    for n in 0..20 {
        let name = format!("name{n}");
        assert!(matches!(
            service.login(try_as(&name, "192.0.2.1")).await,
            Err(AppError::BadCredentials)
        ));
    }
    let refused = service.login(try_as("another", "192.0.2.1")).await;
    assert!(matches!(refused, Err(AppError::Limited(limited)) if limited.policy == "sign-in-network"));
}

#[tokio::test]
async fn what_was_no_wrong_guess_does_not_count() {
    let mut mocks = Mocks::default();
    mocks.accounts.expect_credentials().returning(|_| Ok(None));
    mocks
        .hasher
        .expect_verify()
        .returning(|_, _| Err(HasherError::Overloaded));
    let service = mocks.service();
    for _ in 0..40 {
        assert!(matches!(
            service.login(try_as("ann", "192.0.2.1")).await,
            Err(AppError::Overloaded)
        ));
    }
}

#[tokio::test]
async fn registrations_of_a_network_are_counted_before_hashing() {
    let mut mocks = Mocks::verifying(true, false).new_address().hashing(8);
    mocks
        .accounts
        .expect_register()
        .times(8)
        .returning(|_, _, _| Ok(user(1)));
    let service = mocks.service();
    for _ in 0..8 {
        assert!(service.register(register(None)).await.is_ok());
    }
    let refused = service.register(register(None)).await;
    assert!(matches!(refused, Err(AppError::Limited(limited)) if limited.policy == "registration"));
}

#[tokio::test]
async fn new_passwords_are_judged_only_so_often() {
    let service = Mocks::default().service();
    let judge = async |password: &str| {
        service
            .judge(secret(password), &email(), &from("192.0.2.1"))
            .await
    };
    for _ in 0..100 {
        assert!(matches!(judge("short").await, Ok(Err(_))), "that costs nothing");
    }
    for n in 0..30 {
        let judged = judge(["a fine long passphrase", "password"][n % 2])
            .await
            .unwrap();
        assert_eq!(judged.is_ok(), n % 2 == 0);
    }
    let refused = judge("a fine long passphrase").await;
    assert!(matches!(refused, Err(AppError::Limited(limited)) if limited.policy == "new-password"));
}

#[tokio::test]
async fn the_current_password_cannot_be_guessed_at_either() {
    let mocks = Mocks::verifying(false, false)
        .noting(EventKind::PasswordRefused, 10)
        .finding(1);
    let service = mocks.service();
    let guess = async || {
        service
            .delete(&actor(1), secret("wrong"), &from("192.0.2.1"))
            .await
    };
    for _ in 0..10 {
        assert!(matches!(guess().await, Err(AppError::WrongPassword)));
    }
    assert!(matches!(guess().await, Err(AppError::Limited(_))));
}

#[tokio::test]
async fn right_passwords_take_their_share_too() {
    let mut mocks = Mocks::verifying(true, false);
    mocks
        .accounts
        .expect_credentials()
        .returning(|_| Ok(Some(credentials(1))));
    mocks.sessions.expect_start().returning(|_, _, _, _, _| {
        Ok(Start::Started {
            pushed_out: Vec::new(),
        })
    });
    let service = mocks.service();
    for _ in 0..60 {
        assert!(service.login(try_as("ann", "192.0.2.1")).await.is_ok());
    }
    let refused = service.login(try_as("ann", "192.0.2.1")).await;
    assert!(matches!(refused, Err(AppError::Limited(limited)) if limited.policy == "sign-in"));
    assert!(service.login(try_as("ann", "192.0.2.2")).await.is_ok());
}
