//! The JSON Schema of a file, made from the type that parses it.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::text_form::Parsers;

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
    let mut schema = settings.into_generator().root_schema_for::<T>().to_value();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), Value::String(title.to_owned()));
        schema.insert("$id".to_owned(), Value::String(address(title)));
    }
    schema
}

/// What a file may say: the schema of the type that reads it, and the parsers of the texts in it.
pub struct Shape {
    pub(super) schema: Value,
    pub(super) parsers: Parsers,
}

impl Shape {
    /// The shape of files that are read as `T`.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12().with_transform(Parsers::default());
        let mut generator = settings.into_generator();
        let schema = generator.root_schema_for::<T>().to_value();
        Self {
            schema,
            parsers: Parsers::taken(&mut generator),
        }
    }

    /// The same without the key `name` at its top.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Some(keys) = self.schema.get_mut("properties").and_then(Value::as_object_mut) {
            keys.shift_remove(name);
        }
        self
    }

    /// The same with the key `name` at its top, which holds what `schema` says.
    #[must_use]
    pub fn with(mut self, name: &str, schema: Value) -> Self {
        if let Some(keys) = self.schema.get_mut("properties").and_then(Value::as_object_mut) {
            keys.insert(name.to_owned(), schema);
        }
        self
    }

    /// The same, lacking something where the key `name` at its top is missing.
    #[must_use]
    pub fn requiring(mut self, name: &str) -> Self {
        if let Some(schema) = self.schema.as_object_mut() {
            let required = schema.entry("required").or_insert_with(|| Value::Array(Vec::new()));
            if let Some(required) = required.as_array_mut() {
                required.push(Value::String(name.to_owned()));
            }
        }
        self
    }
}

/// Where the schema `name` is published.
#[must_use]
pub fn address(name: &str) -> String {
    format!("{BASE}/{name}.schema.json")
}
