//! The making of security events, and their lines in the log.

use std::sync::Arc;
use std::time::Duration;

use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_domain::{SessionId, Timestamp, UserId};
use uuid::{Builder, Uuid};

use crate::ports::{Clock, Entropy};

/// Time and randomness, and what is made of both: ids and security events.
#[derive(Clone)]
pub struct Recorder {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Recorder {
    /// From these ports.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Time since some moment of this process.
    pub(crate) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// 256 fresh random bits.
    pub(crate) fn bytes(&self) -> [u8; 32] {
        self.entropy.bytes()
    }

    /// A `UUIDv7` (RFC 9562 section 5.7) of this moment.
    pub(crate) fn uuid(&self, at: Timestamp) -> Uuid {
        let millis = u64::try_from(at.micros() / 1000).unwrap_or_default();
        let mut random = [0; 10];
        random.copy_from_slice(self.bytes().split_at(10).0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// What happens now.
    pub(crate) fn event(
        &self,
        kind: EventKind,
        origin: &Origin,
        session: Option<SessionId>,
    ) -> SecurityEvent {
        self.event_at(kind, origin, session, self.now())
    }

    /// What happens at a moment.
    pub(crate) fn event_at(
        &self,
        kind: EventKind,
        origin: &Origin,
        session: Option<SessionId>,
        at: Timestamp,
    ) -> SecurityEvent {
        SecurityEvent {
            id: self.uuid(at),
            kind,
            at,
            origin: origin.clone(),
            session,
        }
    }
}

/// A line in the log for an event that took place; `user` is nobody for a name that no account has.
pub(crate) fn log(user: Option<UserId>, event: &SecurityEvent) {
    let kind = event.kind.as_str();
    let (user_id, address) = (
        user.map(|user| user.0),
        event.origin.address.map(tracing::field::display),
    );
    let session_id = event.session.map(tracing::field::display);
    if event.kind == EventKind::RefreshTokenReused {
        tracing::warn!(event = kind, user_id, session_id, address, "security event");
    } else {
        tracing::info!(event = kind, user_id, session_id, address, "security event");
    }
}
