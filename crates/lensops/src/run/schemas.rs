//! `lensops schema`: the JSON Schemas of the files that people write, made from the types.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use lensops_core::ident::nearest;
use lensops_core::schema;
use serde_json::Value;

use super::{Exit, files};

/// The text of a schema file.
#[must_use]
pub fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// Prints the schema `name`, or writes every schema into `out`.
///
/// # Errors
/// An unknown name, or a folder that cannot be written.
pub fn schemas(name: Option<&str>, out: Option<&Path>) -> Result<Exit> {
    let all = schema::all();
    if let Some(folder) = out {
        let texts: Vec<(PathBuf, String)> = all
            .iter()
            .map(|(name, schema)| (folder.join(format!("{name}.schema.json")), text(schema)))
            .collect();
        let changed: Vec<(PathBuf, &str)> = texts.iter().map(|(path, text)| (path.clone(), text.as_str())).collect();
        files::replace_all(&changed)?;
        for (path, _) in texts {
            say!("✅ Created: {}", path.display());
        }
        return Ok(Exit::Good);
    }
    let name = name.unwrap_or_default();
    match all.iter().find(|(known, _)| *known == name) {
        Some((_, schema)) => {
            say!("{}", text(schema).trim_end());
            Ok(Exit::Good)
        }
        None => {
            let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            let hint = nearest(name, &known).map_or_else(
                || format!("there are {}", known.join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            bail!("there is no schema {name:?}: {hint}")
        }
    }
}
