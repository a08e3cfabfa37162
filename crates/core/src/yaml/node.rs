//! YAML with the place of every value in the text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value with its place in the text.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Bool,
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// `text` with places; `None` where it is no YAML.
    pub(super) fn read(text: &str) -> Option<Self> {
        // A key that stands twice is told with everything else, instead of ending the reading.
        let options = serde_saphyr::options! {
            with_snippet: false,
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
            strict_booleans: true,
        };
        serde_saphyr::from_str_with_options(text, options).ok()
    }

    /// The place of what `path` names, or of the deepest part of it that is there.
    fn place(&self, path: &[&str]) -> (u64, u64) {
        match path
            .split_first()
            .and_then(|(step, rest)| Some((self.step(step)?, rest)))
        {
            Some((next, rest)) => next.place(rest),
            None => (self.line, self.column),
        }
    }

    /// What `path` names.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        match path {
            [] => Some(self),
            [step, rest @ ..] => self.step(step)?.at(rest),
        }
    }

    fn step(&self, step: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(fields) => fields
                .iter()
                .find(|(key, _)| key.text() == Some(step))
                .map(|(_, value)| value),
            Kind::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Kind {
    pub(super) fn tell(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        match kind {
            "null" => matches!(self, Self::Null),
            "boolean" => matches!(self, Self::Bool),
            "number" => matches!(self, Self::Number(_)),
            "integer" => matches!(self, Self::Number(number) if number.fract() == 0.0),
            // A plain 15 or true may stand for text: the parser decides.
            "string" => !matches!(self, Self::List(_) | Self::Map(_) | Self::Null),
            "array" => matches!(self, Self::List(_)),
            "object" => matches!(self, Self::Map(_)),
            _ => true,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self {
            line: referenced.line(),
            column: referenced.column(),
            kind: value,
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Kind;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_unit<E>(self) -> Result<Kind, E> {
                Ok(Kind::Null)
            }
            fn visit_none<E>(self) -> Result<Kind, E> {
                Ok(Kind::Null)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
                Ok(Kind::Bool)
            }
            #[expect(clippy::cast_precision_loss, reason = "only its kind and bounds are looked at")]
            fn visit_i64<E>(self, number: i64) -> Result<Kind, E> {
                Ok(Kind::Number(number as f64))
            }
            #[expect(clippy::cast_precision_loss, reason = "only its kind and bounds are looked at")]
            fn visit_u64<E>(self, number: u64) -> Result<Kind, E> {
                Ok(Kind::Number(number as f64))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Kind, E> {
                Ok(Kind::Number(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
                Ok(Kind::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Kind::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                let mut fields = Vec::new();
                // A key is text, whatever YAML makes of `on` or `404` elsewhere.
                while let Some((key, value)) = map.next_entry::<Spanned<String>, Node>()? {
                    let place = Node {
                        line: key.referenced.line(),
                        column: key.referenced.column(),
                        kind: Kind::Text(key.value),
                    };
                    fields.push((place, value));
                }
                Ok(Kind::Map(fields))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The line and column in `text` of what `path` names, or of the deepest part of it that is there;
/// zeros where `text` is no YAML.
#[must_use]
pub fn place(text: &str, path: &[&str]) -> (u64, u64) {
    Node::read(text).map_or((0, 0), |node| node.place(path))
}

/// A type of JSON Schema in words.
pub(super) fn told(kind: &str) -> &'static str {
    match kind {
        "boolean" => "true or false",
        "number" => "a number",
        "integer" => "a whole number",
        "string" => "text",
        "array" => "a list",
        _ => "a map",
    }
}
