//! Redaction. Writers accept only [`Redacted`], and only a [`Redactor`] makes one.
//!
//! Three nets, each enough for what it is for: known secrets by value, in the forms in which a
//! server may echo them (raw, percent-encoded, JSON-escaped, base64); anything shaped like a JWT;
//! and the values of keys that hold secrets by name.

use std::borrow::Cow;
use std::fmt;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::exchange::Secret;

/// What stands where a secret stood.
pub const MARK: &str = "[redacted]";

/// What stands where a token stood.
pub const TOKEN_MARK: &str = "eyJ…[redacted]";

/// Keys whose values are secrets whatever they hold; compared without case, `-` and `_`.
const SECRET_KEYS: [&str; 12] = [
    "signaturehash",
    "authorization",
    "apikey",
    "password",
    "secret",
    "clientsecret",
    "accesstoken",
    "refreshtoken",
    "cookie",
    "setcookie",
    "xapikey",
    "servicerolekey",
];

/// Text that is safe to write: the only thing that writers take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as JSON; `Null` when it is none.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Redacted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

crate::schema::text_form!(
    Redacted,
    "redacted text",
    "",
    "Text from which every secret of the run was taken out."
);

/// Knows the secrets of a run.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Finds every form of the secrets of the run in one pass, the longest where several begin.
    finder: Option<AhoCorasick>,
    /// Forms of secrets that came later, as the token of one exchange does, longest first: to build
    /// a finder for each would cost more than it saves.
    late: Vec<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}

impl Redactor {
    /// A redactor for `secrets`. One shorter than 4 bytes is not looked for by value: it would
    /// take out ordinary text.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut forms: Vec<String> = secrets.into_iter().flat_map(|secret| forms(secret.expose())).collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&forms)
            .ok()
            .filter(|_| !forms.is_empty());
        Self {
            // It fails only beyond what memory holds; then each form is looked for alone.
            late: if finder.is_none() { forms } else { Vec::new() },
            finder,
        }
    }

    /// The same with more secrets.
    #[must_use]
    pub fn with<'a>(mut self, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        for secret in secrets {
            self.late.extend(forms(secret.expose()));
        }
        self.late.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.late.dedup();
        self
    }

    /// `text` without secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> Redacted {
        Redacted(self.clean(text))
    }

    /// `value` as compact JSON without secrets, in keys and values.
    #[must_use]
    pub fn json(&self, value: &Value) -> Redacted {
        Redacted(self.value(value).to_string())
    }

    /// `value` as indented JSON without secrets.
    #[must_use]
    pub fn json_pretty(&self, value: &Value) -> Redacted {
        let clean = self.value(value);
        Redacted(serde_json::to_string_pretty(&clean).unwrap_or_else(|_| clean.to_string()))
    }

    /// `bytes` that should be text: JSON is redacted by key as well, anything else as text.
    /// Invalid UTF-8 is shown with replacement characters.
    #[must_use]
    pub fn body(&self, bytes: &[u8]) -> Redacted {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => self.json_pretty(&value),
            _ => self.text(&String::from_utf8_lossy(bytes)),
        }
    }

    /// The value of header `name` without secrets: that of a secret header goes whole.
    #[must_use]
    pub fn header(&self, name: &str, value: &str) -> Redacted {
        if !is_secret_key(name) {
            return self.text(value);
        }
        match value.split_once(' ') {
            Some((scheme, token)) if name.eq_ignore_ascii_case("authorization") => {
                let mark = if token.starts_with("eyJ") { TOKEN_MARK } else { MARK };
                Redacted(format!("{} {mark}", self.clean(scheme)))
            }
            _ => Redacted(MARK.to_owned()),
        }
    }

    fn clean(&self, text: &str) -> String {
        let mark = |secret: &str| if secret.starts_with("eyJ") { TOKEN_MARK } else { MARK };
        let mut clean = Cow::Borrowed(text);
        if let Some(finder) = self.finder.as_ref().filter(|finder| finder.is_match(text)) {
            let mut kept = String::with_capacity(text.len());
            finder.replace_all_with(text, &mut kept, |_, found, kept| {
                kept.push_str(mark(found));
                true
            });
            clean = Cow::Owned(kept);
        }
        for secret in &self.late {
            // Most texts are shorter than a token in any of its forms.
            if secret.len() <= clean.len() && clean.contains(secret.as_str()) {
                clean = Cow::Owned(clean.replace(secret.as_str(), mark(secret)));
            }
        }
        if clean.contains("eyJ") {
            clean = Cow::Owned(hide_tokens(&clean));
        }
        if find_keyed(&clean).is_some() {
            clean = Cow::Owned(hide_keyed(&clean));
        }
        clean.into_owned()
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.clean(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.value(item)).collect()),
            Value::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let hidden = is_secret_key(key) && !value.is_null() && !value.is_object() && !value.is_array();
                        (
                            self.clean(key),
                            if hidden {
                                Value::String(MARK.to_owned())
                            } else {
                                self.value(value)
                            },
                        )
                    })
                    .collect(),
            ),
            Value::Number(number) => match self.clean(&number.to_string()) {
                text if text == number.to_string() => value.clone(),
                text => Value::String(text),
            },
            other => other.clone(),
        }
    }
}

