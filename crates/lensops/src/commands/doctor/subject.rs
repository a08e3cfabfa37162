//! What the doctor examines: settings, lenses, plans, and what sends requests.

use lensops_core::lens::Lens;
use lensops_core::plan::monitor::MonitorPlan;

use crate::commands::plans::Loaded;
use crate::commands::worker::check::Monitor;
use crate::config::Settings;
use crate::http::Client;
use crate::store::TenantSource;

/// What is looked at.
pub struct Subject<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The lens files that could be read, and what is wrong with the others.
    pub lenses: Vec<Result<Lens, String>>,
    /// The plans, and what is wrong with them.
    pub plans: Vec<Result<Loaded<MonitorPlan>, String>>,
    /// Their monitors; none where the settings do not suffice.
    pub monitors: Vec<Monitor>,
    /// Where the tenants are read from, where the store can tell.
    pub tenants: Result<Option<TenantSource<Client>>, String>,
    /// Sends requests.
    pub client: Client,
}
