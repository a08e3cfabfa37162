//! A stand-in tenant API on loopback, with faults on demand.
//!
//! It answers as the reference API does in each of its three dialects, keeps an in-memory store
//! behind the REST endpoints, and speaks the provider's flag API; a second port takes the faults.
//! It refuses to listen anywhere but on loopback, and it shares no code with the tool it tests, so
//! that the two cannot agree by accident. A mock with recorded answers was rejected: the order in
//! which the API judges a request is what the tests are about, and a recording has no order.

mod actions;
mod audit;
mod body;
mod call;
mod config;
mod control;
mod data;
mod dispatch;
mod envelope;
mod execute;
mod fault_book;
mod faults;
mod listener;
mod operation;
mod provider;
mod query;
mod registry;
mod reply;
mod request_log;
mod rest;
mod rows;
mod server;
mod shop;
mod sign_in;
mod signature;
mod state;
mod table;
mod tenant_data;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use audit::AuditRow;
pub use config::Config;
pub use data::{ACTIONS_JSON, LENSES_JSON};
pub use envelope::{Dialect, UnknownDialect};
pub use faults::{Act, Answer, Faults, FaultsError, Latency, Lognormal, Rule, Truncation};
pub use registry::test_entities;
pub use request_log::Seen;
pub use shop::{Hole, ORDERS_FLAG, ShopUser};
pub use sign_in::{Accounts, TokenKey};

use listener::Listener;
use server::Phase;
use state::State;

/// Why the sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// An address that other machines could reach was asked for.
    #[error("the sandbox listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// The port could not be taken.
    #[error("cannot listen on {addr}")]
    Bind {
        /// The address that was asked for.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A running sandbox. Dropping it stops it at once; [`Sandbox::stop`] lets requests finish.
#[derive(Debug)]
pub struct Sandbox {
    state: Arc<State>,
    control: SocketAddr,
    phase: watch::Sender<Phase>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts the API and its control port on the current tokio runtime.
///
/// # Errors
/// [`SandboxError::NotLoopback`] for an address outside loopback, [`SandboxError::Bind`] when a
/// port cannot be taken.
pub async fn serve(mut config: Config) -> Result<Sandbox, SandboxError> {
    for addr in [config.bind, config.control_bind] {
        if !addr.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(addr));
        }
    }
    let api = Listener::bind(config.bind).map_err(|source| SandboxError::Bind {
        addr: config.bind,
        source,
    })?;
    let control = Listener::bind(config.control_bind).map_err(|source| SandboxError::Bind {
        addr: config.control_bind,
        source,
    })?;
    config.bind = api.addr();
    config.control_bind = control.addr();
    let control_addr = control.addr();
    let (phase, phase_seen) = watch::channel(Phase::Open);
    let state = Arc::new(State::new(config, api));
    let tasks = vec![
        tokio::spawn(server::serve_api(Arc::clone(&state), phase_seen.clone())),
        tokio::spawn(server::serve_control(Arc::clone(&state), control, phase_seen)),
    ];
    Ok(Sandbox {
        state,
        control: control_addr,
        phase,
        tasks,
    })
}

impl Sandbox {
    /// Base URL of the API, without a trailing slash: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.state.config.bind)
    }

    /// Base URL of the control port, without a trailing slash.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The settings it runs with; `bind` and `control_bind` carry the ports really taken.
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// Replaces the faults; rule counters and the random sequence start afresh. Refusing
    /// connections takes effect before this returns. Should the port be lost meanwhile, the API
    /// goes on refusing and [`Sandbox::faults`] says so.
    pub fn set_faults(&self, faults: Faults) {
        // The one error, a lost port, is told by `faults()`, which then still reads as refusing.
        drop(self.state.set_faults(faults));
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.state.fault_book.faults().as_ref().clone()
    }

    /// The audit log, oldest first. Empty until an action that writes has succeeded.
    pub fn audit(&self) -> Vec<AuditRow> {
        self.state.tenant_data().audit.clone()
    }

    /// Rows of a table of the REST store in the order of arrival (`pms_health_checks`,
    /// `pms_health_events`), of `pms_audit_log`, or of the shop's `orders`. Empty for any other name.
    pub fn rows(&self, table: &str) -> Vec<serde_json::Value> {
        self.state.rows(table).unwrap_or_default()
    }

    /// The last 10,000 requests to the API, oldest first, faulted ones included.
    pub fn requests(&self) -> Vec<Seen> {
        self.state.request_log.all()
    }

    /// Sets a flag at the provider and in the running service, as a deploy would.
    pub fn set_flag(&self, name: &str, value: &str) {
        self.state.set_flag(name, value);
    }

    /// Forgets who is signed in: what was given is good no more.
    pub fn sign_out_all(&self) {
        self.state.sign_out_all();
    }

    /// Stops listening, lets requests under way finish for up to a second, then returns.
    pub async fn stop(mut self) {
        self.phase.send_replace(Phase::Stopping);
        for task in std::mem::take(&mut self.tasks) {
            // A task that panicked has stopped too.
            drop(task.await);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.state.listener.shut();
    }
}
