//! Whether a signing secret is one.

/// The fewest bytes of a key for HS256 (RFC 7518 section 3.2).
pub const SECRET_MIN_BYTES: usize = 32;
/// 32 random bytes show 28 different ones or so, 32 random hex digits 14, 32 random decimals 10 of 10.
const MIN_DIFFERENT_BYTES: usize = 10;
/// What must be left of a secret without separators and the words that people write into secrets.
const MIN_BESIDES_WORDS: usize = 20;

/// Why a secret is refused. Says nothing of the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Fewer than [`SECRET_MIN_BYTES`].
    #[error("must have at least {SECRET_MIN_BYTES} bytes")]
    TooShort,
    /// One pattern over and over, or a row of the alphabet or the keyboard.
    #[error("must be random, not a repetition or a sequence")]
    Predictable,
    /// Few different bytes.
    #[error("must be random: it consists of fewer than {MIN_DIFFERENT_BYTES} different characters")]
    Monotonous,
    /// Published in documentation, or made of the words that stand there.
    #[error("must be random, not a published example or a placeholder")]
    WellKnown,
}

/// Refuses secrets that somebody else may guess: too short, predictable, or out of a manual.
pub fn check_secret(secret: &[u8]) -> Result<(), WeakSecret> {
    if secret.len() < SECRET_MIN_BYTES {
        return Err(WeakSecret::TooShort);
    }
    let text = plain(secret);
    if is_published(&text) {
        return Err(WeakSecret::WellKnown);
    }
    if repeats(secret) || is_a_row(secret) {
        return Err(WeakSecret::Predictable);
    }
    let mut different = secret.to_vec();
    different.sort_unstable();
    different.dedup();
    if different.len() < MIN_DIFFERENT_BYTES {
        return Err(WeakSecret::Monotonous);
    }
    if secret.len() - separators(secret) - bytes_in_words(text) < MIN_BESIDES_WORDS {
        return Err(WeakSecret::WellKnown);
    }
    Ok(())
}

/// How many bytes stand between words. People use one or two kinds of them; many kinds are randomness.
fn separators(secret: &[u8]) -> usize {
    let is_separator = |b: &&u8| b.is_ascii_punctuation() || **b == b' ';
    let mut kinds: Vec<u8> = secret.iter().filter(is_separator).copied().collect();
    let count = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() <= 3 { count } else { 0 }
}

/// Letters and digits only, in lower case: `Change-Me!` is `changeme`.
fn plain(secret: &[u8]) -> String {
    let kept = secret.iter().filter(|b| b.is_ascii_alphanumeric());
    kept.map(|b| char::from(b.to_ascii_lowercase())).collect()
}

/// Whether the secret is one pattern over and over, at least twice.
fn repeats(secret: &[u8]) -> bool {
    (1..=secret.len() / 2).any(|period| {
        let shifted = secret.iter().skip(period);
        secret.iter().zip(shifted).all(|(a, b)| a == b)
    })
}

/// Whether most bytes are next to the byte before them: `0123…`, `abcd…`, `zyxw…`, `aaaabbbb…`.
fn is_a_row(secret: &[u8]) -> bool {
    let near = secret.iter().zip(secret.iter().skip(1));
    near.filter(|(a, b)| a.abs_diff(**b) <= 1).count() > secret.len() / 2
}

fn is_published(text: &str) -> bool {
    PUBLISHED.iter().any(|known| text.contains(known))
}

fn bytes_in_words(text: String) -> usize {
    let whole = text.len();
    let rest = WORDS.iter().fold(text, |text, word| text.replace(word, ""));
    whole - rest.len()
}

/// Keys out of tutorials and templates, and beginnings that only placeholders have. As [`plain`] shows them.
const PUBLISHED: &[&str] = &[
    // FastAPI's tutorial "OAuth2 with JWT tokens".
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    // jwt.io's examples.
    "your256bitsecret",
    "your384bitsecret",
    "your512bitsecret",
    "astringsecretatleast256bitslong",
    "qwertyuiopasdfghjklzxcvbnm123456",
    // RFC 7515 appendix A.1, its beginning.
    "aym1sysppbydfgzld3umj1qzkobwvmkoqq",
    // Supabase's self-hosting examples.
    "supersecretjwttokenwithatleast32characterslong",
    "yoursupersecretjwttoken",
    // What templates say.
    "a1b2c3d4e5f6",
    "deadbeefdeadbeef",
    "changeme",
    "changethis",
    "changeit",
    "changein",
    "pleasechange",
    "replaceme",
    "replacethis",
    "replacewith",
    "fillmein",
    "insertyour",
    "putyour",
    "yoursecret",
    "yourjwt",
    "yourkey",
    "yourown",
    "yourrandom",
    "yoursuper",
    "yourvery",
    "yourlong",
    "yourstrong",
    "yourprivate",
    "yourapp",
    "supersecret",
    "supersafe",
    "topsecret",
    "verysecret",
    "mysecret",
    "thisisasecret",
    "thisisnotasecret",
    "notsosecret",
    "notasecret",
    "insecure",
    "donotuse",
    "dontuse",
    "placeholder",
    "examplekey",
    "examplesecret",
    "keyboardcat",
    "correcthorsebatterystaple",
    "loremipsum",
    "qwertyuiop",
    "betterauthsecret",
];

