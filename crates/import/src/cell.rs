//! A cell of a source, as it is stored.

use aws_lc_rs::digest::Context;
use serde_json::Value;

/// The most bytes (SQLite) of a cell that are read. No text that errand can hold is longer.
pub(crate) const CELL_BYTES: usize = 65_536;
/// The most characters (PostgreSQL) of a cell that are read.
pub(crate) const CELL_CHARS: usize = 16_384;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Text),
    Blob(Vec<u8>),
}

/// A text as found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text {
    pub body: String,
    /// It is longer than what is read of a cell.
    pub is_cut: bool,
    /// Some bytes were none in the source's encoding and are U+FFFD.
    pub is_lossy: bool,
}

/// How a SQLite database stores texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

impl Text {
    pub fn decode(bytes: &[u8], encoding: Encoding, is_cut: bool) -> Self {
        let pairs = |order: fn([u8; 2]) -> u16| {
            let units: Vec<u16> = bytes
                .chunks_exact(2)
                .filter_map(|pair| Some(order(pair.try_into().ok()?)))
                .collect();
            let text = String::from_utf16(&units);
            let is_lossy = text.is_err();
            (
                text.unwrap_or_else(|_| String::from_utf16_lossy(&units)),
                is_lossy,
            )
        };
        let (text, is_lossy) = match encoding {
            Encoding::Utf8 => {
                let text = String::from_utf8_lossy(bytes);
                let is_lossy = matches!(text, std::borrow::Cow::Owned(_));
                (text.into_owned(), is_lossy)
            }
            Encoding::Utf16Le => pairs(u16::from_le_bytes),
            Encoding::Utf16Be => pairs(u16::from_be_bytes),
        };
        Self {
            body: text,
            is_cut,
            is_lossy: is_lossy && !is_cut,
        }
    }
}

impl Cell {
    /// As a text, whatever it is stored as; `None` for NULL.
    pub fn text(&self) -> Option<Text> {
        let plain = |body: String| Text {
            body,
            ..Text::default()
        };
        match self {
            Self::Null => None,
            Self::Integer(number) => Some(plain(number.to_string())),
            Self::Real(number) => Some(plain(number.to_string())),
            Self::Text(text) => Some(text.clone()),
            // A text that was bound as bytes; a UUID's 16 bytes are hexadecimal digits, as elsewhere.
            Self::Blob(bytes) if bytes.len() == 16 => Some(plain(hex(bytes))),
            Self::Blob(bytes) => Some(Text::decode(bytes, Encoding::Utf8, false)),
        }
    }

    /// Whether there is more of it than was read.
    pub fn is_cut(&self) -> bool {
        match self {
            Self::Text(text) => text.is_cut,
            _ => false,
        }
    }

    /// For a receipt.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => (*number).into(),
            Self::Real(number) => (*number).into(),
            Self::Text(_) | Self::Blob(_) => {
                let text = self.text().unwrap_or_default();
                let mut shown: String = text.body.chars().take(CELL_CHARS).collect();
                if text.is_cut {
                    shown.push('…');
                }
                shown.into()
            }
        }
    }

    /// Feeds a hash, so that no two different cells feed the same.
    pub fn feed(&self, hash: &mut Context) {
        let (tag, bytes): (u8, &[u8]) = match self {
            Self::Null => (0, &[]),
            Self::Integer(number) => (1, &number.to_be_bytes()),
            Self::Real(number) => (2, &number.to_be_bytes()),
            Self::Text(text) => (3, text.body.as_bytes()),
            Self::Blob(bytes) => (4, bytes),
        };
        hash.update(&[tag]);
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
}

/// Hexadecimal digits, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
