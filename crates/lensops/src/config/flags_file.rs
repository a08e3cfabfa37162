//! `flags` of `lensops.yml`: where flags are kept.

use std::path::PathBuf;

use lensops_core::auth::{FromVariable, Given, Values};
use lensops_core::duration::Every;
use lensops_core::flags::Follows;
use lensops_core::ident::{EnvName, Ident};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where flags are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "provider", rename_all = "snake_case", deny_unknown_fields)]
pub enum FlagsAt {
    /// At the hosting provider: `RENDER_API_KEY`, `RENDER_SERVICE_ID`.
    Render,
    /// In a file of `KEY=VALUE` lines that the service reads at its start.
    EnvFile {
        /// The file, below the repository where it is no absolute path.
        path: PathBuf,
    },
    /// In Unleash.
    Unleash(ServiceAt),
    /// In LaunchDarkly.
    Launchdarkly(ServiceAt),
    /// In GrowthBook.
    Growthbook(ServiceAt),
    /// In Flagsmith.
    Flagsmith(ServiceAt),
    /// In PostHog.
    Posthog(ServiceAt),
    /// Behind OFREP, which evaluates flags and switches none.
    Ofrep(OfrepAt),
    /// In a service that a definition of your own describes; `lensops providers show NAME` prints one to begin with.
    Http(DefinedAt),
    /// Behind commands.
    Command(CommandAt),
}

/// A flag service. Which of these it needs, its definition says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceAt {
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Given>,
    /// Its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<FromVariable>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<Given>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Given>,
    /// Who else sees the flag: `lensops flags` shows it beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<SeenBy>,
}

/// An evaluation of flags beside the place where they are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenBy {
    /// By OFREP.
    pub ofrep: OfrepAt,
}

/// A service behind OFREP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfrepAt {
    /// Its address.
    pub url: Given,
    /// Its bearer token, where it wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<FromVariable>,
    /// Who asks, its `targetingKey`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targeting_key: Option<Given>,
}

/// A service by a definition of one's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefinedAt {
    /// The file that says how it is asked, below the repository where it is no absolute path.
    pub definition: PathBuf,
    /// What its `values` name.
    #[serde(default)]
    pub values: Values,
    /// Who else sees the flag: `lensops flags` shows it beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<SeenBy>,
}

/// Commands that read and switch a flag; `{flag}` in an argument is its name. No shell reads them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandAt {
    /// Program and arguments: prints `true`, `false`, `partly`, or nothing where the flag is not there.
    pub read: Vec<String>,
    /// Switches it on. Without `on` and `off` it can only be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// Switches it off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub off: Vec<String>,
    /// What follows once it is switched.
    #[serde(default)]
    pub then: Follows,
    /// The environment variables that hold their secrets: hidden wherever they come up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<EnvName>,
    /// How long one may take; 20 s where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Every>,
    /// Who else sees the flag: `lensops flags` shows it beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<SeenBy>,
}

impl FlagsAt {
    /// Who else sees the flags.
    #[must_use]
    pub fn seen_by(&self) -> Option<&SeenBy> {
        match self {
            Self::Unleash(at)
            | Self::Launchdarkly(at)
            | Self::Growthbook(at)
            | Self::Flagsmith(at)
            | Self::Posthog(at) => at.seen_by.as_ref(),
            Self::Http(at) => at.seen_by.as_ref(),
            Self::Command(at) => at.seen_by.as_ref(),
            Self::Render | Self::EnvFile { .. } | Self::Ofrep(_) => None,
        }
    }

    /// The preset that describes it; `None` where it is none.
    #[must_use]
    pub fn preset(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unleash(_) => "unleash",
            Self::Launchdarkly(_) => "launchdarkly",
            Self::Growthbook(_) => "growthbook",
            Self::Flagsmith(_) => "flagsmith",
            Self::Posthog(_) => "posthog",
            Self::Ofrep(_) => "ofrep",
            Self::Render | Self::EnvFile { .. } | Self::Http(_) | Self::Command(_) => return None,
        })
    }

    /// The values that it gives to a definition.
    #[must_use]
    pub fn values(&self) -> Values {
        match self {
            Self::Unleash(at)
            | Self::Launchdarkly(at)
            | Self::Growthbook(at)
            | Self::Flagsmith(at)
            | Self::Posthog(at) => at.values(),
            Self::Ofrep(at) => at.values(),
            Self::Http(at) => at.values.clone(),
            Self::Render | Self::EnvFile { .. } | Self::Command(_) => Values::new(),
        }
    }

    /// The environment variables that it names, those of who else sees the flags among them.
    #[must_use]
    pub fn variables(&self) -> Vec<EnvName> {
        let mut values: Vec<Given> = self.values().into_values().collect();
        if let Some(seen) = self.seen_by() {
            values.extend(seen.ofrep.values().into_values());
        }
        let secrets = match self {
            Self::Command(at) => at.secrets.as_slice(),
            _ => &[],
        };
        let named = values.iter().filter_map(Given::variable);
        named.chain(secrets).cloned().collect()
    }
}

impl ServiceAt {
    fn values(&self) -> Values {
        let token = self.token.clone().map(Given::Env);
        named([
            ("url", self.url.clone()),
            ("token", token),
            ("project", self.project.clone()),
            ("environment", self.environment.clone()),
        ])
    }
}

impl OfrepAt {
    /// The values that it gives to its definition.
    pub(super) fn values(&self) -> Values {
        let token = self.token.clone().map(Given::Env);
        named([
            ("url", Some(self.url.clone())),
            ("token", token),
            ("targeting_key", self.targeting_key.clone()),
        ])
    }
}

/// Those that are given, by name. The names used here are all identifiers.
fn named<const N: usize>(values: [(&str, Option<Given>); N]) -> Values {
    let given = values.into_iter();
    given
        .filter_map(|(name, value)| Some((name.parse::<Ident>().ok()?, value?)))
        .collect()
}
