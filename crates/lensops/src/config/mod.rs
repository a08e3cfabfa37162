//! Files and environment become resolved settings, each with its origin.
//!
//! Options win over the environment, the environment over `lensops.yml`, and that over defaults.
//! The environment is passed in as a map, so that nothing else here reads it and tests need not
//! change it. Secrets come from the environment alone.

mod acknowledged;
mod alerts;
mod connector;
mod error;
mod flags;
mod flags_file;
mod invocation;
mod presets;
mod project;
mod repository;
mod repository_root;
mod secrets;
mod settings;
mod shown;
mod signing;
mod store;
mod target;

pub use acknowledged::{Acknowledged, MigrateFile};
pub use error::ConfigError;
pub use flags_file::FlagsAt;
pub use presets::{PRESETS, preset};
pub use project::{
    ClientCertificate, Destructive, MetricsFile, ProjectFile, RequestDefaults, Runtime, ScheduleKind, StoreKind,
    WorkerFile,
};
pub use repository::RepositoryFile;
pub use secrets::redactor_of;
pub use settings::{Env, PROJECT_FILE, Settings};
pub use shown::Shown;
pub use store::StoreChoice;
pub use target::Target;
