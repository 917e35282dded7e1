//! What the cases are made of.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use errand_application::ports::{
    AccountExport, EndedCursor, NewAccount, NewSession, NextRefresh, Request, Rotation, Start, WalkSeed,
};
use errand_domain::account::{Email, LoginName, PasswordHash, User, Username};
use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_domain::idempotency::IdempotencyKey;
use errand_domain::query::{PAGE_MAX, PageStart, Sort, SortKey, TaskFilter, TaskPage, TaskQuery};
use errand_domain::session::{Digest, MAX_PER_USER, Session, expiry};
use errand_domain::task::{
    Description, Due, NewTask, Operation, Priority, Recurrence, RecurrenceFrom, Rule, Tags, Task, TaskChange,
    TimeZone, Title,
};
use errand_domain::{SessionId, TaskId, Timestamp, UserId};
use uuid::{Builder, Uuid};

use crate::harness::Stores;

/// Seconds after the start of the cases' time, which is no whole second.
pub(crate) fn at(seconds: u64) -> Timestamp {
    time("2026-03-01T12:00:00.000001Z").plus(Duration::from_secs(seconds))
}

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(crate) fn micros(n: u64) -> Duration {
    Duration::from_micros(n)
}

pub(crate) fn days(n: u64) -> Duration {
    Duration::from_hours(24 * n)
}

/// Another number at every call.
pub(crate) fn unique() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// A digest that only this kind and number have.
pub(crate) fn digest(kind: u8, n: u64) -> Digest {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Digest(bytes)
}

/// A UUID of version 7; those of smaller numbers are smaller.
pub(crate) fn uuid(n: u64) -> Uuid {
    let mut tail = [0; 10];
    tail[2..].copy_from_slice(&n.to_be_bytes());
    Builder::from_unix_timestamp_millis(1_772_366_400_000, &tail).into_uuid()
}

pub(crate) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub(crate) fn username(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(crate) fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

/// A sign-in name.
pub(crate) fn login(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}

/// An account to be made, whose password hash is `first`.
pub(crate) fn new_account(address: &str, name: &str) -> NewAccount {
    NewAccount {
        email: email(address),
        username: username(name),
        password: hash("first"),
        created_at: at(0),
    }
}

/// A session to be started, of new digests, with the id of that number.
pub(crate) fn numbered_session(id: u64, created_at: Timestamp) -> NewSession {
    let n = unique();
    NewSession {
        id: SessionId(uuid(id)),
        user_agent: Some(format!("client {n}")),
        family: digest(b'f', n),
        token: digest(b't', n),
        created_at,
    }
}

/// A session to be started; later ones have greater ids.
pub(crate) fn new_session(created_at: Timestamp) -> NewSession {
    numbered_session(unique(), created_at)
}

/// What a new session looks like once it is started.
pub(crate) fn started(owner: UserId, new: &NewSession) -> Session {
    Session {
        id: new.id,
        owner,
        user_agent: new.user_agent.clone(),
        created_at: new.created_at,
        last_used_at: new.created_at,
        expires_at: expiry(new.created_at, new.created_at),
    }
}

/// A new successor for a refresh token.
pub(crate) fn next_refresh() -> NextRefresh {
    let n = unique();
    NextRefresh {
        token: digest(b't', n),
        salt: digest(b's', n).0,
    }
}

/// More tasks than any case makes.
pub(crate) const UNLIMITED: u32 = 1_000_000;

/// A request of a key for these operations.
pub(crate) fn request(key: &str, operations: &[Operation]) -> Request {
    let mut bytes = [0; 32];
    for (place, byte) in format!("{operations:?}").into_bytes().into_iter().enumerate() {
        let mixed: &mut u8 = &mut bytes[place % 32];
        *mixed = mixed.rotate_left(3) ^ byte;
    }
    Request {
        key: IdempotencyKey::parse(key).unwrap(),
        fingerprint: Digest(bytes),
    }
}

/// Something that happens then; of what kind does not matter.
pub(crate) fn event(at: Timestamp) -> SecurityEvent {
    event_of(EventKind::SignedIn, at)
}

/// An event of a kind, with something in every field; later ones have greater ids.
pub(crate) fn event_of(kind: EventKind, at: Timestamp) -> SecurityEvent {
    let n = unique();
    let address = format!("2001:db8::{:x}", n % 0xffff).parse().unwrap();
    SecurityEvent {
        id: uuid(n),
        kind,
        at,
        origin: Origin::new(Some(address), Some(&format!("client {n} \"😀\""))),
        session: Some(SessionId(uuid(n))),
    }
}

/// Somebody who has registered.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: User,
    /// The session of the registration.
    pub(crate) session: NewSession,
}

