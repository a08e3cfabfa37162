//! Where checks are stored.
//!
//! The journal is always there: SQLite, durable before anything else happens. History is what gate,
//! status and the P95 window read. Other stores take batches from the journal; the "SQLite store" is the
//! journal alone, without a special case.

mod annulment;
mod board;
mod chosen;
pub mod dry_run;
mod error;
pub mod fleet;
mod history;
mod journal;
pub mod postgres;
mod rest;
mod rollups;
mod sink;
mod tenants;

pub use annulment::annulment;
pub use board::{Board, Brief, CheckQuery, Mark, Pair, Point, Points, Reading, Reason, Reasons, Stretch, Uptimes};
pub use chosen::Store;
pub use error::{SinkError, StoreError};
pub use history::{Exported, History, StoredCheck, Trace};
pub(crate) use history::{with_annulled, with_events, worked};
pub use journal::alert_attempts::Ended;
pub use journal::alert_gather::Queued;
pub use journal::alert_log::{Alert, Due, Trail};
pub use journal::notes::Note;
pub use journal::outbox::{DeliveryState, OutboxState, Parked};
pub use journal::silences::Silence;
pub use journal::{Alerting, Journal};
pub use lensops_core::lens::rollback::{Progress, Rollback, Switch};
pub use postgres::{Owner, Postgres, Staging, begin_as};
pub use rest::{Rest, Returned};
pub use rollups::{Archive, Hour};
pub(crate) use sink::STORE_TIMEOUT;
pub use sink::{Entry, Sink};
pub use tenants::{REGISTRY, TenantSource};
