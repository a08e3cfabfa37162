//! Query strings: split and decoded the way a form is, where `+` is a space.
//!
//! Clients that forget to encode the `+` of a time zone are found out by exactly that.

/// The pairs of a query string, decoded, in their order. Empty for an empty string.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

/// The first value of a name, decoded; `None` when it does not occur.
pub(crate) fn value(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .find(|(key, _)| decode(key, true) == name)
        .map(|(_, value)| decode(value, true))
}

/// One segment of a path, decoded; `+` stays itself.
pub(crate) fn segment(text: &str) -> String {
    decode(text, false)
}

fn decode(text: &str, form: bool) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                let plus = form && bytes[at] == b'+';
                out.push(if plus { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_like_a_form() {
        for (query, expected) in [
            ("a=1&b=2", vec![("a", "1"), ("b", "2")]),
            (
                "at=gte.2026-01-28T15:00:00%2B00:00",
                vec![("at", "gte.2026-01-28T15:00:00+00:00")],
            ),
            ("q=work+order", vec![("q", "work order")]),
            ("q=100%", vec![("q", "100%")]),
            ("flag&x=", vec![("flag", ""), ("x", "")]),
            ("q=%C3%A9", vec![("q", "é")]),
            ("", vec![]),
        ] {
            let got = pairs(query);
            let got: Vec<(&str, &str)> = got
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!(got, expected, "{query}");
        }
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        assert_eq!(segment("a+b%20c"), "a+b c");
    }
}
