//! lensops' own booleans, which may be written as older YAML wrote them.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// The truth value of a text that older YAML took for one: `no`, `off`, `y`.
pub(super) fn old(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "on" => Some(true),
        "no" | "n" | "off" => Some(false),
        _ => None,
    }
}

/// Reads a boolean of a file of our own: `true`, `false`, or one of the older words, of which
/// [`super::old_booleans`] tells.
///
/// # Errors
/// Anything else.
pub fn own<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Own;
    impl Visitor<'_> for Own {
        type Value = bool;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true or false")
        }
        fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
            old(text).ok_or_else(|| E::custom(format!("{text:?} is not true or false")))
        }
    }
    deserializer.deserialize_any(Own)
}
