//! What is wrong with a value, in words for the person who sent it.

use std::borrow::Cow;

/// One thing wrong with one value. `code` is stable and kebab-case, `detail` continues the field's name:
/// "must have 1 to 200 characters".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    /// Stable, kebab-case: `too-long`, `wrong-type`, …
    pub code: &'static str,
    /// A phrase without a subject, to stand behind the field's name.
    pub detail: Cow<'static, str>,
}

impl Fault {
    /// A fault with its stable code and its phrase.
    pub fn new(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

/// A [`Fault`] and the field that has it, by its name on the wire (`due_date`, or `tags/3` for an element).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// The field's name; `/` leads into an array.
    pub field: Cow<'static, str>,
    /// What is wrong with it.
    pub fault: Fault,
}

impl FieldFault {
    /// Names the field of a fault.
    pub fn new(field: impl Into<Cow<'static, str>>, fault: Fault) -> Self {
        Self {
            field: field.into(),
            fault,
        }
    }
}