impl Person {
    pub(crate) fn id(&self) -> UserId {
        self.user.id
    }
}

/// Registers `name` with the address `name@example.com` at [`at`] 0.
pub(crate) async fn register(stores: &Stores, name: &str) -> Person {
    let session = new_session(at(0));
    let account = new_account(&format!("{name}@example.com"), name);
    let user = stores
        .accounts
        .register(&account, Some(session.clone()), &event(at(0)))
        .await
        .unwrap();
    Person { user, session }
}

/// Starts a session for somebody who is there.
pub(crate) async fn start(stores: &Stores, owner: UserId, created_at: Timestamp) -> NewSession {
    let session = new_session(created_at);
    assert!(sign_in(stores, owner, &session).await);
    session
}

/// Starts a session as somebody who has just given the right password; says whether it lives.
pub(crate) async fn sign_in(stores: &Stores, owner: UserId, session: &NewSession) -> bool {
    let found = stores.accounts.find(owner).await.unwrap();
    let as_of = found.map_or(at(0), |found| found.user.updated_at);
    stores
        .sessions
        .start(owner, as_of, session, MAX_PER_USER, &event(at(0)))
        .await
        .unwrap()
        != Start::Refused
}

/// Deletes an account as somebody who has just given the right password.
pub(crate) async fn leave(stores: &Stores, owner: UserId) -> bool {
    let found = stores.accounts.find(owner).await.unwrap();
    let proven = found.map_or_else(|| hash("nobody's"), |found| found.password);
    stores.accounts.delete(owner, &proven).await.unwrap()
}

/// Presents a token of a session.
pub(crate) async fn rotate(
    stores: &Stores,
    owner: UserId,
    session: &NewSession,
    token: &Digest,
    next: &NextRefresh,
    at: Timestamp,
) -> Rotation {
    let event = event_of(EventKind::RefreshTokenReused, at);
    let rotation = stores
        .sessions
        .rotate(owner, session.id, &session.family, token, next, &event);
    rotation.await.unwrap()
}

/// The ids of the living sessions.
pub(crate) async fn living(stores: &Stores, owner: UserId, at: Timestamp) -> Vec<SessionId> {
    let sessions = stores.sessions.list(owner, at).await.unwrap();
    sessions.iter().map(|session| session.id).collect()
}

/// Where the record of ended sessions stands.
pub(crate) async fn ended_now(stores: &Stores) -> EndedCursor {
    stores.sessions.ended(None).await.unwrap().cursor
}

/// What ended since; other sessions may be named again.
pub(crate) async fn ended_since(stores: &Stores, cursor: EndedCursor) -> BTreeSet<SessionId> {
    let ended = stores.sessions.ended(Some(cursor)).await.unwrap();
    ended.sessions.into_iter().collect()
}

pub(crate) fn title(text: &str) -> Title {
    Title::parse(text).unwrap()
}

/// A value for [`NewTask::description`].
pub(crate) fn description(text: &str) -> Option<Description> {
    Description::parse(text).map(Some).unwrap()
}

pub(crate) fn due(text: &str) -> Option<Due> {
    Due::parse(text).map(Some).unwrap()
}

pub(crate) fn tags<'a>(items: impl IntoIterator<Item = &'a str>) -> Tags {
    Tags::from_items(items).unwrap()
}

pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::parse(name).unwrap()
}

pub(crate) fn rule(text: &str) -> Rule {
    Rule::parse(text).unwrap()
}

/// A task that repeats by a rule.
pub(crate) fn repeating(text: &str, by: &str, due_date: &str) -> NewTask {
    NewTask {
        due: due(due_date),
        recurrence: Some(Recurrence::new(rule(by), RecurrenceFrom::Completion)),
        completed: false,
        ..rich_task(text)
    }
}

/// A task with nothing but a title.
pub(crate) fn task(text: &str) -> NewTask {
    NewTask {
        title: title(text),
        description: None,
        priority: Priority::Medium,
        due: None,
        time_zone: None,
        tags: Tags::default(),
        recurrence: None,
        completed: false,
    }
}

