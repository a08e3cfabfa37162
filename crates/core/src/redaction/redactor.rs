//! Redaction. Writers accept only [`Redacted`], and only a [`Redactor`] makes one.
//!
//! Three nets, each enough for what it is for: known secrets by value, in the forms in which a
//! server may echo them (raw, percent-encoded, JSON-escaped, base64); anything shaped like a JWT;
//! and the values of keys that hold secrets by name.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use memchr::{memchr, memmem};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::finder::{Finder, Speed, cut_off};
use super::forms::{forms, packed_forms};
use super::key::is_secret_key;
use super::legible::legible;
use super::mark::{MARK, SHORTEST_TOKEN, mark};
use super::patterns::{find_keyed, hide_keyed, hide_tokens};
use super::unfold::{is_encoded, packed_bytes};
use crate::secret::Secret;

/// Text that is safe to write: the only thing that writers take.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text's bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// Keeps at most the first `limit` bytes, to a whole character; whether anything was cut.
    pub fn shorten(&mut self, limit: usize) -> bool {
        let before = self.0.len();
        self.0.truncate(self.0.floor_char_boundary(limit));
        self.0.len() < before
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

/// Written and never read, so it brings no parser as other texts do.
impl JsonSchema for Redacted {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Redacted".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "redacted text",
            "description": "Text from which every secret of the run was taken out.",
        })
    }
}

