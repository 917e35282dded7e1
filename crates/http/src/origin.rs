//! From where a request comes: the peer, or what a proxy in front says of it.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{
    HeaderMap, HeaderName, HeaderValue, USER_AGENT, X_FORWARDED_FOR, X_FORWARDED_PROTO,
};
use actix_web::web::Data;
use errand_domain::event::Origin;
use ipnet::IpNet;

use crate::context::Settings;

/// The client's address and what it calls itself.
pub(crate) fn origin(req: &HttpRequest) -> Origin {
    let agent = req.headers().get(USER_AGENT);
    let agent = agent.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let peer = req.peer_addr().map(|peer| peer.ip());
    let address = client(peer, req.headers(), trusted(req.app_data()));
    Origin::new(address, agent.as_deref())
}

/// Whether a proxy in front says that the client came by TLS.
pub(crate) fn is_secure(peer: Option<SocketAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> bool {
    let is_proxy = peer.is_some_and(|peer| is_in(peer.ip(), trusted));
    is_proxy && values(headers, X_FORWARDED_PROTO).next_back() == Some(Some("https"))
}

/// The proxies that are believed.
pub(crate) fn trusted(settings: Option<&Data<Settings>>) -> &[IpNet] {
    settings.map_or(&[], |settings| &settings.trusted_proxies)
}

/// Every proxy adds at the end whom it was asked by: the last address that is no proxy of ours was seen by one of
/// ours. What stands before it anybody can have written.
fn client(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut known = peer?.to_canonical();
    let mut hops = values(headers, X_FORWARDED_FOR).rev();
    while is_in(known, trusted) {
        match hops.next().flatten().and_then(parse) {
            Some(address) => known = address,
            None => break,
        }
    }
    Some(known)
}

/// The parts of a list that may be spread over several headers, in order (RFC 9110 section 5.3). One that is no
/// text says nothing, and takes nothing from what the proxy wrote behind it.
fn values(headers: &HeaderMap, name: HeaderName) -> std::vec::IntoIter<Option<&str>> {
    let lists = headers.get_all(name).map(HeaderValue::as_bytes);
    let parts = lists.flat_map(|list| list.split(|byte| *byte == b','));
    let texts: Vec<_> = parts
        .map(|part| std::str::from_utf8(part).ok().map(str::trim))
        .collect();
    texts.into_iter()
}

/// An address; some proxies write the port too.
fn parse(text: &str) -> Option<IpAddr> {
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    let address = plain.parse().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

fn is_in(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    /// The client that is found behind 127.0.0.1.
    fn seen(trusted: &[&str], forwarded: &[&str]) -> String {
        let request = forwarded
            .iter()
            .fold(TestRequest::get(), |r, v| r.append_header((X_FORWARDED_FOR, *v)));
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let peer = Some("::ffff:127.0.0.1".parse().unwrap());
        client(peer, request.to_http_request().headers(), &trusted)
            .unwrap()
            .to_string()
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed() {
        assert_eq!(seen(&[], &["203.0.113.7"]), "127.0.0.1");
        assert_eq!(seen(&["10.0.0.0/8"], &["203.0.113.7"]), "127.0.0.1");
        let ours = &["127.0.0.0/8", "10.0.0.0/8"];
        assert_eq!(seen(ours, &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(seen(ours, &[]), "127.0.0.1");
    }

    #[test]
    fn the_last_address_that_is_none_of_ours_is_the_client() {
        let ours = &["127.0.0.0/8", "10.0.0.0/8"];
        assert_eq!(seen(ours, &["1.1.1.1, 203.0.113.7, 10.0.0.3"]), "203.0.113.7");
        assert_eq!(seen(ours, &["1.1.1.1", "203.0.113.7,10.0.0.3"]), "203.0.113.7");
        assert_eq!(seen(ours, &["10.1.1.1, 10.0.0.3"]), "10.1.1.1");
        assert_eq!(seen(ours, &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(seen(ours, &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(seen(ours, &["203.0.113.7:80"]), "203.0.113.7");
        assert_eq!(seen(ours, &["203.0.113.7, nonsense, 10.0.0.3"]), "10.0.0.3");
        assert_eq!(seen(ours, &["203.0.113.7, "]), "127.0.0.1");
        // What the client wrote takes nothing from what the proxy added.
        let wild = HeaderValue::from_bytes(b"\xe9, 203.0.113.7").unwrap();
        let request = TestRequest::get().insert_header((X_FORWARDED_FOR, wild));
        let peer = Some("127.0.0.1".parse().unwrap());
        let trusted = ["127.0.0.0/8".parse().unwrap()];
        let found = client(peer, request.to_http_request().headers(), &trusted);
        assert_eq!(found, Some("203.0.113.7".parse().unwrap()));
    }

    #[test]
    fn tls_is_what_the_nearest_proxy_says() {
        let secure = |peer: &str, proto: &str| {
            let request = TestRequest::get().insert_header((X_FORWARDED_PROTO, proto));
            let trusted = ["127.0.0.0/8".parse().unwrap()];
            let headers = request.to_http_request().headers().clone();
            is_secure(Some(peer.parse().unwrap()), &headers, &trusted)
        };
        assert!(secure("127.0.0.1:1", "https"));
        assert!(secure("127.0.0.1:1", "http, https"));
        assert!(!secure("127.0.0.1:1", "https, http"));
        assert!(!secure("192.0.2.1:1", "https"));
    }
}
