//! A few users with tasks of theirs, on their way into errand.

use std::collections::{HashMap, HashSet};

use errand_application::ports::{
    Arrival, ArrivingTask, ArrivingUser, ImportStore, KnownTask, KnownUser, StoreError, UniqueKey,
};
use errand_domain::UserId;
use errand_domain::account::Username;

use crate::arriving::{shown, task_line, user_line};
use crate::hash::{self, hex};
use crate::incoming::{Finding, Rule, SourceKey};
use crate::receipt::{Line, Refusal, State, Tally};

/// Somebody else registers the same name at the same moment, so often.
const TRIES: u32 = 20;

/// A user, with some of their tasks or all.
pub(crate) struct Party {
    pub user: ArrivingUser,
    pub tasks: Vec<ArrivingTask>,
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
    /// Another import of the source has begun since: nothing was done.
    pub taken_over: bool,
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
            done.rows += count(&party.tasks);
            done.tasks.refused += count(&party.tasks);
            for task in &party.tasks {
                self.refuse(1, &task.key, Refusal::OwnerGone, &mut done);
            }
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
            tasks,
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
                row: serde_json::json!({
                    "username": user.username.as_str(),
                    "email": user.email.as_str(),
                    "created_at": user.created_at.to_string(),
                    "updated_at": user.updated_at.to_string(),
                }),
            });
        }
        done.tasks.quarantined += count(&tasks);
        for task in tasks {
            done.lines.push(Line::Quarantined {
                owner: Some(key.clone()),
                why: Finding {
                    table: of_tasks.clone(),
                    key: SourceKey(task.key.clone()),
                    column: None,
                    rule: Rule::OwnerQuarantined,
                    was: String::new(),
                    now: String::new(),
                },
                row: shown(&task),
            });
        }
    }

    /// Somebody who is in.
    async fn meet(&self, known: &KnownUser, party: Party, done: &mut Done) -> Result<(), StoreError> {
        let Party {
            user,
            tasks,
            continued,
        } = party;
        done.rows += count(&tasks) + u64::from(!continued);
        if !continued {
            self.meet_user(known, user, done).await?;
        }
        if tasks.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = tasks.iter().map(|task| task.key.clone()).collect();
        let found = self.store.known_tasks(known.id, &keys).await?;
        let found: HashMap<&str, &KnownTask> = found.iter().map(|task| (task.key.as_str(), task)).collect();
        let (old, new): (Vec<ArrivingTask>, Vec<ArrivingTask>) = tasks
            .into_iter()
            .partition(|task| found.contains_key(task.key.as_str()));
        let differs = |task: &ArrivingTask| {
            found
                .get(task.key.as_str())
                .is_some_and(|was| was.hash != task.hash)
        };
        let (changed, same): (Vec<_>, Vec<_>) = old.into_iter().partition(differs);
        let is_untouched =
            |task: &ArrivingTask| found.get(task.key.as_str()).is_some_and(|was| was.untouched);

        for task in &same {
            let Some(was) = found.get(task.key.as_str()) else {
                continue;
            };
            self.stays(known.id, was, done);
        }
        if self.follow_up {
            let outcomes = if self.dry {
                changed.iter().map(is_untouched).collect()
            } else {
                self.store.follow_tasks(known.id, self.run, &changed).await?
            };
            for (task, followed) in changed.iter().zip(outcomes) {
                let Some(was) = found.get(task.key.as_str()) else {
                    continue;
                };
                if followed {
                    // What this run brought before it was stopped goes with it, whatever it followed since.
                    let mine = was.run == self.run;
                    let state = if mine { State::Imported } else { State::Followed };
                    done.tasks.note(state);
                    done.tasks.other_id += u64::from(mine && was.key != was.id.to_string());
                    done.lines.push(task_line(task, known.id, was.id.0, state));
                } else {
                    done.tasks.refused += 1;
                    self.refuse(1, &task.key, Refusal::ChangedHere, done);
                }
            }
        } else {
            for task in &changed {
                let Some(was) = found.get(task.key.as_str()) else {
                    continue;
                };
                done.tasks.behind += 1;
                self.stays(known.id, was, done);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let ids = if self.dry {
            Some(Vec::new())
        } else {
            self.store.bring_tasks(known.id, self.run, &new).await?
        };
        if let Some(ids) = ids {
            done.tasks.imported += count(&new);
            for (task, id) in new.iter().zip(ids) {
                done.tasks.other_id += u64::from(task.key != id.to_string());
                done.lines.push(task_line(task, known.id, id.0, State::Imported));
            }
        } else {
            done.tasks.refused += count(&new);
            for task in &new {
                self.refuse(1, &task.key, Refusal::OwnerGone, done);
            }
        }
        Ok(())
    }

    async fn meet_user(
        &self,
        known: &KnownUser,
        user: ArrivingUser,
        done: &mut Done,
    ) -> Result<(), StoreError> {
        let same =
            |user: &ArrivingUser| (known.hash, known.password_digest) == (user.hash, user.password_digest);
        let mine = known.run == self.run;
        let was = |state| Line::User {
            key: SourceKey(known.key.clone()),
            id: known.id.0,
            hash: hex(&known.hash),
            password: hex(&known.password_digest),
            state,
        };
        let there = |done: &mut Done| {
            let state = self.state(known.run, known.followed);
            done.users.note(state);
            done.users.other_id += u64::from(mine && known.key != known.id.to_string());
            done.lines.push(was(state));
        };
        if same(&user) {
            there(done);
            return Ok(());
        }
        let Some(here) = self.store.holdings(known.id).await? else {
            done.users.refused += 1;
            self.refuse(0, &known.key, Refusal::OwnerGone, done);
            return Ok(());
        };
        let account = here.account;
        // Whoever got another name here keeps it.
        let mut named = user.clone();
        rename(&mut named, account.user.username.clone());
        if same(&named) {
            there(done);
            return Ok(());
        }
        if !self.follow_up {
            done.users.behind += 1;
            there(done);
            return Ok(());
        }
        let now = &account.user;
        let hash = hash::user(&now.username, &now.email, now.created_at, now.updated_at);
        let untouched = hash == known.hash && hash::password(&account.password) == known.password_digest;
        let mut why = (!untouched).then_some(Refusal::ChangedHere);
        let mut followed = user.clone();
        if why.is_none() && !self.dry {
            let mut outcome = self.store.follow_user(self.run, &account, &user).await;
            if matches!(outcome, Err(StoreError::Conflict(UniqueKey::Username))) {
                outcome = self.store.follow_user(self.run, &account, &named).await;
                followed = named;
            }
            why = match outcome {
                Ok(true) => None,
                Ok(false) => Some(Refusal::ChangedHere),
                Err(StoreError::Conflict(_)) => Some(Refusal::Taken),
                Err(error) => return Err(error),
            };
        }
        if let Some(why) = why {
            done.users.refused += 1;
            self.refuse(0, &known.key, why, done);
        } else {
            let state = if mine { State::Imported } else { State::Followed };
            done.users.note(state);
            done.users.other_id += u64::from(mine && known.key != known.id.to_string());
            done.lines.push(user_line(&followed, known.id.0, state));
        }
        Ok(())
    }

    /// How a row is in that this run came upon: it may have brought it, or followed it, before it was stopped.
    fn state(&self, brought: i64, followed: Option<i64>) -> State {
        if brought == self.run {
            State::Imported
        } else if followed == Some(self.run) {
            State::Followed
        } else {
            State::Present
        }
    }

    /// A task that is in, as it was when it came.
    fn stays(&self, owner: UserId, was: &KnownTask, done: &mut Done) {
        let mine = was.run == self.run;
        let state = self.state(was.run, was.followed);
        done.tasks.note(state);
        done.tasks.other_id += u64::from(mine && was.key != was.id.to_string());
        done.lines.push(Line::Task {
            key: SourceKey(was.key.clone()),
            user: owner.0,
            id: was.id.0,
            hash: hex(&was.hash),
            state,
        });
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
