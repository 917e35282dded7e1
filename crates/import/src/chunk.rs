//! A few users with tasks of theirs, on their way into errand.

mod known;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use errand_application::ports::{Arrival, ArrivingTask, ArrivingUser, ImportStore, KnownUser, StoreError};
use errand_domain::account::Username;
use errand_domain::{Timestamp, UserId};

use crate::arriving::{task_line, user_line};
use crate::hash;
use crate::incoming::{Finding, Found, Rule, SourceKey};
use crate::receipt::{Line, Refusal, State, Tally};

/// Somebody else registers the same name at the same moment, so often.
const TRIES: u32 = 20;

/// A user, with some of their tasks or all.
pub(crate) struct Party {
    pub user: ArrivingUser,
    /// The user's row.
    pub row: Found,
    pub tasks: Vec<ArrivingTask>,
    /// Their rows.
    pub rows: Vec<Found>,
    /// An earlier chunk had the user.
    pub continued: bool,
}

/// How a chunk is to be treated.
pub(crate) struct Way<'a> {
    pub store: &'a dyn ImportStore,
    pub source: &'a str,
    pub run: i64,
    /// Of the run; none of a dry one.
    pub turn: Option<i64>,
    pub dry: bool,
    pub follow_up: bool,
    /// Of users and tasks at the source, for what is told.
    pub tables: [String; 2],
    /// Somebody of the source is who came in under the key before, or nobody came in yet.
    pub familiar: AtomicBool,
}

/// What became of a chunk.
#[derive(Default)]
pub(crate) struct Done {
    pub lines: Vec<Line>,
    pub users: Tally,
    pub tasks: Tally,
    pub rows: u64,
    /// Somebody here has an address of the source.
    pub met: bool,
    /// Those who came in from a source of this name are others. Nothing was done.
    pub another_source: bool,
    /// Another import of the source has begun since: nothing was done.
    pub taken_over: bool,
}

/// Whether the key is still that of who came in by it: address or time of creation are the same. The start of 1970
/// stands for a time that the source does not say.
fn is_same_person(known: &KnownUser, user: &ArrivingUser) -> bool {
    let told = Timestamp::from_micros(0) != Some(user.created_at);
    known.email_digest == user.email_digest || told && known.created_at == user.created_at
}

fn rename(user: &mut ArrivingUser, username: Username) {
    user.hash = hash::user(&username, &user.email, user.created_at, user.updated_at);
    user.username = username;
}

/// `ann` becomes `ann-2`.
fn numbered(name: &Username, number: u32) -> Option<Username> {
    let tail = format!("-{number}");
    let head: String = name
        .as_str()
        .chars()
        .take(30_usize.saturating_sub(tail.len()))
        .collect();
    Username::parse(&format!("{head}{tail}")).ok()
}

