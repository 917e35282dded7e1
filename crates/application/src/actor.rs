//! Who is acting.

use errand_domain::{SessionId, UserId};

use crate::error::AppError;

/// A user whose token was verified. Only [`crate::sessions::SessionService::authenticate`] makes one, so that
/// an owner can come from nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    user: UserId,
    session: SessionId,
}

impl Actor {
    pub(crate) fn new(user: UserId, session: SessionId) -> Self {
        Self { user, session }
    }

    /// The tenant.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The session that the token belongs to.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Fails unless a path segment is this user's id, as text: `01` and `abc` are somebody else.
    pub fn check_path(&self, segment: &str) -> Result<(), AppError> {
        if self.user.to_string() == segment {
            Ok(())
        } else {
            Err(AppError::WrongUser)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_compared_as_text() {
        let actor = Actor::new(UserId(1), SessionId(uuid::Uuid::nil()));
        assert!(actor.check_path("1").is_ok());
        for other in ["2", "01", "+1", "1 ", "", "abc", "１"] {
            assert!(
                matches!(actor.check_path(other), Err(AppError::WrongUser)),
                "{other}"
            );
        }
    }
}
