//! Names that are safe by construction: lens ids, identifiers, environment variable names.
//!
//! Each has one way in, `FromStr`, so that no later code has to ask whether a name can leave the
//! output folder, break a YAML line or end a shell word.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a name was refused. The text says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not valid: {rule}")]
pub struct NameError {
    what: &'static str,
    given: String,
    rule: &'static str,
}

impl NameError {
    pub(super) fn new(what: &'static str, given: &str, rule: &'static str) -> Self {
        Self {
            what,
            given: given.chars().take(80).collect(),
            rule,
        }
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $pattern:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    return Ok(Self(text.to_owned()));
                }
                Err(NameError::new($what, text, $rule))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        crate::text_form::text_form!($name, $what, $pattern, $rule);

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name_type!(
    /// A lens id: 1 to 40 bytes of `a-z`, `0-9`, `_`, starting with a letter. File- and URL-safe.
    LensId,
    "lens id",
    "^[a-z][a-z0-9_]{0,39}$",
    "use 1 to 40 of a-z, 0-9 and _, starting with a letter",
    |text| (1..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
);

impl LensId {
    /// A lens id from what a person typed: upper case and `-` or space become `snake_case` first.
    ///
    /// # Errors
    /// When the result is still not a lens id.
    pub fn from_human(text: &str) -> Result<Self, NameError> {
        match text.to_ascii_lowercase().replace(['-', ' '], "_").parse() {
            Ok(id) => Ok(id),
            // The refusal shows what was typed, not what it was turned into.
            Err(NameError { what, rule, .. }) => Err(NameError {
                what,
                given: text.to_owned(),
                rule,
            }),
        }
    }

    /// The id as a service name: `work_orders` → `work-orders`.
    #[must_use]
    pub fn kebab(&self) -> String {
        self.0.replace('_', "-")
    }

    /// The id in capitals, as document names carry it: `WORK_ORDERS`.
    #[must_use]
    pub fn upper(&self) -> String {
        self.0.to_ascii_uppercase()
    }

    /// The id as a title: `Work orders`.
    #[must_use]
    pub fn title(&self) -> String {
        let mut title = self.0.replace('_', " ");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        title
    }
}

name_type!(
    /// An identifier of the API: a domain, role, user, action, entity type or payload key.
    /// 1 to 80 bytes of letters, digits, `_`, `-` and `.`, starting with a letter or `_`.
    Ident,
    "name",
    "^[A-Za-z_][A-Za-z0-9_.-]{0,79}$",
    "use 1 to 80 of letters, digits, _, - and ., starting with a letter",
    |text| (1..=80).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
);

name_type!(
    /// The name of a feature flag, as its provider spells it: 1 to 200 characters.
    FlagName,
    "flag",
    "^\\S(.*\\S)?$",
    "use 1 to 200 characters, without control characters and without a space at either end",
    |text| (1..=200).contains(&text.chars().count()) && !text.contains(char::is_control) && text.trim() == text
);

name_type!(
    /// The name of an environment variable: letters, digits and `_`.
    EnvName,
    "environment variable",
    "^[A-Za-z_][A-Za-z0-9_]{0,119}$",
    "an environment variable has letters, digits and _, and does not start with a digit",
    |text| (1..=120).contains(&text.len())
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
);

/// The one of `known` that was most likely meant by `name`; `None` where none is near.
#[must_use]
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let close = known
        .iter()
        .map(|candidate| (similar::TextDiff::from_chars(name, *candidate).ratio(), *candidate));
    close
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(ratio, _)| *ratio > 0.6)
        .map(|(_, candidate)| candidate)
}

/// Whether `name` is `meant` but for a slip of the fingers: one letter, or two of a longer name.
#[must_use]
pub fn is_slip(name: &str, meant: &str) -> bool {
    let (name, meant): (Vec<char>, Vec<char>) = (name.chars().collect(), meant.chars().collect());
    // The distance of all beginnings of `meant` from the beginning of `name` so far.
    let mut row: Vec<usize> = (0..=meant.len()).collect();
    for (at, letter) in name.iter().enumerate() {
        let mut next = vec![at + 1];
        for ((before, above), other) in row.iter().zip(row.iter().skip(1)).zip(&meant) {
            let left = next.last().copied().unwrap_or_default();
            next.push((before + usize::from(letter != other)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    let most = if meant.len() < 7 { 1 } else { 2 };
    (1..=most).contains(&row.last().copied().unwrap_or_default())
}

/// Reads a UUID as people write it.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_uuid(text: &str) -> Result<Uuid, String> {
    const EXAMPLE: &str = "53fbdf09-b709-509d-aad0-3a6f50239a5d";
    Uuid::try_parse(text.trim()).map_err(|_| {
        let odd = text
            .trim()
            .chars()
            .enumerate()
            .find(|(_, c)| !c.is_ascii_hexdigit() && *c != '-');
        match odd {
            Some((at, c)) if text.len() == EXAMPLE.len() => {
                format!(
                    "a UUID is hexadecimal, such as {EXAMPLE}: character {} is {c:?}",
                    at + 1
                )
            }
            _ => format!("a UUID has 8-4-4-4-12 hexadecimal digits, such as {EXAMPLE}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f2_a_slip_is_one_letter_or_two_of_a_longer_name() {
        for (name, meant, slip) in [
            ("capitan", "captain", true),
            ("crow", "crew", true),
            ("crew", "crew", false),
            ("chief_engineer", "chief_officer", false),
            ("crew", "chef", false),
            ("", "crew", false),
        ] {
            assert_eq!(is_slip(name, meant), slip, "{name} {meant}");
        }
    }

    /// Defect 19: a quote in a lens id broke the output, `../` left the output folder.
    #[test]
    fn defect_19_a_lens_id_with_a_quote_or_a_path_is_refused() {
        for bad in [
            "fa\"ults",
            "fa'ults",
            "../faults",
            "a/b",
            "",
            "9lives",
            "é",
            "a b\n",
            "..",
            "a.b",
        ] {
            assert!(bad.parse::<LensId>().is_err(), "{bad:?} must be refused");
            assert!(LensId::from_human(bad).is_err(), "{bad:?} must be refused when typed");
        }
    }

    #[test]
    fn a_typed_id_becomes_snake_case_and_back_kebab_case() {
        let id = LensId::from_human("Work-Orders").unwrap();
        assert_eq!(
            (id.as_str(), id.kebab().as_str(), id.upper().as_str()),
            ("work_orders", "work-orders", "WORK_ORDERS")
        );
        assert_eq!(id.title(), "Work orders");
    }

    #[test]
    fn an_id_of_41_bytes_is_refused() {
        assert!("a".repeat(40).parse::<LensId>().is_ok());
        assert!("a".repeat(41).parse::<LensId>().is_err());
    }
}
