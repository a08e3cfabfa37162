//! What the running API shares between connections: data, flags, faults, what it saw.
//!
//! Every lock is a `std` mutex held for a few map operations and never across an await.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::config::Config;
use crate::envelope::Refusal;
use crate::fault_book::FaultBook;
use crate::faults::Faults;
use crate::listener::Listener;
use crate::registry::registry;
use crate::request_log::RequestLog;
use crate::rows::Rows;
use crate::shop::{Counter, ORDERS_FLAG, Shop};
use crate::sign_in::Sessions;
use crate::tenant_data::TenantData;
use crate::token::Verifier;

/// Variables that sort before every flag, so that no flag is on the provider's first page.
const OTHER_SETTINGS: usize = 120;

/// Environment variables: as the provider holds them, and as the service read them at its start.
#[derive(Debug, Serialize)]
pub(crate) struct Flags {
    pub(crate) provider: BTreeMap<String, String>,
    running: BTreeMap<String, String>,
}

impl Flags {
    fn new(overrides: &BTreeMap<String, String>) -> Self {
        let mut provider: BTreeMap<String, String> = (0..OTHER_SETTINGS)
            .map(|number| (format!("APP_SETTING_{number:03}"), number.to_string()))
            .collect();
        for lens in &registry().lenses {
            for flag in &lens.feature_flags {
                provider.insert(flag.clone(), "true".into());
            }
        }
        provider.insert(ORDERS_FLAG.into(), "true".into());
        provider.extend(overrides.clone());
        let running = provider.clone();
        Self { provider, running }
    }

    /// The service starts again and reads its environment.
    pub(crate) fn deploy(&mut self) {
        self.running = self.provider.clone();
    }

    /// Only `true`, in any case, is on; absent is off.
    fn is_on(&self, name: &str) -> bool {
        let value = self.running.get(name);
        value.is_some_and(|value| value.to_lowercase() == "true")
    }
}

/// Everything shared.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) verifier: Verifier,
    pub(crate) fault_book: FaultBook,
    pub(crate) listener: Listener,
    pub(crate) request_log: RequestLog,
    pub(crate) sessions: Sessions,
    pub(crate) shop: Shop,
    tenant_data: Mutex<TenantData>,
    flags: Mutex<Flags>,
    store: Mutex<Rows>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(config: Config, listener: Listener) -> Self {
        if config.faults.refuse_connections {
            listener.refuse();
        }
        Self {
            verifier: Verifier::new(&config.jwt_secret),
            fault_book: FaultBook::new(config.seed, config.faults.clone()),
            request_log: RequestLog::default(),
            sessions: Sessions::default(),
            shop: Shop::default(),
            tenant_data: Mutex::new(TenantData::new(config.seed)),
            flags: Mutex::new(Flags::new(&config.flags)),
            store: Mutex::new(Rows::default()),
            listener,
            config,
        }
    }

    pub(crate) fn tenant_data(&self) -> MutexGuard<'_, TenantData> {
        self.tenant_data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn flags(&self) -> MutexGuard<'_, Flags> {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Rows> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts faults into force. When the API cannot listen again it goes on refusing, and the
    /// faults in force say so.
    pub(crate) fn set_faults(&self, mut faults: Faults) -> io::Result<()> {
        let opened = if faults.refuse_connections {
            self.listener.refuse();
            Ok(())
        } else {
            self.listener.open()
        };
        faults.refuse_connections |= opened.is_err();
        self.fault_book.replace(faults);
        opened
    }

    /// Forgets who is signed in.
    pub(crate) fn sign_out_all(&self) {
        self.sessions.clear();
        self.shop.sign_out_all();
    }

    /// What the shop answers by.
    pub(crate) fn counter<'a>(&'a self, faults: &'a Faults) -> Counter<'a> {
        Counter {
            shop: &self.shop,
            users: &self.config.shop,
            is_on: self.flags().is_on(ORDERS_FLAG),
            holes: &faults.holes,
        }
    }

    /// Sets a flag at the provider and in the running service.
    pub(crate) fn set_flag(&self, name: &str, value: &str) {
        let mut flags = self.flags();
        flags.provider.insert(name.to_owned(), value.to_owned());
        flags.running.insert(name.to_owned(), value.to_owned());
    }

    /// Refuses with 503 when the dialect tells flags and one that a domain needs is off.
    pub(crate) fn flags_on(&self, domain: &str, purpose: &str) -> Result<(), Refusal> {
        let Some(lens) = registry().lens_of(domain) else {
            return Ok(());
        };
        if !self.config.dialect.tells_flags() {
            return Ok(());
        }
        let flags = self.flags();
        match lens.flags_for(purpose).find(|flag| !flags.is_on(flag)) {
            None => Ok(()),
            Some(off) => Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "FEATURE_DISABLED",
                format!("{off} is off"),
            )),
        }
    }

    /// Rows of a table by name; `None` for a table that does not exist.
    pub(crate) fn rows(&self, table: &str) -> Option<Vec<Value>> {
        if table == "pms_audit_log" {
            let data = self.tenant_data();
            let rows = data.audit.iter().map(serde_json::to_value);
            return Some(rows.filter_map(Result::ok).collect());
        }
        if table == "orders" {
            return Some(self.shop.rows());
        }
        self.store().all(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_true_in_any_case_is_on_and_absent_is_off() {
        let name = "FAULT_LENS_V1_ENABLED";
        for (value, on) in [
            ("true", true),
            ("True", true),
            ("TRUE", true),
            ("1", false),
            ("yes", false),
            (" true", false),
            ("", false),
        ] {
            let overrides = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            assert_eq!(Flags::new(&overrides).is_on(name), on, "{value:?}");
        }
        assert!(!Flags::new(&BTreeMap::new()).is_on("NO_SUCH_FLAG"));
    }

    #[test]
    fn a_flag_takes_effect_at_the_next_deploy() {
        let name = "FAULT_LENS_V1_ENABLED";
        let mut flags = Flags::new(&BTreeMap::new());
        flags.provider.insert(name.into(), "false".into());
        assert!(flags.is_on(name), "the service still runs with what it read");
        flags.deploy();
        assert!(!flags.is_on(name));
    }
}
