//! Every setting with its origin, for `lensops config`.

use serde::Serialize;

use super::flags::RENDER_API;
use super::secrets::SECRETS;
use super::settings::{PROJECT_FILE, Settings};

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

impl Settings {
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
        let named = self.named_variables().into_iter();
        shown.extend(named.map(|name| self.shown_var(&name, true)));
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
            ("template_set", project.template_set.clone()),
            (
                "repository.branch",
                project.repository.branch.as_ref().map(ToString::to_string),
            ),
            (
                "repository.root",
                project.repository.root.as_ref().map(ToString::to_string),
            ),
            ("paths", count(project.paths.len())),
            ("single_worker", project.single_worker.then(|| "true".to_owned())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let shown = Settings::of_env(&[
            ("STAGING_JWT_SECRET", "made-up-secret-value"),
            ("API_BASE_URL", "http://x/made-up-secret-value"),
        ])
        .shown();
        assert!(!format!("{shown:?}").contains("made-up-secret-value"), "{shown:?}");
    }
}
