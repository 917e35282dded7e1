//! `errand openapi`: the document of the interface, to read or to generate clients from.

use crate::failure::Failure;
use crate::output;

/// Prints it.
pub fn run() -> Result<(), Failure> {
    output::print(errand_http::openapi_json())?;
    Ok(())
}