fn is_secret_key(key: &str) -> bool {
    let plain = || {
        let letters = key.chars().filter(|c| !matches!(c, '-' | '_'));
        letters.flat_map(char::to_lowercase)
    };
    SECRET_KEYS.iter().any(|secret| plain().eq(secret.chars()))
}

fn hex_digit(value: u16, upper: bool) -> char {
    let digits: &[u8; 16] = if upper {
        b"0123456789ABCDEF"
    } else {
        b"0123456789abcdef"
    };
    char::from(digits[usize::from(value & 0xf)])
}

/// The characters besides letters and digits that encoders of URLs and forms leave as they are.
const LEFT: [&[u8]; 6] = [b"", b"-_.~", b"-_.~/", b"-_.*", b"-_.!~*'()", b"-_.~!$&'()*+,;=:@/"];

/// What encoders of URLs and forms make of `secret`: with more or fewer characters left as they are,
/// either case of the digits, `+` for a space, and all of it twice. Encoders that do not differ on
/// the characters of this secret are one: a token has three that matter.
fn percent_forms(secret: &str) -> Vec<String> {
    let mut special: Vec<u8> = secret.bytes().filter(|byte| !byte.is_ascii_alphanumeric()).collect();
    special.sort_unstable();
    special.dedup();
    let left = |kept: &&[u8]| {
        special
            .iter()
            .copied()
            .filter(|byte| kept.contains(byte))
            .collect::<Vec<u8>>()
    };
    let mut encoders: Vec<Vec<u8>> = LEFT.iter().map(left).collect();
    encoders.sort_unstable();
    encoders.dedup();
    // Some encode every character, letters too.
    let mut forms: Vec<String> = [true, false].map(|upper| percent_encoded_whole(secret, upper)).to_vec();
    for kept in encoders.iter().filter(|kept| kept.len() < special.len()) {
        for plus in [false, true] {
            // Without a space in it a `+` for one changes nothing.
            if plus && !special.contains(&b' ') {
                continue;
            }
            for upper in [true, false] {
                let once = percent_encoded(secret, kept, upper, plus);
                forms.push(once.replace('%', "%25"));
                forms.push(once);
            }
        }
    }
    forms
}

fn percent_encoded_whole(secret: &str, upper: bool) -> String {
    let mut text = String::with_capacity(secret.len() * 3);
    for byte in secret.bytes() {
        text.push('%');
        text.push(hex_digit(u16::from(byte >> 4), upper));
        text.push(hex_digit(u16::from(byte & 0xf), upper));
    }
    text
}

fn percent_encoded(secret: &str, kept: &[u8], upper: bool, plus: bool) -> String {
    let mut text = String::with_capacity(secret.len() * 2);
    for byte in secret.bytes() {
        if byte == b' ' && plus {
            text.push('+');
        } else if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(hex_digit(u16::from(byte >> 4), upper));
            text.push(hex_digit(u16::from(byte & 0xf), upper));
        }
    }
    text
}

