//! Reading and writing YAML: one set of options, one form of error.
//!
//! Every error is a first line that stands alone (`FILE:LINE:COLUMN: what`), followed by a snippet.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::number::decimal;
use super::schema::Shape;
use super::validate::{Mistake, mistakes};

/// A file that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {message}{}", position(*.line, *.column), snippet_block(.snippet))]
pub struct YamlError {
    /// The file as the user knows it.
    pub file: String,
    /// Line, from 1; 0 when the parser knew none.
    pub line: u64,
    /// Column, from 1; 0 when the parser knew none.
    pub column: u64,
    /// What is wrong, one line.
    pub message: String,
    /// The lines around it, with a caret; empty when there are none.
    pub snippet: String,
}

fn position(line: u64, column: u64) -> String {
    if line == 0 {
        String::new()
    } else {
        format!(":{line}:{column}")
    }
}

fn snippet_block(snippet: &str) -> String {
    if snippet.is_empty() {
        String::new()
    } else {
        format!("\n{snippet}")
    }
}

/// Reads `text` as a `T`. `file` is the name that errors carry.
///
/// # Errors
/// Malformed YAML, an unknown or duplicate key, a wrong type or a value that `T` refuses.
pub fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, YamlError> {
    // The core schema of YAML 1.2: `NO`, `off` and `y` are text.
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let text = &*decimal(text);
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
        let first = error.to_string();
        let mut lines = first.lines();
        let head = lines.next().unwrap_or("not valid YAML");
        // The position stands in front of the message already.
        let message = head.split(" at line ").next().unwrap_or(head);
        let message = message
            .split_once(": ")
            .filter(|(p, _)| p.starts_with("line "))
            .map_or(message, |(_, m)| m);
        if let Some((line, column)) = indented_by_tab(text).filter(|_| message.contains("tab")) {
            return YamlError {
                file: file.to_owned(),
                line,
                column,
                message: "a tab indents this line: YAML takes spaces".to_owned(),
                snippet: snippet(text, line, column),
            };
        }
        let hidden: &[u64] = if tells_of_secret(message) { &[line] } else { &[] };
        let text = &*without(text, hidden);
        YamlError {
            file: file.to_owned(),
            line,
            column,
            message: message
                .trim_start_matches("error: ")
                .trim_end_matches(", set DuplicateKeyPolicy in Options if acceptable")
                .to_owned(),
            snippet: snippet(text, line, column),
        }
    })
}

/// The first line whose indentation holds a tab, and where.
fn indented_by_tab(text: &str) -> Option<(u64, u64)> {
    let lines = (1..).zip(text.lines());
    let mut found = lines.filter_map(|(line, content)| {
        let indentation = content.len() - content.trim_start().len();
        let column = content.get(..indentation)?.chars().position(|c| c == '\t')?;
        Some((line, u64::try_from(column).ok()? + 1))
    });
    found.next()
}

/// Everything that is wrong with a file, from top to bottom.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct YamlErrors(pub Vec<YamlError>);

impl YamlErrors {
    /// Mistakes of `text`, each with the lines around it.
    #[must_use]
    pub fn at(file: &str, text: &str, mistakes: Vec<Mistake>) -> Self {
        // A mistake further down shows the line before it, too.
        let hidden: Vec<u64> = mistakes
            .iter()
            .filter(|mistake| tells_of_secret(&mistake.message))
            .map(|mistake| mistake.line)
            .collect();
        let text = &*without(text, &hidden);
        let error = |mistake: Mistake| YamlError {
            file: file.to_owned(),
            line: mistake.line,
            column: mistake.column,
            message: mistake.message,
            snippet: snippet(text, mistake.line, mistake.column),
        };
        Self(mistakes.into_iter().map(error).collect())
    }
}

/// Reads `text` as a `T` as [`read`] does, and names all mistakes of a file that is none.
///
/// # Errors
/// As [`read`]; where the schema of `T` tells more than the first mistake, all of them.
pub fn read_all<T: DeserializeOwned + JsonSchema>(file: &str, text: &str) -> Result<T, YamlErrors> {
    read_shaped(file, text, Shape::of::<T>)
}

/// As [`read_all`], with the mistakes that `shape` tells of a file that is none.
///
/// # Errors
/// As [`read_all`].
pub fn read_shaped<T: DeserializeOwned>(
    file: &str,
    text: &str,
    shape: impl FnOnce() -> Shape,
) -> Result<T, YamlErrors> {
    read(file, text).map_err(|first| {
        let has_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        if !text.lines().any(has_content) {
            let (line, column) = (1, 1);
            let message = "the file is empty".to_owned();
            return YamlErrors::at(file, text, vec![Mistake { line, column, message }]);
        }
        let found = mistakes(&shape(), text);
        let mut all = YamlErrors::at(file, text, found);
        // What no schema can say is said by the parser alone.
        if !all.0.iter().any(|error| error.line == first.line) {
            all.0.push(first);
            all.0.sort_by_key(|error| (error.line, error.column));
        }
        all
    })
}

