//! The JSON Schemas that are published, each made from the type that reads or writes its file.

use serde_json::Value;

use crate::evidence::Manifest;
use crate::flags::FlagService;
use crate::history::gate::GateOutput;
use crate::lens::Lens;
use crate::plan::acceptance::AcceptancePlan;
use crate::plan::monitor::MonitorPlan;
use crate::plan::stress::StressPlan;
use crate::verdict::results::{CaseResults, StressResults};
use crate::yaml::{schema_of, schema_of_written};

/// Every published schema by name, in a fixed order.
#[must_use]
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("lens", schema_of::<Lens>("lens")),
        ("monitor-plan", schema_of::<MonitorPlan>("monitor-plan")),
        ("acceptance-plan", schema_of::<AcceptancePlan>("acceptance-plan")),
        ("stress-plan", schema_of::<StressPlan>("stress-plan")),
        ("manifest", schema_of::<Manifest>("manifest")),
        ("flag-service", schema_of::<FlagService>("flag-service")),
        ("gate", schema_of_written::<GateOutput>("gate")),
        ("case-results", schema_of_written::<CaseResults<'_>>("case-results")),
        (
            "stress-results",
            schema_of_written::<StressResults<'_>>("stress-results"),
        ),
    ]
}