impl Way<'_> {
    /// See [`Self::familiar`]; until then chunks go one after the other.
    pub fn is_familiar(&self) -> bool {
        self.familiar.load(Ordering::Relaxed)
    }

    /// Whether no other import of the source has begun since this one, or gone on with it.
    pub async fn is_mine(&self) -> Result<bool, StoreError> {
        let Some(turn) = self.turn else {
            return Ok(true);
        };
        let last = self.store.last(self.source).await?;
        Ok(last.is_some_and(|last| (last.number, last.turn) == (self.run, turn)))
    }

    pub async fn process(&self, parties: Vec<Party>) -> Result<Done, StoreError> {
        let mut done = Done::default();
        if !self.is_mine().await? {
            done.taken_over = true;
            return Ok(done);
        }
        let keys: Vec<String> = parties.iter().map(|party| party.user.key.clone()).collect();
        let known = self.store.known_users(self.source, &keys).await?;
        let known: HashMap<String, KnownUser> =
            known.into_iter().map(|user| (user.key.clone(), user)).collect();
        let (old, new): (Vec<_>, Vec<_>) = parties
            .into_iter()
            .partition(|party| known.contains_key(&party.user.key));
        let is_same = |party: &Party| {
            known
                .get(&party.user.key)
                .is_some_and(|user| is_same_person(user, &party.user))
        };
        let (old, others): (Vec<_>, Vec<_>) = old.into_iter().partition(is_same);
        if !old.is_empty() {
            self.familiar.store(true, Ordering::Relaxed);
        } else if !others.is_empty() && !self.is_familiar() {
            done.another_source = true;
            return Ok(done);
        }
        for party in others {
            self.refuse_party(&party, Refusal::AnotherPerson, &mut done);
        }
        for party in old {
            if let Some(user) = known.get(&party.user.key) {
                self.meet(user, party, &mut done).await?;
            }
        }
        // Who came in with an earlier chunk and is not known any more has gone since.
        let (rest, new): (Vec<_>, Vec<_>) = new.into_iter().partition(|party| party.continued && !self.dry);
        for party in rest {
            let told = self.store.collisions(std::slice::from_ref(&party.user)).await?;
            if told.first() == Some(&Some(Arrival::EmailTaken)) {
                self.keep_out(party, &mut done);
                continue;
            }
            self.refuse_party(&party, Refusal::OwnerGone, &mut done);
        }
        self.welcome(new, &mut done).await?;
        Ok(done)
    }

    /// Users who are not in.
    async fn welcome(&self, mut parties: Vec<Party>, done: &mut Done) -> Result<(), StoreError> {
        let mut names: Vec<Username> = parties.iter().map(|party| party.user.username.clone()).collect();
        let mut tries = 0;
        while !parties.is_empty() {
            tries += 1;
            let users: Vec<ArrivingUser> = parties.iter().map(|party| party.user.clone()).collect();
            let told = self.store.collisions(&users).await?;
            let mut again = false;
            let mut taken: HashSet<String> = users.iter().map(|user| user.username.key()).collect();
            for ((party, told), name) in parties.iter_mut().zip(&told).zip(&names) {
                if *told == Some(Arrival::UsernameTaken) {
                    again = true;
                    let other = numbered(name, tries + 1).filter(|other| taken.insert(other.key()));
                    if let Some(other) = other {
                        rename(&mut party.user, other);
                    }
                }
            }
            if again && tries < TRIES * 50 {
                continue;
            }
            let (coming, out): (Vec<_>, Vec<_>) = parties
                .into_iter()
                .zip(std::mem::take(&mut names))
                .zip(told)
                .partition(|(_, told)| told.is_none());
            let out = out.into_iter().map(|((party, _), _)| party).collect();
            self.turn_away(out, done).await?;
            let (coming, kept): (Vec<Party>, Vec<Username>) =
                coming.into_iter().map(|(pair, _)| pair).unzip();
            (parties, names) = (coming, kept);
            if self.dry {
                for (party, name) in parties.into_iter().zip(&names) {
                    self.take(party, name, UserId(0), Vec::new(), done);
                }
                return Ok(());
            }
            let pairs: Vec<_> = parties
                .iter()
                .map(|party| (party.user.clone(), party.tasks.clone()))
                .collect();
            let came = match self.store.bring(self.source, self.run, &pairs).await {
                Ok(came) => came,
                // Somebody registered meanwhile.
                Err(StoreError::Conflict(_)) if tries < TRIES => continue,
                Err(error) => return Err(error),
            };
            drop(pairs);
            let mut left = (Vec::new(), Vec::new());
            for ((party, name), (arrival, ids)) in parties.into_iter().zip(names).zip(came) {
                match arrival {
                    Arrival::In(id) => {
                        let ids = ids.into_iter().map(|id| id.0).collect();
                        self.take(party, &name, id, ids, done);
                    }
                    Arrival::EmailTaken => self.turn_away(vec![party], done).await?,
                    Arrival::UsernameTaken => {
                        left.0.push(party);
                        left.1.push(name);
                    }
                }
            }
            (parties, names) = left;
        }
        Ok(())
    }

    /// Writes down who came in.
    fn take(&self, party: Party, name: &Username, id: UserId, ids: Vec<i64>, done: &mut Done) {
        let Party {
            user,
            tasks,
            continued,
            ..
        } = party;
        done.rows += count(&tasks) + u64::from(!continued);
        if !continued {
            done.users.imported += 1;
            done.users.other_id += u64::from(!self.dry && user.key != id.to_string());
            if user.username != *name {
                done.lines.push(Line::Adapted(Finding {
                    table: self.tables[0].clone(),
                    key: SourceKey(user.key.clone()),
                    column: None,
                    rule: Rule::UsernameClash,
                    was: name.as_str().to_owned(),
                    now: user.username.as_str().to_owned(),
                }));
            }
            done.lines.push(user_line(&user, id.0, State::Imported));
        }
        done.tasks.imported += count(&tasks);
        for (task, task_id) in tasks.iter().zip(ids) {
            done.tasks.other_id += u64::from(task.key != task_id.to_string());
            done.lines.push(task_line(task, id, task_id, State::Imported));
        }
    }

    /// Somebody has their address: somebody else, or they themselves, who came in by another run at this moment.
    async fn turn_away(&self, parties: Vec<Party>, done: &mut Done) -> Result<(), StoreError> {
        if parties.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = parties.iter().map(|party| party.user.key.clone()).collect();
        let known = self.store.known_users(self.source, &keys).await?;
        for party in parties {
            match known.iter().find(|user| user.key == party.user.key) {
                Some(user) => self.meet(user, party, done).await?,
                None => self.keep_out(party, done),
            }
        }
        Ok(())
    }

    /// An account of errand has the address: nothing is put to it.
    fn keep_out(&self, party: Party, done: &mut Done) {
        let Party {
            user,
            row,
            tasks,
            rows,
            continued,
        } = party;
        done.met = true;
        done.rows += count(&tasks) + u64::from(!continued);
        let [users, of_tasks] = &self.tables;
        let key = SourceKey(user.key);
        if !continued {
            done.users.quarantined += 1;
            done.lines.push(Line::Quarantined {
                owner: None,
                why: Finding {
                    table: users.clone(),
                    key: key.clone(),
                    column: None,
                    rule: Rule::EmailClash,
                    was: user.email.as_str().to_owned(),
                    now: "an account of errand has this address".to_owned(),
                },
                row: row.to_json(),
            });
        }
        done.tasks.quarantined += count(&tasks);
        let email = user.email.as_str();
        for (task, row) in tasks.into_iter().zip(rows) {
            done.lines.push(Line::Quarantined {
                owner: Some(key.clone()),
                why: Finding {
                    table: of_tasks.clone(),
                    key: SourceKey(task.key),
                    column: None,
                    rule: Rule::OwnerQuarantined,
                    was: key.0.clone(),
                    now: format!(
                        "stays outside with its owner: an account of errand has the address {email}"
                    ),
                },
                row: row.to_json(),
            });
        }
    }

    /// Neither the user nor a task of theirs is put to anybody.
    fn refuse_party(&self, party: &Party, why: Refusal, done: &mut Done) {
        done.rows += count(&party.tasks) + u64::from(!party.continued);
        if !party.continued {
            done.users.refused += 1;
            self.refuse(0, &party.user.key, why, done);
        }
        done.tasks.refused += count(&party.tasks);
        for task in &party.tasks {
            self.refuse(1, &task.key, why, done);
        }
    }

    fn refuse(&self, table: usize, key: &str, why: Refusal, done: &mut Done) {
        done.lines.push(Line::Refused {
            table: self.tables.get(table).cloned().unwrap_or_default(),
            key: SourceKey(key.to_owned()),
            why,
        });
    }
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
