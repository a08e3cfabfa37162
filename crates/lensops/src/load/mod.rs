//! The stress engine: one load shape over one or several targets, sent as leanly as can be.
//!
//! Threads of their own (one a processor unless told otherwise) send prebuilt bytes over plain
//! HTTP/1.1 or TLS and hand in their figures each second; the coordinator starts them, adds up what
//! they hand in, and stops them early where the caller says so. The engine opens, times and counts;
//! what the figures mean is for the judge in core.

mod broken;
mod connection;
mod coordinator;
mod deadline;
mod job;
mod judge;
mod loops;
mod pacer;
mod progress;
mod renewal;
mod send;
mod tally;
mod target;
mod task;
mod thread;
mod worker;

pub use coordinator::{processors, run};
pub use job::{Job, LoadTarget};
pub use progress::{Flow, Outcome, Progress};
pub use renewal::{Renewal, Renewing};
pub use tally::Figures;
pub(crate) use tally::UNASSERTED;
