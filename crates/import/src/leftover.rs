//! What came in before a run was stopped, and was not met again when it went on: it went at the source meanwhile, or
//! stays as it is. The receipt names it as well, or nothing would ever take it back.

use std::collections::{HashMap, HashSet};

use errand_application::ports::{ImportStore, KnownTask, KnownUser, StoreError};
use errand_domain::UserId;

use crate::hash::hex;
use crate::incoming::SourceKey;
use crate::receipt::{Line, State};

/// Of whom the receipt has said that they came in, and of how many of their tasks.
#[derive(Default)]
pub(crate) struct Named(HashMap<i64, (bool, u64)>);

impl Named {
    pub fn note(&mut self, line: &Line) {
        match line {
            Line::User {
                id,
                state: State::Imported,
                ..
            } => self.0.entry(*id).or_default().0 = true,
            Line::Task {
                user,
                state: State::Imported,
                ..
            } => self.0.entry(*user).or_default().1 += 1,
            _ => {}
        }
    }
}

/// Who or of whom something came in with the run and has no line; whether their own is missing.
pub(crate) async fn unnamed(
    store: &dyn ImportStore,
    source: &str,
    run: i64,
    named: &Named,
) -> Result<Vec<(KnownUser, bool)>, StoreError> {
    let mut users = Vec::new();
    let mut after = UserId(0);
    loop {
        let page = store.brought(source, run, after).await?;
        let Some((last, _)) = page.last() else {
            return Ok(users);
        };
        after = last.id;
        for (user, tasks) in page {
            let (is_named, count) = named.0.get(&user.id.0).copied().unwrap_or_default();
            let is_missing = user.run == run && !is_named;
            if is_missing || tasks > count {
                users.push((user, is_missing));
            }
        }
    }
}

/// The lines that are missing of these; not those of the tasks that have one.
pub(crate) async fn lines(
    store: &dyn ImportStore,
    run: i64,
    users: Vec<(KnownUser, bool)>,
    named: &HashSet<(i64, String)>,
) -> Result<Vec<Line>, StoreError> {
    let mut lines = Vec::new();
    for (user, is_missing) in users {
        let owner = user.id;
        if is_missing {
            lines.push(user_line(user));
        }
        let mut after = String::new();
        loop {
            let page = store.brought_tasks(owner, run, &after).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.key);
            let page = page.into_iter();
            let missing = page.filter(|task| !named.contains(&(owner.0, task.key.clone())));
            lines.extend(missing.map(|task| task_line(owner, task)));
        }
    }
    Ok(lines)
}

fn user_line(user: KnownUser) -> Line {
    Line::User {
        key: SourceKey(user.key),
        id: user.id.0,
        hash: hex(&user.hash),
        password: hex(&user.password_digest),
        state: State::Imported,
    }
}

fn task_line(owner: UserId, task: KnownTask) -> Line {
    Line::Task {
        key: SourceKey(task.key),
        user: owner.0,
        id: task.id.0,
        hash: hex(&task.hash),
        state: State::Imported,
    }
}
