//! What comes out of a source: values that errand can hold, and what was done to make them so.

use errand_domain::account::{Email, PasswordHash, Username};
use errand_domain::task::{Description, Due, Priority, Recurrence, Tags, TimeZone, Title};
use errand_domain::{TaskId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

pub use crate::adapt::Found;

/// The key of a row in the source, in one canonical text: an integer in decimal, a UUID as in the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceKey(pub String);

/// SHA-256 over the cells of a row as they are in the source: differs if and only if the row changed there.
pub type RowHash = [u8; 32];

/// A user to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingUser {
    /// Its key in the source.
    pub key: SourceKey,
    /// The key, if it is a positive integer.
    pub id: Option<UserId>,
    /// Unique within the source, without regard to case.
    pub username: Username,
    /// Unique within the source, without regard to case.
    pub email: Email,
    /// What the user signs in with.
    pub password: IncomingPassword,
    /// When the account was made; the start of 1970 if the source does not say.
    pub created_at: Timestamp,
    /// When it last changed; `created_at` if the source does not say.
    pub updated_at: Timestamp,
    /// Of the row in the source, the password's cell included.
    pub row_hash: RowHash,
}

/// What became of a stored password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncomingPassword {
    /// A hash that errand can verify: bcrypt, or Better Auth's scrypt.
    Hash(PasswordHash),
    /// The user comes in, and cannot sign in until the administration sets a password.
    None(NoPassword),
}

/// Why a user comes in without a usable password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoPassword {
    /// There is none: it signs in by a third party, or the cell is empty.
    Absent,
    /// It is no hash: plain text, `hashed_…`, or a scheme that errand does not know.
    NotAHash,
    /// The account is disabled in the source.
    Disabled,
}

/// A task to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingTask {
    /// Its key in the source.
    pub key: SourceKey,
    /// The key of its owner in the source.
    pub owner: SourceKey,
    /// The key, if it is a positive integer.
    pub id: Option<TaskId>,
    /// What is to be done.
    pub title: Title,
    /// More about it.
    pub description: Option<Description>,
    /// When it was done; `None` while it is open.
    pub completed_at: Option<Timestamp>,
    /// How urgent.
    pub priority: Priority,
    /// By when.
    pub due: Option<Due>,
    /// Labels.
    pub tags: Tags,
    /// How it repeats; fits the due date and the zone, and a task that is done has none.
    pub recurrence: Option<Recurrence>,
    /// Where a due time keeps its time of day when the task repeats.
    pub time_zone: Option<TimeZone>,
    /// When it was made; the start of 1970 if the source does not say.
    pub created_at: Timestamp,
    /// When it last changed; `created_at` if the source does not say.
    pub updated_at: Timestamp,
    /// Of the row in the source.
    pub row_hash: RowHash,
}

/// What became of one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Adapted<T> {
    /// It can come in.
    Imported {
        /// As errand holds it.
        value: T,
        /// What is not as it was.
        findings: Vec<Finding>,
        /// The row as found.
        row: Found,
    },
    /// It cannot, and is kept in the receipt.
    Quarantined {
        /// Its key in the source.
        key: SourceKey,
        /// Of a task: the key of its owner as the row has it, if it has one.
        owner: Option<SourceKey>,
        /// Why.
        why: Finding,
        /// The row as found, long texts cut; passwords left out.
        row: serde_json::Value,
    },
}

/// What was done to one value, or why a row stays outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The table in the source.
    pub table: String,
    /// The row's key there.
    pub key: SourceKey,
    /// The column there, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<String>,
    /// What happened.
    pub rule: Rule,
    /// The value as found, cut to a few words; never a secret.
    pub was: String,
    /// What it became, or what it clashes with.
    pub now: String,
}

macro_rules! rules {
    ($($(#[$meta:meta])* $rule:ident $code:literal,)+) => {
        /// By which rule a value was adapted or a row quarantined.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Rule {
            $($(#[$meta])* #[serde(rename = $code)] $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$rule),+];

            /// Its stable name in receipts and reports.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$rule => $code,)+
                }
            }
        }
    };
}

rules! {
    /// Control characters, NUL among them, became U+FFFD.
    ControlCharacters "control-characters",
    /// Bytes that are no text in the source's encoding became U+FFFD.
    InvalidText "invalid-text",
    /// The title was cut to 200 characters; the whole of it stands before the description.
    TitleShortened "title-shortened",
    /// There was no title.
    TitleEmpty "title-empty",
    /// What says whether it is done was not understood; the task is open.
    CompletedUnknown "completed-unknown",
    /// A level that errand does not have became its nearest.
    PriorityAdapted "priority-adapted",
    /// The priority was not understood and is Medium.
    PriorityUnknown "priority-unknown",
    /// The due date was not understood; the task has none.
    DueUnknown "due-unknown",
    /// A point in time was not understood.
    TimeUnknown "time-unknown",
    /// A tag that does not fit was cut to 50 characters, or split at its commas.
    TagAdapted "tag-adapted",
    /// Tags beyond the 20th stayed outside.
    TagsDropped "tags-dropped",
    /// The recurrence was not understood; the task does not repeat.
    RecurrenceUnknown "recurrence-unknown",
    /// The recurrence needs a due date, or one of another kind; the task does not repeat.
    RecurrenceUnfit "recurrence-unfit",
    /// A task that is done does not repeat.
    RecurrenceOfDone "recurrence-of-done",
    /// The time zone does not exist.
    TimeZoneUnknown "time-zone-unknown",
    /// The user name was changed so that it fits, or made from the e-mail address.
    UsernameAdapted "username-adapted",
    /// Somebody else has the user name already; a number was put behind it.
    UsernameClash "username-clash",
    /// The user cannot sign in until a password is set.
    PasswordUnusable "password-unusable",
    /// The account is disabled in the source: it comes in without a password.
    AccountDisabled "account-disabled",
    /// Quarantined: the key is empty, too long to be remembered, or has what no text has.
    KeyUnusable "key-unusable",
    /// Quarantined: the address is none.
    EmailInvalid "email-invalid",
    /// Quarantined: another user has the same address but for case.
    EmailClash "email-clash",
    /// Quarantined: the owner does not exist.
    Orphan "orphan",
    /// Quarantined: the owner is quarantined.
    OwnerQuarantined "owner-quarantined",
    /// Quarantined: the row was deleted in the source, which keeps such rows.
    DeletedAtSource "deleted-at-source",
    /// Quarantined: a text is longer than errand can keep, wherever it would be put.
    TooLong "too-long",
}
