//! Feature flags at the provider that hosts the API: environment variables of its service.
//!
//! The API reads a flag as `value.lower() == "true"`, and no variable as off; so does this. A
//! provider that cannot be read is no flag that is off: it is an answer of its own.

mod configured;
mod env_file;
mod error;
mod provider;
mod render_api;
mod shared;

pub use configured::Provider;
pub use env_file::EnvFile;
pub use error::FlagError;
pub use provider::{CHECK_PATIENCE, COMMAND_PATIENCE, Deploy, FlagProvider, Variables, is_on};
pub use render_api::RenderProvider;
pub use shared::SharedFlags;
