//! What became of that which came in: whether it is still as the receipt says, and how it goes again.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use errand_application::ports::{Holdings, ImportStore, StoreError};
use errand_domain::{TaskId, UserId};

use crate::hash::{self, Content, hex};
use crate::incoming::SourceKey;
use crate::receipt::{Header, Line, Reader, ReceiptError, State};

/// So many tasks are looked at together.
const TASKS: usize = 1_000;
/// What errand's own hashes begin with: at a sign-in they take the place of what came in.
const RENEWED: &str = "$bcrypt-sha256$";

/// Why a receipt was not acted upon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The receipt.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// errand's database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing that came in by it is here, or ever was.
    #[error("nothing of this receipt is here any more: it was rolled back, or is of another database")]
    Elsewhere,
    /// What came in later would hang in the air.
    #[error("a later run brought in more from this source; roll that one back first, by its own receipt")]
    NotTheLast,
    /// Rows are no longer as they came in.
    #[error(
        "{0} rows are no longer as they came in; nothing was removed (--force removes them all the same)"
    )]
    Changed(u64),
    /// More came in with the run than the receipt names.
    #[error("{0} users have more of this run than the receipt says; what it names is gone, the rest stays")]
    Unnamed(usize),
    /// Somebody changed something between the look and the removal.
    #[error("user {0} changed at the same moment and stays; roll back again")]
    Raced(i64),
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Users.
    pub users: u64,
    /// Tasks.
    pub tasks: u64,
    /// Rows that differ or are gone.
    pub differences: u64,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RolledBack {
    /// Users, with everything that is theirs.
    pub users: u64,
    /// Tasks of users who came in with an earlier run.
    pub tasks: u64,
    /// Rows that had followed the source and stay as they are.
    pub followed: u64,
}

/// Compares what is here with the receipt, and names each row that differs or is gone.
pub async fn verify(
    receipt: &Path,
    store: &dyn ImportStore,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<Checked, CheckError> {
    let (mut reader, header) = Reader::open(receipt)?;
    at_home(&header, store).await?;
    let mut check = Check {
        store,
        tell,
        checked: Checked::default(),
        taken_back: None,
    };
    let mut groups = Groups::new(&mut reader);
    while let Some(group) = groups.next()? {
        check.group(&group).await?;
    }
    Ok(check.checked)
}

/// Removes what came in with the run of the receipt. Unless forced nothing goes if anything of it has changed, which
/// is named.
pub async fn rollback(
    receipt: &Path,
    store: &dyn ImportStore,
    forced: bool,
    tell: &mut (dyn FnMut(&str) + Send),
) -> Result<RolledBack, CheckError> {
    let (mut reader, header) = Reader::open(receipt)?;
    at_home(&header, store).await?;
    // A later run that brought nothing does not count: it may be one that can never be finished.
    if store.came_later(&header.source, header.run).await? {
        return Err(CheckError::NotTheLast);
    }
    let mut check = Check {
        store,
        tell,
        checked: Checked::default(),
        taken_back: Some(header.run),
    };
    if !forced {
        let mut groups = Groups::new(&mut reader);
        while let Some(group) = groups.next()? {
            check.going(&group).await?;
        }
        if check.checked.differences > 0 {
            return Err(CheckError::Changed(check.checked.differences));
        }
        reader.rewind()?;
    }
    let mut done = RolledBack::default();
    let mut silent = |_: &str| {};
    check.tell = &mut silent;
    let mut groups = Groups::new(&mut reader);
    let mut held = None;
    while let Some(group) = groups.next()? {
        let owner = group.owner;
        done.followed += group.followed();
        if group.user.is_some() {
            held = store.holdings(owner).await?;
        }
        let before = check.checked.differences;
        if !forced {
            check.going(&group).await?;
        }
        if check.checked.differences > before {
            return Err(CheckError::Raced(owner.0));
        }
        if !group.goes {
            let came: Vec<_> = group.came().collect();
            let keys = check.still_known(owner, &came).await?;
            if !keys.is_empty() {
                let keys: Vec<String> = keys.into_iter().collect();
                let removed = store.remove_tasks(owner, header.run, &keys, forced).await?;
                done.tasks += removed;
                if !forced && removed < count(&keys) {
                    return Err(CheckError::Raced(owner.0));
                }
            }
        } else if group.is_last
            && let Some(holdings) = held.take()
        {
            let expected = (!forced).then_some(holdings);
            if store.remove_user(&header.source, owner, expected).await? {
                done.users += 1;
            } else if !forced {
                return Err(CheckError::Raced(owner.0));
            }
        }
    }
    // A run that was stopped just when its receipt was there goes on, and has another receipt in the end.
    let left = store.brought(&header.source, header.run, UserId(0)).await?;
    if !left.is_empty() {
        return Err(CheckError::Unnamed(left.len()));
    }
    store.take_back(&header.source, header.run).await?;
    Ok(done)
}

/// Whether the receipt is of this database.
async fn at_home(header: &Header, store: &dyn ImportStore) -> Result<(), CheckError> {
    let last = store.last(&header.source).await?;
    match last {
        Some(last) if last.id.to_string() == header.import && header.run <= last.number => Ok(()),
        _ => Err(CheckError::Elsewhere),
    }
}

struct TaskEntry {
    key: SourceKey,
    id: i64,
    hash: String,
    state: State,
}

/// A user with tasks, or some more tasks of theirs.
struct Group {
    owner: UserId,
    /// The user came in with the run of the receipt, and goes as a whole.
    goes: bool,
    /// The user's own line: key, hash, password, and how they are in.
    user: Option<(SourceKey, String, String, State)>,
    tasks: Vec<TaskEntry>,
    is_last: bool,
}

impl Group {
    /// The tasks that came in with the run.
    fn came(&self) -> impl Iterator<Item = &TaskEntry> {
        self.tasks.iter().filter(|task| task.state == State::Imported)
    }

    /// The rows that followed the source.
    fn followed(&self) -> u64 {
        let user = matches!(self.user, Some((.., State::Followed)));
        let tasks = self.tasks.iter().filter(|task| task.state == State::Followed);
        u64::from(user) + u64::try_from(tasks.count()).unwrap_or(u64::MAX)
    }
}

/// The rows of a receipt by their owners: a user's lines follow one another.
struct Groups<'r> {
    reader: &'r mut Reader,
    next: Option<Line>,
    /// Of the last group: whose it was, and whether they go.
    last: (UserId, bool),
}

