//! Adapter: password hashing (bcrypt), access tokens (jsonwebtoken), randomness and time.
//!
//! **What this crate is.** The implementations of the ports [`PasswordHasher`], [`TokenSigner`], [`Entropy`]
//! and [`Clock`], and the judgement whether a signing secret is any good. This is the only place that asks the
//! operating system for the time and for randomness.
//!
//! **What it must never know.** HTTP, SQL, the configuration. `cargo xtask layering` holds this.
//!
//! **Where to start.** `passwords/scheme.rs` for what is stored, `tokens.rs` for what is believed.
//!
//! **How to extend it.** A new password scheme: a variant in `passwords/scheme.rs` that counts as outdated (or
//! becomes the current one) and vectors made by another program in `passwords/vectors.rs`.
//!
//! [`PasswordHasher`]: errand_application::ports::PasswordHasher
//! [`TokenSigner`]: errand_application::ports::TokenSigner
//! [`Entropy`]: errand_application::ports::Entropy
//! [`Clock`]: errand_application::ports::Clock

mod clock;
mod entropy;
mod passwords;
mod secret;
mod tokens;

pub use clock::SystemClock;
pub use entropy::SystemEntropy;
pub use passwords::{BcryptPasswords, Cost};
pub use secret::{SECRET_MIN_BYTES, WeakSecret, check_secret};
pub use tokens::{JwtTokens, TokenSettings};
