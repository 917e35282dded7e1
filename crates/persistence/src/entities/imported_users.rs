//! Users who came in from other applications.

use errand_application::ports::KnownUser;
use errand_domain::session::Digest;
use errand_domain::{Timestamp, UserId};
use sea_orm::entity::prelude::*;

use crate::error::Failure;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "imported_users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: i64,
    pub source: String,
    pub source_key: String,
    pub run: i64,
    pub content_hash: Vec<u8>,
    pub password_digest: Vec<u8>,
    pub email_digest: Vec<u8>,
    /// At the source.
    pub created_at: DateTimeUtc,
    pub followed_run: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn known(self) -> Result<KnownUser, Failure> {
        let corrupt = |column| Failure::Corrupt {
            table: "imported_users",
            column,
        };
        Ok(KnownUser {
            key: self.source_key,
            id: UserId(self.user_id),
            run: self.run,
            followed: self.followed_run,
            hash: digest(&self.content_hash).ok_or(corrupt("content_hash"))?,
            password_digest: digest(&self.password_digest).ok_or(corrupt("password_digest"))?,
            email_digest: digest(&self.email_digest).ok_or(corrupt("email_digest"))?,
            created_at: Timestamp::new(self.created_at),
        })
    }
}

/// From a column of bytes; `None` for what is no digest.
pub fn digest(bytes: &[u8]) -> Option<Digest> {
    bytes.try_into().ok().map(Digest)
}
