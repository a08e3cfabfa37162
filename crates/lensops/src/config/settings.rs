//! The settings of one run: `lensops.yml`, the options of the command, and the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lensops_core::duration::Every;
use lensops_core::ident::EnvName;
use lensops_core::lens::Defaults;
use lensops_core::secret::Secret;

use super::error::ConfigError;
use super::project::{ProjectFile, StoreKind};

/// The project's file of settings.
pub const PROJECT_FILE: &str = "lensops.yml";

/// Environment variables as a map.
pub type Env = BTreeMap<String, String>;

/// Settings of one run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The repository's folder.
    pub root: PathBuf,
    /// `lensops.yml`, or its defaults.
    pub project: ProjectFile,
    /// `--api-url`.
    pub api_url: Option<String>,
    /// `--store`.
    pub store: Option<StoreKind>,
    env: Env,
}

impl Settings {
    /// Settings of `env` alone.
    pub(super) fn of(env: Env) -> Self {
        Self {
            root: PathBuf::new(),
            project: ProjectFile::default(),
            api_url: None,
            store: None,
            env,
        }
    }

    /// Reads `lensops.yml` below `root`, if there is one.
    ///
    /// # Errors
    /// When it is there and cannot be used.
    pub fn load(root: &Path, env: Env) -> Result<Self, ConfigError> {
        let path = root.join(PROJECT_FILE);
        let project = match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => ProjectFile::default(),
            Ok(text) => ProjectFile::read(&path.display().to_string(), &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => ProjectFile::default(),
            Err(source) => {
                return Err(ConfigError::Read {
                    path: path.display().to_string(),
                    source,
                });
            }
        };
        Ok(Self {
            root: root.to_owned(),
            project,
            api_url: None,
            store: None,
            env,
        })
    }

    /// The same with `lensops.yml` as it is now. Options and environment are those of the start.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn read_again(&self) -> Result<Self, ConfigError> {
        Ok(Self {
            project: Self::load(&self.root, Env::new())?.project,
            ..self.clone()
        })
    }

    /// The same for the API at `url` alone: of `lensops.yml` only what the network needs, and the variables of
    /// `credentials` besides those of the environment.
    #[must_use]
    pub fn alone_at<'a>(&self, url: &str, credentials: impl Iterator<Item = &'a (EnvName, Secret)>) -> Self {
        let mut env = self.env.clone();
        env.extend(credentials.map(|(name, secret)| (name.to_string(), secret.expose().to_owned())));
        Self {
            project: ProjectFile {
                client_certificate: self.project.client_certificate.clone(),
                ..ProjectFile::default()
            },
            api_url: Some(url.to_owned()),
            env,
            ..self.clone()
        }
    }

    /// A variable by the name that a plan gives it; an empty one counts as unset. A line break at its end
    /// is not part of it: files of secrets end in one.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env
            .get(name)
            .map(|value| value.trim_end_matches(['\r', '\n']))
            .filter(|value| !value.trim().is_empty())
    }

    /// Whether a variable ends in a line break, which [`Settings::var`] removes.
    #[must_use]
    pub fn ends_in_line_break(&self, name: &str) -> bool {
        self.env.get(name).is_some_and(|value| value.ends_with(['\r', '\n']))
    }

    /// What lenses take from the project.
    #[must_use]
    pub fn defaults(&self) -> Defaults {
        Defaults {
            tenants: self.project.tenants.clone(),
            users: self.project.users.clone(),
            outsiders: self.project.outsiders.clone(),
            auth: self.project.auth.clone(),
            hosts: self.project.hosts.clone(),
            headers: self.project.defaults.headers.clone(),
        }
    }

    /// The interval that overrides those of the plans.
    ///
    /// # Errors
    /// When it is no whole number of minutes from 1 to 1440.
    pub fn interval(&self) -> Result<Option<Every>, ConfigError> {
        const NAME: &str = "HEALTH_CHECK_INTERVAL_MINUTES";
        let Some(value) = self.var(NAME) else { return Ok(None) };
        format!("{}m", value.trim())
            .parse()
            .map(Some)
            .map_err(|_| ConfigError::Value {
                name: NAME,
                value: value.to_owned(),
                why: "it is a whole number of minutes from 1 to 1440".to_owned(),
            })
    }
}

#[cfg(test)]
impl Settings {
    /// Settings of a repository without `lensops.yml`, with the variables of `env`.
    pub(super) fn of_env(env: &[(&str, &str)]) -> Self {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self {
            root: PathBuf::from("repo"),
            project: ProjectFile::default(),
            api_url: None,
            store: None,
            env,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_is_none_is_refused() {
        for bad in ["0", "-5", "1441", "soon", "1.5"] {
            assert!(
                Settings::of_env(&[("HEALTH_CHECK_INTERVAL_MINUTES", bad)])
                    .interval()
                    .is_err(),
                "{bad}"
            );
        }
        assert_eq!(
            Settings::of_env(&[("HEALTH_CHECK_INTERVAL_MINUTES", "5")])
                .interval()
                .unwrap()
                .unwrap()
                .to_string(),
            "5m"
        );
    }
}
