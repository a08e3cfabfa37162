//! The worker: checks every lens for every tenant at its slots, until it is told to stop.

mod answered;
mod attempt;
mod background;
mod before;
pub mod check;
pub mod clock;
mod configuration;
mod counters;
pub mod delivery;
mod down;
mod hangup;
pub mod health;
mod host_queues;
mod left;
mod lines;
pub mod notifier;
pub mod openmetrics;
mod pages;
mod past;
mod probing;
mod reload;
mod run;
mod scheduler;
mod scheduler_stats;
mod scope;
mod slot;
pub mod tenants;
mod timetable;
pub mod watchdog;

pub use answered::{Answer, Answered, told_off};
pub use before::Before;
pub use lines::{announce_rollback, overall, tell};
pub use run::run;
pub use scheduler::{GRACE, Worker};
pub use scheduler_stats::Pulse;
pub use scope::{Change, PER_HOST};