impl<'r> Groups<'r> {
    fn new(reader: &'r mut Reader) -> Self {
        Self {
            reader,
            next: None,
            last: (UserId(0), false),
        }
    }

    fn next(&mut self) -> Result<Option<Group>, ReceiptError> {
        let mut group: Option<Group> = None;
        loop {
            let line = match self.next.take() {
                Some(line) => Some(line),
                None => self.reader.next()?,
            };
            let owner = match &line {
                None => None,
                Some(Line::User { id, .. }) => Some(*id),
                Some(Line::Task { user, .. }) => Some(*user),
                Some(_) => continue,
            };
            if let Some(full) = group.take_if(|group| {
                let is_user = matches!(line, Some(Line::User { .. }));
                is_user || Some(group.owner.0) != owner || group.tasks.len() >= TASKS
            }) {
                let is_last = Some(full.owner.0) != owner;
                self.next = line;
                return Ok(Some(self.counted(full, is_last)));
            }
            let (Some(line), Some(owner)) = (line, owner) else {
                return Ok(None);
            };
            let group = group.get_or_insert_with(|| Group {
                owner: UserId(owner),
                goes: false,
                user: None,
                tasks: Vec::new(),
                is_last: false,
            });
            match line {
                Line::User {
                    key,
                    hash,
                    password,
                    state,
                    ..
                } => {
                    group.user = Some((key, hash, password, state));
                }
                Line::Task {
                    key, id, hash, state, ..
                } => {
                    group.tasks.push(TaskEntry { key, id, hash, state });
                }
                _ => {}
            }
        }
    }

    fn counted(&mut self, mut group: Group, is_last: bool) -> Group {
        if let Some((.., state)) = &group.user {
            self.last = (group.owner, *state == State::Imported);
        } else if self.last.0 != group.owner {
            self.last = (group.owner, false);
        }
        (group.goes, group.is_last) = (self.last.1, is_last);
        group
    }
}

struct Check<'a> {
    store: &'a dyn ImportStore,
    tell: &'a mut (dyn FnMut(&str) + Send),
    checked: Checked,
    /// The run that is taken back, if one is: what is gone with it needs not go.
    taken_back: Option<i64>,
}

