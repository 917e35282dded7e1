//! Who is who on either side: an adapter may number its accounts as it likes.

use errand_application::ports::{
    AccountExport, Change, ChangesPage, Created, Credentials, Restored, Rotation, Start, TrashPage, Worked,
    Written,
};
use errand_domain::UserId;
use errand_domain::account::User;
use errand_domain::query::TaskPage;
use errand_domain::session::Session;
use errand_domain::task::{Outcome, Task};

/// An account's id in the model and in the store.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) model: UserId,
    pub(super) store: UserId,
}

/// All who ever registered, in order.
#[derive(Default)]
pub(super) struct People(Vec<Pair>);

impl People {
    pub(super) fn add(&mut self, model: UserId, store: UserId) {
        self.0.push(Pair { model, store });
    }

    /// The one of that number, or somebody who is not there.
    pub(super) fn get(&self, who: usize) -> Pair {
        let nobody = UserId(i64::MAX - i64::try_from(who).unwrap());
        self.0.get(who).copied().unwrap_or(Pair {
            model: nobody,
            store: nobody,
        })
    }

    pub(super) fn all(&self) -> &[Pair] {
        &self.0
    }

    /// The model's id of one of the store's; one that nobody has if the store made it up.
    fn model_id(&self, store: UserId) -> UserId {
        let pair = self.0.iter().find(|pair| pair.store == store);
        pair.map_or(UserId(i64::MIN), |pair| pair.model)
    }
}

/// An answer of the store in the model's ids.
pub(super) trait InModelIds {
    fn in_model_ids(self, people: &People) -> Self;
}

impl InModelIds for Created {
    fn in_model_ids(self, people: &People) -> Self {
        match self {
            Self::Task(task) => Self::Task(task.in_model_ids(people)),
            other => other,
        }
    }
}

impl<T: InModelIds> InModelIds for Written<T> {
    fn in_model_ids(self, people: &People) -> Self {
        match self {
            Self::Done(written) => Self::Done(written.in_model_ids(people)),
            other => other,
        }
    }
}

impl InModelIds for Start {
    fn in_model_ids(self, _: &People) -> Self {
        self
    }
}

impl InModelIds for User {
    fn in_model_ids(self, people: &People) -> Self {
        let id = people.model_id(self.id);
        Self { id, ..self }
    }
}

impl InModelIds for Credentials {
    fn in_model_ids(self, people: &People) -> Self {
        let user = self.user.in_model_ids(people);
        Self { user, ..self }
    }
}

impl InModelIds for Session {
    fn in_model_ids(self, people: &People) -> Self {
        let owner = people.model_id(self.owner);
        Self { owner, ..self }
    }
}

impl InModelIds for Task {
    fn in_model_ids(self, people: &People) -> Self {
        let owner = people.model_id(self.owner);
        Self { owner, ..self }
    }
}

impl InModelIds for TaskPage {
    fn in_model_ids(self, people: &People) -> Self {
        let tasks = self.tasks.in_model_ids(people);
        Self { tasks, ..self }
    }
}

impl InModelIds for AccountExport {
    fn in_model_ids(mut self, people: &People) -> Self {
        for deleted in &mut self.deleted {
            deleted.task = deleted.task.clone().in_model_ids(people);
        }
        Self {
            user: self.user.in_model_ids(people),
            sessions: self.sessions.in_model_ids(people),
            tasks: self.tasks.in_model_ids(people),
            deleted: self.deleted,
            events: self.events,
        }
    }
}

impl InModelIds for TrashPage {
    fn in_model_ids(mut self, people: &People) -> Self {
        for deleted in &mut self.tasks {
            deleted.task = deleted.task.clone().in_model_ids(people);
        }
        self
    }
}

impl InModelIds for Change {
    fn in_model_ids(self, people: &People) -> Self {
        match self {
            Self::Upsert(task) => Self::Upsert(Box::new(task.in_model_ids(people))),
            deletion @ Self::Delete(_) => deletion,
        }
    }
}

impl InModelIds for ChangesPage {
    fn in_model_ids(self, people: &People) -> Self {
        let changes = self.changes.in_model_ids(people);
        Self { changes, ..self }
    }
}

impl InModelIds for Restored {
    fn in_model_ids(self, people: &People) -> Self {
        match self {
            Self::Task(task) => Self::Task(task.in_model_ids(people)),
            other => other,
        }
    }
}

impl InModelIds for Outcome {
    fn in_model_ids(self, people: &People) -> Self {
        match self {
            Self::Task(task) => Self::task(task.in_model_ids(people)),
            deleted @ Self::Deleted(_) => deleted,
        }
    }
}

impl InModelIds for Worked {
    fn in_model_ids(self, people: &People) -> Self {
        match self {
            Self::Done { outcomes, replayed } => Self::Done {
                outcomes: outcomes.in_model_ids(people),
                replayed,
            },
            other => other,
        }
    }
}

impl InModelIds for Rotation {
    fn in_model_ids(self, people: &People) -> Self {
        match self {
            Self::Rotated { session, user } => Self::Rotated {
                session: session.in_model_ids(people),
                user: user.in_model_ids(people),
            },
            Self::Replayed { session, user, salt } => Self::Replayed {
                session: session.in_model_ids(people),
                user: user.in_model_ids(people),
                salt,
            },
            Self::Limited { .. } | Self::Reused | Self::Unknown => self,
        }
    }
}

impl InModelIds for () {
    fn in_model_ids(self, _: &People) -> Self {}
}

impl InModelIds for u64 {
    fn in_model_ids(self, _: &People) -> Self {
        self
    }
}

impl InModelIds for bool {
    fn in_model_ids(self, _: &People) -> Self {
        self
    }
}

impl<T: InModelIds> InModelIds for Option<T> {
    fn in_model_ids(self, people: &People) -> Self {
        self.map(|answer| answer.in_model_ids(people))
    }
}

impl<T: InModelIds> InModelIds for Vec<T> {
    fn in_model_ids(self, people: &People) -> Self {
        self.into_iter()
            .map(|answer| answer.in_model_ids(people))
            .collect()
    }
}
