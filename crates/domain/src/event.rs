//! Security events: what happened to an account, for its user to read.

use std::net::IpAddr;

use uuid::Uuid;

use crate::id::SessionId;
use crate::time::Timestamp;

/// The newest events that are kept of a user, failed sign-ins apart.
pub const KEPT: u64 = 400;
/// The newest failed sign-ins that are kept: an attack must not wash away what else happened.
pub const KEPT_FAILURES: u64 = 100;
/// The most characters kept of what a client calls itself.
pub const USER_AGENT_MAX_CHARS: usize = 200;

macro_rules! kinds {
    ($($(#[$meta:meta])* $kind:ident $name:literal,)+) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$meta])* $kind,)+
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// Its stable name, in answers, in the log and in the database.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// The account was made, with its first session.
    Registered "registered",
    /// Somebody gave the right password.
    SignedIn "signed-in",
    /// Somebody gave a wrong password, or the right one of a disabled account.
    SignInFailed "sign-in-failed",
    /// A session ended itself.
    SignedOut "signed-out",
    /// Another session ended this one.
    SessionEnded "session-ended",
    /// A sign-in was one session too many: this one, the oldest, ended for it.
    SessionPushedOut "session-pushed-out",
    /// All sessions were ended at once.
    AllSessionsEnded "all-sessions-ended",
    /// The password was changed by who knew it.
    PasswordChanged "password-changed",
    /// A change that needs the password was asked for with a wrong one.
    PasswordRefused "password-refused",
    /// An old refresh token came back, and its session was ended.
    RefreshTokenReused "refresh-token-reused",
    /// The administration disabled the account.
    Disabled "disabled",
    /// The administration enabled it again.
    Enabled "enabled",
    /// The administration set another password.
    PasswordSet "password-set",
}

impl EventKind {
    /// The kind of a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }

    /// Whether anybody can bring it about who knows an account's name.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::SignInFailed | Self::PasswordRefused)
    }
}

/// From where somebody acts, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The client's address; `None` for the administration.
    pub address: Option<IpAddr>,
    /// The client's own words.
    user_agent: Option<String>,
}

impl Origin {
    /// Keeps of the client's words what can be shown: no control characters, 200 characters at most.
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let shown = |text: &str| {
            let visible = text.chars().filter(|c| !c.is_control());
            visible.take(USER_AGENT_MAX_CHARS).collect()
        };
        Self {
            address: address.map(|address| address.to_canonical()),
            user_agent: user_agent.map(shown),
        }
    }

    /// What the client calls itself.
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityEvent {
    /// A `UUIDv7`: later events have greater ones.
    pub id: Uuid,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub origin: Origin,
    /// The session that began, ended, or did it.
    pub session: Option<SessionId>,
}

impl SecurityEvent {
    /// That this sign-in pushed a session out, as the `n`th one; its id comes behind this one's.
    #[must_use]
    pub fn pushing_out(&self, n: u32, session: SessionId) -> Self {
        // Among the random bits of a UUIDv7.
        let step = (u128::from(n) + 1) << 32;
        Self {
            id: Uuid::from_u128(self.id.as_u128().wrapping_add(step)),
            kind: EventKind::SessionPushedOut,
            session: Some(session),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_their_names() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(EventKind::parse("Registered"), None);
    }

    #[test]
    fn a_client_writes_no_control_characters_and_no_novel() {
        let origin = Origin::new(
            Some("::ffff:192.0.2.1".parse().unwrap()),
            Some(&format!("a\r\n\u{1b}[31m{}", "é".repeat(300))),
        );
        assert_eq!(origin.address, Some("192.0.2.1".parse().unwrap()));
        let shown = origin.user_agent().unwrap();
        assert!(shown.starts_with("a[31mé") && shown.chars().count() == 200);
        assert_eq!(Origin::new(None, None), Origin::default());
    }
}