impl Check<'_> {
    fn differs(&mut self, text: &str) {
        self.checked.differences += 1;
        (self.tell)(text);
    }

    /// Whether all of it is as it came in.
    async fn group(&mut self, group: &Group) -> Result<(), CheckError> {
        if let Some((key, hash, password, _)) = &group.user {
            let here = self.store.holdings(group.owner).await?;
            self.user(group.owner, key, hash, password, here.as_ref());
        }
        self.tasks(group.owner, &group.tasks.iter().collect::<Vec<_>>())
            .await
    }

    /// Whether what came with the run is as it came in, and whether nothing else would go with it. Rows that followed
    /// the source cannot be taken back.
    async fn going(&mut self, group: &Group) -> Result<(), CheckError> {
        let owner = group.owner;
        let here = self.store.holdings(owner).await?;
        if let Some((key, hash, password, state)) = &group.user {
            match state {
                State::Imported => self.user(owner, key, hash, password, here.as_ref()),
                State::Followed => self.differs(&format!(
                    "user {owner}: has followed the source, and would stay so"
                )),
                State::Present => {}
            }
        }
        let Some(here) = here else {
            return Ok(());
        };
        // A rollback that was interrupted has removed and forgotten some.
        let mut came: Vec<_> = group.came().collect();
        let known = self.still_known(owner, &came).await?;
        came.retain(|task| known.contains(&task.key.0));
        self.tasks(owner, &came).await?;
        for task in group.tasks.iter().filter(|task| task.state == State::Followed) {
            self.differs(&format!(
                "task {} of user {owner}: has followed the source, and would stay so",
                task.id
            ));
        }
        if group.goes && group.is_last {
            // Those that a run names at its end, after it was stopped, are not in this group.
            let came = self.store.count_known(owner).await?;
            let more = here.tasks.saturating_sub(came);
            if more == 0 {
                return Ok(());
            }
            self.differs(&format!("user {owner}: has {more} more tasks than came in"));
        }
        Ok(())
    }

    fn user(&mut self, owner: UserId, key: &SourceKey, hash: &str, password: &str, here: Option<&Holdings>) {
        let shown = format!("user {owner} (key {} at the source)", key.0);
        self.checked.users += 1;
        let Some(here) = here else {
            if self.taken_back.is_none() {
                self.differs(&format!("{shown}: is gone"));
            }
            return;
        };
        let user = &here.account.user;
        let now = hash::user(&user.username, &user.email, user.created_at, user.updated_at);
        if hex(&now) != hash {
            self.differs(&format!("{shown}: differs"));
            return;
        }
        if here.account.disabled_at.is_some() {
            self.differs(&format!("{shown}: is disabled"));
            return;
        }
        let stored = &here.account.password;
        let renewed = stored.as_str().starts_with(RENEWED);
        if !renewed && hex(&hash::password(stored)) != password {
            self.differs(&format!("{shown}: the password differs"));
        }
    }

    /// The keys of those of these tasks that are still known to have come in with the run that is taken back.
    async fn still_known(&self, owner: UserId, tasks: &[&TaskEntry]) -> Result<HashSet<String>, StoreError> {
        if tasks.is_empty() {
            return Ok(HashSet::new());
        }
        let keys: Vec<String> = tasks.iter().map(|task| task.key.0.clone()).collect();
        let known = self.store.known_tasks(owner, &keys).await?;
        let mine = known.into_iter().filter(|task| Some(task.run) == self.taken_back);
        Ok(mine.map(|task| task.key).collect())
    }

    async fn tasks(&mut self, owner: UserId, tasks: &[&TaskEntry]) -> Result<(), CheckError> {
        if tasks.is_empty() {
            return Ok(());
        }
        self.checked.tasks += u64::try_from(tasks.len()).unwrap_or(u64::MAX);
        let ids: Vec<TaskId> = tasks.iter().map(|task| TaskId(task.id)).collect();
        let here = self.store.tasks(owner, &ids).await?;
        let here: HashMap<i64, String> = here
            .iter()
            .map(|task| (task.id.0, hex(&hash::task(&Content::from(task)))))
            .collect();
        for task in tasks {
            let shown = format!(
                "task {} of user {owner} (key {} at the source)",
                task.id, task.key.0
            );
            match here.get(&task.id) {
                None => self.differs(&format!("{shown}: is gone")),
                Some(hash) if *hash != task.hash => self.differs(&format!("{shown}: differs")),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
