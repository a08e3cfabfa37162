//! What the probes of one check share.

use jiff::Timestamp;
use lensops_core::ident::Ident;
use lensops_core::plan::Vars;
use tokio::time::Instant;
use uuid::Uuid;

/// What the probes of one check share.
pub(super) struct Turn {
    pub(super) tenant: Uuid,
    /// The plan's variables for the tenant.
    pub(super) vars: Vars,
    /// Real time.
    pub(super) now: Timestamp,
    /// When the check's time is up.
    pub(super) deadline: Instant,
    pub(super) rng: fastrand::Rng,
    /// Users whose credential was renewed in this check.
    pub(super) renewed: Vec<Ident>,
}
