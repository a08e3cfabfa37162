//! What may be wrong with a template set, and where.

use crate::plan::PlanError;
use crate::template::MANIFEST;
use crate::yaml::YamlError;

/// Why a set cannot be read or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The set has no manifest.
    #[error("the template set has no {MANIFEST}")]
    NoManifest,
    /// The manifest, or a rendered file, is not what it should be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A template is not one, or speaks of what is not there.
    #[error("{file}{}: {message}", line_suffix(*.line))]
    Template {
        /// The template.
        file: String,
        /// Its line, 0 when unknown.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The manifest names a template that is not in the set.
    #[error("{MANIFEST} names template {0:?}, which the set does not hold")]
    Missing(String),
    /// An output that would leave the folder.
    #[error("output path {0:?} would leave the output folder")]
    Path(String),
    /// Two outputs with one path.
    #[error("two outputs are written to {0}")]
    SamePath(String),
    /// A rendered plan that could not run.
    #[error("{path}: the rendered plan cannot run")]
    Plan {
        /// The plan.
        path: String,
        /// Why.
        #[source]
        source: PlanError,
    },
}

pub(crate) fn line_suffix(line: usize) -> String {
    if line == 0 { String::new() } else { format!(":{line}") }
}

pub(crate) fn told(error: &minijinja::Error) -> TemplateError {
    let kind = error.kind().to_string();
    TemplateError::Template {
        file: error.name().unwrap_or("template").to_owned(),
        line: error.line().unwrap_or(0),
        message: error
            .detail()
            .map_or(kind.clone(), |detail| format!("{kind}: {detail}")),
    }
}

pub(crate) fn manifest_error(error: &minijinja::Error) -> TemplateError {
    match told(error) {
        TemplateError::Template { message, .. } => TemplateError::Template {
            file: MANIFEST.to_owned(),
            line: 0,
            message,
        },
        other => other,
    }
}
