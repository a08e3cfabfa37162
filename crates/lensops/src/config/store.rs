//! The chosen store, and the journal that every run has.

use std::path::PathBuf;

use lensops_core::exchange::Base;
use lensops_core::secret::Secret;

use super::error::ConfigError;
use super::project::StoreKind;
use super::settings::Settings;

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

impl Settings {
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

    /// The database that `DATABASE_URL` names, if any.
    #[must_use]
    pub fn database_url(&self) -> Option<Secret> {
        self.var("DATABASE_URL").map(Secret::new)
    }

    /// Whether the environment names a store besides the journal, chosen or not.
    #[must_use]
    pub fn names_a_store_elsewhere(&self) -> bool {
        self.var("DATABASE_URL").is_some()
            || (self.var("TENANT_SUPABASE_URL").is_some() && self.var("SUPABASE_SERVICE_KEY").is_some())
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
}
