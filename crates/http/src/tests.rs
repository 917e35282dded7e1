//! The application as a whole, over mocked ports: what the framework, the middleware and the table of routes
//! make together.

mod changes;
mod conditions;
mod openapi;
mod order;
mod problems;
mod repeated;
mod requests;
mod routes;
mod server;
mod support;
mod telemetry;
