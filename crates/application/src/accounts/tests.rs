use std::time::Duration;

use errand_domain::UserId;
use errand_domain::account::PasswordHash;

use super::*;
use crate::ports::{
    Ended, EndedCursor, HasherError, MockAccountStore, MockEventStore, MockPasswordHasher, MockSessionStore,
    MockTokenSigner, Start, Verdict,
};
use crate::sessions::SessionSettings;
use crate::test_support::{Buckets, FixedClock, actor, at, credentials, from, recorder, user};

#[derive(Default)]
struct Mocks {
    accounts: MockAccountStore,
    events: MockEventStore,
    limits: Arc<Buckets>,
    sessions: MockSessionStore,
    hasher: MockPasswordHasher,
    signer: MockTokenSigner,
}

impl Mocks {
    /// A signer that signs and a hasher that finds what it is told.
    fn verifying(matches: bool, outdated: bool) -> Self {
        let mut mocks = Self::default();
        mocks.signer.expect_sign().returning(|_| Ok("token".into()));
        mocks
            .hasher
            .expect_verify()
            .returning(move |_, _| Ok(Verdict { matches, outdated }));
        mocks
    }

    /// Keeps failed attempts of user 1, so many.
    fn noting(mut self, kind: EventKind, times: usize) -> Self {
        self.events
            .expect_note()
            .withf(move |owner, event| *owner == UserId(1) && event.kind == kind)
            .times(times)
            .return_const(());
        self
    }

    fn hashing(mut self, times: usize) -> Self {
        self.hasher
            .expect_hash()
            .times(times)
            .returning(|_| Ok(PasswordHash::new("new".into())));
        self
    }

    fn new_address(mut self) -> Self {
        self.accounts.expect_credentials().returning(|_| Ok(None));
        self
    }

    fn finding(mut self, id: i64) -> Self {
        self.accounts
            .expect_find()
            .returning(move |_| Ok(Some(credentials(id))));
        self
    }

    fn service(mut self) -> AccountService {
        self.hasher
            .expect_judge()
            .returning(|password, email| Ok(NewPassword::parse(password, email)));
        let clock = Arc::new(FixedClock::default());
        let recorder = recorder(&clock);
        let limiter = Arc::new(Limiter::new(self.limits, clock.clone(), Vec::new(), 9));
        let store = Arc::new(self.sessions);
        let guard = Arc::new(SessionGuard::new(store.clone(), clock.clone()));
        let signer = Arc::new(self.signer);
        let sessions = Arc::new(SessionService::new(
            store,
            guard.clone(),
            signer,
            limiter.clone(),
            recorder.clone(),
            SessionSettings {
                access_life: Duration::from_mins(15),
                most_per_user: 50,
            },
        ));
        AccountService::new(
            Arc::new(self.accounts),
            Arc::new(self.events),
            sessions,
            guard,
            Arc::new(self.hasher),
            limiter,
            recorder,
        )
    }
}

