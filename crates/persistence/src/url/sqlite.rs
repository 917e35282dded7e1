//! `sqlite://path`.

use std::path::PathBuf;

use super::{UrlError, percent_decode, unknown};

pub fn parse(text: &str) -> Result<PathBuf, UrlError> {
    let (scheme, rest) = text.split_once(':').ok_or(UrlError::Scheme)?;
    if scheme.contains('+') {
        return Err(UrlError::Scheme);
    }
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.contains(":memory:") {
        return Err(UrlError::InMemory);
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("mode", "rwc") => {}
            ("mode", "memory") => return Err(UrlError::InMemory),
            ("mode", _) => {
                return Err(UrlError::Refused {
                    parameter: "mode",
                    reason: "the file is always read, written and created (rwc)",
                });
            }
            (key, _) => return Err(unknown(key)),
        }
    }
    let path = percent_decode(path).ok_or(UrlError::Unreadable("path"))?;
    if path.is_empty() || path.ends_with('/') {
        return Err(UrlError::Missing("file name"));
    }
    // `sqlite:///./todo.db` is how SQLAlchemy writes a relative path; nobody means the root by it.
    let path = path.strip_prefix("/./").unwrap_or(&path);
    Ok(PathBuf::from(path))
}
