//! `lensops schema`: the JSON Schemas of the files that people write, made from the types.

use std::path::{Path, PathBuf};

use lensops_core::ident::nearest;
use lensops_core::schema;
use lensops_core::yaml::schema_of;
use serde_json::Value;

use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::files;
use crate::config::ProjectFile;

/// The text of a schema file.
#[must_use]
pub fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// The reference page of a schema: its keys in tables, the file first, then what it is made of.
#[must_use]
pub fn reference(name: &str, schema: &Value) -> String {
    let mut page = format!("# {}\n\n{}\n", name.replace('-', " "), described(schema));
    page.push_str(&keys(schema));
    for (part, schema) in schema["$defs"].as_object().into_iter().flatten() {
        page.push_str(&format!("\n## {part}\n\n{}\n{}", described(schema), keys(schema)));
    }
    page
}

fn described(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    // A paragraph is one line in a schema.
    text.lines()
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
        + "\n"
}

fn keys(schema: &Value) -> String {
    let mut table = String::new();
    for choice in ["oneOf", "anyOf"]
        .iter()
        .filter_map(|several| schema[several].as_array())
        .flatten()
    {
        let what = match (&choice["const"], choice["properties"].as_object()) {
            (Value::String(word), _) => format!("`{word}`"),
            (_, Some(fields)) => {
                let fields = fields.iter().map(|(key, value)| format!("`{key}`: {}", kind(value)));
                fields.collect::<Vec<_>>().join(", ")
            }
            _ => kind(choice),
        };
        table.push_str(&format!("\n- {what}. {}", described(choice)));
    }
    let Some(properties) = schema["properties"].as_object() else {
        return table;
    };
    let required = |key: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|keys| keys.iter().any(|name| name == key))
    };
    table.push_str("\n| key | what it holds | |\n| --- | --- | --- |\n");
    for (key, value) in properties {
        let must = if required(key) { " (required)" } else { "" };
        let told = described(value).trim().replace('|', "\\|");
        table.push_str(&format!(
            "| `{key}`{must} | {} | {told} |\n",
            kind(value).replace('|', "\\|")
        ));
    }
    table
}

/// What a value is, in words, with a link to what has keys of its own.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return format!("[{name}](#{})", name.to_ascii_lowercase());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let real = choices.iter().filter(|choice| choice["type"] != "null").map(kind);
        return real.collect::<Vec<_>>().join(" or ");
    }
    let of_kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        Value::String(kind) => Some(kind.as_str()),
        _ => None,
    };
    match of_kind {
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") => {
            let named = schema["patternProperties"]
                .as_object()
                .and_then(|patterns| patterns.values().next());
            format!("map of {}", kind(named.unwrap_or(&schema["additionalProperties"])))
        }
        Some("string") => schema["title"]
            .as_str()
            .or(schema["format"].as_str())
            .unwrap_or("text")
            .to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some(other) => other.to_owned(),
        None => "anything".to_owned(),
    }
}

/// Every published schema by name: those of the core, and that of `lensops.yml`.
#[must_use]
pub fn all() -> Vec<(&'static str, Value)> {
    let mut all = schema::all();
    all.push(("project", schema_of::<ProjectFile>("project")));
    all
}

/// Prints the schema `name`, or writes every schema into `out` and every reference page into `pages`.
///
/// # Errors
/// An unknown name, or a folder that cannot be written.
pub fn schemas(name: Option<&str>, out: Option<&Path>, pages: Option<&Path>) -> Result<Exit> {
    let all = all();
    if out.is_some() || pages.is_some() {
        let files = |(name, schema): &(&str, Value)| {
            let schemas = out.map(|folder| (folder.join(format!("{name}.schema.json")), text(schema)));
            let pages = pages.map(|folder| (folder.join(format!("{name}.md")), reference(name, schema)));
            [schemas, pages].into_iter().flatten().collect::<Vec<_>>()
        };
        let texts: Vec<(PathBuf, String)> = all.iter().flat_map(files).collect();
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
            Err(Error::usage(format!("there is no schema {name:?}: {hint}")))
        }
    }
}
