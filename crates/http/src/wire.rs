//! What several resources put on the wire.

use std::fmt::Display;

use serde::{Serialize, Serializer};

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
