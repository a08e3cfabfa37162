//! The cookies of a scenario, kept as a browser keeps them: by domain and path, until they expire.
//!
//! Each user has a jar of their own, so that a case in which another user is to be refused does not carry the
//! session of the first. What the setup was given is there in every scenario.

use std::collections::BTreeMap;

use cookie_store::CookieStore;
use lensops_core::exchange::{PreparedRequest, Response};
use lensops_core::ident::Ident;
use lensops_core::request::cookie_header;
use lensops_core::secret::Secret;
use url::Url;

/// Cookies by the user who was given them; `None` is nobody.
#[derive(Debug, Clone, Default)]
pub(super) struct Cookies(BTreeMap<Option<Ident>, CookieStore>);

impl Cookies {
    /// Adds the cookies of `user` that belong to `request`, in place of those of the same name that its sign-in gave.
    pub(super) fn add_to(&self, mut request: PreparedRequest, user: Option<&Ident>) -> PreparedRequest {
        let (Some(jar), Some(url)) = (self.0.get(&user.cloned()), url_of(&request)) else {
            return request;
        };
        let pairs: Vec<(String, Secret)> = jar
            .get_request_values(&url)
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .collect();
        if pairs.is_empty() {
            return request;
        }
        let is_cookie = |name: &str| name.eq_ignore_ascii_case("cookie");
        let signed_in = request.headers.iter().find(|header| is_cookie(&header.name));
        let mut all: Vec<(String, Secret)> = signed_in
            .map(|header| header.value.expose().split("; "))
            .into_iter()
            .flatten()
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, _)| !pairs.iter().any(|(newer, _)| newer == name))
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .collect();
        all.extend(pairs);
        request.headers.retain(|header| !is_cookie(&header.name));
        request.secrets.extend(all.iter().map(|(_, value)| value.clone()));
        request.header("Cookie", cookie_header(&all))
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
