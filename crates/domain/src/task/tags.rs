//! The labels of a task.

use crate::fault::{Fault, FieldFault};
use crate::text::{check_controls, check_length, fold};

/// The most tags of a task.
pub const TAGS_MAX: usize = 20;
/// The most characters of a tag.
pub const TAG_MAX_CHARS: usize = 50;

/// Up to 20 labels of 1 to 50 characters, in the order given, none twice without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(Vec<String>);

impl Tags {
    /// From single tags: each trimmed and checked, later duplicates dropped. All faults are reported, each at
    /// `tags/<index>`. A comma is refused: it separates tags wherever they are written in one text.
    pub fn from_items<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Self, Vec<FieldFault>> {
        let mut tags: Vec<String> = Vec::new();
        let mut keys: Vec<String> = Vec::new();
        let mut faults = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let tag = item.trim();
            let key = fold(tag);
            match check(tag) {
                Err(fault) => faults.push(FieldFault::new(format!("tags/{index}"), fault)),
                Ok(()) if keys.contains(&key) => {}
                Ok(()) if tags.len() == TAGS_MAX => {
                    let many = Fault::new("too-many", format!("must have at most {TAGS_MAX} tags"));
                    faults.push(FieldFault::new("tags", many));
                    break;
                }
                Ok(()) => {
                    tags.push(tag.to_owned());
                    keys.push(key);
                }
            }
        }
        if faults.is_empty() {
            Ok(Self(tags))
        } else {
            Err(faults)
        }
    }

    /// From one text with commas between the tags; empty pieces are skipped.
    pub fn from_list(text: &str) -> Result<Self, Vec<FieldFault>> {
        Self::from_items(text.split(',').filter(|piece| !piece.trim().is_empty())).map_err(|faults| {
            // A piece has no place of its own on the wire.
            faults
                .into_iter()
                .map(|f| FieldFault::new("tags", f.fault))
                .collect()
        })
    }

    /// The tags in order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// The tags for comparing: folded.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|t| fold(t))
    }
}

fn check(tag: &str) -> Result<(), Fault> {
    check_controls(tag)?;
    if tag.contains(',') {
        return Err(Fault::new("invalid-tag", "must not contain a comma"));
    }
    check_length(tag, 1, TAG_MAX_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_and_list_agree() {
        let a = Tags::from_items([" work", "Plan", "WORK"]).unwrap();
        assert_eq!(a.as_slice(), ["work", "Plan"]);
        assert_eq!(Tags::from_list("work,,Plan , Work,").unwrap(), a);
        assert_eq!(Tags::from_list("").unwrap(), Tags::default());
    }

    #[test]
    fn every_fault_is_named() {
        let faults = Tags::from_items(["ok", "", "a,b", &"x".repeat(51)]).unwrap_err();
        let places: Vec<_> = faults.iter().map(|f| f.field.as_ref()).collect();
        assert_eq!(places, ["tags/1", "tags/2", "tags/3"]);
        let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
        assert_eq!(
            Tags::from_items(many.iter().map(String::as_str)).unwrap_err()[0]
                .fault
                .code,
            "too-many"
        );
        assert!(Tags::from_items(many.iter().map(|_| "same")).is_ok());
    }
}
