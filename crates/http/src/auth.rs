//! Who sends a request: the access token in its one `Authorization` header.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use errand_application::Actor;

use crate::context::Services;
use crate::problem::{Code, Problem};

/// The longest access token that is looked at.
const TOKEN_MAX: usize = 4096;

/// The verified sender. Tokens anywhere but in the header do not count.
pub(crate) async fn authenticate(headers: &HeaderMap, services: &Services) -> Result<Actor, Problem> {
    let token = bearer(headers)?;
    Ok(services.sessions.authenticate(token).await?)
}

/// The token of `Authorization: Bearer <token>` (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION);
    let value = values.next().ok_or_else(|| Problem::new(Code::InvalidToken))?;
    if values.next().is_some() {
        return Err(Problem::refused_token());
    }
    let value = value.to_str().map_err(|_| Problem::refused_token())?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::new(Code::InvalidToken));
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if (1..=TOKEN_MAX).contains(&token.len()) && token.bytes().all(allowed) {
        Ok(token)
    } else {
        Err(Problem::refused_token())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn read(values: &[&str]) -> Option<String> {
        let request = values.iter().fold(TestRequest::get(), |request, value| {
            request.append_header((AUTHORIZATION, *value))
        });
        bearer(request.to_http_request().headers())
            .ok()
            .map(str::to_owned)
    }

    #[test]
    fn one_header_one_scheme_one_blank() {
        for good in ["Bearer a.b-c_d", "bearer a.b-c_d", "BEARER a.b-c_d"] {
            assert_eq!(read(&[good]).as_deref(), Some("a.b-c_d"), "{good}");
        }
        let long = format!("Bearer {}", "a".repeat(TOKEN_MAX + 1));
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer  a",
            "Bearer a ",
            "Bearer a b",
            "Bearer a,b",
            "Bearer a, Bearer b",
            "Bearer\ta",
            "Basic YTpi",
            "a",
            "Token a",
            "Bearer ä",
            &long,
        ] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&["Bearer a", "Bearer a"]), None);
    }
}
