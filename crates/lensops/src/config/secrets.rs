//! The secrets of the environment, and the redactor that knows them.

use std::path::PathBuf;

use lensops_core::redaction::Redactor;
use lensops_core::secret::Secret;

use super::settings::{Env, Settings};

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

/// Names of the variables that hold addresses: a password may stand in one.
const ADDRESSES: [&str; 4] = [
    "API_BASE_URL",
    "STAGING_API_URL",
    "TENANT_SUPABASE_URL",
    "RENDER_API_URL",
];

/// Knows every secret of `env`, for what is told before there are settings, or because there are none.
#[must_use]
pub fn redactor_of(env: &Env) -> Redactor {
    Settings::of(env.clone()).redactor()
}

impl Settings {
    /// The names of the variables that hold secrets, those that `lensops.yml` names among them.
    #[must_use]
    pub fn secret_names(&self) -> Vec<String> {
        let mut names: Vec<String> = SECRETS.iter().map(|name| (*name).to_owned()).collect();
        for name in self.receiver_variables().into_iter().chain(self.named_variables()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
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
            .chain(ADDRESSES.iter().filter_map(|name| self.var(name)).flat_map(passwords))
            .chain(self.project.api_base_url.as_deref().into_iter().flat_map(passwords))
            .chain(self.receiver_secrets().into_iter().map(Secret::new))
            .chain(
                self.named_variables()
                    .iter()
                    .filter_map(|name| self.var(name))
                    .map(Secret::new),
            )
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
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
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

    #[test]
    fn e5_a_password_within_an_address_is_told_nowhere() {
        for (name, address) in [
            ("API_BASE_URL", "https://made-up:hush-hush@host"),
            ("API_BASE_URL", "made-up:hush-hush@host"),
            ("TENANT_SUPABASE_URL", "https://made-up:hush-hush@host/rest"),
            ("DATABASE_URL", "postgres://made-up:hush-hush@host/db"),
        ] {
            let env = Env::from([(name.to_owned(), address.to_owned())]);
            let told = redactor_of(&env).text("password hush-hush of made-up:hush-hush@host");
            assert!(!told.as_str().contains("hush"), "{name}: {told}");
            let shown = Settings::of(env).shown();
            assert!(!format!("{shown:?}").contains("hush"), "{name}: {shown:?}");
        }
    }
}
