//! Users who are in already.

use std::collections::HashMap;

use errand_application::ports::{ArrivingTask, ArrivingUser, KnownTask, KnownUser, StoreError, UniqueKey};
use errand_domain::UserId;

use super::{Done, Party, Way, count, rename};
use crate::arriving::{task_line, user_line};
use crate::hash::{self, hex};
use crate::incoming::SourceKey;
use crate::receipt::{Line, Refusal, State};

impl Way<'_> {
    /// Somebody who is in.
    pub(super) async fn meet(
        &self,
        known: &KnownUser,
        party: Party,
        done: &mut Done,
    ) -> Result<(), StoreError> {
        let Party {
            user,
            tasks,
            continued,
            ..
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
        let untouched = hash == known.hash
            && hash::password(&account.password) == known.password_digest
            && account.disabled_at.is_none();
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
}
