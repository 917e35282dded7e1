//! What the texts of settings may be. Each fails with what would be right.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use errand_persistence::DatabaseUrl;
use ipnet::IpNet;
use url::Url;

type Parsed<T> = Result<T, String>;

/// Decimal digits, nothing else.
pub fn number<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Parsed<T>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    move |text| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = text
            .parse()
            .ok()
            .filter(|number| digits && range.contains(number));
        number.ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
    }
}

/// `15m`: a number with a unit.
pub fn duration(least: Duration, most: Duration) -> impl Fn(&str) -> Parsed<Duration> {
    move |text| {
        let parse = || {
            let split = text.find(|c: char| !c.is_ascii_digit())?;
            let (digits, unit) = text.split_at_checked(split)?;
            let count: u64 = digits.parse().ok()?;
            let seconds = match unit {
                "s" => count,
                "m" => count.checked_mul(60)?,
                "h" => count.checked_mul(3600)?,
                _ => return None,
            };
            Some(Duration::from_secs(seconds)).filter(|value| (least..=most).contains(value))
        };
        parse().ok_or_else(|| {
            format!(
                "must be a time from {}s to {}s, such as 30s, 15m or 1h",
                least.as_secs(),
                most.as_secs()
            )
        })
    }
}

pub fn boolean(text: &str) -> Parsed<bool> {
    one_of(&[("true", true), ("false", false)])(text)
}

pub fn one_of<T: Copy>(choices: &[(&'static str, T)]) -> impl Fn(&str) -> Parsed<T> {
    move |text| {
        let found = choices.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}

/// An address or a name that resolves to one; which it is shows when it is bound.
pub fn host(text: &str) -> Parsed<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("must be an IP address or a host name, such as 127.0.0.1 or 0.0.0.0".to_owned())
    }
}

pub fn path(text: &str) -> Parsed<PathBuf> {
    if text.contains('\0') {
        return Err("must be a path".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// A name that goes into tokens.
pub fn name(text: &str) -> Parsed<String> {
    if text.len() <= 200 && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("must have at most 200 bytes and no control characters".to_owned())
    }
}

/// A network in CIDR notation (RFC 4632), or one address.
pub fn network(text: &str) -> Parsed<IpNet> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    match text.parse::<IpNet>().or_else(|_| address()) {
        Ok(network) if network.trunc() == network => Ok(network),
        // A slip: which is meant?
        Ok(network) => Err(format!(
            "must not have bits of an address behind its prefix: the network is {}, the address {}",
            network.trunc(),
            network.addr()
        )),
        Err(_) => Err("must be a network such as 10.0.0.0/8 or 2001:db8::/32, or an address".to_owned()),
    }
}

/// An origin as a browser sends it (RFC 6454 section 6.2), so that comparing bytes is right.
pub fn origin(text: &str) -> Parsed<String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    match url.map(|url| url.origin().ascii_serialization()) {
        Some(origin) if origin == text && !text.contains('*') => Ok(origin),
        Some(origin) if origin != "null" && !text.contains(['@', '*']) => {
            Err(format!("must be written as browsers send it: {origin}"))
        }
        _ => Err(
            "must be an origin such as https://app.example.com; \"*\" and \"null\" are not allowed"
                .to_owned(),
        ),
    }
}

pub fn database(text: &str) -> Parsed<DatabaseUrl> {
    DatabaseUrl::parse(text).map_err(|error| error.to_string())
}

pub fn postgres(text: &str) -> Parsed<DatabaseUrl> {
    let url = database(text)?;
    if url.sqlite_path().is_some() {
        return Err("must be a PostgreSQL URL; SQLite has no second way".to_owned());
    }
    Ok(url)
}