/// The forms in which `secret` may come back.
fn forms(secret: &str) -> Vec<String> {
    if secret.len() < 4 {
        return Vec::new();
    }
    let mut forms = percent_forms(secret);
    forms.push(secret.to_owned());
    if let Ok(quoted) = serde_json::to_string(secret) {
        let quoted = &quoted[1..quoted.len() - 1];
        forms.push(quoted.to_owned());
        // JSON within JSON.
        if let Ok(twice) = serde_json::to_string(quoted) {
            forms.push(twice[1..twice.len() - 1].to_owned());
        }
    }
    let units: Vec<u16> = secret.encode_utf16().collect();
    for upper in [false, true] {
        let mut all = String::with_capacity(units.len() * 6);
        let (mut some, mut plain) = (
            String::with_capacity(secret.len()),
            String::with_capacity(secret.len() * 2),
        );
        for unit in &units {
            let escaped = |into: &mut String| {
                into.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    into.push(hex_digit((unit >> shift) & 0xf, upper));
                }
            };
            escaped(&mut all);
            // Some writers escape what is not ASCII, some everything.
            match u8::try_from(*unit) {
                Ok(byte) if byte.is_ascii() && !byte.is_ascii_control() => some.push(char::from(byte)),
                _ => escaped(&mut some),
            }
        }
        for byte in secret.bytes() {
            plain.push(hex_digit(u16::from(byte >> 4), upper));
            plain.push(hex_digit(u16::from(byte & 0xf), upper));
        }
        forms.extend([all, some, plain]);
    }
    for offset in 0..3_usize {
        // A secret inside a longer base64 text stands at one of three alignments; only the
        // characters that it alone decides are looked for.
        let mut padded = vec![0_u8; offset];
        padded.extend_from_slice(secret.as_bytes());
        let (first, whole) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
        for engine in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            if let Some(core) = engine.get(first..whole).filter(|core| core.len() >= 8) {
                // As it stands in a query string.
                if core.contains(['+', '/']) {
                    forms.extend([true, false].map(|upper| percent_encoded(core, b"-_", upper, false)));
                }
                forms.push(core.to_owned());
            }
        }
    }
    forms
}

/// Replaces everything shaped like a JWT, also one that is cut off within its signature.
fn hide_tokens(text: &str) -> String {
    let in_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        let end = rest[at..].find(|c| !in_token(c)).map_or(rest.len(), |n| at + n);
        let candidate = &rest[at..end];
        let mut parts = candidate.split('.');
        let is_token =
            parts.next().is_some_and(|head| head.len() >= 10) && parts.next().is_some_and(|claims| claims.len() >= 4);
        clean.push_str(&rest[..at]);
        clean.push_str(if is_token { TOKEN_MARK } else { candidate });
        rest = &rest[end..];
    }
    clean.push_str(rest);
    clean
}

/// Replaces `"signature_hash": "…"` and its like in text that is no JSON as a whole.
fn hide_keyed(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((key_end, value_start)) = find_keyed(rest) {
        let value_end = rest[value_start..].find('"').map_or(rest.len(), |n| value_start + n);
        let key_start = rest[..key_end].rfind('"').map_or(0, |at| at + 1);
        clean.push_str(&rest[..value_start]);
        clean.push_str(if is_secret_key(&rest[key_start..key_end]) {
            MARK
        } else {
            &rest[value_start..value_end]
        });
        rest = &rest[value_end..];
        // Step over the closing quote, or it would open the next pair.
        if let Some(after) = rest.strip_prefix('"') {
            clean.push('"');
            rest = after;
        }
    }
    clean.push_str(rest);
    clean
}

