//! Types that files write as text: how their schema describes them, and how each one is read.
//!
//! A JSON Schema says of a text at most that it fits a pattern. So each type leaves its own parser with
//! the generator of the schema that it stands in; whoever walks a file with that schema asks the type
//! itself, whatever room it lives in.

use std::collections::BTreeMap;

use schemars::transform::Transform;
use schemars::{Schema, SchemaGenerator};

/// Reads a text as some type: `Err` says why it is none.
pub(crate) type Parser = fn(&str) -> Result<(), String>;

/// The parsers of the texts in one schema, by the title that each type gives its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parsers(BTreeMap<&'static str, Parser>);

impl Parsers {
    /// Whether `text` is what the type of `title` reads. A title that no type gave reads everything.
    pub(crate) fn parse(&self, title: &str, text: &str) -> Result<(), String> {
        self.0.get(title).map_or(Ok(()), |parser| parser(text))
    }

    /// Leaves `parser` with `generator`, where somebody collects parsers.
    pub(crate) fn leave(generator: &mut SchemaGenerator, title: &'static str, parser: Parser) {
        for transform in generator.transforms_mut() {
            if let Some(parsers) = transform.downcast_mut::<Self>() {
                parsers.0.insert(title, parser);
            }
        }
    }

    /// What the types of the schema that `generator` made have left.
    pub(crate) fn taken(generator: &mut SchemaGenerator) -> Self {
        let mut left = generator
            .transforms_mut()
            .filter_map(|transform| transform.downcast_mut::<Self>().map(std::mem::take));
        left.next().unwrap_or_default()
    }
}

/// Changes no schema: it travels with the generator and collects.
impl Transform for Parsers {
    fn transform(&mut self, _: &mut Schema) {}
}

/// The schema of a type that is read from text by its `TryFrom<String>`: what it is called, its pattern
/// where one says it all, and the rule for people.
macro_rules! text_form {
    ($name:ident, $what:literal, $pattern:literal, $rule:literal) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::text_form::Parsers::leave(generator, $what, |text| {
                    $name::try_from(text.to_owned())
                        .map(drop)
                        .map_err(|error| error.to_string())
                });
                let mut schema = schemars::json_schema!({"type": "string", "title": $what, "description": $rule});
                if !$pattern.is_empty() {
                    schema.insert("pattern".to_owned(), $pattern.into());
                }
                schema
            }
        }
    };
}
pub(crate) use text_form;
