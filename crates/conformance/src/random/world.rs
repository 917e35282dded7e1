//! A store and the model in the same history.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use errand_application::ports::{EndedCursor, NewSession, StoreError, WalkSeed};
use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_domain::query::{PageStart, TaskQuery};
use errand_domain::session::Digest;
use errand_domain::{SessionId, Timestamp, UserId};

use super::history::{Event, Step};
use super::people::{InModelIds, People};
use crate::fixtures::{at, digest, uuid};
use crate::harness::Stores;
use crate::model::Model;
use crate::replica::Replica;

/// In what a store and the model differ.
pub(super) type Different = String;

/// How far back a clock may be that is behind the others.
const LATE: Duration = Duration::from_secs(5);
/// So long a walk must be known.
pub(super) const WALK_LIFE: Duration = Duration::from_hours(1);

/// A session that was once started, with all the tokens that its client got.
pub(super) struct Client {
    pub(super) owner: usize,
    pub(super) id: SessionId,
    pub(super) family: Digest,
    pub(super) tokens: Vec<Digest>,
}

/// A list that somebody has begun to read.
pub(super) struct Place {
    pub(super) owner: usize,
    pub(super) query: TaskQuery,
    pub(super) model: PageStart,
    pub(super) store: PageStart,
    pub(super) begun_at: Timestamp,
}

/// Both sides, and what the outside knows of them.
pub(super) struct World {
    pub(super) model: Model,
    pub(super) model_stores: Stores,
    pub(super) store: Stores,
    pub(super) people: People,
    pub(super) clients: Vec<Client>,
    pub(super) places: Vec<Place>,
    /// The change counters at an owner's last page, in the model and in the store.
    pub(super) counters: BTreeMap<usize, (i64, i64)>,
    /// What somebody has who follows the changes, by the store's id of the owner.
    pub(super) replicas: BTreeMap<UserId, Replica>,
    pub(super) now: Timestamp,
    /// Counts whatever must be unique.
    pub(super) numbers: u64,
    /// Part of the creation keys: a store may forget a key after a long time.
    pub(super) epoch: u32,
    pub(super) ended: EndedCursor,
    /// What `ended` must have named by now, and what it did name.
    pub(super) must_be_named: BTreeSet<SessionId>,
    pub(super) named: BTreeSet<SessionId>,
}

impl World {
    pub(super) fn new(store: Stores) -> Self {
        let model = Model::new();
        Self {
            model_stores: model.stores(),
            model,
            store,
            people: People::default(),
            clients: Vec::new(),
            places: Vec::new(),
            counters: BTreeMap::new(),
            replicas: BTreeMap::new(),
            now: at(0),
            numbers: 0,
            epoch: 0,
            ended: EndedCursor(0),
            must_be_named: BTreeSet::new(),
            named: BTreeSet::new(),
        }
    }

    /// Plays a history to its end, or to the first answer that differs.
    pub(super) async fn play(&mut self, history: &[Step]) -> Result<(), Different> {
        self.ended = fine(self.store.sessions.ended(None).await)?.cursor;
        for (n, step) in history.iter().enumerate() {
            self.now = self.now.plus(step.wait);
            self.epoch += u32::from(step.wait >= WALK_LIFE);
            let before = self.living();
            let played = self.happen(&step.event).await;
            let after = self.living();
            self.must_be_named.extend(before.difference(&after));
            played.map_err(|what| format!("at step {n}, {:?}: {what}", step.event))?;
        }
        let at_the_end = async {
            self.look_at_ended().await?;
            for who in 0..self.people.all().len() {
                self.export(self.people.get(who)).await?;
                self.follow(self.people.get(who), 2, usize::MAX).await?;
            }
            Ok(())
        };
        at_the_end
            .await
            .map_err(|what: Different| format!("at the end: {what}"))
    }

    /// Every session that lives now.
    pub(super) fn living(&self) -> BTreeSet<SessionId> {
        self.model.with(|state| {
            let living = state.accounts.values().flat_map(|a| a.living(self.now));
            living.map(|session| session.id).collect()
        })
    }

    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn session(&mut self) -> NewSession {
        let n = self.number();
        NewSession {
            id: SessionId(uuid(n)),
            user_agent: (!n.is_multiple_of(3)).then(|| format!("client {n}")),
            family: digest(b'f', n),
            token: digest(b't', n),
            created_at: self.now,
        }
    }

    /// What a store keeps of what happens.
    pub(super) fn incident(&mut self) -> SecurityEvent {
        let n = self.number();
        SecurityEvent {
            id: uuid(n),
            kind: EventKind::SignedIn,
            at: self.now,
            origin: Origin::new(None, Some(&format!("client {n}"))),
            session: None,
        }
    }

    /// A client learns of its session.
    pub(super) fn remember(&mut self, owner: usize, session: &NewSession) {
        self.clients.push(Client {
            owner,
            id: session.id,
            family: session.family,
            tokens: vec![session.token],
        });
    }

    pub(super) fn seed(&mut self) -> WalkSeed {
        WalkSeed {
            id: uuid(self.number()),
            at: self.now,
        }
    }

    /// The time of somebody whose clock may be behind.
    pub(super) fn time(&self, late: bool) -> Timestamp {
        if late { self.now.minus(LATE) } else { self.now }
    }

    /// Fails unless both gave the same answer, which is then the model's.
    pub(super) fn same<T: InModelIds + PartialEq + Debug>(
        &self,
        model: Result<T, StoreError>,
        store: Result<T, StoreError>,
    ) -> Result<T, Different> {
        let (model, store) = (fine(model)?, fine(store)?.in_model_ids(&self.people));
        if model == store {
            Ok(model)
        } else {
            Err(format!("the model says\n  {model:?}\nand the store\n  {store:?}"))
        }
    }

    async fn happen(&mut self, event: &Event) -> Result<(), Different> {
        match event {
            Event::Register { .. }
            | Event::Credentials { .. }
            | Event::Account { .. }
            | Event::ChangePassword { .. }
            | Event::RenewHash { .. }
            | Event::DeleteAccount { .. }
            | Event::Disable { .. }
            | Event::Enable { .. }
            | Event::Export { .. } => self.account(event).await,
            Event::Start { .. }
            | Event::Rotate { .. }
            | Event::Sessions { .. }
            | Event::End { .. }
            | Event::EndAll { .. }
            | Event::Ended => self.sessions(event).await,
            Event::Create { .. }
            | Event::Find { .. }
            | Event::Page { .. }
            | Event::NextPage { .. }
            | Event::Change { .. }
            | Event::Work { .. }
            | Event::Delete { .. } => self.task(event).await,
            Event::Follow { who, limit, pages } => self.follow(self.people.get(*who), *limit, *pages).await,
            Event::Trash { .. } | Event::Restore { .. } | Event::Erase { .. } | Event::Purge { .. } => {
                self.trash(event).await
            }
        }
    }
}

/// An answer, where a failure is none.
pub(super) fn fine<T>(answer: Result<T, StoreError>) -> Result<T, Different> {
    answer.map_err(|error| format!("failed: {error:?}"))
}
