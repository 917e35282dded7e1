//! Fairness: how many requests of one user are under way in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use errand_domain::UserId;

/// Counts what is under way for each user. Users who have nothing under way take no memory.
#[derive(Debug)]
pub struct InFlight {
    most: usize,
    users: Mutex<HashMap<UserId, usize>>,
}

/// A request that is under way until this is dropped.
#[derive(Debug)]
pub struct UnderWay {
    counts: Arc<InFlight>,
    user: UserId,
}

impl InFlight {
    /// At most so many for one user.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            users: Mutex::default(),
        })
    }

    /// The most for one user.
    pub fn most(&self) -> usize {
        self.most
    }

    /// One more; `None` if there are as many as may be.
    pub fn begin(self: &Arc<Self>, user: UserId) -> Option<UnderWay> {
        let mut users = self.users();
        let count = users.entry(user).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(UnderWay {
            counts: Arc::clone(self),
            user,
        })
    }

    // Nothing that can panic runs under the lock, so a poisoned map is whole.
    fn users(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut users = self.counts.users();
        if let Some(count) = users.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_as_many_and_gets_them_back() {
        let counts = InFlight::new(2);
        let [ann, bob] = [UserId(1), UserId(2)];
        let first = counts.begin(ann).unwrap();
        let _second = counts.begin(ann).unwrap();
        assert!(counts.begin(ann).is_none());
        assert!(counts.begin(bob).is_some());
        drop(first);
        let third = counts.begin(ann);
        assert!(third.is_some() && counts.begin(ann).is_none());
    }

    #[test]
    fn nothing_is_left_of_what_is_over() {
        let counts = InFlight::new(1);
        drop(counts.begin(UserId(1)));
        assert!(counts.users().is_empty());
    }
}
