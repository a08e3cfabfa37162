//! The flag provider that files and environment choose.

use std::sync::Arc;
use std::time::Duration;

use lensops_core::auth::{Given, Values};
use lensops_core::exchange::Base;
use lensops_core::flags::{FlagService, Follows};
use lensops_core::request::Vars;
use lensops_core::secret::Secret;
use serde_json::Value;

use super::error::ConfigError;
use super::flags_file::{CommandAt, FlagsAt};
use super::presets::preset;
use super::settings::Settings;
use crate::flags::{CHECK_PATIENCE, CommandProvider, Deploy, EnvFile, Provider, RenderProvider, ServiceProvider};

/// The provider's public interface.
pub(super) const RENDER_API: &str = "https://api.render.com";

/// How long a command may take that does not say.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);

/// The value that is its address.
const URL: &str = "url";

/// A provider, or why there is none: something of the environment is missing.
type Chosen = Result<Provider, String>;

impl Settings {
    /// The flag provider, or why there is none.
    ///
    /// # Errors
    /// When `flags` of `lensops.yml` does not fit its definition, or an address is no address.
    pub fn provider(&self) -> Result<Chosen, ConfigError> {
        let Some(at) = &self.project.flags else {
            return self.render();
        };
        match at {
            FlagsAt::Render => self.render(),
            FlagsAt::EnvFile { path } => Ok(Ok(Provider::EnvFile(EnvFile::new(self.root.join(path))))),
            FlagsAt::Command(command) => self.command(command).map(Ok),
            FlagsAt::Http(defined) => {
                let path = self.root.join(&defined.definition);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| ConfigError::Flags(format!("{}: {error}", path.display())))?;
                self.service(&path.display().to_string(), &text, &at.values())
            }
            _ => self.preset(at.preset().unwrap_or_default(), &at.values()),
        }
    }

    /// Who else sees the flags, or why nobody can be asked; `None` where nobody is named.
    ///
    /// # Errors
    /// As [`Settings::provider`].
    pub fn seen_by(&self) -> Result<Option<Chosen>, ConfigError> {
        let seen = self.project.flags.as_ref().and_then(FlagsAt::seen_by);
        seen.map(|seen| self.preset("ofrep", &seen.ofrep.values())).transpose()
    }

    fn preset(&self, name: &str, values: &Values) -> Result<Chosen, ConfigError> {
        self.service(name, preset(name).unwrap_or_default(), values)
    }

    fn render(&self) -> Result<Chosen, ConfigError> {
        let (Some(key), Some(service)) = (self.var("RENDER_API_KEY"), self.var("RENDER_SERVICE_ID")) else {
            let missing = ["RENDER_API_KEY", "RENDER_SERVICE_ID"].into_iter();
            return Ok(Err(not_set(missing.filter(|name| self.var(name).is_none()))));
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

    fn command(&self, at: &CommandAt) -> Result<Provider, ConfigError> {
        let refuse = |why: &str| ConfigError::Flags(format!("`flags` of lensops.yml: {why}"));
        if at.read.is_empty() {
            return Err(refuse("`read` is empty: it is a program and its arguments"));
        }
        if at.on.is_empty() != at.off.is_empty() {
            return Err(refuse("`on` and `off` belong together: give both, or neither"));
        }
        let timeout = at.timeout.map_or(COMMAND_TIMEOUT, |every| {
            Duration::from_millis(every.as_ms().unsigned_abs())
        });
        Ok(Provider::Command(CommandProvider {
            read: at.read.clone(),
            set: (!at.on.is_empty()).then(|| (at.on.clone(), at.off.clone())),
            follows: match at.then {
                Follows::Live => Deploy::Live,
                Follows::Deploying => Deploy::Started,
                Follows::ByHand => Deploy::ByHand,
            },
            timeout,
            redactor: self.redactor(),
        }))
    }

    /// The service that `definition`, of the file `name`, describes.
    fn service(&self, name: &str, definition: &str, values: &Values) -> Result<Chosen, ConfigError> {
        let service: FlagService =
            lensops_core::yaml::read(name, definition).map_err(|error| ConfigError::Flags(error.to_string()))?;
        let refuse = |why: String| ConfigError::Flags(format!("`flags` of lensops.yml: {}: {why}", service.service));
        let known: Vec<&str> = service.values.keys().map(lensops_core::ident::Ident::as_str).collect();
        if let Some(name) = values.keys().find(|name| !service.values.contains_key(*name)) {
            let known = known.join(", ");
            return Err(refuse(format!("it has no `{name}`: it takes {known}")));
        }
        let (mut vars, mut secrets, mut missing, mut variable) = (Vars::new(), Vec::new(), Vec::new(), None);
        for (name, declared) in &service.values {
            let given = values.get(name);
            if declared.secret && given.is_some_and(|given| given.variable().is_none()) {
                return Err(refuse(format!("`{name}` is a secret: write {{env: NAME}}")));
            }
            let value = match (given, &declared.default) {
                (Some(Given::Env(from)), _) => {
                    let Some(value) = self.var(from.env.as_str()) else {
                        missing.push(from.env.to_string());
                        continue;
                    };
                    if declared.secret {
                        secrets.push(Secret::new(value));
                        variable.get_or_insert_with(|| from.env.to_string());
                    }
                    Value::String(value.to_owned())
                }
                (Some(given), _) => given.value(&lensops_core::auth::Environment::default()),
                (None, Some(default)) => default.clone(),
                (None, None) => return Err(refuse(format!("it needs `{name}`: {}", declared.about))),
            };
            vars.insert(name.clone(), value);
        }
        if !missing.is_empty() {
            return Ok(Err(not_set(missing.iter().map(String::as_str))));
        }
        let url = vars.get(URL).and_then(Value::as_str).unwrap_or_default();
        let base = Base::parse(url).map_err(|error| refuse(error.to_string()))?;
        Ok(Ok(Provider::Service(Box::new(ServiceProvider {
            base,
            vars,
            secrets,
            variable: variable.unwrap_or_else(|| "its token".to_owned()),
            patience: CHECK_PATIENCE,
            service: Arc::new(service),
        }))))
    }
}

/// That `names` are not set.
fn not_set<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb} not set", names.join(" and "))
}
