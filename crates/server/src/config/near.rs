//! Names that are no settings: what was meant by them, and whose else they may be.

use super::keys::{ALL, Key};

/// What all variables of errand begin with.
const PREFIX: &str = "ERRAND_";
/// Of errand and no settings: the file's name, what is imported, and what the project's own chores and tests read.
const OWN: &[&str] = &["CONFIG", "SOURCE_URL", "PG_BIN", "ATTACKS"];
const OF_TESTS: &str = "TEST";

/// Whether a variable looks like errand's, and nobody else is known to make such.
pub fn is_claimed(name: &str, value: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| {
        !OWN.contains(&rest) && !rest.starts_with(OF_TESTS) && !is_of_a_service(rest, value)
    })
}

/// What Kubernetes tells every container of a service whose name begins with "errand": where it is.
fn is_of_a_service(rest: &str, value: &str) -> bool {
    let port = |(_, after): (&str, &str)| {
        let mut parts = after.split('_');
        let number = parts.next().unwrap_or_default();
        number.parse::<u16>().is_ok() && matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"))
    };
    // Of a service "errand" nothing stands before it.
    let rest = format!("_{rest}");
    rest.ends_with("_SERVICE_HOST")
        || rest.ends_with("_SERVICE_PORT")
        || rest.contains("_SERVICE_PORT_")
        || rest.ends_with("_PORT") && value.contains("://")
        || rest.split_once("_PORT_").is_some_and(port)
}

/// The end of the sentence that begins with the name of a variable that is no setting.
pub fn variable(name: &str) -> String {
    let written = plain(name);
    let written = written.strip_prefix("ERRAND").unwrap_or(&written);
    told(nearest(written).map(Key::preferred_variable))
}

/// The same for a key in the file.
pub fn path(name: &str) -> String {
    told(nearest(&plain(name)).map(|key| key.path.to_owned()))
}

fn told(meant: Option<String>) -> String {
    let meant = meant.map(|name| format!("; did you mean {name}?"));
    format!("is not a setting of errand{}", meant.unwrap_or_default())
}

/// What is left of a name without case and separators, of which there is always one too many or too few.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_uppercase()).collect()
}

fn nearest(written: &str) -> Option<&'static Key> {
    let near = ALL.iter().filter_map(|key| {
        // Some leave the section out.
        let last = key.path.rsplit('.').next();
        let names = [Some(key.path), key.alias, last];
        let names = names.into_iter().flatten().map(plain);
        let distances = names.filter_map(|name| {
            let distance = strsim::levenshtein(written, &name);
            (distance <= 2.min(name.len() / 4)).then_some(distance)
        });
        Some((distances.min()?, key))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        for (written, meant) in [
            ("ERRAND_LIMITS__TASKS_PER_USER", "ERRAND__LIMITS__TASKS_PER_USER"),
            ("ERRAND__LIMITS_TASKS_PER_USER", "ERRAND__LIMITS__TASKS_PER_USER"),
            ("ERRAND__TASKS_PER_USER", "ERRAND__LIMITS__TASKS_PER_USER"),
            ("ERRAND__log__level", "ERRAND__LOG__LEVEL"),
            ("ERRAND__LOG__LEVLE", "ERRAND__LOG__LEVEL"),
            ("ERRAND_DATABASE_URL", "DATABASE_URL"),
            ("ERRAND_JWT_SECRET", "JWT_SECRET"),
            ("ERRAND_PORT", "PORT"),
        ] {
            let told = format!("is not a setting of errand; did you mean {meant}?");
            assert_eq!(variable(written), told);
        }
        for strange in ["ERRAND__", "ERRAND__NO__SUCH", "ERRAND_IMAGE", "ERRAND__COLOUR"] {
            assert_eq!(variable(strange), "is not a setting of errand");
        }
        assert_eq!(
            path("server.prot"),
            "is not a setting of errand; did you mean server.port?"
        );
        assert_eq!(
            path("port"),
            "is not a setting of errand; did you mean server.port?"
        );
    }
}
