//! Sessions and their refresh tokens' digests.

use errand_application::ports::NewSession;
use errand_domain::session::{Digest, RefreshState, Session, expiry};
use errand_domain::{SessionId, Timestamp, UserId};
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::hidden::HiddenBytes;
use crate::error::Failure;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_agent: Option<String>,
    pub generation: i64,
    pub family: HiddenBytes,
    pub token: HiddenBytes,
    pub previous_token: Option<HiddenBytes>,
    pub salt: HiddenBytes,
    pub rotated_at: DateTimeUtc,
    pub created_at: DateTimeUtc,
    pub last_used_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
    pub refresh_full_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn session(&self) -> Session {
        Session {
            id: SessionId(self.id),
            owner: UserId(self.user_id),
            user_agent: self.user_agent.clone(),
            created_at: Timestamp::new(self.created_at),
            last_used_at: Timestamp::new(self.last_used_at),
            expires_at: Timestamp::new(self.expires_at),
        }
    }

    pub fn refresh_state(&self) -> Result<RefreshState, Failure> {
        Ok(RefreshState {
            generation: self.generation,
            family: digest(&self.family, "family")?,
            current: digest(&self.token, "token")?,
            previous: self
                .previous_token
                .as_ref()
                .map(|bytes| digest(bytes, "previous_token"))
                .transpose()?,
            salt: digest(&self.salt, "salt")?.0,
            rotated_at: Timestamp::new(self.rotated_at),
            full_at: self.refresh_full_at.map(Timestamp::new),
        })
    }
}

fn digest(bytes: &HiddenBytes, column: &'static str) -> Result<Digest, Failure> {
    let bytes: Result<[u8; 32], _> = bytes.0.as_slice().try_into();
    bytes.map(Digest).map_err(|_| Failure::Corrupt {
        table: "sessions",
        column,
    })
}

/// The row of a session that begins.
pub fn begun(owner: UserId, session: &NewSession) -> ActiveModel {
    let NewSession {
        id,
        user_agent,
        family,
        token,
        created_at,
    } = session;
    let at = created_at.as_chrono();
    ActiveModel {
        user_id: Set(owner.0),
        id: Set(id.0),
        user_agent: Set(user_agent.clone()),
        generation: Set(0),
        family: Set(HiddenBytes(family.0.to_vec())),
        token: Set(HiddenBytes(token.0.to_vec())),
        previous_token: Set(None),
        // No token came before this one, so nothing was derived.
        salt: Set(HiddenBytes(vec![0; 32])),
        rotated_at: Set(at),
        created_at: Set(at),
        last_used_at: Set(at),
        expires_at: Set(expiry(*created_at, *created_at).as_chrono()),
        refresh_full_at: Set(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_show_no_digest() {
        let session = NewSession {
            id: SessionId(Uuid::nil()),
            user_agent: None,
            family: Digest([77; 32]),
            token: Digest([77; 32]),
            created_at: Timestamp::from_micros(0).unwrap(),
        };
        let row = begun(UserId(1), &session);
        let model = sea_orm::TryIntoModel::try_into_model(row.clone()).unwrap();
        let shown = format!("{row:?} {model:?}");
        assert!(!shown.contains("77") && shown.contains("Hidden"), "{shown}");
    }
}
