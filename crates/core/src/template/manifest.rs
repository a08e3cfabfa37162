//! The manifest of a set: what it takes, its outputs and its pinned actions.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::kind::PlanKind;
use super::option_rule::OptionRule;
use crate::ident::Ident;

/// The file of a set that lists its outputs.
pub const MANIFEST: &str = "manifest.yml";

/// A manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetManifest {
    pub(super) template_set: String,
    pub(super) outputs: Vec<Output>,
    /// The options that it takes of a lens.
    #[serde(default)]
    pub(super) options: Option<IndexMap<Ident, OptionRule>>,
    /// The keys of `lensops.yml` that are for it.
    #[serde(default)]
    pub(super) project: Vec<String>,
    /// The usual names of users to whom its templates give a part.
    #[serde(default)]
    pub(super) users: IndexMap<String, Ident>,
    /// Actions of the CI service, pinned: name → `{version, commit}`.
    #[serde(default)]
    pub(super) pins: IndexMap<String, Pin>,
}

/// A pinned action.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    pub(super) version: String,
    pub(super) commit: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Output {
    pub(super) path: String,
    pub(super) template: String,
    #[serde(default)]
    pub(super) plan: Option<PlanKind>,
    /// Rendered once for all lenses, not once a lens.
    #[serde(deserialize_with = "crate::yaml::own_boolean", default)]
    pub(super) once: bool,
    /// Its services are entered into a file that others write too, instead of replacing it.
    #[serde(deserialize_with = "crate::yaml::own_boolean", default)]
    pub(super) blueprint: bool,
    /// An expression; the output is left out where it is false.
    #[serde(default)]
    pub(super) when: Option<String>,
}
