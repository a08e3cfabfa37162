//! `lensops.yml`: its shape, and what is wrong with one, all of it at once.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use lensops_core::alert::{AlertsFile, ReceiverKind, RuleBook};
use lensops_core::auth::{Auths, FromVariable};
use lensops_core::evidence::EvidenceFile;
use lensops_core::history::phase::{Phase, Phases};
use lensops_core::ident::Ident;
use lensops_core::lens::mute::Maintenance;
use lensops_core::lens::{GateFile, Tenants, User, wrong_sign_in};
use lensops_core::repository::PathPattern;
use lensops_core::request::Hosts;
use lensops_core::template::Install;
use lensops_core::yaml::{self, Mistake, YamlErrors};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acknowledged::MigrateFile;
use super::flags_file::FlagsAt;
use super::repository::RepositoryFile;

/// `lensops.yml`: what all lenses of a repository share. It holds no secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectFile {
    /// Tenants of lenses that name none.
    pub tenants: Tenants,
    /// Users of lenses that do not name them.
    pub users: IndexMap<Ident, User>,
    /// How users sign in, by name. A user names one in `auth`; one that names none has tokens minted.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub auth: Auths,
    /// The API's address; `$tenant` and values of the tenant are filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_base_url: Option<String>,
    /// Hosts besides the API, by the names that requests call them in `at`.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub hosts: Hosts,
    /// The certificate that this machine shows to servers that ask for one (mTLS).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,
    /// What every request has that does not say otherwise.
    #[serde(skip_serializing_if = "RequestDefaults::is_empty")]
    pub defaults: RequestDefaults,
    /// The dialect that the API speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// The API's action registry, as a JSON file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<PathBuf>,
    /// Users of another tenant, by name: nobody of them may see anything.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub outsiders: IndexMap<Ident, User>,
    /// Whether the target may be changed by tests that expect to be let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destructive: Option<Destructive>,
    /// Where CI gets the binary from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    /// What makes files of lenses: the name of a built-in set, or a folder below this file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_set: Option<String>,
    /// The repository that this folder belongs to.
    #[serde(skip_serializing_if = "RepositoryFile::is_default")]
    pub repository: RepositoryFile,
    /// Paths of the API's code, of lenses that name none: acceptance runs when they change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathPattern>,
    /// Whether one worker service checks all lenses, instead of one a lens.
    #[serde(
        deserialize_with = "lensops_core::yaml::own_boolean",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub single_worker: bool,
    /// `docker` or `rust`: how the hosting provider runs the worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// Where checks go on to from the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreKind>,
    /// What is worth telling, and to whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertsFile>,
    /// Figures of `--listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<MetricsFile>,
    /// Where flags are kept; the hosting provider where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<FlagsAt>,
    /// When everything is expected to be down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<Maintenance>,
    /// How the gate decides on lenses that do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateFile>,
    /// The phases that a lens goes through; staging canary, staging, production canary and production where they are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phases: Option<Vec<Phase>>,
    /// Whose evidence counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceFile>,
    /// `alone` or `fleet`: who keeps the timetable; `alone` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleKind>,
    /// How the worker works.
    #[serde(skip_serializing_if = "WorkerFile::is_default")]
    pub worker: WorkerFile,
    /// What of the database is meant to differ from the migration.
    #[serde(skip_serializing_if = "MigrateFile::is_empty")]
    pub migrate: MigrateFile,
}

/// The certificate that this machine shows to servers that ask for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// The certificate and its chain: PEM, or the path of a file that holds it.
    pub certificate: FromVariable,
    /// Its private key: PEM, or the path of a file that holds it.
    pub key: FromVariable,
}

/// What every request has that does not say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestDefaults {
    /// Headers; variables are filled in.
    pub headers: IndexMap<String, String>,
}

impl RequestDefaults {
    fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }
}

/// Who keeps the timetable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// The worker itself.
    Alone,
    /// A table of jobs in PostgreSQL, shared by any number of workers.
    Fleet,
}

/// `worker` of `lensops.yml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerFile {
    /// `registry`, for every tenant of the store's `yacht_registry`, or a SELECT that returns one
    /// column of tenant ids. Without it each plan's own tenants are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<String>,
    /// Checks that run at once against one host, 1 to 10000.
    pub per_host: u16,
}

impl WorkerFile {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for WorkerFile {
    fn default() -> Self {
        Self {
            tenants: None,
            per_host: 32,
        }
    }
}

/// Figures of `--listen`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsFile {
    /// Whether figures are told tenant by tenant: a series each.
    #[serde(deserialize_with = "lensops_core::yaml::own_boolean")]
    pub tenant_label: bool,
}

/// Where checks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// In the journal alone.
    Sqlite,
    /// At `DATABASE_URL`.
    Postgres,
    /// At the REST interface of `TENANT_SUPABASE_URL`.
    Rest,
}

/// Whether the target may be changed by tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Destructive {
    /// It may: it is a staging target made for it.
    Allowed,
    /// It may not.
    Forbidden,
}

/// How the hosting provider runs the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// In a container.
    Docker,
    /// Built from source.
    Rust,
}

impl ProjectFile {
    /// Reads `text`; `file` is the name that mistakes carry.
    ///
    /// # Errors
    /// Every mistake, each with its place.
    pub fn read(file: &str, text: &str) -> Result<Self, YamlErrors> {
        let project: Self = yaml::read_all(file, text)?;
        let mistake = |(path, message): (String, String)| {
            let steps: Vec<&str> = path.split('.').collect();
            let (line, column) = yaml::place(text, &steps);
            Mistake {
                line,
                column,
                message: format!("{path}: {message}"),
            }
        };
        let mut mistakes: Vec<Mistake> = project.wrong().into_iter().map(mistake).collect();
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        if mistakes.is_empty() {
            return Ok(project);
        }
        Err(YamlErrors::at(file, text, mistakes))
    }

