//! Security events.

use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_domain::{SessionId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use crate::error::Failure;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "security_events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub is_failure: bool,
    pub at: DateTimeUtc,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub session_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// `None` for a kind that only a later version knows.
    pub fn event(self) -> Result<Option<SecurityEvent>, Failure> {
        let Some(kind) = EventKind::parse(&self.kind) else {
            return Ok(None);
        };
        let corrupt = |column| Failure::Corrupt {
            table: "security_events",
            column,
        };
        let address = self.address.map(|text| text.parse()).transpose();
        Ok(Some(SecurityEvent {
            id: self.id,
            kind,
            at: Timestamp::new(self.at),
            origin: Origin::new(
                address.map_err(|_| corrupt("address"))?,
                self.user_agent.as_deref(),
            ),
            session: self.session_id.map(SessionId),
        }))
    }
}

/// The row of an event.
pub fn row(owner: UserId, event: &SecurityEvent) -> ActiveModel {
    let SecurityEvent {
        id,
        kind,
        at,
        origin,
        session,
    } = event;
    ActiveModel {
        user_id: Set(owner.0),
        id: Set(*id),
        kind: Set(kind.as_str().to_owned()),
        is_failure: Set(kind.is_failure()),
        at: Set(at.as_chrono()),
        address: Set(origin.address.map(|address| address.to_string())),
        user_agent: Set(origin.user_agent().map(str::to_owned)),
        session_id: Set(session.map(|session| session.0)),
    }
}
