//! What a human who starts errand on a terminal is told.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

/// Prints where errand listens and a first walk, if stdout is a terminal.
pub fn show(address: SocketAddr) {
    let mut out = std::io::stdout();
    if out.is_terminal() {
        // A terminal that went away is no reason to stop.
        drop(out.write_all(text(address).as_bytes()));
    }
}

fn text(address: SocketAddr) -> String {
    // "Everywhere" is no address to go to.
    let base = if address.ip().is_unspecified() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    };
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"
errand {version} listens on {base} (Ctrl-C stops it). A first walk, in another terminal:

  B={base}
  # register
  GRANT=$(curl -s $B/api/auth/register -H 'content-type: application/json' \
    -d '{{"email":"ann@example.com","password":"correct horse battery staple"}}')
  TOKEN=$(echo "$GRANT" | sed 's/.*"access_token":"\([^"]*\)".*/\1/'); ID=$(echo "$GRANT" | sed 's/.*"user_id":"\([^"]*\)".*/\1/')
  # create, list, complete
  curl -s $B/api/$ID/tasks -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '{{"title":"Write the plan"}}'
  curl -s $B/api/$ID/tasks -H "authorization: Bearer $TOKEN"
  curl -s -X PATCH $B/api/$ID/tasks/1/complete -H "authorization: Bearer $TOKEN"

"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_goes_to_an_address_that_can_be_reached() {
        assert!(text("0.0.0.0:80".parse().unwrap()).contains("B=http://localhost:80\n"));
        assert!(text("[::1]:8000".parse().unwrap()).contains("B=http://[::1]:8000\n"));
    }
}
