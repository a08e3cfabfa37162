//! Feature flags: where they are kept, read and switched.
//!
//! One seam for all of them: environment variables of a hosted service or of a file, flag services over HTTP by
//! their definition, commands. A provider that cannot be read is no flag that is off: it is an answer of its own.

mod command;
mod configured;
mod env_file;
mod error;
mod provider;
mod render_api;
mod sending;
mod service;
mod shared;

pub use command::CommandProvider;
pub use configured::Provider;
pub use env_file::EnvFile;
pub use error::FlagError;
pub use provider::{CHECK_PATIENCE, COMMAND_PATIENCE, Deploy, FlagProvider};
pub use render_api::RenderProvider;
pub use service::ServiceProvider;
pub use shared::SharedFlags;