/// A task with something in every field.
pub(crate) fn rich_task(text: &str) -> NewTask {
    NewTask {
        title: title(text),
        description: description("two litres"),
        priority: Priority::High,
        due: due("2026-12-01"),
        time_zone: Some(zone("UTC")),
        tags: tags(["Shop", "home"]),
        recurrence: None,
        completed: true,
    }
}

/// Makes a task with a key of its own.
pub(crate) async fn create(stores: &Stores, owner: UserId, new: &NewTask, at: Timestamp) -> Task {
    let key = format!("key-{}", unique());
    let made = stores
        .tasks
        .create(owner, &key, new, UNLIMITED, at)
        .await
        .unwrap();
    made.task().expect("the account is there")
}

/// Makes a task with nothing but a title at [`at`] 0.
pub(crate) async fn create_titled(stores: &Stores, owner: UserId, text: &str) -> Task {
    create(stores, owner, &task(text), at(0)).await
}

/// Changes a task that is there.
pub(crate) async fn change(
    stores: &Stores,
    owner: UserId,
    id: TaskId,
    change: &TaskChange,
    at: Timestamp,
) -> Task {
    let changed = stores.tasks.change(owner, id, change, at).await.unwrap();
    changed.expect("the task is there")
}

/// A change of the title alone.
pub(crate) fn retitled(text: &str) -> TaskChange {
    TaskChange {
        title: Some(title(text)),
        ..TaskChange::default()
    }
}

pub(crate) async fn find(stores: &Stores, owner: UserId, id: TaskId) -> Option<Task> {
    stores.tasks.find(owner, id).await.unwrap()
}

/// All that is held of somebody who is there.
pub(crate) async fn export(stores: &Stores, owner: UserId, at: Timestamp) -> AccountExport {
    let export = stores.accounts.export(owner, at).await.unwrap();
    export.expect("the account is there")
}

/// Everything, in the order of `sort`, on one page.
pub(crate) fn sorted(sort: Sort) -> TaskQuery {
    TaskQuery {
        filter: TaskFilter::default(),
        sort,
        start: PageStart::Offset(0),
        limit: PAGE_MAX,
        count: false,
    }
}

/// Everything that a filter lets through, oldest first.
pub(crate) fn filtered(filter: TaskFilter) -> TaskQuery {
    TaskQuery {
        filter,
        ..sorted(Sort {
            key: SortKey::CreatedAt,
            descending: false,
        })
    }
}

/// Every order.
pub(crate) fn sorts() -> Vec<Sort> {
    let keys = [
        SortKey::CreatedAt,
        SortKey::UpdatedAt,
        SortKey::Title,
        SortKey::DueDate,
        SortKey::Priority,
    ];
    let both = |key| [false, true].map(|descending| Sort { key, descending });
    keys.into_iter().flat_map(both).collect()
}

pub(crate) fn seed(at: Timestamp) -> WalkSeed {
    WalkSeed {
        id: uuid(unique()),
        at,
    }
}

/// A page that is there.
pub(crate) async fn page(stores: &Stores, owner: UserId, query: &TaskQuery) -> TaskPage {
    let page = stores.tasks.page(owner, query, seed(at(60))).await.unwrap();
    page.expect("the walk is known")
}

/// All pages of a query, one after the other.
pub(crate) async fn follow(stores: &Stores, owner: UserId, query: &TaskQuery) -> Vec<Task> {
    let (mut query, mut all) = (query.clone(), Vec::new());
    for _ in 0..1000 {
        let page = page(stores, owner, &query).await;
        assert!(page.tasks.len() <= query.limit as usize, "more than the limit");
        all.extend(page.tasks);
        match page.next {
            Some(next) => query.start = next,
            None => return all,
        }
    }
    panic!("the pages of {query:?} do not end");
}

/// The ids of tasks, in order.
pub(crate) fn ids(tasks: &[Task]) -> Vec<i64> {
    tasks.iter().map(|task| task.id.0).collect()
}

/// The ids that a filter lets through, oldest first.
pub(crate) async fn shown(stores: &Stores, owner: UserId, filter: TaskFilter) -> Vec<i64> {
    ids(&page(stores, owner, &filtered(filter)).await.tasks)
}

/// Search words.
pub(crate) fn words(text: &str) -> TaskFilter {
    TaskFilter {
        words: TaskFilter::words(text).unwrap(),
        ..TaskFilter::default()
    }
}
