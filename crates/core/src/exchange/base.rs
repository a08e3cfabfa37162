//! The address of an API: scheme, host, port and the path that all its requests share.

use std::fmt;

use url::Url;

/// Where the API lives: scheme, host and port, and a path that all requests share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(Url);

/// A base URL that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not an API address: {why} (such as https://api.example.com)")]
pub struct BaseError {
    given: String,
    why: String,
}

impl Base {
    /// Reads an `http` or `https` address without user, password, query or fragment.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self, BaseError> {
        let refuse = |why: &str| BaseError {
            given: without_secrets(text),
            why: why.to_owned(),
        };
        let url = Url::parse(text.trim_end_matches('/')).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => refuse("it needs http:// or https:// and a host"),
            other => refuse(&other.to_string()),
        })?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(refuse("it needs http:// or https:// and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("credentials do not belong into an address"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must not carry a query or fragment"));
        }
        Ok(Self(url))
    }

    /// Reads a whole address: the API that it is at, and path and query.
    ///
    /// # Errors
    /// As [`Base::parse`].
    pub fn with_path(text: &str) -> Result<(Self, String), BaseError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let base = Self::parse(&format!("{scheme}://{authority}"))?;
        let path = path.split('#').next().unwrap_or_default();
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok((base, format!("{slash}{path}")))
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host, without brackets around an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The port, that of the scheme where none is given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(80)
    }

    /// Host and port as the `Host` header carries them.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The request target of `path` (with its query) below this base.
    #[must_use]
    pub fn target(&self, path: &str) -> String {
        format!("{}{path}", self.0.path().trim_end_matches('/'))
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// An address without what may be a secret in it: user, password and query.
fn without_secrets(text: &str) -> String {
    let text = match text.find(['?', '#']) {
        Some(at) => &format!("{}…", &text[..=at]),
        None => text,
    };
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://[redacted]{}", &text[..scheme], &text[at..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_path_and_its_port() {
        let base = Base::parse("http://127.0.0.1:8080/api/").unwrap();
        assert_eq!(
            base.target("/v1/actions/list?domain=x"),
            "/api/v1/actions/list?domain=x"
        );
        assert_eq!(
            (base.host(), base.port(), base.authority().as_str()),
            ("127.0.0.1", 8080, "127.0.0.1:8080")
        );
        assert_eq!(Base::parse("https://api.example.com").unwrap().port(), 443);
        assert_eq!(Base::parse("http://[::1]:9/").unwrap().host(), "::1");
    }

    #[test]
    fn a_whole_address_is_an_api_and_a_path() {
        for (text, base, path) in [
            (
                "https://id.example.com/oauth/token",
                "https://id.example.com",
                "/oauth/token",
            ),
            ("http://127.0.0.1:9/token?a=b#c", "http://127.0.0.1:9", "/token?a=b"),
            ("https://id.example.com", "https://id.example.com", "/"),
            ("https://id.example.com?x", "https://id.example.com", "/?x"),
        ] {
            let (found, rest) = Base::with_path(text).unwrap();
            assert_eq!((found.to_string().as_str(), rest.as_str()), (base, path), "{text}");
        }
        assert!(Base::with_path("id.example.com/token").is_err());
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_showing_its_password() {
        for bad in [
            "",
            "api.example.com",
            "ftp://x",
            "http://",
            "http://u:hunter22@h",
            "http://h?x=hunter22",
            "http://u:hunter22@h?x=1@",
            "None/rest/v1",
        ] {
            let error = Base::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter22"), "{error}");
        }
    }
}
