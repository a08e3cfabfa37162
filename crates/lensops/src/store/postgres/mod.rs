//! PostgreSQL as sink and history.
//!
//! A batch is one transaction: checks first, then their events, each as one statement over arrays.
//! A pooler may hand out another connection every transaction: statements have no name on the server, and
//! each runs in a transaction (`statement`). A login that may become `service_role` does so for each transaction: the
//! owner then writes with no more rights than a key has, and a login that is only a member gets the
//! right to pass row-level security, which is not inherited. One connection is held; it is dropped after
//! any failure that may have left it in doubt. A pool was rejected: while a server refuses connections,
//! it reports only that it timed out.

mod client;
mod connection;
mod insert;
mod job_schema;
pub(crate) mod jsonb;
pub mod migrate;
mod question;
mod rollups;
pub(in crate::store) mod statement;
mod tenant_database;

pub use client::Postgres;
pub(super) use client::sink_error;
pub use connection::begin_as;
pub(super) use connection::{Held, become_user, options};
pub(super) use insert::insert_new;
pub(super) use job_schema::JOBS;
pub(super) use question::{bound, latest, stored};
pub use rollups::Owner;
pub(super) use rollups::there;
pub use tenant_database::Staging;
