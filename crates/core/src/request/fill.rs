//! Variables filled into the texts of a plan: one grammar for every place.
//!
//! `$name` is the value of a variable, `$$` a dollar, and a `$` without a letter behind it is text. A text
//! that is one variable alone becomes its value, of any type.

use serde_json::Value;

use super::spec::Vars;
use crate::ident::Ident;

/// Why a request or an expectation could not be made of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// A variable nobody defined: the plan cannot run.
    #[error("${0} is not defined")]
    Undefined(String),
    /// A variable that is declared `null`: the case that needs it is unjudged.
    #[error("${0} is not known")]
    NotKnown(String),
    /// A header whose value would not be one.
    #[error("header {0} would hold a control character")]
    Header(String),
    /// A host that no file defines.
    #[error("host {0} is not defined: add it below `hosts`")]
    Host(Ident),
    /// An address that is none with its variables filled in.
    #[error("{0:?} is no address with its variables filled in")]
    Address(String),
    /// A variable that stands for a number and holds none.
    #[error("{0} is not a number")]
    NoNumber(String),
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text as it stands.
    Text(&'a str),
    /// A variable, without its dollar.
    Name(&'a str),
}

/// The parts of `text`, in order.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, behind) = (&rest[..at], &rest[at + 1..]);
        let letter = behind.starts_with(|c: char| c.is_ascii_alphabetic());
        if letter {
            let end = behind
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(behind.len());
            found.extend([Piece::Text(before), Piece::Name(&behind[..end])]);
            rest = &behind[end..];
        } else {
            // The first dollar of two stands for itself, and so does one that names nothing.
            found.push(Piece::Text(&rest[..=at]));
            rest = behind.strip_prefix('$').unwrap_or(behind);
        }
    }
    found.push(Piece::Text(rest));
    found.retain(|piece| *piece != Piece::Text(""));
    found
}

/// The variables that `text` names.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Name(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// The variables that the texts of `value` name, at any depth. Keys are not filled in.
pub(crate) fn names_in<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.extend(names(text)),
        Value::Array(items) => items.iter().for_each(|item| names_in(item, found)),
        Value::Object(entries) => entries.values().for_each(|value| names_in(value, found)),
        _ => {}
    }
}

/// The value of the variable `name`.
pub(crate) fn lookup<'a>(name: &str, vars: &'a Vars) -> Result<&'a Value, PrepareError> {
    match vars.get(name) {
        None => Err(PrepareError::Undefined(name.to_owned())),
        Some(Value::Null) => Err(PrepareError::NotKnown(name.to_owned())),
        Some(value) => Ok(value),
    }
}

/// Fills `text` in; `write` says how a value stands within text.
pub(crate) fn fill_with(text: &str, vars: &Vars, write: impl Fn(&Value, &mut String)) -> Result<String, PrepareError> {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Name(name) => write(lookup(name, vars)?, &mut out),
        }
    }
    Ok(out)
}

fn as_text(value: &Value, out: &mut String) {
    match value {
        Value::String(value) => out.push_str(value),
        value => out.push_str(&value.to_string()),
    }
}

/// Fills a text in that must stay text.
///
/// # Errors
/// An undefined or unknown variable.
pub fn expand_text(text: &str, vars: &Vars) -> Result<String, PrepareError> {
    fill_with(text, vars, as_text)
}

/// Fills a text in; one that is a variable alone becomes its value.
pub(crate) fn expand(text: &str, vars: &Vars) -> Result<Value, PrepareError> {
    match pieces(text).as_slice() {
        [Piece::Name(name)] => lookup(name, vars).cloned(),
        _ => expand_text(text, vars).map(Value::String),
    }
}

/// Fills every text of a JSON value in. Keys stay as they are.
///
/// # Errors
/// An undefined or unknown variable.
pub fn expand_json(value: &Value, vars: &Vars) -> Result<Value, PrepareError> {
    Ok(match value {
        Value::String(text) => expand(text, vars)?,
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| expand_json(item, vars))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), expand_json(value, vars)?)))
                .collect::<Result<_, PrepareError>>()?,
        ),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::prepare::{set, vars_of};

    fn vars() -> Vars {
        let mut vars = vars_of(&Vars::new(), uuid::Uuid::from_u128(1));
        set(&mut vars, "count", json!(3));
        set(&mut vars, "signature", json!({"a": 1}));
        set(&mut vars, "entity", Value::Null);
        vars
    }

    #[test]
    fn a_variable_alone_keeps_its_type_and_within_text_becomes_text() {
        let body = json!({"signature": "$signature", "n": "$count", "text": "n=$count, 5 $$, $", "$count": true});
        let expanded = expand_json(&body, &vars()).unwrap();
        assert_eq!(
            expanded,
            json!({"signature": {"a": 1}, "n": 3, "text": "n=3, 5 $, $", "$count": true})
        );
    }

    #[test]
    fn a_dollar_without_a_letter_behind_it_is_text() {
        for (text, filled) in [
            ("$5", "$5"),
            ("$.tenant", "$.tenant"),
            ("$$count", "$count"),
            ("$$$count", "$3"),
            ("US$", "US$"),
            ("$_x", "$_x"),
            ("$count$count", "33"),
            ("", ""),
        ] {
            assert_eq!(expand_text(text, &vars()).unwrap(), filled, "{text}");
        }
    }

    #[test]
    fn undefined_and_unknown_variables_are_two_answers() {
        assert_eq!(
            expand_text("$nobody", &vars()),
            Err(PrepareError::Undefined("nobody".to_owned()))
        );
        assert_eq!(
            expand_text("x/$entity", &vars()),
            Err(PrepareError::NotKnown("entity".to_owned()))
        );
    }

    proptest::proptest! {
        #[test]
        fn a_text_with_its_dollars_doubled_fills_to_itself(text in "[$a-z5 _.]{0,20}") {
            let doubled = text.replace('$', "$$");
            proptest::prop_assert_eq!(names(&doubled).count(), 0);
            proptest::prop_assert_eq!(expand_text(&doubled, &vars()).unwrap(), text);
        }
    }
}
