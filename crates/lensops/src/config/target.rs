//! The target of a command: the API's address, who issues tokens, and what signs them.

use lensops_core::exchange::Base;
use lensops_core::plan::Vars;
use lensops_core::request::Address;
use lensops_core::secret::Secret;

use super::error::ConfigError;
use super::settings::Settings;

/// Which target a command runs against: it decides which variables are looked at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `check`, `worker`: `API_BASE_URL`, `TENANT_SUPABASE_JWT_SECRET`.
    Production,
    /// `accept`, `stress`: `STAGING_API_URL`, `STAGING_JWT_SECRET` first.
    Staging,
}

impl Settings {
    /// The API's address, for the first tenant of `lensops.yml` where it differs from tenant to tenant.
    ///
    /// # Errors
    /// When it is nowhere, or is no address.
    pub fn api(&self, target: Target) -> Result<Base, ConfigError> {
        let tenants = &self.project.tenants;
        let vars = tenants
            .first()
            .map(|id| tenants.vars(*id, &self.tenant_environment(tenants)));
        self.api_for(target, &vars.unwrap_or_default())
    }

    /// The API's address as `vars` of a tenant fill it in.
    ///
    /// # Errors
    /// When it is nowhere, or is no address.
    pub fn api_for(&self, target: Target, vars: &Vars) -> Result<Base, ConfigError> {
        let (name, address) = self.api_address(target)?;
        if !address.varies() {
            return Base::parse(address.as_str()).map_err(|source| ConfigError::Address { name, source });
        }
        let base = address.base(vars);
        base.map_err(|error| ConfigError::Missing(format!("{name}: {error}")))
    }

    /// The API's address as it is written, and the setting that it is of.
    ///
    /// # Errors
    /// When it is nowhere.
    pub fn api_address(&self, target: Target) -> Result<(&'static str, Address), ConfigError> {
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
        Ok((name, Address::new(url)))
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

    /// The tenant database that acceptance reads, if the environment names one.
    #[must_use]
    pub fn staging_db(&self) -> Option<Secret> {
        self.var("STAGING_DB_URL").map(Secret::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staging_runs_look_at_staging_first() {
        let both = Settings::of_env(&[("API_BASE_URL", "http://prod"), ("STAGING_API_URL", "http://staging")]);
        assert_eq!(both.api(Target::Production).unwrap().to_string(), "http://prod");
        assert_eq!(both.api(Target::Staging).unwrap().to_string(), "http://staging");
        let one = Settings::of_env(&[("API_BASE_URL", "http://prod")]);
        assert_eq!(one.api(Target::Staging).unwrap().to_string(), "http://prod");
    }

    #[test]
    fn a_missing_address_names_its_variable_and_the_option() {
        let error = Settings::of_env(&[("API_BASE_URL", "  ")])
            .api(Target::Production)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("API_BASE_URL is not set") && error.contains("--api-url"),
            "{error}"
        );
    }
}
