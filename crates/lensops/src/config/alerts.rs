//! Alerts as files and environment settle them: who is told, and by which rules.

use lensops_core::alert::{AlertsFile, ReceiverFile, ReceiverKind, RuleBook};
use lensops_core::secret::Secret;

use super::error::ConfigError;
use super::settings::Settings;
use crate::alert::{Address, Receiver, Speaks};

/// Where PagerDuty takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// Kinds with the variables of their address and key.
const KINDS: [(ReceiverKind, &str, Option<&str>); 3] = [
    (ReceiverKind::Slack, "SLACK_WEBHOOK_URL", None),
    (
        ReceiverKind::Pagerduty,
        "PAGERDUTY_EVENTS_URL",
        Some("PAGERDUTY_ROUTING_KEY"),
    ),
    (
        ReceiverKind::Webhook,
        "LENSOPS_WEBHOOK_URL",
        Some("LENSOPS_WEBHOOK_SECRET"),
    ),
];

/// The variables that hold address and key of `file`.
fn names(file: &ReceiverFile) -> (&str, Option<&str>) {
    let usual = KINDS.iter().find(|(kind, ..)| *kind == file.kind);
    let (url, secret) = usual.map_or(("", None), |(_, url, secret)| (*url, *secret));
    (
        file.url_env.as_ref().map_or(url, |name| name.as_str()),
        secret.map(|usual| file.secret_env.as_ref().map_or(usual, |name| name.as_str())),
    )
}

impl Settings {
    /// `alerts:` of `lensops.yml`.
    #[must_use]
    pub fn alerts(&self) -> AlertsFile {
        self.project.alerts.clone().unwrap_or_default()
    }

    /// Who is told: the receivers of `lensops.yml`, else those whose variables are set.
    ///
    /// # Errors
    /// Two of one name, a variable that is not set, an address that is none.
    pub fn receivers(&self) -> Result<Vec<Receiver>, ConfigError> {
        let named = self.alerts().receivers;
        if let Some(twice) = named
            .iter()
            .enumerate()
            .find(|(at, file)| named[..*at].iter().any(|other| other.name == file.name))
        {
            return Err(ConfigError::Missing(format!(
                "lensops.yml: alerts.receivers: {} stands there twice; give each a name of its own",
                twice.1.name
            )));
        }
        if !named.is_empty() {
            return named.iter().map(|file| self.receiver(file)).collect();
        }
        let usual = KINDS.iter().filter(|(kind, url, secret)| {
            // PagerDuty's address is known; its key says that it is wanted.
            let sign = if *kind == ReceiverKind::Pagerduty {
                secret.unwrap_or(url)
            } else {
                url
            };
            self.var(sign).is_some()
        });
        usual
            .map(|(kind, ..)| {
                let name = kind.as_str().parse().map_err(|_| missing("a name"))?;
                self.receiver(&ReceiverFile {
                    name,
                    kind: *kind,
                    url_env: None,
                    secret_env: None,
                })
            })
            .collect()
    }

    fn receiver(&self, file: &ReceiverFile) -> Result<Receiver, ConfigError> {
        let (url_name, secret_name) = names(file);
        let not_set = |variable: &str| {
            ConfigError::Missing(format!("{variable} is not set: alert receiver {} needs it", file.name))
        };
        let url = match (self.var(url_name), file.kind) {
            (Some(url), _) => url,
            (None, ReceiverKind::Pagerduty) if file.url_env.is_none() => PAGERDUTY,
            (None, _) => return Err(not_set(url_name)),
        };
        let address =
            Address::parse(url).map_err(|error| ConfigError::Missing(format!("{url_name} cannot be used: {error}")))?;
        let secret = secret_name
            .map(|variable| self.var(variable).map(Secret::new).ok_or_else(|| not_set(variable)))
            .transpose()?;
        let speaks = match (file.kind, secret) {
            (ReceiverKind::Pagerduty, Some(key)) => Speaks::Pagerduty(address, key),
            (ReceiverKind::Webhook, Some(key)) => Speaks::Webhook(address, key),
            _ => Speaks::Slack(address),
        };
        Ok(Receiver {
            name: file.name.as_str().to_owned(),
            speaks,
        })
    }

