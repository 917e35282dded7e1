//! The model passes its own suite.

use errand_conformance::{ModelHarness, conformance};

conformance!(ModelHarness);
