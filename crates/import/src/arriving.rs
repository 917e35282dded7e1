//! What comes out of a source, as the store takes it, and the lines of the receipt that say so.

use errand_application::ports::{ArrivingTask, ArrivingUser};
use errand_domain::UserId;
use errand_domain::account::PasswordHash;
use errand_domain::task::NewTask;

use crate::hash::{self, Content, hex};
use crate::incoming::{IncomingPassword, IncomingTask, IncomingUser, SourceKey};
use crate::page::ID_MAX;
use crate::receipt::{Line, State};

pub(crate) fn arriving_user(user: IncomingUser) -> ArrivingUser {
    let password = match user.password {
        IncomingPassword::Hash(hash) => hash,
        IncomingPassword::None(_) => PasswordHash::unusable(),
    };
    ArrivingUser {
        key: user.key.0,
        id: user.id.filter(|id| id.0 <= ID_MAX),
        hash: hash::user(&user.username, &user.email, user.created_at, user.updated_at),
        password_digest: hash::password(&password),
        email_digest: hash::email(&user.email),
        username: user.username,
        email: user.email,
        password,
        created_at: user.created_at,
        updated_at: user.updated_at,
    }
}

pub(crate) fn arriving_task(task: IncomingTask) -> ArrivingTask {
    let content = NewTask {
        title: task.title,
        description: task.description,
        priority: task.priority,
        due: task.due,
        time_zone: task.time_zone,
        tags: task.tags,
        recurrence: task.recurrence,
        completed: task.completed_at.is_some(),
    };
    let hash = hash::task(&Content {
        title: content.title.as_str(),
        description: content.description.as_ref(),
        priority: content.priority,
        due: content.due,
        time_zone: content.time_zone.as_ref(),
        tags: &content.tags,
        recurrence: content.recurrence.as_ref(),
        completed_at: task.completed_at,
        created_at: task.created_at,
        updated_at: task.updated_at,
    });
    ArrivingTask {
        key: task.key.0,
        id: task.id.filter(|id| id.0 <= ID_MAX),
        content,
        completed_at: task.completed_at,
        created_at: task.created_at,
        updated_at: task.updated_at,
        hash,
    }
}

pub(crate) fn user_line(user: &ArrivingUser, id: i64, state: State) -> Line {
    Line::User {
        key: SourceKey(user.key.clone()),
        id,
        hash: hex(&user.hash),
        password: hex(&user.password_digest),
        state,
    }
}

pub(crate) fn task_line(task: &ArrivingTask, owner: UserId, id: i64, state: State) -> Line {
    Line::Task {
        key: SourceKey(task.key.clone()),
        user: owner.0,
        id,
        hash: hex(&task.hash),
        state,
    }
}
