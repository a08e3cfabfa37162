//! Texts that name one of a few things, as rows and files hold them: a rule, a verdict, where a plan came
//! from. A newer version may name one that this version does not know. Such a text is kept as it stands: it
//! fails no page and no write, and is equal to nothing that is known.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that names nothing that this version knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not known")]
pub struct UnknownName(pub(crate) String);

/// One of the things that `T` names, or a text of another version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Named<T> {
    /// Known.
    Known(T),
    /// Not known to this version.
    Other(String),
}

impl<T> Named<T> {
    /// What it names, if this version knows it.
    #[must_use]
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Other(_) => None,
        }
    }

    /// Whether it names `wanted`.
    #[must_use]
    pub fn is(&self, wanted: T) -> bool
    where
        T: PartialEq,
    {
        self.known() == Some(&wanted)
    }
}

impl<T> From<T> for Named<T> {
    fn from(known: T) -> Self {
        Self::Known(known)
    }
}

/// Every text is one.
impl<T: FromStr> FromStr for Named<T> {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::of(text))
    }
}

impl<T: FromStr> Named<T> {
    /// What `text` names.
    #[must_use]
    pub fn of(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Other(text.to_owned()), Self::Known)
    }
}

/// The text that it was.
impl<T: fmt::Display> fmt::Display for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(known) => known.fmt(f),
            Self::Other(text) => text.fmt(f),
        }
    }
}

impl<T: fmt::Display> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::of(&text))
    }
}

/// Any text: a file of a newer version is none the worse for it.
impl<T> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Named".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

/// The texts of an enum, as stored and shown: written and read by one table.
macro_rules! names {
    ($type:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        impl $type {
            /// As stored and shown.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::named::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::named::UnknownName(text.to_owned())),
                }
            }
        }
    };
}
pub(crate) use names;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    #[test]
    fn what_is_not_known_is_kept_as_it_stands() {
        for (text, known) in [
            ("pass", Some(Verdict::Pass)),
            ("could_not_judge", Some(Verdict::CouldNotJudge)),
            ("waived", None),
            ("Pass", None),
            ("", None),
        ] {
            let named = Named::<Verdict>::of(text);
            assert_eq!(named.known().copied(), known, "{text:?}");
            assert_eq!(named.to_string(), text);
            let json = serde_json::to_string(&named).unwrap();
            assert_eq!(json, serde_json::to_string(text).unwrap());
            assert_eq!(serde_json::from_str::<Named<Verdict>>(&json).unwrap(), named);
            assert!(!named.is(Verdict::Pass) || text == "pass");
        }
    }
}
