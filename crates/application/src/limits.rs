//! Limits on attempts: how often somebody may guess, register or refresh in vain.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use errand_domain::UserId;
use errand_domain::account::LoginName;
use errand_domain::event::Origin;
use errand_domain::limit::{Allowance, Take};
use errand_domain::network::Network;
use errand_domain::session::{Digest, REFRESHES};
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{AppError, Limited};
use crate::ports::{Bucket, Clock, LimitStore};
use crate::sha256::sha256;

/// A limit with the name that it has on the wire.
#[derive(Debug, Clone, Copy)]
struct Policy {
    name: &'static str,
    allowance: Allowance,
}

const fn policy(name: &'static str, burst: u32, every: Duration) -> Policy {
    Policy {
        name,
        allowance: Allowance { burst, every },
    }
}

/// Failed proofs of one account's password from one network. Nobody is kept from their account by what others
/// try from elsewhere.
const ACCOUNT: Policy = policy("sign-in-account", 10, Duration::from_mins(1));
/// The same of somebody who is signed in and changes or deletes the account.
const CONFIRMATION: Policy = policy("confirmation", 10, Duration::from_mins(1));
/// Failed proofs of any account's password from one network.
const NETWORK: Policy = policy("sign-in-network", 20, Duration::from_secs(12));
/// Registrations from one network, successful ones too.
const REGISTRATION: Policy = policy("registration", 8, Duration::from_mins(5));
/// Refresh tokens from one network that are nobody's: they cannot be guessed, but looking costs.
const REFUSED_REFRESH: Policy = policy("refused-refresh", 50, Duration::from_secs(1));
/// New passwords from one network, whatever is found of them: judging one takes as long as hashing it.
const NEW_PASSWORD: Policy = policy("new-password", 30, Duration::from_secs(10));
/// Proofs of passwords from one network, right ones too: each takes a place among those that wait for hashing.
const SIGN_IN: Policy = policy("sign-in", 60, Duration::from_secs(2));
/// Refreshes of one session; the store of sessions counts them.
const REFRESH: Policy = Policy {
    name: "refresh",
    allowance: REFRESHES,
};

/// The most buckets that are remembered to be empty. One more, and the oldest knowledge goes.
const REMEMBERED_MAX: usize = 10_000;

/// Counts attempts in the store. What the store refused is remembered for as long as it said, so that a flood
/// costs it nothing.
pub struct Limiter {
    store: Arc<dyn LimitStore>,
    clock: Arc<dyn Clock>,
    exempt: Vec<IpNet>,
    /// Until when a bucket is empty, by the monotonic clock.
    empty: Mutex<HashMap<Digest, Duration>>,
    /// Proofs of passwords that may be under way.
    proofs: Arc<Semaphore>,
}

/// An attempt that was let through, and what it took.
#[must_use = "what did not fail is given back"]
#[derive(Debug)]
pub(crate) struct Attempt {
    /// What is given back if it was no wrong guess.
    returnable: Vec<Bucket>,
    /// Of a proof, until it is settled.
    _place: Option<OwnedSemaphorePermit>,
}

impl Attempt {
    fn of(returnable: Vec<Bucket>) -> Self {
        Self {
            returnable,
            _place: None,
        }
    }
}

impl Limiter {
    /// Counts in `store`; limits by network do not touch the networks in `exempt`. So many `proofs` of passwords
    /// may be under way at once: as many as the hasher has places for, so that one more costs the store nothing.
    pub fn new(store: Arc<dyn LimitStore>, clock: Arc<dyn Clock>, exempt: Vec<IpNet>, proofs: usize) -> Self {
        Self {
            store,
            clock,
            exempt,
            empty: Mutex::default(),
            proofs: Arc::new(Semaphore::new(proofs)),
        }
    }

    /// Before the password of whoever has this name is looked at, whether or not anybody has it. By the name as
    /// it was given: by the account it would tell which names are of one account.
    pub(crate) async fn sign_in(
        &self,
        name: Option<&LoginName>,
        origin: &Origin,
    ) -> Result<Attempt, AppError> {
        let name = name.map_or_else(String::new, |name| match name {
            LoginName::Email(email) => email.key(),
            LoginName::Username(username) => username.key(),
        });
        self.proof(ACCOUNT, &name, origin).await
    }

    /// Before the password of somebody who is signed in is looked at.
    pub(crate) async fn confirmation(&self, user: UserId, origin: &Origin) -> Result<Attempt, AppError> {
        self.proof(CONFIRMATION, &user.to_string(), origin).await
    }

