//! How the settings and a database, or the way to it, do not fit together.

use crate::preflight::Mixed;

/// Whoever went on would see nothing, or would trust in a lock that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// Policies without the setting: every table would look empty.
    #[error(
        "database.row_level_security is false, but the database has row-level security on: set it to true and \
         use the role that \"errand migrate up --app-role\" prepared"
    )]
    Unasked,
    /// The setting without policies.
    #[error(
        "database.row_level_security is true, but the database does not hold every role to it on {0}: run \
         \"errand migrate up --app-role NAME\" as the owner of the tables"
    )]
    Unguarded(String),
    /// A role that policies do not hold.
    #[error(
        "database.row_level_security is true, but the role in DATABASE_URL is above it (superuser or BYPASSRLS): \
         use the role that \"errand migrate up --app-role\" prepared"
    )]
    Bypassed,
    /// Somebody else's policies, which open what errand's close.
    #[error(
        "database.row_level_security is true, but policies that are not errand's let the role in DATABASE_URL \
         see more ({0}): drop them or keep them from it"
    )]
    Opened(String),
    /// Answers that may be another question's.
    #[error(transparent)]
    Mixed(#[from] Mixed),
    /// A role that may not do errand's work, with or without the setting.
    #[error("the role in DATABASE_URL lacks {0}: use the role that may, or GRANT it these")]
    Powerless(String),
}