/// Out of which placeholders are made. In this order they are cut out, so the longer ones come first.
const WORDS: &[&str] = &[
    "authentication",
    "authorization",
    "development",
    "application",
    "environment",
    "characters",
    "generated",
    "minimum32",
    "production",
    "password",
    "security",
    "username",
    "algorithm",
    "encryption",
    "postgres",
    "database",
    "service",
    "another",
    "default",
    "example",
    "fallback",
    "insecure",
    "longer",
    "private",
    "project",
    "session",
    "signing",
    "staging",
    "testing",
    "website",
    "access",
    "backend",
    "errand",
    "github",
    "hs256",
    "letmein",
    "minimum",
    "random",
    "really",
    "refresh",
    "secret",
    "secure",
    "server",
    "should",
    "simple",
    "sample",
    "staple",
    "string",
    "strong",
    "super",
    "token",
    "value",
    "admin",
    "bytes",
    "chars",
    "dummy",
    "hello",
    "least",
    "local",
    "magic",
    "world",
    "123456",
    "12345",
    "auth",
    "bits",
    "code",
    "demo",
    "enough",
    "from",
    "here",
    "long",
    "must",
    "only",
    "safe",
    "some",
    "test",
    "that",
    "this",
    "todo",
    "user",
    "very",
    "with",
    "your",
    "1234",
    "256",
    "and",
    "app",
    "api",
    "dev",
    "for",
    "jwt",
    "key",
    "not",
    "our",
    "the",
    "web",
];

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use errand_application::ports::Entropy;

    use super::*;
    use crate::SystemEntropy;

    #[test]
    fn random_secrets_in_every_usual_spelling_are_fine() {
        for _ in 0..5000 {
            let bytes = SystemEntropy.bytes();
            let hex = bytes.iter().fold(String::new(), |hex, b| format!("{hex}{b:02x}"));
            let twice = [bytes, SystemEntropy.bytes()].concat();
            let printable: Vec<u8> = bytes.iter().map(|b| b'!' + b % 94).collect();
            for secret in [
                &bytes[..],
                &printable,
                hex.as_bytes(),
                STANDARD.encode(bytes).as_bytes(),
                URL_SAFE_NO_PAD.encode(bytes).as_bytes(),
                URL_SAFE_NO_PAD.encode(&bytes[..24]).as_bytes(),
                STANDARD.encode(&twice).as_bytes(),
                format!("errand-production-secret-{hex}").as_bytes(),
            ] {
                let shown = String::from_utf8_lossy(secret);
                assert_eq!(check_secret(secret), Ok(()), "{shown}");
            }
        }
        assert_eq!(
            check_secret("eleven unfortunate walruses juggle marzipan umbrellas".as_bytes()),
            Ok(())
        );
    }

    #[test]
    fn short_ones_are_refused() {
        for secret in ["", "x", "secret", "kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEa"] {
            assert_eq!(
                check_secret(secret.as_bytes()),
                Err(WeakSecret::TooShort),
                "{secret}"
            );
        }
        assert_eq!(check_secret(b"kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEaT"), Ok(()));
    }

    #[test]
    fn guessable_ones_are_refused() {
        for secret in [
            &"a".repeat(32),
            &"\0".repeat(64),
            &"ab".repeat(20),
            &"0xDEADBEEF".repeat(4),
            &"kB1xW7fZtq0Yp3Jm".repeat(2),
            "01234567890123456789012345678901",
            "0123456789abcdef0123456789abcdef",
            "abcdefghijklmnopqrstuvwxyz123456",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            "zyxwvutsrqponmlkjihgfedcba987654",
            "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhhiiiiiiiijjjjjjjj",
            "12121313212312131231231231231231321231231231",
            "000000000000000000000000000000001",
        ] {
            let refused = check_secret(secret.as_bytes());
            assert!(
                matches!(refused, Err(WeakSecret::Predictable | WeakSecret::Monotonous)),
                "{secret}: {refused:?}"
            );
        }
    }

    #[test]
    fn published_ones_are_refused() {
        for secret in [
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
            "your-256-bit-secret-your-256-bit-secret!",
            "a-string-secret-at-least-256-bits-long",
            "qwertyuiopasdfghjklzxcvbnm123456",
            "super-secret-jwt-token-with-at-least-32-characters-long",
            "your-super-secret-jwt-token-with-at-least-32-characters-long",
            "your-super-secret-key-change-in-production",
            "your-super-secret-key-min-32-characters",
            "supersecretkey1234567890supersecretkey",
            "CHANGE_ME_CHANGE_ME_CHANGE_ME_123",
            "changeme-changeme-changeme-please",
            "please-change-this-secret-in-production!",
            "secret-key-secret-token-secret-signing",
            "this_is_a_very_long_jwt_secret_key_for_dev",
            "my_jwt_secret_key_for_testing_only_1234567890",
            "dev-secret-key-not-for-production-use-only",
            "development-jwt-secret-key-at-least-32-bytes",
            "better-auth-secret-1234567890-abcdef-xyz",
            "<your random 32 byte secret goes here>",
            "replace-with-openssl-rand-hex-32-output",
            "the-default-signing-key-of-this-application",
        ] {
            assert_eq!(
                check_secret(secret.as_bytes()),
                Err(WeakSecret::WellKnown),
                "{secret}"
            );
        }
    }

    #[test]
    fn the_tables_are_written_as_they_are_compared() {
        for entry in WORDS.iter().chain(PUBLISHED) {
            assert_eq!(plain(entry.as_bytes()), *entry);
        }
    }
}
