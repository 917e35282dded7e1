//! Checks and case folding for text.

use icu_casemap::CaseMapper;

use crate::fault::Fault;

/// Refuses NUL and the other control characters but tab and line breaks (contract section 3).
pub fn check_controls(text: &str) -> Result<(), Fault> {
    let bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    if text.chars().any(bad) {
        return Err(Fault::new(
            "control-character",
            "must not contain control characters other than tab and line breaks",
        ));
    }
    Ok(())
}

/// Full case folding (Unicode chapter 3.13, default, no Turkic rules): texts that differ only in case fold to
/// the same bytes. It is done here and not in SQL, so that both databases agree.
pub fn fold(text: &str) -> String {
    CaseMapper::new().fold_string(text).into_owned()
}

/// Fails unless `text` has `min` to `max` characters (code points).
pub fn check_length(text: &str, min: usize, max: usize) -> Result<(), Fault> {
    let count = text.chars().count();
    let phrase = || {
        if min == 0 {
            format!("must have at most {max} characters")
        } else {
            format!("must have {min} to {max} characters")
        }
    };
    match count {
        n if n < min => Err(Fault::new("too-short", phrase())),
        n if n > max => Err(Fault::new("too-long", phrase())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_knows_unicode() {
        assert_eq!(fold("Straße"), fold("STRASSE"));
        assert_eq!(fold("ΟΔΟΣ"), fold("οδος"));
        assert_eq!(fold("Ünder"), "ünder");
        assert_ne!(fold("josé"), fold("jose"));
    }

    #[test]
    fn control_characters() {
        assert!(check_controls("a\tb\r\nc").is_ok());
        for bad in ["\0", "a\u{1}", "\u{7f}", "\u{85}", "\u{1f}"] {
            assert_eq!(check_controls(bad).unwrap_err().code, "control-character");
        }
    }
}