    async fn proof(&self, policy: Policy, who: &str, origin: &Origin) -> Result<Attempt, AppError> {
        let network = network(origin);
        let mut wanted = vec![(policy, key(policy, &format!("{network} {who}")))];
        wanted.extend(self.by_network(NETWORK, origin));
        wanted.extend(self.by_network(SIGN_IN, origin));
        // Who must wait long is told so even when all places are taken.
        if let Some(limited) = self.remembered(&wanted) {
            return Err(AppError::Limited(limited));
        }
        let place = Arc::clone(&self.proofs).try_acquire_owned();
        let place = place.map_err(|_| AppError::Overloaded)?;
        let attempt = self.take(wanted, origin).await?;
        Ok(Attempt {
            _place: Some(place),
            ..attempt
        })
    }

    /// Before somebody registers.
    pub(crate) async fn registration(&self, origin: &Origin) -> Result<Attempt, AppError> {
        self.take(
            self.by_network(REGISTRATION, origin).into_iter().collect(),
            origin,
        )
        .await
    }

    /// Before a refresh token is looked at: whether its network has had its share of refused ones.
    pub(crate) fn check_refresh(&self, origin: &Origin) -> Result<(), AppError> {
        self.check(REFUSED_REFRESH, origin)
    }

    /// After a refresh token turned out to be nobody's.
    pub(crate) async fn refused_refresh(&self, origin: &Origin) -> Result<(), AppError> {
        let wanted = self.by_network(REFUSED_REFRESH, origin).into_iter().collect();
        self.take(wanted, origin).await.map(drop)
    }

    /// Before a new password is judged; always counts.
    pub(crate) async fn new_password(&self, origin: &Origin) -> Result<(), AppError> {
        self.take(
            self.by_network(NEW_PASSWORD, origin).into_iter().collect(),
            origin,
        )
        .await
        .map(drop)
    }

    /// Whether somebody may register at all, before anything is done for it.
    pub(crate) fn check_registration(&self, origin: &Origin) -> Result<(), AppError> {
        self.check(REGISTRATION, origin)
    }

    /// From memory: what succeeds costs nothing.
    fn check(&self, policy: Policy, origin: &Origin) -> Result<(), AppError> {
        let wanted: Vec<_> = self.by_network(policy, origin).into_iter().collect();
        self.remembered(&wanted)
            .map_or(Ok(()), |limited| Err(AppError::Limited(limited)))
    }

    /// What became of an attempt: it counts if it was a wrong guess, and else it never was. A store that cannot
    /// take it back leaves it counted.
    pub(crate) async fn settle<T>(
        &self,
        attempt: Attempt,
        outcome: Result<T, AppError>,
    ) -> Result<T, AppError> {
        let guessed_wrong = matches!(outcome, Err(AppError::BadCredentials | AppError::WrongPassword));
        if guessed_wrong || attempt.returnable.is_empty() {
            return outcome;
        }
        match self.store.give_back(&attempt.returnable).await {
            Ok(()) => {
                let mut empty = self.empty();
                for bucket in &attempt.returnable {
                    empty.remove(&bucket.key);
                }
            }
            Err(error) => tracing::warn!(%error, "an attempt that did not fail stays counted"),
        }
        outcome
    }

    fn by_network(&self, policy: Policy, origin: &Origin) -> Option<(Policy, Digest)> {
        let exempt = |address: IpAddr| self.exempt.iter().any(|network| network.contains(&address));
        let counts = origin.address.is_none_or(|address| !exempt(address));
        counts.then(|| (policy, key(policy, &network(origin))))
    }

    async fn take(&self, wanted: Vec<(Policy, Digest)>, origin: &Origin) -> Result<Attempt, AppError> {
        if let Some(limited) = self.remembered(&wanted) {
            return Err(AppError::Limited(limited));
        }
        let bucket = |(policy, key): &(Policy, Digest)| Bucket {
            key: *key,
            allowance: policy.allowance,
        };
        let buckets: Vec<_> = wanted.iter().map(bucket).collect();
        if buckets.is_empty() {
            return Ok(Attempt::of(Vec::new()));
        }
        let takes = self.store.take(&buckets, self.clock.now()).await?;
        let (mut refused, mut returnable) = (None, Vec::new());
        for (((policy, key), bucket), take) in wanted.iter().zip(&buckets).zip(takes) {
            match take {
                Take::Refused { wait, .. } => {
                    self.remember(*key, wait);
                    refused = longer(refused, policy.limited(wait));
                }
                Take::Taken { .. } if policy.name == SIGN_IN.name => {}
                Take::Taken { .. } => returnable.push(*bucket),
            }
        }
        let Some(limited) = refused else {
            return Ok(Attempt::of(returnable));
        };
        let network = network(origin);
        tracing::warn!(policy = limited.policy, network, "too many attempts");
        // Nothing was tried: what one bucket refused must not cost the others.
        if !returnable.is_empty() {
            self.store.give_back(&returnable).await?;
        }
        Err(AppError::Limited(limited))
    }

