//! Refresh tokens and sessions.

super::defences! {
    "refresh-grace" {
        "domain/src/session.rs": "pub const REPLAY_GRACE: Duration = Duration::from_secs(10);" => "pub const REPLAY_GRACE: Duration = Duration::from_secs(1000);";
    }
    "refresh-successor" {
        "application/src/sessions.rs": "self.grant(user, &session.into(), &presented.successor(&salt), now)" => "let _ = salt;\n                self.grant(user, &session.into(), &next, now)";
    }
    "refresh-form" {
        "application/src/sessions.rs": "None => Err(AppError::InvalidRefreshToken)," => r#"None => Err(AppError::Internal("no token".into())),"#;
    }
    // The family is enough.
    "refresh-secret" {
        "domain/src/session.rs": "} else if self.current == *token {" => "} else if self.current == *token || self.family == *family {";
    }
    // The ids are enough to have a session ended.
    "refresh-family" {
        "domain/src/session.rs": "if self.family != *family {" => "if false && self.family != *family {";
    }
    // Sessions end, but their rows stay.
    "session-rows" {
        "persistence/src/sessions.rs": "        .filter(Column::ExpiresAt.gt(event.at.as_chrono()))\n        .exec(tx)\n" => "        .filter(Column::ExpiresAt.gt(event.at.as_chrono()))\n        .filter(Column::CreatedAt.is_null())\n        .exec(tx)\n";
        "persistence/src/sessions.rs": "let done = Entity::delete_of(owner).exec(tx).await?;" => "let done = Entity::delete_of(owner).filter(Column::CreatedAt.is_null()).exec(tx).await?;";
        "persistence/src/accounts.rs": "    sessions::Entity::delete_of(owner).exec(tx).await?;\n    if let Some(session) = session {" => "    if let Some(session) = session {";
    }
    "session-limit" {
        "persistence/src/sessions.rs": "alive.len().saturating_sub(most);" => "alive.len().saturating_sub(100 * most);";
    }
    "agent-controls" {
        "domain/src/event.rs": "text.chars().filter(|c| !c.is_control());" => "text.chars();";
    }
    "agent-length" {
        "domain/src/event.rs": ".take(USER_AGENT_MAX_CHARS)" => ".take(usize::MAX)";
    }
}