/// The next `": "` of `text`: where its key ends and its value starts.
fn find_keyed(text: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let colon = from + text[from..].find("\":")?;
        let after = &text[colon + 2..];
        let gap = after.len() - after.trim_start_matches([' ', '\t']).len();
        if after[gap..].starts_with('"') {
            return Some((colon, colon + 2 + gap + 1));
        }
        from = colon + 2;
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;
    use serde_json::json;

    fn redactor() -> Redactor {
        Redactor::new(&[Secret::new("hush-hush/it+is=so")])
    }

    #[test]
    fn every_way_of_writing_a_secret_down_is_known() {
        let secret = Secret::new("k\u{e9}y/with +&\"p%rts\"");
        let redactor = Redactor::new([&secret]);
        for echoed in [
            "k%C3%A9y/with%20%2B%26%22p%25rts%22",
            "k%c3%a9y%2fwith%20%2b%26%22p%25rts%22",
            "k%C3%A9y%2Fwith+%2B%26%22p%25rts%22",
            "k%25C3%25A9y%252Fwith%2520%252B%2526%2522p%2525rts%2522",
            "k\u{e9}y/with +&\\\\\\\"p%rts\\\\\\\"",
            "6bc3a9792f77697468202b2622702572747322",
            "k\\u00e9y/with +&\"p%rts\"",
        ] {
            let shown = redactor.text(&format!("<{echoed}>"));
            let told = shown.as_str();
            assert!(
                !told.contains("rts") && !told.contains("6bc3"),
                "{echoed} became {told}"
            );
        }
    }

    #[test]
    fn a_known_secret_is_hidden_in_every_form() {
        let secret = "hush-hush/it+is=so";
        let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        for prefix in ["", "x", "xy", "xyz"] {
            let base64 = STANDARD_NO_PAD.encode(format!("{prefix}{secret}{prefix}"));
            let clean = redactor().text(&base64);
            assert!(clean.as_str().contains(MARK), "{prefix}: {clean}");
        }
        for text in [format!("a {secret} b"), format!("?k={encoded}&x=1")] {
            let clean = redactor().text(&text);
            assert!(
                clean.as_str().contains(MARK) && !clean.as_str().contains("hush"),
                "{clean}"
            );
        }
        let clean = redactor().json(&json!({secret: [secret, {"a": secret}]}));
        assert!(!clean.as_str().contains("hush"), "{clean}");
    }

    #[test]
    fn a_token_nobody_knows_is_hidden_by_its_shape() {
        let clean = redactor().text("say eyJhbGciOi.eyJzdWIiOi.c2ln, and eyJust words");
        assert_eq!(clean.as_str(), "say eyJ…[redacted], and eyJust words");
    }

    #[test]
    fn secret_keys_lose_their_values_in_json_text_and_headers() {
        let clean = redactor().json(&json!({"signature": {"signature_hash": "abc", "user_id": "u"}}));
        assert_eq!(
            clean.as_str(),
            r#"{"signature":{"signature_hash":"[redacted]","user_id":"u"}}"#
        );
        let clean = redactor().text(r#"bad: {"a": "b", "signature_hash": "abc", "c": "d"#);
        assert_eq!(
            clean.as_str(),
            r#"bad: {"a": "b", "signature_hash": "[redacted]", "c": "d"#
        );
        assert_eq!(
            redactor().header("Authorization", "Bearer eyJx.y.z").as_str(),
            "Bearer eyJ…[redacted]"
        );
        assert_eq!(redactor().header("apikey", "abc").as_str(), MARK);
        assert_eq!(redactor().header("Accept", "text/html").as_str(), "text/html");
    }

    #[test]
    fn what_holds_no_secret_is_unchanged() {
        let text = "GET /v1/actions/list?domain=faults \"a\": 1, \"b\": \"c\"";
        assert_eq!(redactor().text(text).as_str(), text);
    }

    proptest::proptest! {
        #[test]
        fn no_planted_secret_survives(secret in "[a-zA-Z0-9/+=_-]{12,40}", before in ".{0,20}", after in ".{0,20}") {
            let redactor = Redactor::new(&[Secret::new(secret.clone())]);
            let text = format!("{before}{secret}{after}");
            proptest::prop_assert!(!redactor.text(&text).as_str().contains(&secret));
            let value = json!({&text: {"x": [&text]}});
            proptest::prop_assert!(!redactor.json(&value).as_str().contains(&secret));
        }
    }
}
