//! What came of a request: a response, or the class of its failure; and how long it took.

use std::borrow::Cow;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::named::names;

/// What some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `HTTP/1.1`.
    pub version: &'static str,
    /// The status code.
    pub status: u16,
    /// Headers in order; values that are no UTF-8 are shown with replacement characters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as JSON; `None` when it is not.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        self.parse_json().ok()
    }

    /// The body as JSON. A byte order mark is skipped, and Latin-1 read where the content type says so.
    ///
    /// # Errors
    /// What the parser says, with its place.
    pub fn parse_json(&self) -> Result<Value, serde_json::Error> {
        if self.is_latin1() {
            return serde_json::from_str(&self.text());
        }
        serde_json::from_slice(self.body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.body))
    }

    /// The body as text, without a byte order mark; what is not text is replaced by U+FFFD.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if self.is_latin1() {
            return self.body.iter().map(|byte| char::from(*byte)).collect();
        }
        String::from_utf8_lossy(self.body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.body))
    }

    /// Whether the content type says that each byte is a character.
    fn is_latin1(&self) -> bool {
        let parameters = self.header("content-type").unwrap_or_default().split(';').skip(1);
        let mut charsets = parameters.filter_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("charset")
                .then(|| value.trim().trim_matches('"'))
        });
        let names = ["iso-8859-1", "iso8859-1", "latin1", "latin-1"];
        charsets
            .next()
            .is_some_and(|charset| names.iter().any(|name| name.eq_ignore_ascii_case(charset)))
    }

    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A `Set-Cookie` header.
#[derive(Debug, Clone, Copy)]
pub struct SetCookie<'a>(&'a str);

impl<'a> SetCookie<'a> {
    /// All of it.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.0
    }

    /// Name and value, without the attributes behind them; `None` where it has no name.
    #[must_use]
    pub fn pair(&self) -> Option<(&'a str, &'a str)> {
        let pair = self.0.split(';').next()?;
        let (name, value) = pair.split_once('=')?;
        let value = value.trim();
        let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Some((name.trim(), quoted.unwrap_or(value))).filter(|(name, _)| !name.is_empty())
    }

    /// When it ends, seen at `now`; `None` where it lasts as long as its session. `Max-Age` goes before `Expires`.
    #[must_use]
    pub fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        let attributes = || {
            self.0
                .split(';')
                .skip(1)
                .filter_map(|attribute| attribute.split_once('='))
        };
        let of = |wanted: &str| attributes().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        if let Some(seconds) = of("max-age").and_then(|(_, value)| value.trim().parse::<i64>().ok()) {
            return now.checked_add(SignedDuration::from_secs(seconds)).ok();
        }
        let text = of("expires")?.1.trim().replace('-', " ");
        rfc2822::DateTimeParser::new().parse_timestamp(&text).ok()
    }

    /// Its value; `None` where it has none.
    #[must_use]
    pub fn value(&self) -> Option<&'a str> {
        self.pair().map(|(_, value)| value).filter(|value| !value.is_empty())
    }
}

impl Response {
    /// The cookies that it sets, in order.
    pub fn set_cookies(&self) -> impl Iterator<Item = SetCookie<'_>> {
        let lines = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case("set-cookie"));
        lines.map(|(_, value)| SetCookie(value))
    }

    /// The value of the cookie `name` that it sets last; `None` where it sets none of that name.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.set_cookies().filter_map(|line| line.pair());
        pairs.filter(|(found, _)| *found == name).map(|(_, value)| value).last()
    }
}

/// How a request failed, or what kind of failure a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// No connection, or it broke.
    Connectivity,
    /// No complete answer in time.
    Timeout,
    /// TLS could not be agreed on.
    Tls,
    /// An answer that is cut short, too large, or not what it says it is.
    BadBody,
    /// 429: the client asks more often than it may.
    RateLimited,
    /// Another unasserted 4xx.
    #[serde(rename = "client_4xx")]
    Client4xx,
    /// A 5xx.
    #[serde(rename = "server_5xx")]
    Server5xx,
}

impl FailureClass {
    /// As in reports: `client_4xx`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connectivity => "connectivity",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::BadBody => "bad_body",
            Self::RateLimited => "rate_limited",
            Self::Client4xx => "client_4xx",
            Self::Server5xx => "server_5xx",
        }
    }

    /// The class of a status; `None` below 400.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        match status {
            500..=599 => Some(Self::Server5xx),
            429 => Some(Self::RateLimited),
            400..=499 => Some(Self::Client4xx),
            _ => None,
        }
    }
}

/// What keeps this machine from asking at all. A proxy that fails and a store of certificates that is empty are the
/// monitor's own fault at any time; of the others its past decides: what has never worked is the monitor's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The name of the API cannot be looked up.
    NoSuchHost,
    /// This machine has no way to the network of the API.
    NoNetwork,
    /// This machine trusts no certificate authority.
    NobodyTrusted,
    /// A proxy of this machine does not let requests through, or cannot be reached.
    ProxyFails,
    /// The API refuses every token that is sent.
    TokensRefused,
}

names!(Cause {
    NoSuchHost => "no_such_host",
    NoNetwork => "no_network",
    NobodyTrusted => "nobody_trusted",
    ProxyFails => "proxy_fails",
    TokensRefused => "tokens_refused",
});

impl Cause {
    /// What it is and the way out, one line.
    #[must_use]
    pub fn tell(self) -> &'static str {
        match self {
            Self::NoSuchHost => {
                "the host of the API cannot be looked up, and never could: compare API_BASE_URL with the API's address"
            }
            Self::NoNetwork => {
                "this machine has no route to the API, and never had: check its network, or set HTTPS_PROXY"
            }
            Self::NobodyTrusted => {
                "this machine trusts no certificate authority: install ca-certificates, or set SSL_CERT_FILE"
            }
            Self::ProxyFails => {
                "the proxy of this machine does not let requests through: compare https_proxy, http_proxy and NO_PROXY \
                 with what your network asks for"
            }
            Self::TokensRefused => {
                "the API refuses every token of this monitor with 401, and never let one in: compare the signing secret \
                 and the issuer with the API's (`lensops doctor` tries them)"
            }
        }
    }
}

/// A request that got no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which kind.
    pub class: FailureClass,
    /// What the system said, one line.
    pub detail: String,
    /// What kept this machine from asking, where something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<Cause>,
}

impl Failure {
    /// A failure of the other side, or of the way to it.
    #[must_use]
    pub fn new(class: FailureClass, detail: impl Into<String>) -> Self {
        Self {
            class,
            detail: detail.into(),
            own: None,
        }
    }
}

/// How long the phases of an exchange took, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timings {
    /// Name lookup, part of `connect_us`; `None` where nothing was looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_us: Option<u64>,
    /// Name lookup, TCP connect and the proxy's consent; `None` on a reused connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u64>,
    /// TLS handshake; `None` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_us: Option<u64>,
    /// From the start of writing to the last byte written; `None` when nothing was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_us: Option<u64>,
    /// From the start of writing to the first byte of the answer; `None` when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// From the first byte of the answer to its last; `None` when it was not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive_us: Option<u64>,
    /// All of it, from the name lookup to the last byte or the failure. In a stress run connecting is not in it.
    pub total_us: u64,
}
