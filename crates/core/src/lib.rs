//! The pure core of lensops: data in, data out.
//!
//! A lens definition becomes plans, a plan becomes prepared requests, an exchange is judged into
//! outcomes, outcomes fold into a status or verdict, and a history of checks into a gate decision.
//! Nothing here opens a socket or a file, reads the environment or looks at a clock: those live in
//! the `lensops` crate, which hands their results in.

#![warn(clippy::indexing_slicing)]

pub mod alert;
pub mod auth;
pub mod crypto;
pub mod duration;
pub mod evidence;
pub mod exchange;
pub mod expect;
pub mod flags;
pub mod history;
pub mod ident;
pub mod lens;
pub mod named;
pub mod openapi;
pub mod plan;
pub mod redaction;
pub mod repository;
pub mod request;
pub mod schema;
pub mod secret;
pub mod stats;
pub mod template;
mod text_form;
pub mod verdict;
pub mod yaml;