    /// Which of these is known to be empty, for the longest.
    fn remembered(&self, wanted: &[(Policy, Digest)]) -> Option<Limited> {
        let now = self.clock.monotonic();
        let empty = self.empty();
        wanted.iter().fold(None, |refused, (policy, key)| {
            let left = empty.get(key).map(|until| until.saturating_sub(now));
            match left.filter(|wait| !wait.is_zero()) {
                Some(wait) => longer(refused, policy.limited(wait)),
                None => refused,
            }
        })
    }

    fn remember(&self, key: Digest, wait: Duration) {
        let now = self.clock.monotonic();
        let mut empty = self.empty();
        if empty.len() >= REMEMBERED_MAX {
            empty.retain(|_, until| *until > now);
        }
        // The store still knows.
        if empty.len() >= REMEMBERED_MAX {
            empty.clear();
        }
        empty.insert(key, now + wait);
    }

    // Plain insertions and removals: a poisoned map is whole.
    fn empty(&self) -> MutexGuard<'_, HashMap<Digest, Duration>> {
        self.empty.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Policy {
    fn limited(&self, wait: Duration) -> Limited {
        Limited {
            policy: self.name,
            burst: self.allowance.burst,
            window: self.allowance.window(),
            wait,
        }
    }
}

/// What a session that is refreshed too often is told.
pub(crate) fn too_many_refreshes(wait: Duration) -> AppError {
    AppError::Limited(REFRESH.limited(wait))
}

fn longer(one: Option<Limited>, other: Limited) -> Option<Limited> {
    one.filter(|one| one.wait > other.wait).or(Some(other))
}

/// Clients whose address is not known share one network.
fn network(origin: &Origin) -> String {
    origin.address.map_or_else(
        || "unknown".to_owned(),
        |address| Network::of(address).to_string(),
    )
}

fn key(policy: Policy, of: &dyn Display) -> Digest {
    sha256(format!("{} {of}", policy.name).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{MockLimitStore, StoreError};
    use crate::test_support::{Buckets, FixedClock, from};

    fn limiter(exempt: &[&str]) -> (Limiter, Arc<Buckets>, Arc<FixedClock>) {
        let (store, clock) = (Arc::new(Buckets::default()), Arc::new(FixedClock::default()));
        let exempt = exempt.iter().map(|network| network.parse().unwrap()).collect();
        (
            Limiter::new(store.clone(), clock.clone(), exempt, 9),
            store,
            clock,
        )
    }

    async fn register(limiter: &Limiter, address: &str) -> Option<Duration> {
        match limiter.registration(&from(address)).await {
            Ok(_) => None,
            Err(AppError::Limited(limited)) => Some(limited.wait),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn an_ipv6_network_is_one_client() {
        let (limiter, ..) = limiter(&[]);
        for n in 0..8 {
            assert_eq!(register(&limiter, &format!("2001:db8::{n}")).await, None);
        }
        assert!(register(&limiter, "2001:db8::ffff").await.is_some());
        assert_eq!(register(&limiter, "2001:db8:0:1::1").await, None);
    }

    #[tokio::test]
    async fn exempt_networks_have_no_limit_and_accounts_have_theirs() {
        let (limiter, store, _) = limiter(&["10.0.0.0/8"]);
        for _ in 0..100 {
            assert_eq!(register(&limiter, "10.1.2.3").await, None);
        }
        assert_eq!(*store.asked.lock().unwrap(), 0);
        let name = LoginName::parse("ann");
        let mut refused = None;
        for _ in 0..11 {
            refused = limiter.sign_in(name.as_ref(), &from("10.1.2.3")).await.err();
        }
        assert!(matches!(refused, Some(AppError::Limited(limited)) if limited.policy == ACCOUNT.name));
    }

    #[tokio::test]
    async fn a_flood_is_answered_from_memory_until_its_time_is_up() {
        let (limiter, store, clock) = limiter(&[]);
        for _ in 0..8 {
            assert_eq!(register(&limiter, "192.0.2.1").await, None);
        }
        for _ in 0..1000 {
            assert_eq!(
                register(&limiter, "192.0.2.1").await,
                Some(Duration::from_mins(5))
            );
        }
        assert_eq!(*store.asked.lock().unwrap(), 9);
        clock.advance(Duration::from_mins(4));
        assert_eq!(
            register(&limiter, "192.0.2.1").await,
            Some(Duration::from_mins(1))
        );
        clock.advance(Duration::from_mins(1));
        assert_eq!(register(&limiter, "192.0.2.1").await, None);
        assert_eq!(*store.asked.lock().unwrap(), 10);
    }

    #[tokio::test]
    async fn what_is_given_back_is_no_longer_remembered_as_empty() {
        let (limiter, ..) = limiter(&[]);
        let mut last = None;
        for _ in 0..8 {
            last = limiter.registration(&from("192.0.2.1")).await.ok();
        }
        assert!(register(&limiter, "192.0.2.1").await.is_some());
        limiter.settle(last.unwrap(), Ok(())).await.unwrap();
        assert_eq!(register(&limiter, "192.0.2.1").await, None);
    }

    #[tokio::test]
    async fn one_proof_more_than_there_are_places_for_costs_the_store_nothing() {
        let (limiter, store, _) = limiter(&[]);
        let attempt = async |n: u32| {
            let name = LoginName::parse(&format!("name{n}"));
            limiter
                .sign_in(name.as_ref(), &from(&format!("192.0.2.{n}")))
                .await
        };
        let mut under_way = Vec::new();
        for n in 0..9 {
            under_way.push(attempt(n).await.unwrap());
        }
        for n in 10..20 {
            assert!(matches!(attempt(n).await, Err(AppError::Overloaded)));
        }
        assert_eq!(*store.asked.lock().unwrap(), 9);
        assert_eq!(
            register(&limiter, "192.0.2.99").await,
            None,
            "has no place to take"
        );
        for settled in under_way {
            limiter.settle(settled, Ok(())).await.unwrap();
        }
        for n in 20..40 {
            let attempt = attempt(n).await.unwrap();
            limiter.settle(attempt, Ok(())).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_one_bucket_refuses_costs_the_others_nothing() {
        let (limiter, ..) = limiter(&[]);
        let network = from("192.0.2.1");
        for n in 0..20 {
            let name = LoginName::parse(&format!("name{n}"));
            let attempt = limiter.sign_in(name.as_ref(), &network).await.unwrap();
            let _wrong = limiter
                .settle(attempt, Err::<(), _>(AppError::BadCredentials))
                .await;
        }
        let ann = LoginName::parse("ann");
        for _ in 0..30 {
            let refused = limiter.sign_in(ann.as_ref(), &network).await;
            assert!(matches!(refused, Err(AppError::Limited(limited)) if limited.policy == NETWORK.name));
        }
        let key = key(ACCOUNT, &"192.0.2.1 ann");
        let allowance = ACCOUNT.allowance;
        let now = limiter.clock.now();
        let taken = limiter.store.take(&[Bucket { key, allowance }], now).await;
        let full_at = now.plus(allowance.every);
        assert_eq!(taken.unwrap(), [Take::Taken { full_at }], "the bucket was full");
    }

    #[tokio::test]
    async fn the_memory_is_bounded() {
        let (limiter, ..) = limiter(&[]);
        for n in 0..REMEMBERED_MAX as u128 * 3 {
            let key = Digest([0; 32]);
            let mut bytes = key.0;
            bytes[..16].copy_from_slice(&n.to_be_bytes());
            limiter.remember(Digest(bytes), Duration::from_hours(1));
        }
        assert!(limiter.empty().len() <= REMEMBERED_MAX);
    }

    #[tokio::test]
    async fn without_the_store_nobody_tries() {
        let mut store = MockLimitStore::new();
        store
            .expect_take()
            .returning(|_, _| Err(StoreError::Unavailable("gone".into())));
        let limiter = Limiter::new(Arc::new(store), Arc::new(FixedClock::default()), Vec::new(), 9);
        assert!(matches!(
            limiter.registration(&from("192.0.2.1")).await,
            Err(AppError::Unavailable(_))
        ));
    }
}
