//! JSON that PostgreSQL can store: `jsonb` refuses the character U+0000, which an answer kept as an
//! example may hold. Refusing the whole check for it would lose more than the character.

use std::borrow::Cow;

use serde_json::Value;

/// `json` without U+0000, which becomes U+FFFD; untouched where there is none.
pub(crate) fn storable(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u0000") {
        return Cow::Borrowed(json);
    }
    match serde_json::from_str::<Value>(json) {
        Ok(value) => Cow::Owned(clean(value).to_string()),
        // What is no JSON is refused by the store, which says so better.
        Err(_) => Cow::Borrowed(json),
    }
}

fn clean(value: Value) -> Value {
    let text = |text: String| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(items) => Value::Array(items.into_iter().map(clean).collect()),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| (text(key), clean(value)))
                .collect(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_character_is_replaced_and_an_escaped_backslash_is_not_taken_for_one() {
        assert_eq!(storable(r#"{"a":"x"}"#), r#"{"a":"x"}"#);
        assert_eq!(storable(r#"{"a\u0000":["\u0000"]}"#), "{\"a\u{fffd}\":[\"\u{fffd}\"]}");
        assert_eq!(storable(r#"{"a":"\\u0000"}"#), r#"{"a":"\\u0000"}"#);
    }
}
