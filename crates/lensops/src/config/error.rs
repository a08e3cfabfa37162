//! Why the settings cannot be used.

use lensops_core::alert::BookErrors;
use lensops_core::exchange::BaseError;
use lensops_core::yaml::YamlErrors;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// `lensops.yml` is there and cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error(transparent)]
    Yaml(#[from] YamlErrors),
    /// Alerts that make no sense.
    #[error(transparent)]
    Alerts(#[from] BookErrors),
    /// `flags` of `lensops.yml`, or a definition of a flag service, that makes no sense.
    #[error("{0}")]
    Flags(String),
    /// A variable that is needed and nowhere.
    #[error("{0}")]
    Missing(String),
    /// An address that is none.
    #[error("{name}")]
    Address {
        /// The setting.
        name: &'static str,
        /// Why.
        source: BaseError,
    },
    /// A value that makes no sense.
    #[error("{name}={value:?}: {why}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// Why, and what it may be.
        why: String,
    },
}
