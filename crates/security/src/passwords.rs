use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use errand_application::ports::{Entropy, HasherError, PasswordHasher, Verdict};
use errand_domain::Fault;
use errand_domain::account::{Email, NewPassword, PasswordHash};
use secrecy::SecretString;

mod pool;
mod scheme;
mod scrypt;
#[cfg(test)]
mod vectors;

use pool::{MAX_WAIT, PLACES_PER_THREAD, Pool};

/// So many new passwords may wait to be judged, for so long. Most take a millisecond.
const JUDGED_AT_ONCE: usize = 64;
const JUDGED_WITHIN: Duration = Duration::from_secs(5);

/// How much work a new hash is: 2 to this power rounds. More than 14 is seconds of CPU for every login; less
/// than 10 is too little (OWASP Password Storage Cheat Sheet).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost(u32);

impl Cost {
    /// The least that may be configured.
    pub const MIN: u32 = 10;
    /// The most that may be configured, and the most that is spent on a stored hash.
    pub const MAX: u32 = 14;
    /// What is used unless something else is configured.
    pub const DEFAULT: Self = Self(12);

    /// A cost from 10 to 14.
    pub fn new(cost: u32) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&cost).then_some(Self(cost))
    }
}

/// Hashes as passlib's `bcrypt_sha256` version 2 and verifies plain bcrypt and Better Auth's scrypt as well, on
/// threads of its own.
///
/// **Threads.** Half as many as there are processors, one at least, with eight places to wait for each. Who
/// finds no place, or waits for 2 s, is told [`HasherError::Overloaded`]; who goes away is skipped. On Linux
/// the threads run at a lower priority, so that a storm of logins slows logins and nothing else.
///
/// **Time.** Unknown users, malformed hashes and hashes of a lower cost take the work of one hash at the
/// current cost. Only a stored hash of a higher one takes longer (and no more than cost 14), and scrypt, which is
/// done besides: lowering the configured cost, or bringing in such accounts, makes them recognisable by their
/// slower logins until each has signed in once.
pub struct BcryptPasswords {
    cost: u32,
    entropy: Arc<dyn Entropy>,
    pool: Pool,
    /// Apart, so that new passwords take no place from those who sign in.
    judging: Pool,
}

impl BcryptPasswords {
    /// Starts the threads; fails if the system gives none.
    pub fn new(cost: Cost, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            cost: cost.0,
            entropy,
            pool: hashing((cores / 2).max(1))?,
            judging: Pool::start(1, JUDGED_AT_ONCE, JUDGED_WITHIN)?,
        })
    }

    /// So many passwords can be hashed or wait for it at once; one more is [`HasherError::Overloaded`].
    pub fn places(&self) -> usize {
        self.pool.capacity()
    }
}

fn hashing(threads: usize) -> io::Result<Pool> {
    Pool::start(threads, threads * PLACES_PER_THREAD, MAX_WAIT)
}

#[async_trait]
impl PasswordHasher for BcryptPasswords {
    async fn judge(
        &self,
        password: SecretString,
        email: &Email,
    ) -> Result<Result<NewPassword, Fault>, HasherError> {
        let email = email.clone();
        self.judging
            .run(move || NewPassword::parse(password, &email))
            .await
    }

    async fn hash(&self, password: SecretString) -> Result<PasswordHash, HasherError> {
        let cost = self.cost;
        let mut salt = [0; 16];
        salt.copy_from_slice(self.entropy.bytes().split_at(16).0);
        let text = self
            .pool
            .run(move || scheme::hash(&password, cost, &salt))
            .await?;
        Ok(PasswordHash::new(text))
    }

    async fn verify(
        &self,
        password: SecretString,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, HasherError> {
        let cost = self.cost;
        let check = move || scheme::verify(&password, stored.as_ref().map(PasswordHash::as_str), cost);
        self.pool.run(check).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;

    fn passwords() -> BcryptPasswords {
        BcryptPasswords {
            cost: 4,
            entropy: Arc::new(SystemEntropy),
            pool: hashing(1).unwrap(),
            judging: Pool::start(1, JUDGED_AT_ONCE, JUDGED_WITHIN).unwrap(),
        }
    }

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_cost_is_neither_cheap_nor_endless() {
        assert_eq!(Cost::new(12), Some(Cost::DEFAULT));
        assert!(Cost::new(10).is_some() && Cost::new(14).is_some());
        assert!(Cost::new(9).is_none() && Cost::new(15).is_none());
    }

    #[tokio::test]
    async fn hashes_verify_and_differ() {
        let passwords = passwords();
        let first = passwords.hash(secret("correct horse")).await.unwrap();
        let second = passwords.hash(secret("correct horse")).await.unwrap();
        assert_ne!(first, second, "a salt was used twice");
        for (text, stored, matches) in [
            ("correct horse", Some(&first), true),
            ("correct horse", Some(&second), true),
            ("Correct horse", Some(&first), false),
            ("", Some(&first), false),
            ("correct horse", None, false),
        ] {
            let verdict = passwords.verify(secret(text), stored.cloned()).await.unwrap();
            assert_eq!(
                verdict,
                Verdict {
                    matches,
                    outdated: false
                }
            );
        }
    }
}