    /// What is more than a type, and wrong: where, key by key, and why.
    fn wrong(&self) -> Vec<(String, String)> {
        let mut wrong = self.wrong_values();
        let phases = Phases::of(self.phases.as_deref()).err();
        wrong.extend(phases.map(|error| ("phases".to_owned(), error.to_string())));
        wrong
    }

    fn wrong_values(&self) -> Vec<(String, String)> {
        let windows = self.maintenance.iter().enumerate();
        let mut wrong: Vec<(String, String)> = windows
            .filter_map(|(index, window)| Some((format!("maintenance.{index}"), window.validate().err()?)))
            .collect();
        wrong.extend(self.tenants.wrong());
        wrong.extend(wrong_sign_in(&self.users, &self.auth));
        let outsiders = wrong_sign_in(&self.outsiders, &self.auth).into_iter();
        let of_outsiders = outsiders.filter_map(|(path, why)| Some((path.strip_prefix("users.")?.to_owned(), why)));
        wrong.extend(of_outsiders.map(|(path, why)| (format!("outsiders.{path}"), why)));
        let mut refuse = |path: &str, why: &str| wrong.push((path.to_owned(), why.to_owned()));
        if !(1..=10_000).contains(&self.worker.per_host) {
            refuse("worker.per_host", "it is a number of checks from 1 to 10000");
        }
        let words = self
            .worker
            .tenants
            .as_deref()
            .map(|text| text.trim_start().to_ascii_lowercase());
        let known = ["registry", "select ", "select\n", "with "];
        if words.is_some_and(|text| !known.iter().any(|start| text.starts_with(start))) {
            refuse(
                "worker.tenants",
                "it is `registry`, or a SELECT that returns one column of tenant ids",
            );
        }
        if let Some(why) = self.template_set.as_deref().and_then(not_a_set) {
            refuse("template_set", why);
        }
        if let Some(install) = &self.install {
            // What CI downloads and runs must come over TLS and be named by its hash.
            if !install.url.starts_with("https://") {
                refuse(
                    "install.url",
                    "CI runs what it downloads there: it is an https:// address",
                );
            }
            let in_url = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!&()*+,;=%[]".contains(&byte);
            if !install.url.bytes().all(in_url) {
                refuse(
                    "install.url",
                    "it is written into workflows: an address holds no spaces, quotes, `$` or braces",
                );
            }
            if install.sha256.len() != 64 || !install.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                refuse("install.sha256", "it is 64 hex digits");
            }
        }
        for (index, entry) in self.migrate.acknowledged.iter().enumerate() {
            if let Some((key, why)) = entry.wrong() {
                refuse(&format!("migrate.acknowledged.{index}.{key}"), why);
            }
        }
        for (place, why) in self.evidence.iter().flat_map(EvidenceFile::wrong) {
            refuse(&format!("evidence.{place}"), why);
        }
        if let Some(alerts) = &self.alerts {
            let named = alerts.receivers.iter().map(|receiver| receiver.name.to_string());
            let mut receivers: Vec<String> = named.collect();
            if receivers.is_empty() {
                // Which of them are set up is the environment's to say.
                receivers.extend(ReceiverKind::ALL.map(|kind| kind.as_str().to_owned()));
            }
            let errors = RuleBook::of(alerts, &receivers).err();
            wrong.extend(
                errors
                    .into_iter()
                    .flat_map(|errors| errors.0)
                    .map(|error| (error.place, error.why)),
            );
        }
        wrong
    }
}

/// Why a text names no template set, whatever there is.
fn not_a_set(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Some("it is the name of a built-in set, or a folder");
    }
    Path::new(text)
        .is_absolute()
        .then_some("it is part of the repository: a folder below this file's, such as tools/lensops-templates")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let told = |text: &str| ProjectFile::read("lensops.yml", text).unwrap_err().0;
        let places = |text: &str| told(text).iter().map(|m| (m.line, m.column)).collect::<Vec<_>>();
        let types = "tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5x]
stroe: postgres
store: postgers
flags: {provider: env_fil, path: x}
worker: {per_host: many}
maintenance:
  - {reason: x, every: sometimes}
alerts:
  reminder: soon
  rules: {unhealhty: {for: 2}, no_check: {severity: loud}}
";
        let found = told(types);
        let expected = [
            "a UUID is hexadecimal",
            "did you mean \"store\"?",
            "did you mean \"postgres\"?",
            "did you mean \"env_file\"?",
            "\"per_host\" is a whole number, not text",
            "\"every\": ",
            "\"reminder\": ",
            "did you mean \"unhealthy\"?",
            "\"severity\" \"loud\" is not known",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.message.contains(expected), "{expected}: {found:#?}");
        }
        let sense = "worker: {per_host: 0, tenants: everybody}
install: {url: 'http://x', sha256: short}
maintenance: [{reason: x}]
alerts: {rules: {unhealthy: {for: 3, of: 2}, no_check: {receivers: [nobody]}}}
";
        assert_eq!(
            places(sense),
            [(1, 20), (1, 32), (2, 16), (2, 36), (3, 15), (4, 35), (4, 68)],
            "{:#?}",
            told(sense)
        );
        assert!(ProjectFile::read("lensops.yml", "worker: {per_host: 8}\n").is_ok());
    }
}
