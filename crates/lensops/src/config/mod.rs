//! Files and environment become resolved settings, each with its origin.
//!
//! Options win over the environment, the environment over `lensops.yml`, and that over defaults.
//! The environment is passed in as a map, so that nothing else here reads it and tests need not
//! change it. Secrets come from the environment alone.

mod alerts;
mod project;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lensops_core::alert::BookErrors;
use lensops_core::duration::Every;
use lensops_core::exchange::{Base, BaseError};
use lensops_core::lens::Defaults;
use lensops_core::redaction::Redactor;
use lensops_core::secret::Secret;
use lensops_core::yaml::YamlErrors;
use serde::Serialize;

pub use project::{Destructive, FlagsAt, MetricsFile, ProjectFile, Runtime, StoreKind, WorkerFile};

use crate::flags::{CHECK_PATIENCE, EnvFile, Provider, RenderProvider};

/// The project's file of settings.
pub const PROJECT_FILE: &str = "lensops.yml";

/// The chosen store with what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// The journal alone.
    Sqlite,
    /// The database at this address.
    Postgres(Secret),
    /// The REST interface at this address, with the service key.
    Rest(Base, Secret),
}

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

/// Environment variables as a map.
pub type Env = BTreeMap<String, String>;

/// Which target a command runs against: it decides which variables are looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `check`, `worker`: `API_BASE_URL`, `TENANT_SUPABASE_JWT_SECRET`.
    Production,
    /// `accept`, `stress`: `STAGING_API_URL`, `STAGING_JWT_SECRET` first.
    Staging,
}

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

/// A setting and where it comes from, for `lensops config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its value; a secret is masked, `None` is unset.
    pub value: Option<String>,
    /// `environment`, `lensops.yml`, `default`, `unset`.
    pub origin: &'static str,
}

/// Names of the variables that hold secrets.
const SECRETS: [&str; 12] = [
    "LENSOPS_EVIDENCE_KEY",
    "TENANT_SUPABASE_JWT_SECRET",
    "STAGING_JWT_SECRET",
    "SUPABASE_SERVICE_KEY",
    "DATABASE_URL",
    "STAGING_DB_URL",
    "RENDER_API_KEY",
    "SLACK_WEBHOOK_URL",
    "PAGERDUTY_ROUTING_KEY",
    "PAGERDUTY_EVENTS_URL",
    "LENSOPS_WEBHOOK_URL",
    "LENSOPS_WEBHOOK_SECRET",
];

/// The provider's public interface.
const RENDER_API: &str = "https://api.render.com";

impl Settings {
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

