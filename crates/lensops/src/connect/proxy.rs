//! Which proxy stands before an API: the variables that curl reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lensops_core::exchange::{Base, Proxied};
use lensops_core::secret::Secret;
use percent_encoding::percent_decode_str;
use url::Url;

use super::no_proxy::NoProxy;

/// A proxy setting that is not one. What it holds is not shown: it may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is not the address of a proxy: {why} (such as http://proxy.example.com:3128)")]
pub struct ProxyError {
    variable: &'static str,
    why: String,
}

/// One proxy.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    /// The variable that names it.
    variable: &'static str,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_tls: bool,
    pub(super) authorization: Option<Secret>,
}

/// The proxies of this machine.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    https: Option<Result<Proxy, ProxyError>>,
    http: Option<Result<Proxy, ProxyError>>,
    none: NoProxy,
}

impl Proxies {
    /// No proxy.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The proxies that variables name, as curl reads them. `variable` gives the value of a variable.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name| {
            variable(name)
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty())
        };
        let proxy = |names: &[&'static str]| {
            let (name, text) = names.iter().find_map(|name| Some((*name, value(name)?)))?;
            Some(Proxy::parse(name, &text))
        };
        Self {
            https: proxy(&["https_proxy", "HTTPS_PROXY"]),
            // In capitals it may be the header `Proxy` of a request to a CGI program.
            http: proxy(&["http_proxy"]),
            none: NoProxy::parse(&value("no_proxy").or_else(|| value("NO_PROXY")).unwrap_or_default()),
        }
    }

    /// The proxy before `base`.
    pub(super) fn before(&self, base: &Base) -> Result<Option<&Proxy>, ProxyError> {
        let proxy = if base.is_tls() { &self.https } else { &self.http };
        match proxy {
            Some(_) if self.none.holds(base.host()) => Ok(None),
            Some(Ok(proxy)) => Ok(Some(proxy)),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(None),
        }
    }
}

impl Proxy {
    fn parse(variable: &'static str, text: &str) -> Result<Self, ProxyError> {
        let refuse = |why: &str| ProxyError {
            variable,
            why: why.to_owned(),
        };
        let whole = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let url = Url::parse(&whole).map_err(|error| refuse(&error.to_string()))?;
        let is_tls = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(refuse(&format!("lensops does not speak {other} to a proxy"))),
        };
        let host = url.host_str().ok_or_else(|| refuse("it has no host"))?;
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let user = decoded(url.username());
        let password = decoded(url.password().unwrap_or_default());
        let named = !user.is_empty() || !password.is_empty();
        // `Url` forgets a port that is the scheme's own, and curl has another one where none is given.
        let port = url.port().unwrap_or(match (is_tls, own_port(&whole)) {
            (true, _) => 443,
            (false, true) => 80,
            (false, false) => 1080,
        });
        Ok(Self {
            variable,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            is_tls,
            authorization: named
                .then(|| Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))),
        })
    }

    /// Host and port, as it is named in words.
    pub(super) fn name(&self) -> String {
        let brackets = self.host.contains(':');
        let host = &self.host;
        if brackets {
            format!("[{host}]:{}", self.port)
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Its name and the variable that names it, for errors.
    pub(super) fn told(&self) -> String {
        format!("{} of {}", self.name(), self.variable)
    }

    /// How a request is written for it.
    pub(super) fn proxied(&self) -> Proxied {
        Proxied {
            authorization: self.authorization.clone(),
        }
    }
}

/// Whether `url` says `:80` itself.
fn own_port(url: &str) -> bool {
    let authority = url.split("://").nth(1).unwrap_or_default();
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    authority.ends_with(":80")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables<'a> = &'a [(&'a str, &'a str)];

    /// Which proxy stands before `base`, by name, with what it is told of who asks.
    fn before(variables: Variables<'_>, base: &str) -> Result<Option<(String, Option<String>)>, String> {
        let value = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let proxies = Proxies::of(value);
        let found = proxies
            .before(&Base::parse(base).unwrap())
            .map_err(|error| error.to_string())?;
        Ok(found.map(|proxy| {
            (
                proxy.name(),
                proxy.authorization.as_ref().map(|value| value.expose().to_owned()),
            )
        }))
    }

    #[test]
    fn a_proxy_is_found_where_curl_finds_it() {
        let table: [(Variables<'_>, &str, Option<&str>); 11] = [
            (&[], "https://api.test", None),
            (&[("HTTPS_PROXY", "http://p:1")], "https://api.test", Some("p:1")),
            (
                &[("https_proxy", "http://p:1"), ("HTTPS_PROXY", "http://q:2")],
                "https://api.test",
                Some("p:1"),
            ),
            (&[("HTTPS_PROXY", "http://p:1")], "http://api.test", None),
            (&[("http_proxy", "p")], "http://api.test", Some("p:1080")),
            (&[("http_proxy", "http://p:80")], "http://api.test", Some("p:80")),
            (&[("HTTP_PROXY", "http://p:1")], "http://api.test", None),
            (
                &[("HTTPS_PROXY", "https://[::2]")],
                "https://api.test",
                Some("[::2]:443"),
            ),
            (&[("HTTPS_PROXY", " ")], "https://api.test", None),
            (
                &[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "test")],
                "https://api.test",
                None,
            ),
            (&[("HTTPS_PROXY", "http://p:1")], "https://localhost", None),
        ];
        for (variables, base, name) in table {
            let found = before(variables, base).unwrap().map(|(name, _)| name);
            assert_eq!(found.as_deref(), name, "{variables:?} {base}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_shown_nowhere() {
        let (_, who) = before(&[("https_proxy", "http://us%40er:p%3Aw@p:1")], "https://api.test")
            .unwrap()
            .unwrap();
        assert_eq!(who.unwrap(), format!("Basic {}", STANDARD.encode("us@er:p:w")));
        for bad in [
            "socks5://us:hunter22@p:1",
            "http://us:hunter22@",
            "http://us:hunter22@p:99999",
        ] {
            let error = before(&[("HTTPS_PROXY", bad)], "https://api.test").unwrap_err();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("hunter22"), "{error}");
        }
        let proxies = Proxies::of(|name| (name == "https_proxy").then(|| "http://us:hunter22@p:1".to_owned()));
        assert!(!format!("{proxies:?}").contains("hunter22"));
    }
}
