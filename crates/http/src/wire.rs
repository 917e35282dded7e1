//! What several resources put on the wire.

use std::fmt::Display;
use std::net::IpAddr;

use errand_application::Actor;
use errand_domain::event::SecurityEvent;
use errand_domain::session::Session;
use errand_domain::{SessionId, Timestamp};
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// A value that is sent as the text that it displays as.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The answer to a request that leaves nothing else to say.
#[derive(Serialize)]
pub(crate) struct Message<T = ()> {
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<T>,
}

impl Message {
    pub(crate) fn new(message: &'static str) -> Self {
        Self { message, id: None }
    }
}

impl<T> Message<T> {
    /// Names what it is about.
    pub(crate) fn about(message: &'static str, id: T) -> Self {
        Self {
            message,
            id: Some(id),
        }
    }
}

/// A session.
#[derive(Serialize)]
pub(crate) struct SessionJson<'a> {
    id: Shown<SessionId>,
    created_at: Shown<Timestamp>,
    last_used_at: Shown<Timestamp>,
    expires_at: Shown<Timestamp>,
    user_agent: Option<&'a str>,
    current: bool,
}

impl<'a> SessionJson<'a> {
    /// A session as `actor` sees it.
    pub(crate) fn of(session: &'a Session, actor: &Actor) -> Self {
        Self {
            id: Shown(session.id),
            created_at: Shown(session.created_at),
            last_used_at: Shown(session.last_used_at),
            expires_at: Shown(session.expires_at),
            user_agent: session.user_agent.as_deref(),
            current: session.id == actor.session(),
        }
    }
}

/// A security event.
#[derive(Serialize)]
pub(crate) struct EventJson<'a> {
    id: Shown<Uuid>,
    kind: &'static str,
    at: Shown<Timestamp>,
    address: Option<Shown<IpAddr>>,
    user_agent: Option<&'a str>,
    session_id: Option<Shown<SessionId>>,
}

impl<'a> From<&'a SecurityEvent> for EventJson<'a> {
    fn from(event: &'a SecurityEvent) -> Self {
        Self {
            id: Shown(event.id),
            kind: event.kind.as_str(),
            at: Shown(event.at),
            address: event.origin.address.map(Shown),
            user_agent: event.origin.user_agent(),
            session_id: event.session.map(Shown),
        }
    }
}
