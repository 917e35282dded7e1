//! Conditional requests (RFC 9110 section 13): `If-Match` and `If-None-Match`.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use errand_domain::task::Expected;

use crate::problem::{Code, Problem};

/// What a header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// `*`: whatever is there.
    Any,
    /// One of these.
    Tags(Vec<Tag>),
}

/// An entity tag, without its quotes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    weak: bool,
    opaque: Vec<u8>,
}

impl Tag {
    /// What stands between the quotes, if it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.opaque).ok()
    }

    /// The version of a task that it names. Only a strong tag promises that nothing differs.
    fn version(&self) -> Option<i64> {
        let text = self.text().filter(|_| !self.weak)?;
        // In the one spelling that errand sends.
        text.parse()
            .ok()
            .filter(|version: &i64| version.to_string() == text)
    }
}

impl Condition {
    /// Whether something with this tag (without quotes) is already known to the client; weak tags count too
    /// (RFC 9110 section 13.1.2).
    pub(crate) fn knows(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|known| known.opaque == tag.as_bytes()),
        }
    }

    /// Whether one of the tags is of a kind.
    pub(crate) fn has(&self, kind: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().filter_map(Tag::text).any(kind),
        }
    }
}

/// What the client has already.
pub(crate) fn if_none_match(req: &HttpRequest) -> Result<Option<Condition>, Problem> {
    read(req, &IF_NONE_MATCH)
}

/// For which versions of a task a request is meant.
pub(crate) fn expected(req: &HttpRequest) -> Result<Expected, Problem> {
    Ok(match read(req, &IF_MATCH)? {
        // A task that is not there is an error anyway.
        None | Some(Condition::Any) => Expected::Any,
        Some(Condition::Tags(tags)) => Expected::OneOf(tags.iter().filter_map(Tag::version).collect()),
    })
}

fn read(req: &HttpRequest, name: &HeaderName) -> Result<Option<Condition>, Problem> {
    let lines: Vec<&[u8]> = req.headers().get_all(name).map(HeaderValue::as_bytes).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    // A list may be spread over several lines (RFC 9110 section 5.3).
    let condition = parse(&lines.join(&b','));
    condition.map(Some).ok_or_else(|| {
        let name = if *name == IF_MATCH {
            "If-Match"
        } else {
            "If-None-Match"
        };
        let detail = format!("{name} must be * or entity tags in double quotes with commas between");
        Problem::new(Code::BadRequest).with_detail(detail)
    })
}

fn parse(list: &[u8]) -> Option<Condition> {
    if list.trim_ascii() == b"*" {
        return Some(Condition::Any);
    }
    let mut tags = Vec::new();
    let mut rest = list;
    loop {
        // Empty elements are allowed (RFC 9110 section 5.6.1.2).
        while let [b' ' | b'\t' | b',', behind @ ..] = rest {
            rest = behind;
        }
        if rest.is_empty() {
            return (!tags.is_empty()).then_some(Condition::Tags(tags));
        }
        let (weak, quoted) = match rest.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let quoted = quoted.strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let (opaque, behind) = quoted.split_at_checked(end)?;
        if !opaque
            .iter()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))
        {
            return None;
        }
        tags.push(Tag {
            weak,
            opaque: opaque.to_owned(),
        });
        rest = behind.strip_prefix(b"\"")?.trim_ascii_start();
        if !matches!(rest, [] | [b',', ..]) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn tags(list: &str) -> Option<Vec<(bool, String)>> {
        match parse(list.as_bytes())? {
            Condition::Any => None,
            Condition::Tags(tags) => Some(
                tags.into_iter()
                    .map(|tag| (tag.weak, String::from_utf8(tag.opaque).unwrap()))
                    .collect(),
            ),
        }
    }

    #[test]
    fn lists_are_read_as_the_rfc_says() {
        let one = |weak, text: &str| (weak, text.to_owned());
        assert_eq!(parse(b"*"), Some(Condition::Any));
        assert_eq!(parse(b" * "), Some(Condition::Any));
        assert_eq!(tags("\"1\""), Some(vec![one(false, "1")]));
        assert_eq!(tags("W/\"1\""), Some(vec![one(true, "1")]));
        assert_eq!(tags("\"\""), Some(vec![one(false, "")]));
        assert_eq!(
            tags(" ,\"a,b\" ,, W/\"é\"\t,\"c\","),
            Some(vec![one(false, "a,b"), one(true, "é"), one(false, "c")])
        );
        for malformed in [
            "",
            " ",
            ",",
            "1",
            "\"1",
            "1\"",
            "\"a b\"",
            "w/\"1\"",
            "W/ \"1\"",
            "W/1",
            "\"1\" \"2\"",
            "\"1\";",
            "*, \"1\"",
            "\"1\", *",
            "**",
            "'1'",
            "\"a\u{7f}\"",
        ] {
            assert_eq!(parse(malformed.as_bytes()), None, "{malformed}");
        }
    }

    fn wanted(lines: &[&str]) -> Result<Expected, Code> {
        let request = lines.iter().fold(TestRequest::default(), |r, line| {
            r.append_header((IF_MATCH, *line))
        });
        expected(&request.to_http_request()).map_err(|problem| problem.code())
    }

    #[test]
    fn only_strong_tags_of_errands_own_spelling_are_versions() {
        assert_eq!(wanted(&[]), Ok(Expected::Any));
        assert_eq!(wanted(&["*"]), Ok(Expected::Any));
        assert_eq!(wanted(&["\"7\""]), Ok(Expected::OneOf(vec![7])));
        assert_eq!(
            wanted(&["\"7\", W/\"8\"", "\"9\""]),
            Ok(Expected::OneOf(vec![7, 9]))
        );
        for alien in [
            "\"07\"",
            "\"+7\"",
            "\" 7\"",
            "W/\"7\"",
            "\"x\"",
            "\"99999999999999999999\"",
        ] {
            let expected = wanted(&[alien]);
            assert!(
                expected == Ok(Expected::OneOf(Vec::new())) || alien.contains(' ') && expected.is_err(),
                "{alien}"
            );
        }
        assert_eq!(wanted(&["7"]), Err(Code::BadRequest));
        assert_eq!(wanted(&["*", "\"7\""]), Err(Code::BadRequest));
    }

    #[test]
    fn what_a_client_knows_may_be_weak() {
        let knows = |list: &str| parse(list.as_bytes()).unwrap().knows("7");
        assert!(knows("\"7\"") && knows("W/\"7\"") && knows("\"6\", \"7\"") && knows("*"));
        assert!(!knows("\"77\"") && !knows("W/\"6\""));
    }
}
