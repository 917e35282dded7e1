//! The adapter on real databases: SQLite files and a throwaway PostgreSQL, which all tests of this one program
//! share.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a failed expectation is the point"
)]

mod conformance;
mod copying;
mod doctor;
mod environment;
mod files;
mod full;
mod imports;
mod locks;
mod migrations;
mod mixing;
mod outages;
mod pooler;
mod races;
mod requests;
mod round_trips;
mod row_level_security;
mod shield;
mod support;
mod tables;
mod walks;
