//! A worker of a fleet: the timetable is a table of jobs in PostgreSQL, and any machine runs any of them.
//!
//! The queue (graphile_worker) hands out jobs, gives back those of a machine that died, and drains on request. Its run is
//! supervised: it ends on any failure of the database, and starts again when that answers. While the database is away
//! this machine goes on alone, with the scheduler of a single worker, for the pairs that it checked last.

mod alone;
mod beginner;
mod check_job;
mod clock;
mod keeper;
mod link;
mod notify_job;
mod pairs;
mod queue;
mod recorder;
mod shared;
mod start;

pub(in crate::commands) use pairs::{own_plans, to_publish};
pub(super) use start::run;
