//! What a check is, besides its probes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::duration::Every;
use crate::ident::LensId;
use crate::lens::Slo;
use crate::lens::mute::Muted;
use crate::plan::header::PlanOrigin;
use crate::stats::histogram::Latencies;
use crate::verdict::own_fault::Worked;

/// What a check is, besides its probes.
#[derive(Debug, Clone)]
pub struct CheckContext {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub tenant: Uuid,
    /// The lens.
    pub lens: LensId,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// How often the lens is checked.
    pub every: Every,
    /// What the lens promises.
    pub slo: Slo,
    /// The samples of earlier checks within the window of the SLO.
    pub earlier: Latencies,
    /// Probes that an earlier check found switched off; `None` without an earlier check.
    pub disabled_before: Option<Vec<String>>,
    /// Flags at the provider, where they could be read.
    pub flags: Vec<(String, bool)>,
    /// Flags as an earlier check read them; empty without one.
    pub flags_before: BTreeMap<String, bool>,
    /// Why the check counts for nothing.
    pub muted: Option<Muted>,
    /// Whether the clock was a virtual one.
    pub virtual_clock: bool,
    /// How the plan stands to what is generated.
    pub plan_origin: PlanOrigin,
    /// The host of the API.
    pub host: String,
    /// The digest of the credential that the probes carry; `None` where they carry none.
    pub credential: Option<String>,
    /// What earlier checks reached.
    pub worked: Worked,
}