/// Knows the secrets of a run.
#[derive(Clone, Default)]
pub struct Redactor {
    /// The secrets that `finder` finds.
    known: Arc<[Secret]>,
    finder: Option<Arc<Finder>>,
    /// The secrets that one exchange adds.
    own: Arc<[Secret]>,
    /// Their forms, longest first: to build a finder for each exchange would cost more than it saves.
    late: Arc<[String]>,
    /// Made when a text of the exchange is encoded in a way that the forms do not name.
    late_finder: Arc<OnceLock<Option<Finder>>>,
    /// Their forms in runs of digits, made when a text is long enough for one.
    late_packed: Arc<OnceLock<Vec<Vec<u8>>>>,
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
        Self::of(secrets.into_iter().cloned().collect(), Speed::Small)
    }

    /// The same with more secrets of the whole run, such as the tokens of its users.
    #[must_use]
    pub fn with<'a>(&'a self, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut more = secrets
            .into_iter()
            .filter(|secret| !self.known.contains(secret))
            .peekable();
        if more.peek().is_none() {
            return self.clone();
        }
        Self::of(self.known.iter().chain(more).cloned().collect(), Speed::Fast)
    }

    /// Whether both know the same secrets of the whole run.
    #[must_use]
    pub fn is_alike(&self, other: &Self) -> bool {
        self.known == other.known
    }

    fn of(known: Arc<[Secret]>, speed: Speed) -> Self {
        Self {
            finder: Finder::new(known.iter(), speed).map(Arc::new),
            known,
            own: Arc::default(),
            late: Arc::default(),
            late_finder: Arc::default(),
            late_packed: Arc::default(),
        }
    }

    /// The same with the secrets of one exchange, instead of those of another.
    #[must_use]
    pub fn for_exchange(&self, secrets: &[Secret]) -> Self {
        let new = secrets.iter().filter(|secret| !self.known.contains(secret));
        let own: Arc<[Secret]> = new.cloned().collect();
        if own == self.own {
            return self.clone();
        }
        let mut late: Vec<String> = own.iter().flat_map(|secret| forms(secret.expose())).collect();
        late.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        late.dedup();
        Self {
            own,
            late: late.into(),
            late_finder: Arc::default(),
            late_packed: Arc::default(),
            ..self.clone()
        }
    }

    /// `text` without secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> Redacted {
        Redacted(self.clean(text).into_owned())
    }

    /// `value` as compact JSON without secrets, in keys and values.
    #[must_use]
    pub fn json(&self, value: Value) -> Redacted {
        Redacted(self.value(value).to_string())
    }

    /// The same with the value that the text holds.
    pub(crate) fn json_and_value(&self, value: Value) -> (Redacted, Value) {
        let clean = self.value(value);
        (Redacted(clean.to_string()), clean)
    }

    /// `value` as indented JSON without secrets.
    #[must_use]
    pub fn json_pretty(&self, value: Value) -> Redacted {
        let clean = self.value(value);
        Redacted(serde_json::to_string_pretty(&clean).unwrap_or_else(|_| clean.to_string()))
    }

    /// `bytes` that should be text: JSON is redacted by key as well, anything else as text.
    /// Invalid UTF-8 is shown with replacement characters, what would steer a terminal escaped.
    #[must_use]
    pub fn body(&self, bytes: &[u8]) -> Redacted {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => self.json_pretty(value),
            _ => match utf16(bytes) {
                Some(text) => self.body(text.as_bytes()),
                None => self.text(&legible(&String::from_utf8_lossy(bytes))),
            },
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
                Redacted(format!("{} {}", self.clean(scheme), mark(token)))
            }
            _ => Redacted(MARK.to_owned()),
        }
    }

    /// Whether `text` holds a secret of the exchange in runs of digits that are broken into lines or pairs.
    fn holds_packed(&self, text: &str) -> bool {
        // In digits a secret is longer than as it stands.
        if self.own.iter().all(|secret| secret.expose().len() > text.len()) {
            return false;
        }
        let forms = self.late_packed.get_or_init(|| {
            let forms = self.own.iter().flat_map(|secret| packed_forms(secret.expose()));
            forms.map(String::into_bytes).collect()
        });
        let digits = packed_bytes(text);
        let mut shorter = forms.iter().filter(|form| form.len() <= digits.len());
        shorter.any(|form| memmem::find(&digits, form).is_some())
    }

    fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = self
            .finder
            .as_ref()
            .map_or(Cow::Borrowed(text), |finder| finder.clean(text));
        for form in &*self.late {
            // Most texts are shorter than a token in any of its forms.
            if form.len() <= clean.len() && memmem::find(clean.as_bytes(), form.as_bytes()).is_some() {
                clean = Cow::Owned(clean.replace(form.as_str(), mark(form)));
            }
        }
        if let Some(start) = cut_off(self.own.iter().map(|own| own.expose().as_bytes()), clean.as_bytes()) {
            let start = clean.floor_char_boundary(start);
            clean = Cow::Owned(format!("{}{}", &clean[..start], mark(&clean[start..])));
        }
        if !self.own.is_empty() && (is_encoded(&clean) || self.holds_packed(&clean)) {
            let finder = self
                .late_finder
                .get_or_init(|| Finder::new(self.own.iter(), Speed::Small));
            if let Some(Cow::Owned(text)) = finder.as_ref().map(|finder| finder.clean(&clean)) {
                clean = Cow::Owned(text);
            }
        }
        if clean.len() >= SHORTEST_TOKEN && memmem::find(clean.as_bytes(), b"eyJ").is_some() {
            clean = Cow::Owned(hide_tokens(&clean));
        }
        if memchr(b'"', clean.as_bytes()).is_some() && find_keyed(&clean).is_some() {
            clean = Cow::Owned(hide_keyed(&clean));
        }
        clean
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.owned(text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(item)).collect()),
            Value::Object(entries) => Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let value = if is_secret_key(&key) {
                            self.hidden(value)
                        } else {
                            self.value(value)
                        };
                        (self.owned(key), value)
                    })
                    .collect(),
            ),
            Value::Number(number) => {
                let text = number.to_string();
                match self.clean(&text) {
                    Cow::Borrowed(_) => Value::Number(number),
                    Cow::Owned(clean) => Value::String(clean),
                }
            }
            other @ (Value::Null | Value::Bool(_)) => other,
        }
    }

    /// `value`, which stands at a secret's place: every scalar below it goes, however short.
    fn hidden(&self, value: Value) -> Value {
        match value {
            Value::Null => Value::Null,
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.hidden(item)).collect()),
            Value::Object(entries) => {
                let hidden = entries
                    .into_iter()
                    .map(|(key, value)| (self.owned(key), self.hidden(value)));
                Value::Object(hidden.collect())
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::String(MARK.to_owned()),
        }
    }

    fn owned(&self, text: String) -> String {
        match self.clean(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(clean) => clean,
        }
    }
}

/// Text put together of parts of which none holds a secret.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    redactor: &'a Redactor,
    text: String,
}

impl<'a> Parts<'a> {
    /// No part yet; what comes is redacted by `redactor`.
    #[must_use]
    pub(crate) fn new(redactor: &'a Redactor) -> Self {
        Self {
            redactor,
            text: String::new(),
        }
    }

