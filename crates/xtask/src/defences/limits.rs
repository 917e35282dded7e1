//! Limits, quotas, disabled accounts and their events.

super::defences! {
    "limit-account" {
        "application/src/limits.rs": "policy(\"sign-in-account\", 10," => "policy(\"sign-in-account\", 1_000_000,";
    }
    "limit-network" {
        "application/src/limits.rs": "policy(\"sign-in-network\", 20," => "policy(\"sign-in-network\", 1_000_000,";
    }
    "limit-registration" {
        "application/src/limits.rs": "policy(\"registration\", 8," => "policy(\"registration\", 1_000_000,";
    }
    "limit-refresh" {
        "domain/src/session.rs": "    burst: 60,\n" => "    burst: 1_000_000,\n";
    }
    "limit-refused-refresh" {
        "application/src/limits.rs": "policy(\"refused-refresh\", 50," => "policy(\"refused-refresh\", 1_000_000,";
    }
    "limit-new-password" {
        "application/src/limits.rs": "policy(\"new-password\", 30," => "policy(\"new-password\", 1_000_000,";
    }
    // What failed is given back like what did not.
    "limit-kept" {
        "application/src/limits.rs": "if guessed_wrong || attempt.returnable.is_empty() {" => "if (guessed_wrong && false) || attempt.returnable.is_empty() {";
    }
    // Whoever tries a name keeps everybody else from it.
    "limit-of-one-network" {
        "application/src/limits.rs": "&format!(\"{network} {who}\")" => "&format!(\"{who} {}\", network.len() * 0)";
    }
    // Counted by the spelling.
    "limit-fold" {
        "application/src/limits.rs": "LoginName::Email(email) => email.key()," => "LoginName::Email(email) => email.as_str().to_owned(),";
    }
    "limit-confirmation" {
        "application/src/accounts.rs": "let attempt = self.limiter.confirmation(actor.user(), origin).await?;" => "let attempt = self.limiter.confirmation(errand_domain::UserId(i64::from_ne_bytes(self.recorder.bytes().split_at(8).0.try_into().unwrap_or_default())), origin).await?;";
    }
    "network-64" {
        "domain/src/network.rs": "address.to_bits() >> 64 << 64" => "address.to_bits()";
    }
    // Anybody's word for where they are.
    "trusted-proxies" {
        "http/src/origin.rs": "while is_in(known, trusted) {" => "while is_in(known, trusted) || hops.len() > 0 {";
    }
    "disabled-sign-in" {
        "application/src/accounts.rs": "verdict.matches && c.disabled_at.is_none()" => "verdict.matches";
        "persistence/src/sessions.rs": "proven.is_none_or(|user| user.disabled_at.is_some())" => "proven.is_none()";
    }
    "disabled-ends" {
        "persistence/src/accounts.rs": "    set_disabled(tx, owner, Some(event.at)).await?;\n    ended::record_all(tx, owner).await?;\n" => "    set_disabled(tx, owner, Some(event.at)).await?;\n";
    }
    "disabled-refresh" {
        "persistence/src/accounts.rs": "    ended::record_all(tx, owner).await?;\n    sessions::Entity::delete_of(owner).exec(tx).await?;\n    events::keep(tx, owner, event).await?;\n    Ok(true)\n}\n\nasync fn enable" => "    events::keep(tx, owner, event).await?;\n    Ok(true)\n}\n\nasync fn enable";
        "persistence/src/sessions.rs": "held.filter(|user| user.disabled_at.is_none())" => "held";
    }
    "requests-at-once" {
        "application/src/in_flight.rs": "if *count >= self.most {" => "if false && *count >= self.most {";
    }
    "task-quota" {
        "persistence/src/tasks/create.rs": "(c.last_task_id < $14 OR" => "(c.last_task_id < $14 + 1000000 OR";
    }
    "event-classes" {
        "domain/src/event.rs": "matches!(self, Self::SignInFailed | Self::PasswordRefused)" => "matches!(self, Self::SignInFailed | Self::PasswordRefused | Self::Registered | Self::SignedIn)";
    }
    // A failure that nobody is told of.
    "event-noted" {
        "application/src/accounts.rs": "            self.events.note(user, &event);\n" => "            let _ = user;\n";
    }
}
