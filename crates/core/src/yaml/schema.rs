//! The JSON Schema of a file, made from the type that parses it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, generate::SchemaGenerator};
use serde_json::Value;

/// Where the published schemas live; editors fetch them there, lensops never does.
const BASE: &str = "https://raw.githubusercontent.com/lensops/lensops/main/schemas";

/// The schema of files that are read as `T`, draft 2020-12, titled `title`.
#[must_use]
pub fn schema_of<T: JsonSchema>(title: &str) -> Value {
    made::<T>(title, SchemaSettings::draft2020_12())
}

/// The schema of what is written of a `T`: what may be left out there, and nothing else, is optional.
#[must_use]
pub fn schema_of_written<T: JsonSchema>(title: &str) -> Value {
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
