//! What a fleet of workers shares in PostgreSQL: the jobs, and all that the next check asks of the last.
//!
//! The queue is graphile_worker, in a schema of its own. What a check leaves and the end of its job are one transaction;
//! so a check that was recorded had its say in the alerts once, and its pair has a next job. The owner of a job is never
//! asked for: a slot run twice is one row, because its id is its slot.

mod alert_log;
mod alerts;
mod begin;
mod gate;
mod handle;
mod jobs;
mod keep;
mod machines;
mod notices;
mod plans;
mod record;
mod silences;

pub use alerts::Told;
pub use begin::{Begun, Started};
pub use handle::{Fleet, SCHEMA};
pub use jobs::{CHECK, CheckJob, NOTIFY};
pub use keep::Late;
pub use machines::{Machine, ParkedPair, Standing};
pub use notices::NoticeStep;
pub use plans::{Published, PublishedPlan};
pub use record::{Ended, NotRecorded, Recorded};