    /// A variable by the name that a plan gives it; an empty one counts as unset.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.trim().is_empty())
    }

    /// What lenses take from the project.
    #[must_use]
    pub fn defaults(&self) -> Defaults {
        Defaults {
            tenants: self.project.tenants.clone(),
            users: self.project.users.clone(),
        }
    }

    /// The API's address.
    ///
    /// # Errors
    /// When it is nowhere, or is no address.
    pub fn api(&self, target: Target) -> Result<Base, ConfigError> {
        let names: &[&'static str] = match target {
            Target::Production => &["API_BASE_URL"],
            Target::Staging => &["STAGING_API_URL", "API_BASE_URL"],
        };
        let from_env = names.iter().find_map(|name| Some((*name, self.var(name)?.to_owned())));
        let found = self.api_url.clone().map(|url| ("--api-url", url)).or(from_env);
        let found = found.or_else(|| {
            self.project
                .api_base_url
                .clone()
                .map(|url| ("api_base_url of lensops.yml", url))
        });
        let (name, url) = found.ok_or_else(|| {
            ConfigError::Missing(format!(
                "{} is not set: it is the address of the API (or give --api-url)",
                names.join(" or ")
            ))
        })?;
        Base::parse(&url).map_err(|source| ConfigError::Address { name, source })
    }

    /// The secret that tokens are signed with, if there is one.
    #[must_use]
    pub fn jwt_secret(&self, target: Target) -> Option<Secret> {
        let staging = (target == Target::Staging)
            .then(|| self.var("STAGING_JWT_SECRET"))
            .flatten();
        staging
            .or_else(|| self.var("TENANT_SUPABASE_JWT_SECRET"))
            .map(Secret::new)
    }

    /// Which variable would give the signing secret.
    #[must_use]
    pub fn jwt_secret_names(target: Target) -> &'static str {
        match target {
            Target::Production => "TENANT_SUPABASE_JWT_SECRET",
            Target::Staging => "STAGING_JWT_SECRET or TENANT_SUPABASE_JWT_SECRET",
        }
    }

    /// Who issues tokens: the tenant's address, else the API's own.
    #[must_use]
    pub fn issuer(&self, api: &Base) -> String {
        self.var("TENANT_SUPABASE_URL")
            .map_or_else(|| api.to_string(), str::to_owned)
    }

    /// The flag provider, or why there is none.
    ///
    /// # Errors
    /// When its address is no address.
    pub fn provider(&self) -> Result<Result<Provider, String>, ConfigError> {
        if let Some(FlagsAt::EnvFile { path }) = &self.project.flags {
            return Ok(Ok(Provider::EnvFile(EnvFile::new(self.root.join(path)))));
        }
        let (Some(key), Some(service)) = (self.var("RENDER_API_KEY"), self.var("RENDER_SERVICE_ID")) else {
            let missing: Vec<&str> = ["RENDER_API_KEY", "RENDER_SERVICE_ID"]
                .into_iter()
                .filter(|name| self.var(name).is_none())
                .collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            return Ok(Err(format!("{} {verb} not set", missing.join(" and "))));
        };
        let base = Base::parse(self.var("RENDER_API_URL").unwrap_or(RENDER_API));
        let base = base.map_err(|source| ConfigError::Address {
            name: "RENDER_API_URL",
            source,
        })?;
        Ok(Ok(Provider::Render(RenderProvider {
            base,
            key: Secret::new(key),
            service: service.to_owned(),
            patience: CHECK_PATIENCE,
        })))
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

    /// The folder of the journal: `LENSOPS_STATE_DIR`, else `.lensops` below the repository.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.var("LENSOPS_STATE_DIR")
            .map_or_else(|| self.root.join(".lensops"), PathBuf::from)
    }

    /// The journal's path.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.state_dir().join("journal.db")
    }

    /// The file that becomes the summary page of a CI step, if there is one.
    #[must_use]
    pub fn step_summary(&self) -> Option<PathBuf> {
        self.var("GITHUB_STEP_SUMMARY").map(PathBuf::from)
    }

    /// Who runs this: the actor of the CI job, else the user of this shell.
    #[must_use]
    pub fn who(&self) -> String {
        let named = ["GITHUB_ACTOR", "USER", "LOGNAME"];
        let found = named.into_iter().find_map(|name| self.var(name));
        found.unwrap_or("somebody unnamed").to_owned()
    }

    /// Whether the run is one of GitHub's CI service.
    #[must_use]
    pub fn in_github_actions(&self) -> bool {
        self.var("GITHUB_ACTIONS") == Some("true")
    }

    /// The private key that signs evidence, if the environment holds one.
    #[must_use]
    pub fn evidence_key(&self) -> Option<Secret> {
        self.var("LENSOPS_EVIDENCE_KEY").map(Secret::new)
    }

    /// The file that holds it instead.
    #[must_use]
    pub fn evidence_key_file(&self) -> Option<PathBuf> {
        self.var("LENSOPS_EVIDENCE_KEY_FILE").map(PathBuf::from)
    }

    /// The tenant database that acceptance reads, if the environment names one.
    #[must_use]
    pub fn staging_db(&self) -> Option<Secret> {
        self.var("STAGING_DB_URL").map(Secret::new)
    }

    /// The database that `DATABASE_URL` names, if any.
    #[must_use]
    pub fn database_url(&self) -> Option<Secret> {
        self.var("DATABASE_URL").map(Secret::new)
    }

    /// The chosen store: `--store`, else `store` of `lensops.yml`, else what the environment has
    /// the means for.
    ///
    /// # Errors
    /// When the store that was asked for cannot be opened for want of an address or a key, or an
    /// address is none.
    pub fn store(&self) -> Result<StoreChoice, ConfigError> {
        let (url, key) = (self.var("TENANT_SUPABASE_URL"), self.var("SUPABASE_SERVICE_KEY"));
        let means = match (self.var("DATABASE_URL"), url, key) {
            (Some(_), ..) => StoreKind::Postgres,
            (None, Some(_), Some(_)) => StoreKind::Rest,
            _ => StoreKind::Sqlite,
        };
        let missing = |name: &str, what: &str| {
            ConfigError::Missing(format!("{name} is not set: the chosen store needs it, {what}"))
        };
        match self.store.or(self.project.store).unwrap_or(means) {
            StoreKind::Sqlite => Ok(StoreChoice::Sqlite),
            StoreKind::Postgres => self
                .database_url()
                .map(StoreChoice::Postgres)
                .ok_or_else(|| missing("DATABASE_URL", "the address of the database")),
            StoreKind::Rest => {
                let url = url.ok_or_else(|| missing("TENANT_SUPABASE_URL", "the address of the REST interface"))?;
                let key = key.ok_or_else(|| missing("SUPABASE_SERVICE_KEY", "the key of the REST interface"))?;
                let base = Base::parse(url).map_err(|source| ConfigError::Address {
                    name: "TENANT_SUPABASE_URL",
                    source,
                })?;
                Ok(StoreChoice::Rest(base, Secret::new(key)))
            }
        }
    }

    /// Whether the environment names a store besides the journal, chosen or not.
    #[must_use]
    pub fn names_a_store_elsewhere(&self) -> bool {
        self.var("DATABASE_URL").is_some()
            || (self.var("TENANT_SUPABASE_URL").is_some() && self.var("SUPABASE_SERVICE_KEY").is_some())
    }

    /// The size in bytes that the journal should keep within: `LENSOPS_JOURNAL_MAX_MB`, else 512 MB.
    ///
    /// # Errors
    /// When it is no whole number from 1 to 1,000,000.
    pub fn journal_limit(&self) -> Result<u64, ConfigError> {
        const NAME: &str = "LENSOPS_JOURNAL_MAX_MB";
        let value = self.var(NAME).unwrap_or("512");
        match value.trim().parse::<u64>() {
            Ok(megabytes @ 1..=1_000_000) => Ok(megabytes * 1024 * 1024),
            _ => Err(ConfigError::Value {
                name: NAME,
                value: value.to_owned(),
                why: "it is a whole number of megabytes from 1 to 1000000".to_owned(),
            }),
        }
    }

    /// Every secret of the environment with the name of its variable.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        SECRETS.iter().filter_map(|name| Some((*name, self.var(name)?)))
    }

    /// Knows every secret of the environment.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        let secrets: Vec<Secret> = SECRETS
            .iter()
            .filter_map(|name| self.var(name))
            .flat_map(|value| std::iter::once(Secret::new(value)).chain(passwords(value)))
            .chain(self.receiver_secrets().into_iter().map(Secret::new))
            .collect();
        Redactor::new(&secrets)
    }

    /// Every setting with its origin, secrets masked.
    #[must_use]
    pub fn shown(&self) -> Vec<Shown> {
        let names = [
            "API_BASE_URL",
            "STAGING_API_URL",
            "TENANT_SUPABASE_URL",
            "RENDER_SERVICE_ID",
            "RENDER_API_URL",
            "HEALTH_CHECK_INTERVAL_MINUTES",
            "LOG_LEVEL",
            "LENSOPS_STATE_DIR",
            "LENSOPS_JOURNAL_MAX_MB",
            "LENSOPS_EVIDENCE_KEY_FILE",
        ];
        let mut shown: Vec<Shown> = names.iter().map(|name| self.shown_var(name, false)).collect();
        shown.extend(SECRETS.iter().map(|name| self.shown_var(name, true)));
        let project = &self.project;
        let count = |count: usize| (count > 0).then(|| count.to_string());
        let fields = [
            ("tenants", count(project.tenants.len())),
            ("users", count(project.users.len())),
            ("api_base_url", project.api_base_url.clone()),
            ("dialect", project.dialect.clone()),
            (
                "registry",
                project.registry.as_ref().map(|path| path.display().to_string()),
            ),
            ("worker.tenants", project.worker.tenants.clone()),
            ("maintenance", count(project.maintenance.len())),
            ("store", project.store.map(|store| format!("{store:?}").to_lowercase())),
            ("install", project.install.as_ref().map(|install| install.url.clone())),
        ];
        shown.extend(fields.into_iter().map(|(name, value)| Shown {
            name: name.to_owned(),
            origin: if value.is_some() { PROJECT_FILE } else { "unset" },
            value,
        }));
        shown
    }

    fn shown_var(&self, name: &str, secret: bool) -> Shown {
        let default = match name {
            "RENDER_API_URL" => Some(RENDER_API.to_owned()),
            "HEALTH_CHECK_INTERVAL_MINUTES" => Some("15, or `every` of the plan".to_owned()),
            "LOG_LEVEL" => Some("INFO".to_owned()),
            "LENSOPS_JOURNAL_MAX_MB" => Some("512".to_owned()),
            "LENSOPS_STATE_DIR" => Some(self.root.join(".lensops").display().to_string()),
            _ => None,
        };
        let (value, origin) = match (self.var(name), default) {
            (Some(_), _) if secret => (Some("(set, masked)".to_owned()), "environment"),
            (Some(value), _) => (Some(self.redactor().text(value).as_str().to_owned()), "environment"),
            (None, Some(default)) => (Some(default), "default"),
            (None, None) => (None, "unset"),
        };
        Shown {
            name: name.to_owned(),
            value,
            origin,
        }
    }
}