fn email() -> Email {
    Email::parse("ann@example.com").unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn register(username: Option<&str>) -> Register {
    Register {
        email: email(),
        username: username.map(|n| Username::parse(n).unwrap()),
        password: NewPassword::parse(secret("a fine long passphrase"), &email()).unwrap(),
        origin: from("192.0.2.1"),
    }
}

fn login(name: Option<&str>) -> Login {
    Login {
        name: name.and_then(LoginName::parse),
        password: secret("whatever"),
        origin: from("192.0.2.1"),
    }
}

mod register {
    use super::*;

    #[tokio::test]
    async fn no_account_without_a_hash() {
        let mut mocks = Mocks::default().new_address();
        mocks
            .hasher
            .expect_hash()
            .returning(|_| Err(HasherError::Overloaded));
        mocks.accounts.expect_register().never();
        assert!(matches!(
            mocks.service().register(super::register(None)).await,
            Err(AppError::Overloaded)
        ));
    }

    #[tokio::test]
    async fn a_taken_address_costs_no_hash() {
        let mut mocks = Mocks::default();
        mocks
            .accounts
            .expect_credentials()
            .returning(|_| Ok(Some(credentials(1))));
        mocks.hasher.expect_hash().never();
        mocks.accounts.expect_register().never();
        assert!(matches!(
            mocks.service().register(super::register(None)).await,
            Err(AppError::EmailTaken)
        ));
    }

    #[tokio::test]
    async fn a_chosen_name_that_is_taken_is_an_error() {
        let mut mocks = Mocks::default().new_address().hashing(1);
        mocks
            .accounts
            .expect_register()
            .times(1)
            .returning(|_, _, _| Err(StoreError::Conflict(UniqueKey::Username)));
        let result = mocks.service().register(super::register(Some("ann"))).await;
        assert!(matches!(result, Err(AppError::UsernameTaken)));
    }

    #[tokio::test]
    async fn a_made_up_name_that_is_taken_is_made_up_again_without_hashing_again() {
        let mut mocks = Mocks::verifying(true, false).new_address().hashing(1);
        mocks
            .accounts
            .expect_register()
            .times(1)
            .withf(|account, session, _| account.username.as_str() == "ann" && session.is_some())
            .returning(|_, _, _| Err(StoreError::Conflict(UniqueKey::Username)));
        mocks
            .accounts
            .expect_register()
            .times(1)
            .withf(|account, _, _| account.username.as_str().starts_with("ann-"))
            .returning(|_, _, _| Ok(user(1)));
        let grant = mocks.service().register(super::register(None)).await.unwrap();
        assert_eq!(grant.user.id, UserId(1));
    }

    #[tokio::test]
    async fn gives_up_on_names_in_the_end() {
        let mut mocks = Mocks::default().new_address().hashing(1);
        mocks
            .accounts
            .expect_register()
            .times(USERNAME_TRIES)
            .returning(|_, _, _| Err(StoreError::Conflict(UniqueKey::Username)));
        assert!(matches!(
            mocks.service().register(super::register(None)).await,
            Err(AppError::UsernameTaken)
        ));
    }
}

mod login {
    use super::*;

    #[tokio::test]
    async fn hashes_for_nobody_too() {
        for name in [Some("ann@example.com"), Some("ann"), None] {
            let mut mocks = Mocks::default();
            mocks.accounts.expect_credentials().returning(|_| Ok(None));
            let nothing = |verified: &Option<PasswordHash>| verified.is_none();
            mocks
                .hasher
                .expect_verify()
                .times(1)
                .withf(move |_, stored| nothing(stored))
                .returning(|_, _| {
                    Ok(Verdict {
                        matches: false,
                        outdated: false,
                    })
                });
            mocks.sessions.expect_start().never();
            assert!(matches!(
                mocks.service().login(super::login(name)).await,
                Err(AppError::BadCredentials)
            ));
        }
    }

    #[tokio::test]
    async fn a_hasher_that_says_yes_to_nobody_opens_nothing() {
        let mut mocks = Mocks::verifying(true, true);
        mocks.accounts.expect_credentials().returning(|_| Ok(None));
        mocks.sessions.expect_start().never();
        let result = mocks.service().login(super::login(Some("ann"))).await;
        assert!(matches!(result, Err(AppError::BadCredentials)));
    }

    #[tokio::test]
    async fn a_wrong_password_starts_no_session_and_renews_no_hash() {
        let mut mocks = Mocks::verifying(false, true).noting(EventKind::SignInFailed, 1);
        mocks
            .accounts
            .expect_credentials()
            .returning(|_| Ok(Some(credentials(1))));
        mocks.accounts.expect_renew_hash().never();
        mocks.sessions.expect_start().never();
        let result = mocks.service().login(super::login(Some("ann"))).await;
        assert!(matches!(result, Err(AppError::BadCredentials)));
    }

    #[tokio::test]
    async fn an_old_hash_is_renewed_and_losing_that_race_is_fine() {
        let mut mocks = Mocks::verifying(true, true).hashing(1);
        mocks
            .accounts
            .expect_credentials()
            .returning(|_| Ok(Some(credentials(1))));
        mocks
            .accounts
            .expect_renew_hash()
            .times(1)
            .withf(|owner, old, new| *owner == UserId(1) && old.as_str() == "stored" && new.as_str() == "new")
            .returning(|_, _, _| Ok(false));
        mocks.sessions.expect_start().times(1).returning(|_, _, _, _, _| {
            Ok(Start::Started {
                pushed_out: Vec::new(),
            })
        });
        assert!(mocks.service().login(super::login(Some("ann"))).await.is_ok());
    }

    #[tokio::test]
    async fn an_unreachable_store_is_not_a_wrong_password() {
        let mut mocks = Mocks::default();
        mocks
            .accounts
            .expect_credentials()
            .returning(|_| Err(StoreError::Unavailable("gone".into())));
        mocks.hasher.expect_verify().never();
        let result = mocks.service().login(super::login(Some("ann"))).await;
        assert!(matches!(result, Err(AppError::Unavailable(_))));
    }

    #[tokio::test]
    async fn an_account_that_vanished_meanwhile_is_bad_credentials() {
        let mut mocks = Mocks::verifying(true, false);
        mocks
            .accounts
            .expect_credentials()
            .returning(|_| Ok(Some(credentials(1))));
        mocks
            .sessions
            .expect_start()
            .returning(|_, _, _, _, _| Ok(Start::Refused));
        let result = mocks.service().login(super::login(Some("ann"))).await;
        assert!(matches!(result, Err(AppError::BadCredentials)));
    }
}

mod disabled {
    use super::*;

    #[tokio::test]
    async fn a_disabled_account_is_a_wrong_password_after_the_same_work() {
        let mut mocks = Mocks::default().noting(EventKind::SignInFailed, 1);
        mocks.accounts.expect_credentials().returning(|_| {
            Ok(Some(Credentials {
                disabled_at: Some(at(0)),
                ..credentials(1)
            }))
        });
        let verdict = Verdict {
            matches: true,
            outdated: true,
        };
        mocks
            .hasher
            .expect_verify()
            .times(1)
            .withf(|_, stored| stored.is_some())
            .returning(move |_, _| Ok(verdict));
        mocks.hasher.expect_hash().never();
        mocks.sessions.expect_start().never();
        let result = mocks.service().login(login(Some("ann"))).await;
        assert!(matches!(result, Err(AppError::BadCredentials)));
    }
}

mod limits;

mod change_password {
    use super::*;

    async fn change(mocks: Mocks, current: &str, new: &str) -> Result<Grant, AppError> {
        mocks
            .service()
            .change_password(&actor(1), secret(current), secret(new), &from("192.0.2.1"))
            .await
    }

    #[tokio::test]
    async fn a_bad_new_one_costs_no_hashing() {
        for (current, new) in [
            ("old", "short"),
            ("a fine long passphrase", "a fine long passphrase"),
            ("old", "password"),
        ] {
            let mut mocks = Mocks::default().finding(1);
            mocks.hasher.expect_verify().never();
            mocks.hasher.expect_hash().never();
            assert!(
                matches!(change(mocks, current, new).await, Err(AppError::Invalid(_))),
                "{new}"
            );
        }
    }

    #[tokio::test]
    async fn a_wrong_current_one_changes_nothing() {
        let mut mocks = Mocks::verifying(false, false)
            .noting(EventKind::PasswordRefused, 1)
            .finding(1)
            .hashing(0);
        mocks.accounts.expect_change_password().never();
        assert!(matches!(
            change(mocks, "old", "a fine long passphrase").await,
            Err(AppError::WrongPassword)
        ));
    }

    #[tokio::test]
    async fn losing_against_another_change_is_a_wrong_password() {
        let mut mocks = Mocks::verifying(true, false).finding(1).hashing(1);
        mocks
            .accounts
            .expect_change_password()
            .times(1)
            .returning(|_, _, _, _, _| Ok(false));
        assert!(matches!(
            change(mocks, "old", "a fine long passphrase").await,
            Err(AppError::WrongPassword)
        ));
    }

    #[tokio::test]
    async fn grants_the_new_session() {
        let mut mocks = Mocks::verifying(true, false).finding(1).hashing(1);
        mocks
            .accounts
            .expect_change_password()
            .times(1)
            .withf(|_, expected, new, _, _| expected.as_str() == "stored" && new.as_str() == "new")
            .returning(|_, _, _, _, _| Ok(true));
        let grant = change(mocks, "old", "a fine long passphrase").await.unwrap();
        assert!(grant.user.updated_at > credentials(1).user.updated_at);
    }
}

mod delete {
    use super::*;

    #[tokio::test]
    async fn needs_the_password() {
        let mut mocks = Mocks::verifying(false, false)
            .noting(EventKind::PasswordRefused, 1)
            .finding(1);
        mocks.accounts.expect_delete().never();
        let result = mocks
            .service()
            .delete(&actor(1), secret("wrong"), &from("192.0.2.1"))
            .await;
        assert!(matches!(result, Err(AppError::WrongPassword)));
    }

    #[tokio::test]
    async fn losing_against_another_change_removes_nothing() {
        let mut mocks = Mocks::verifying(true, false).finding(1);
        mocks.sessions.expect_ended().returning(|_| {
            Ok(Ended {
                sessions: Vec::new(),
                cursor: EndedCursor(1),
            })
        });
        mocks.accounts.expect_delete().returning(|_, _| Ok(false));
        let result = mocks
            .service()
            .delete(&actor(1), secret("right"), &from("192.0.2.1"))
            .await;
        assert!(matches!(result, Err(AppError::WrongPassword)));
    }
}

#[tokio::test]
async fn a_vanished_account_is_unauthenticated() {
    let mut mocks = Mocks::default();
    mocks.accounts.expect_find().returning(|_| Ok(None));
    mocks.accounts.expect_export().returning(|_, _| Ok(None));
    let service = mocks.service();
    assert!(matches!(service.me(&actor(1)).await, Err(AppError::InvalidToken)));
    assert!(matches!(
        service.export(&actor(1)).await,
        Err(AppError::InvalidToken)
    ));
}
