//! The secrets of the environment, and the redactor that knows them.

use std::path::PathBuf;

use lensops_core::redaction::Redactor;
use lensops_core::secret::Secret;

use super::settings::Settings;

/// Names of the variables that hold secrets.
pub(super) const SECRETS: [&str; 12] = [
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

impl Settings {
    /// Every secret of the environment with the name of its variable.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        SECRETS.iter().filter_map(|name| Some((*name, self.var(name)?)))
    }

    /// The secrets of the environment that end in a line break, by the names of their variables.
    pub fn secrets_with_line_break(&self) -> impl Iterator<Item = &'static str> {
        SECRETS.iter().copied().filter(|name| self.ends_in_line_break(name))
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