/// The password within a database address, as it stands there and decoded: it may come back without
/// the rest.
fn passwords(address: &str) -> Vec<Secret> {
    let within = || {
        let (_, rest) = address.split_once("://")?;
        let (user, _) = rest.rsplit_once('@')?;
        Some(user.split_once(':')?.1)
    };
    let written = within().into_iter();
    written
        .flat_map(|password| {
            let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
            [Secret::new(password), Secret::new(decoded)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(env: &[(&str, &str)]) -> Settings {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Settings {
            root: PathBuf::from("repo"),
            project: ProjectFile::default(),
            api_url: None,
            store: None,
            env,
        }
    }

    #[test]
    fn staging_runs_look_at_staging_first() {
        let both = settings(&[("API_BASE_URL", "http://prod"), ("STAGING_API_URL", "http://staging")]);
        assert_eq!(both.api(Target::Production).unwrap().to_string(), "http://prod");
        assert_eq!(both.api(Target::Staging).unwrap().to_string(), "http://staging");
        let one = settings(&[("API_BASE_URL", "http://prod")]);
        assert_eq!(one.api(Target::Staging).unwrap().to_string(), "http://prod");
    }

    #[test]
    fn a_missing_address_names_its_variable_and_the_option() {
        let error = settings(&[("API_BASE_URL", "  ")])
            .api(Target::Production)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("API_BASE_URL is not set") && error.contains("--api-url"),
            "{error}"
        );
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = settings(&[
            ("STAGING_JWT_SECRET", "made-up-secret-value"),
            ("API_BASE_URL", "http://x/made-up-secret-value"),
        ])
        .shown();
        assert!(!format!("{shown:?}").contains("made-up-secret-value"), "{shown:?}");
    }

    #[test]
    fn an_interval_that_is_none_is_refused() {
        for bad in ["0", "-5", "1441", "soon", "1.5"] {
            assert!(
                settings(&[("HEALTH_CHECK_INTERVAL_MINUTES", bad)]).interval().is_err(),
                "{bad}"
            );
        }
        assert_eq!(
            settings(&[("HEALTH_CHECK_INTERVAL_MINUTES", "5")])
                .interval()
                .unwrap()
                .unwrap()
                .to_string(),
            "5m"
        );
    }
}
