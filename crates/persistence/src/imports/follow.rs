//! What changed at the source since it came in.

use std::collections::HashMap;

use errand_application::ports::{ArrivingTask, ArrivingUser, Credentials};
use errand_domain::UserId;
use sea_orm::ActiveValue::NotSet;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, FromQueryResult, IntoActiveModel, QueryFilter, QuerySelect};

use super::tasks::{at_home, hold, known};
use crate::db::Tx;
use crate::entities::tasks::{ActiveModel, Column, Entity, Model};
use crate::entities::{imported_tasks, imported_users, users};
use crate::error::Failure;
use crate::lock::lock;
use crate::scope::Owned;

pub async fn user(tx: &Tx, run: i64, expected: &Credentials, user: &ArrivingUser) -> Result<bool, Failure> {
    let owner = expected.user.id;
    let Some(row) = lock(tx, owner).await? else {
        return Ok(false);
    };
    if row.credentials()? != *expected {
        return Ok(false);
    }
    users::Entity::update_of(owner)
        .col_expr(users::Column::Username, Expr::value(user.username.as_str()))
        .col_expr(users::Column::UsernameKey, Expr::value(user.username.key()))
        .col_expr(users::Column::Email, Expr::value(user.email.as_str()))
        .col_expr(users::Column::EmailKey, Expr::value(user.email.key()))
        .col_expr(users::Column::PasswordHash, Expr::value(user.password.as_str()))
        .col_expr(users::Column::CreatedAt, Expr::value(user.created_at.as_chrono()))
        .col_expr(users::Column::UpdatedAt, Expr::value(user.updated_at.as_chrono()))
        .exec(tx)
        .await?;
    imported_users::Entity::update_of(owner)
        .col_expr(
            imported_users::Column::ContentHash,
            Expr::value(user.hash.0.to_vec()),
        )
        .col_expr(
            imported_users::Column::PasswordDigest,
            Expr::value(user.password_digest.0.to_vec()),
        )
        .col_expr(
            imported_users::Column::EmailDigest,
            Expr::value(user.email_digest.0.to_vec()),
        )
        .col_expr(
            imported_users::Column::CreatedAt,
            Expr::value(user.created_at.as_chrono()),
        )
        .col_expr(imported_users::Column::FollowedRun, Expr::value(run))
        .exec(tx)
        .await?;
    Ok(true)
}

#[derive(FromQueryResult)]
struct Versioned {
    id: i64,
    version: i64,
}

pub async fn tasks(tx: &Tx, owner: UserId, run: i64, tasks: &[ArrivingTask]) -> Result<Vec<bool>, Failure> {
    if hold(tx, owner).await?.is_none() {
        return Ok(vec![false; tasks.len()]);
    }
    let keys: Vec<String> = tasks.iter().map(|task| task.key.clone()).collect();
    let known = known(tx, owner, &keys).await?;
    let untouched = known.into_iter().filter(|task| task.untouched);
    let untouched: HashMap<_, _> = untouched.map(|task| (task.key, task.id)).collect();
    let rows: Vec<Versioned> = Entity::of(owner)
        .select_only()
        .columns([Column::Id, Column::Version])
        .filter(Column::Id.is_in(untouched.values().map(|id| id.0)))
        .into_model()
        .all(tx)
        .await?;
    let versions: HashMap<i64, i64> = rows.iter().map(|row| (row.id, row.version)).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        let found = untouched.get(&task.key);
        let Some((id, version)) = found.and_then(|id| Some((*id, versions.get(&id.0)? + 1))) else {
            done.push(false);
            continue;
        };
        let row = Model::living(&at_home(owner, id, task, version));
        let row = ActiveModel {
            user_id: NotSet,
            id: NotSet,
            creation_key: NotSet,
            change_seq: NotSet,
            ..row.into_active_model().reset_all()
        };
        Entity::update_of(owner)
            .filter(Column::Id.eq(id.0))
            .set(row)
            .exec(tx)
            .await?;
        imported_tasks::Entity::update_of(owner)
            .filter(imported_tasks::Column::SourceKey.eq(task.key.as_str()))
            .col_expr(
                imported_tasks::Column::ContentHash,
                Expr::value(task.hash.0.to_vec()),
            )
            .col_expr(imported_tasks::Column::Version, Expr::value(version))
            .col_expr(imported_tasks::Column::FollowedRun, Expr::value(run))
            .exec(tx)
            .await?;
        done.push(true);
    }
    Ok(done)
}
