//! `lensops doctor`: what would bite, found before it does. One file a group of questions.
//!
//! Each finding says what, where and how to mend it. What could not be looked at is a finding of a
//! kind of its own: it is neither good nor wrong. What was looked at and is good is named as well,
//! or nobody would know that it was looked at.

mod api;
mod cause;
mod clock;
mod command;
mod files;
mod finding;
mod flags;
mod fleet;
mod leaks;
mod repository;
mod secrets;
mod sign_in;
mod store;
mod subject;

pub use command::{doctor, run};
pub use subject::Subject;
