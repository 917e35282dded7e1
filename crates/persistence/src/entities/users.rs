//! Accounts.

use errand_application::ports::{AccountState, Credentials};
use errand_domain::account::{Email, PasswordHash, User, Username};
use errand_domain::{Timestamp, UserId};
use sea_orm::entity::prelude::*;

use super::hidden::Hidden;
use crate::error::Failure;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub username: String,
    pub username_key: String,
    pub email: String,
    pub email_key: String,
    pub password_hash: Hidden,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    pub disabled_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn user(&self) -> Result<User, Failure> {
        let corrupt = |column| Failure::Corrupt {
            table: "users",
            column,
        };
        Ok(User {
            id: UserId(self.id),
            username: Username::parse(&self.username).map_err(|_| corrupt("username"))?,
            email: Email::parse(&self.email).map_err(|_| corrupt("email"))?,
            created_at: Timestamp::new(self.created_at),
            updated_at: Timestamp::new(self.updated_at),
        })
    }

    pub fn state(&self) -> Result<AccountState, Failure> {
        Ok(AccountState {
            user: self.user()?,
            disabled_at: self.disabled_at.map(Timestamp::new),
        })
    }

    pub fn credentials(self) -> Result<Credentials, Failure> {
        Ok(Credentials {
            user: self.user()?,
            disabled_at: self.disabled_at.map(Timestamp::new),
            password: PasswordHash::new(self.password_hash.0),
        })
    }
}
