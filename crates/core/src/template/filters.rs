//! The filters that templates may use besides MiniJinja's own.

use minijinja::Environment;
use minijinja::value::Value;
use serde_json::Value as Json;

/// Adds `yaml`, `quoted`, `literal`, `payload_keys`, `glob`, `member` and `cell`.
pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("yaml", |value: Value| to_json(&value).map(|json| flow(&json)));
    env.add_filter("literal", |value: Value| {
        to_json(&value).map(|json| Value::from(minijinja::value::Serde(literal(json))))
    });
    env.add_filter("payload_keys", |keys: Vec<String>| {
        keys.iter().map(|key| format!("payload.{key}")).collect::<Vec<_>>()
    });
    env.add_filter("quoted", |text: String| quoted(&text));
    env.add_filter("glob", |path: String| crate::repository::literal(&path));
    env.add_filter("member", |key: String| member(&key));
    env.add_filter("cell", |value: Value| cell(&value.to_string()));
}

/// A member in a JSONPath: `.name`, or `['na-me']` where the short form does not hold it.
fn member(key: &str) -> String {
    if key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        format!(".{key}")
    } else {
        format!("['{key}']")
    }
}

fn to_json(value: &Value) -> Result<Json, minijinja::Error> {
    if value.is_undefined() {
        return Err(minijinja::Error::from(minijinja::ErrorKind::UndefinedError));
    }
    serde_json::to_value(value)
        .map_err(|error| minijinja::Error::new(minijinja::ErrorKind::BadSerialization, error.to_string()))
}

/// `value` as YAML on one line: flow style, strings plain where that is safe, else quoted as JSON.
pub(crate) fn flow(value: &Json) -> String {
    match value {
        Json::String(text) => scalar(text),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{}: {}", scalar(key), flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        // 2000.0 is 2000 to a person.
        Json::Number(number) => match number.as_f64() {
            Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

fn scalar(text: &str) -> String {
    const WORDS: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "y"];
    let first = text.chars().next();
    let plain = first.is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '/' | '$'))
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b'$'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && text != "n"
        && text != "N";
    // Milliseconds stay quoted, as in the files that earlier versions generated.
    let span = text.len() <= 9 && !text.ends_with("ms") && crate::duration::parse_span(text).is_ok();
    if plain || span || uuid::Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string() == text) {
        return text.to_owned();
    }
    quoted(text)
}

/// A double-quoted scalar that YAML and JSON read alike. Control and line-separating characters
/// that JSON allows raw and YAML does not are escaped.
fn quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let json = Json::String(text.to_owned()).to_string();
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

/// `value` with every `$` doubled, so that a plan reads it as text and not as a variable.
fn literal(value: Json) -> Json {
    match value {
        Json::String(text) => Json::String(text.replace('$', "$$")),
        Json::Array(items) => Json::Array(items.into_iter().map(literal).collect()),
        Json::Object(entries) => Json::Object(entries.into_iter().map(|(key, value)| (key, literal(value))).collect()),
        other => other,
    }
}

/// Text that fits into a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_where_safe_and_quoted_where_not() {
        let table = [
            (json!("faults"), "faults"),
            (json!("yes"), r#""yes""#),
            (json!("on"), r#""on""#),
            (json!("12"), r#""12""#),
            (json!("a: b"), r#""a: b""#),
            (json!(""), r#""""#),
            (
                json!("53fbdf09-b709-509d-aad0-3a6f50239a5d"),
                "53fbdf09-b709-509d-aad0-3a6f50239a5d",
            ),
            (json!({"a": [1, true, "x y"], "gone": null}), r#"{a: [1, true, "x y"]}"#),
        ];
        for (value, text) in table {
            assert_eq!(flow(&value), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives_the_way_through_yaml(text in "\\PC*|[\\x00-\\x7f]*", key in "\\PC{1,12}") {
            let value = json!({&key: [&text]});
            let read: Json = crate::yaml::read("x", &format!("v: {}\n", flow(&value))).map_err(|e| proptest::test_runner::TestCaseError::fail(e.to_string()))?;
            proptest::prop_assert_eq!(&read["v"], &value);
        }
    }
}
