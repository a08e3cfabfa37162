//! The cookies of a scenario, kept as a browser keeps them: by domain and path, until they expire.
//!
//! Each user has a jar of their own, so that a case in which another user is to be refused does not carry the
//! session of the first. What the setup was given is there in every scenario.

use std::collections::BTreeMap;

use cookie_store::CookieStore;
use lensops_core::exchange::{PreparedRequest, Response};
use lensops_core::ident::Ident;
use lensops_core::secret::Secret;
use url::Url;

/// Cookies by the user who was given them; `None` is nobody.
#[derive(Debug, Clone, Default)]
pub(super) struct Cookies(BTreeMap<Option<Ident>, CookieStore>);

impl Cookies {
    /// Adds the cookies of `user` that belong to `request`. A `Cookie` header of the plan stands instead.
    pub(super) fn add_to(&self, request: PreparedRequest, user: Option<&Ident>) -> PreparedRequest {
        let is_set = request
            .headers
            .iter()
            .any(|header| header.name.eq_ignore_ascii_case("cookie"));
        let (Some(jar), Some(url), false) = (self.0.get(&user.cloned()), url_of(&request), is_set) else {
            return request;
        };
        let pairs: Vec<(&str, &str)> = jar.get_request_values(&url).collect();
        if pairs.is_empty() {
            return request;
        }
        let text: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = request.header("Cookie", text.join("; "));
        request
            .secrets
            .extend(pairs.iter().map(|(_, value)| Secret::new(*value)));
        request
    }

    /// Takes what `response` gives to `user`. Every value, kept or not, is a secret.
    pub(super) fn take(&mut self, request: &PreparedRequest, response: &Response, user: Option<&Ident>) -> Vec<Secret> {
        let jar = self.0.entry(user.cloned()).or_default();
        let mut secrets = Vec::new();
        for line in response.set_cookies() {
            secrets.extend(line.value().map(Secret::new));
            if let Some(url) = url_of(request) {
                // A cookie that is none of this host, or that is not one, is left out as a browser does.
                jar.parse(line.text(), &url).ok();
            }
        }
        secrets
    }
}

fn url_of(request: &PreparedRequest) -> Option<Url> {
    let scheme = if request.base.is_tls() { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{}{}", request.base.authority(), request.target)).ok()
}
