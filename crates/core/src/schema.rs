//! JSON Schemas of the files that people read and write, made from the types that parse them; and
//! all mistakes of a file at once, each where it stands.
//!
//! Parsing stops at the first mistake. A person who edits a file wants them all, so a file that does
//! not parse is held against its schema as well. The schemas are those of our own types, so only what
//! they use is looked at; what no schema can say is left to the parser.

mod mistakes;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, generate::SchemaGenerator};
use serde_json::Value;

pub use mistakes::{Mistake, mistakes, mistakes_of_part, place};

use crate::evidence::Manifest;
use crate::lens::Lens;
use crate::plan::acceptance::AcceptancePlan;
use crate::plan::monitor::MonitorPlan;
use crate::plan::stress::StressPlan;
use crate::verdict::results::{CaseResults, StressResults};

/// Where the published schemas live; editors fetch them there, lensops never does.
pub const BASE: &str = "https://raw.githubusercontent.com/lensops/lensops/main/schemas";

/// The schema of files that are read as `T`, draft 2020-12, titled `title`.
#[must_use]
pub fn of<T: JsonSchema>(title: &str) -> Value {
    made::<T>(title, SchemaSettings::draft2020_12())
}

/// The schema of what is written of a `T`: what may be left out there, and nothing else, is optional.
fn written<T: JsonSchema>(title: &str) -> Value {
    made::<T>(title, SchemaSettings::draft2020_12().for_serialize())
}

fn made<T: JsonSchema>(title: &str, settings: SchemaSettings) -> Value {
    let mut generator: SchemaGenerator = settings.into_generator();
    let mut schema = generator.root_schema_for::<T>().to_value();
    schema["title"] = Value::String(title.to_owned());
    schema["$id"] = Value::String(address(title));
    schema
}

/// Where the schema `name` is published.
#[must_use]
pub fn address(name: &str) -> String {
    format!("{BASE}/{name}.schema.json")
}

/// Every published schema by name, in a fixed order.
#[must_use]
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("lens", of::<Lens>("lens")),
        ("monitor-plan", of::<MonitorPlan>("monitor-plan")),
        ("acceptance-plan", of::<AcceptancePlan>("acceptance-plan")),
        ("stress-plan", of::<StressPlan>("stress-plan")),
        ("manifest", of::<Manifest>("manifest")),
        ("case-results", written::<CaseResults<'_>>("case-results")),
        ("stress-results", written::<StressResults<'_>>("stress-results")),
    ]
}
