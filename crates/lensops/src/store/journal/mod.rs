//! The journal: SQLite with a write-ahead log, synchronised on every commit.
//!
//! One writer task owns the only writing connection and commits what has queued up as one
//! transaction: a thousand waiting checks cost one synchronisation, not a thousand. A check and
//! its events are in the same transaction. An id that is there already is left as it is, so that
//! a check recorded twice is one row. With a check goes its entry in the outbox (`outbox`).

pub(super) mod alert_attempts;
pub(super) mod alert_gather;
pub(super) mod alert_log;
mod alert_rules;
mod alert_scope;
mod alerts;
mod checks;
mod handle;
mod job;
pub(super) mod notes;
pub(super) mod outbox;
pub(super) mod phases;
mod place;
pub(super) mod rollbacks;
mod rollups;
mod row;
mod schema;
pub(super) mod silences;
mod tenants;
mod traces;
mod writer;

pub use alert_rules::Alerting;
pub use handle::Journal;
pub(super) use row::{decode_error, parsed, stored, time_text};