/// Whether a mistake is that a secret stands in the file: then its line is not shown.
fn tells_of_secret(message: &str) -> bool {
    message.contains("secret") || message.contains("{env: ")
}

/// `text` with the values of `lines` taken out, and of every line that gives a secret's key a value of its own: what is
/// shown of a file goes into logs.
fn without<'a>(text: &'a str, lines: &[u64]) -> Cow<'a, str> {
    const KEYS: [&str; 6] = ["password:", "secret:", "token:", "passphrase:", "bearer:", "api_key:"];
    let is_given = |line: &str| {
        let lower = line.to_ascii_lowercase();
        KEYS.iter().any(|key| {
            let rest = lower.split_once(key).map_or("", |(_, rest)| rest.trim_start());
            !rest.is_empty() && !rest.starts_with(['{', '$', '#', '}', ','])
        })
    };
    let hides = |number: u64, line: &str| lines.contains(&number) || is_given(line);
    if !(1..).zip(text.lines()).any(|(number, line)| hides(number, line)) {
        return Cow::Borrowed(text);
    }
    let shown = (1..)
        .zip(text.lines())
        .map(|(number, line)| match line.split_once(':') {
            Some((key, _)) if hides(number, line) => format!("{key}: [hidden]"),
            None if hides(number, line) => "[hidden]".to_owned(),
            _ => line.to_owned(),
        });
    Cow::Owned(shown.collect::<Vec<_>>().join("\n"))
}

/// The line before `line` and `line` itself, with a caret under `column`.
fn snippet(text: &str, line: u64, column: u64) -> String {
    let Some(at) = usize::try_from(line).ok().and_then(|line| line.checked_sub(1)) else {
        return String::new();
    };
    let mut block = String::new();
    for (number, content) in text
        .lines()
        .enumerate()
        .skip(at.saturating_sub(1))
        .take(if at == 0 { 1 } else { 2 })
    {
        let shown: String = content.chars().take(160).collect();
        block.push_str(&format!("{:>5} | {shown}\n", number + 1));
    }
    let indent = usize::try_from(column).unwrap_or(1).saturating_sub(1).min(160);
    block.push_str(&format!("      | {}^", " ".repeat(indent)));
    block
}

/// Writes `value` as YAML.
///
/// # Errors
/// When `value` has no YAML form, such as a map with a map as key.
pub fn write<T: Serialize>(value: &T) -> Result<String, String> {
    serde_saphyr::to_string(value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A newcomer's key stood in the error that refused it.
    #[test]
    fn a_secret_that_stands_in_a_file_is_not_repeated_by_what_refuses_it() {
        let text = "tenants:\n  acme: {key: canary-one}\nauth:\n  a: {bearer: canary-two}\n  b: 7\n";
        let mistake = |line, message: &str| Mistake {
            line,
            column: 3,
            message: message.to_owned(),
        };
        let mistakes = vec![
            mistake(2, "key is a secret: write {env: NAME}"),
            mistake(3, "next to it"),
            mistake(5, "below a bearer"),
        ];
        let told = YamlErrors::at("f", text, mistakes).to_string();
        assert!(!told.contains("canary"), "{told}");
        assert!(told.contains("  acme: [hidden]") && told.contains("b: 7"), "{told}");
    }
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Two {
        a: u32,
        b: Option<String>,
    }

    #[test]
    fn each_mistake_is_told_with_file_line_and_column() {
        let cases = [
            ("unknown field", "a: 1\nc: 2\n", 2),
            ("wrong type", "b: x\na: many\n", 2),
            ("duplicate key", "a: 1\na: 2\n", 2),
            ("syntax", "a: \"x\nb: 2\n", 0),
        ];
        for (case, text, line) in cases {
            let error = read::<Two>("lenses/x.yml", text).unwrap_err();
            let told = error.to_string();
            assert!(told.starts_with("lenses/x.yml:"), "{case}: {told}");
            assert!(line == 0 || error.line == line, "{case}: {told}");
            assert!(
                !error.message.is_empty() && !error.message.contains('\n'),
                "{case}: {told}"
            );
        }
    }

    /// Fault V9: the core schema of YAML 1.2, in every place.
    #[test]
    fn what_older_yaml_took_for_a_boolean_or_octal_is_text_and_a_decimal() {
        let text = "country: NO\nanswer: off\naxis: y\nzip: 017\nlow: [-007, {n: 00}]\nquoted: '017'\n# 017\n\
                    version: 1.0\nlist: [0, 017 , 08]\nlong: |\n  017\ntext: a 017\n";
        let read: serde_json::Value = read("x", text).unwrap();
        assert_eq!(
            read,
            serde_json::json!({"country": "NO", "answer": "off", "axis": "y", "zip": 17, "low": [-7, {"n": 0}],
                "quoted": "017", "version": 1.0, "list": [0, 17, 8], "long": "017\n", "text": "a 017"})
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = read::<Two>("x.yml", "b: hello\n").unwrap_err();
        assert!(error.to_string().contains("`a`"), "{error}");
    }
}
