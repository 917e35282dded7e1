//! Both databases keep every promise of the ports.

use crate::support::{PostgreSql, Sqlite};

errand_conformance::conformance!(sqlite = Sqlite);
errand_conformance::conformance!(postgres = PostgreSql);
