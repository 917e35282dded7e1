//! Both databases keep every promise of the ports, PostgreSQL behind row-level security too.

use crate::support::{Guarded, PostgreSql, Sqlite};

errand_conformance::conformance!(sqlite = Sqlite);
errand_conformance::conformance!(postgres = PostgreSql);
errand_conformance::conformance!(row_level_security = Guarded);
