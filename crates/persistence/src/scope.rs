//! Where statements begin: at an owner. sea-orm's own starts, which see every tenant's rows, are banned by
//! clippy everywhere but here.

use errand_domain::UserId;
use sea_orm::{ColumnTrait, DeleteMany, EntityTrait, QueryFilter, Select, UpdateMany};

use crate::entities::{
    imported_tasks, imported_users, security_events, sessions, task_counters, task_walks, tasks, users,
};

/// Whose rows a unit of work is about; it can be held to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One user's.
    Owner(UserId),
    /// Nobody's in particular: who signs in or registers is not yet known, and some records have no owner.
    Everyone,
}

/// A table whose rows belong to users.
pub trait Owned: EntityTrait {
    /// The column that says whose a row is.
    const OWNER: Self::Column;

    /// Reads rows of one owner.
    #[expect(clippy::disallowed_methods, reason = "made safe on the spot")]
    fn of(owner: UserId) -> Select<Self> {
        Self::find().filter(Self::OWNER.eq(owner.0))
    }

    /// Changes rows of one owner.
    #[expect(clippy::disallowed_methods, reason = "made safe on the spot")]
    fn update_of(owner: UserId) -> UpdateMany<Self> {
        Self::update_many().filter(Self::OWNER.eq(owner.0))
    }

    /// Removes rows of one owner.
    #[expect(clippy::disallowed_methods, reason = "made safe on the spot")]
    fn delete_of(owner: UserId) -> DeleteMany<Self> {
        Self::delete_many().filter(Self::OWNER.eq(owner.0))
    }
}

impl Owned for users::Entity {
    const OWNER: users::Column = users::Column::Id;
}

impl Owned for imported_users::Entity {
    const OWNER: imported_users::Column = imported_users::Column::UserId;
}

impl Owned for imported_tasks::Entity {
    const OWNER: imported_tasks::Column = imported_tasks::Column::UserId;
}

impl Owned for security_events::Entity {
    const OWNER: security_events::Column = security_events::Column::UserId;
}

impl Owned for sessions::Entity {
    const OWNER: sessions::Column = sessions::Column::UserId;
}

impl Owned for task_counters::Entity {
    const OWNER: task_counters::Column = task_counters::Column::UserId;
}

impl Owned for task_walks::Entity {
    const OWNER: task_walks::Column = task_walks::Column::UserId;
}

impl Owned for tasks::Entity {
    const OWNER: tasks::Column = tasks::Column::UserId;
}

/// What has no owner yet, or none any more: the few starts without one.
pub mod unowned {
    use super::{Select, imported_users, users};
    use sea_orm::EntityTrait;

    /// Accounts by what somebody claims to be called, before they are anybody.
    #[expect(clippy::disallowed_methods, reason = "signing in is how one becomes an owner")]
    pub fn accounts() -> Select<users::Entity> {
        users::Entity::find()
    }

    /// Users who came in, by the keys that another application knows them by.
    #[expect(
        clippy::disallowed_methods,
        reason = "who comes in again is looked for by a key"
    )]
    pub fn imported() -> Select<imported_users::Entity> {
        imported_users::Entity::find()
    }
}