    /// The rules, with `receivers` as those who can be told.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub fn rule_book(&self, receivers: &[Receiver]) -> Result<RuleBook, ConfigError> {
        let names: Vec<String> = receivers.iter().map(|receiver| receiver.name.clone()).collect();
        Ok(RuleBook::of(&self.alerts(), &names)?)
    }

    /// The variables that receivers of `lensops.yml` take their address and secret from.
    pub(super) fn receiver_variables(&self) -> Vec<String> {
        let alerts = self.alerts();
        let named = alerts.receivers.iter().flat_map(|file| {
            let (url, secret) = names(file);
            std::iter::once(url).chain(secret)
        });
        named.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// Every secret of receivers: what variables hold, and the path of an address by itself, which is
    /// what an answer may echo.
    pub(super) fn receiver_secrets(&self) -> Vec<String> {
        let alerts = self.alerts();
        let usual = KINDS
            .iter()
            .flat_map(|(_, url, secret)| std::iter::once(*url).chain(*secret));
        let named = alerts.receivers.iter().flat_map(|file| {
            let (url, secret) = names(file);
            std::iter::once(url).chain(secret)
        });
        let values = usual.chain(named).filter_map(|name| self.var(name));
        values
            .flat_map(|value| {
                let path = value
                    .split_once("://")
                    .and_then(|(_, rest)| rest.find(['/', '?']).map(|at| rest[at + 1..].to_owned()));
                std::iter::once(value.to_owned()).chain(path.filter(|path| path.len() >= 8))
            })
            .collect()
    }
}

fn missing(what: &str) -> ConfigError {
    ConfigError::Missing(what.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(yaml: &str, env: &[(&str, &str)]) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("lensops.yml"), yaml).unwrap();
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Settings::load(Path::new(folder.path()), env).unwrap()
    }

    #[test]
    fn receivers_are_those_named_else_those_whose_variables_are_set() {
        let env = [
            ("SLACK_WEBHOOK_URL", "https://hooks.example/services/made-up"),
            ("PAGERDUTY_ROUTING_KEY", "made-up-routing-key"),
            ("NIGHT_URL", "https://night.example/in"),
            ("NIGHT_SECRET", "made-up-night-secret"),
        ];
        let names = |yaml: &str| -> Vec<String> {
            settings(yaml, &env)
                .receivers()
                .unwrap()
                .into_iter()
                .map(|receiver| receiver.name)
                .collect()
        };
        assert_eq!(names(""), ["slack", "pagerduty"]);
        let named = "alerts: {receivers: [{name: night, kind: webhook, url_env: NIGHT_URL, secret_env: NIGHT_SECRET}]}";
        assert_eq!(names(named), ["night"]);
        let text = "sent made-up-night-secret to https://night.example/in and services/made-up";
        let clean = settings(named, &env).redactor().text(text);
        assert!(
            !clean.as_str().contains("made-up") && !clean.as_str().contains("night.example"),
            "{clean}"
        );
    }

    #[test]
    fn a_receiver_without_its_variable_or_with_a_bad_address_is_refused_and_nothing_is_shown() {
        for (case, yaml, env, told) in [
            (
                "no secret",
                "",
                vec![("LENSOPS_WEBHOOK_URL", "https://x.example/made-up")],
                "LENSOPS_WEBHOOK_SECRET is not set",
            ),
            (
                "no address",
                "alerts: {receivers: [{name: ops, kind: slack}]}",
                vec![],
                "SLACK_WEBHOOK_URL is not set: alert receiver ops needs it",
            ),
            (
                "bad address",
                "",
                vec![("SLACK_WEBHOOK_URL", "made-up")],
                "SLACK_WEBHOOK_URL cannot be used",
            ),
            (
                "twice",
                "alerts: {receivers: [{name: ops, kind: slack}, {name: ops, kind: slack}]}",
                vec![],
                "ops stands there twice",
            ),
        ] {
            let error = settings(yaml, &env).receivers().unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("made-up"), "{case}: {error}");
        }
    }
}