    /// Adds `text` without its secrets.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(&self.redactor.clean(text));
        self
    }

    /// Adds words of our own.
    pub(crate) fn words(&mut self, words: &'static str) -> &mut Self {
        self.text.push_str(words);
        self
    }

    /// Adds what is redacted already.
    pub(crate) fn redacted(&mut self, text: &Redacted) -> &mut Self {
        self.text.push_str(&text.0);
        self
    }

    /// The whole.
    #[must_use]
    pub(crate) fn whole(self) -> Redacted {
        Redacted(self.text)
    }
}

/// `bytes` as text where they are UTF-16: with its mark, or with every other byte zero.
fn utf16(bytes: &[u8]) -> Option<String> {
    let (pairs, _) = bytes.as_chunks::<2>();
    let zeros = |at: usize| pairs.iter().filter(|pair| pair.get(at) == Some(&0)).count();
    let is_little = match bytes.get(..2)? {
        [0xff, 0xfe] => true,
        [0xfe, 0xff] => false,
        _ if zeros(1) * 2 > pairs.len() && zeros(0) == 0 => true,
        _ if zeros(0) * 2 > pairs.len() && zeros(1) == 0 => false,
        _ => return None,
    };
    let unit = |pair: &[u8; 2]| match is_little {
        true => u16::from_le_bytes(*pair),
        false => u16::from_be_bytes(*pair),
    };
    let units: Vec<u16> = pairs.iter().map(unit).collect();
    let text = String::from_utf16_lossy(&units);
    Some(text.trim_start_matches('\u{feff}').to_owned())
}

/// Every text and number below a secret's place, as captures keep them. `true` and `false` are no secrets
/// elsewhere: they are everywhere.
#[must_use]
pub fn scalars(value: &Value) -> Vec<Secret> {
    match value {
        Value::Null | Value::Bool(_) => Vec::new(),
        Value::Number(number) => vec![Secret::new(number.to_string())],
        Value::String(text) => vec![Secret::new(text.clone())],
        Value::Array(items) => items.iter().flat_map(scalars).collect(),
        Value::Object(entries) => entries.values().flat_map(scalars).collect(),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
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
    fn the_signature_of_a_token_is_a_secret_of_its_own() {
        let signature = "c2lnbmF0dXJlLXdpdGgtLS1fX18_Pz8-Pj4";
        let token = Secret::new(format!("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWRlLXVwIn0.{signature}"));
        let known = Redactor::new([&token]);
        let ways = [
            known.clone(),
            Redactor::default().for_exchange(std::slice::from_ref(&token)),
        ];
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        for echoed in [
            token.expose().replace('.', "%2E"),
            token.expose().replace('.', " . "),
            signature.to_owned(),
            STANDARD_NO_PAD.encode(&bytes),
            hex,
        ] {
            for redactor in &ways {
                let shown = redactor.text(&format!("<{echoed}>"));
                assert!(shown.as_str().contains(MARK), "{echoed} became {shown}");
                assert!(!shown.as_str().contains("c2lnbmF0"), "{echoed} became {shown}");
            }
        }
    }

    #[test]
    fn what_would_steer_a_terminal_is_shown_as_escapes() {
        let shown = redactor().body(b"a\x1b[2J\x07 \xe2\x80\xae\r\n\tb");
        assert_eq!(shown.as_str(), "a\\u{1b}[2J\\u{7} \\u{202e}\r\n\tb");
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
        let clean = redactor().json(json!({secret: [secret, {"a": secret}]}));
        assert!(!clean.as_str().contains("hush"), "{clean}");
    }

    #[test]
    fn a_token_nobody_knows_is_hidden_by_its_shape() {
        let clean = redactor().text("say eyJhbGciOi.eyJzdWIiOi.c2ln, and eyJust words");
        assert_eq!(clean.as_str(), "say eyJ…[redacted], and eyJust words");
    }

    #[test]
    fn secret_keys_lose_their_values_in_json_text_and_headers() {
        let clean = redactor().json(json!({"signature": {"signature_hash": "abc", "user_id": "u"}}));
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
            proptest::prop_assert!(!redactor.json(value).as_str().contains(&secret));
        }
    }
}
