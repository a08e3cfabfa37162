//! `securitySchemes` as stubs of `auth`, with the names of variables that hold the secrets.

use serde_json::{Value, json};

use super::document::{Document, Found, part};
use crate::ident::{EnvName, Ident};

/// A way to sign in: a stub of `auth`, or why it is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scheme {
    /// What the document calls it.
    pub(super) name: String,
    /// Its stub, and the values that its user gives; or why there is none.
    pub(super) stub: Result<(Value, Value), String>,
}

/// The names of the schemes that `found` asks for; `None` where it asks for none, or lets in who signs in by none.
/// Of several ways the first is taken.
pub(super) fn asked_for(document: &Document, found: &Found<'_>) -> Option<Vec<String>> {
    let security = found.says.get("security").unwrap_or(&document.root()["security"]);
    let ways = security.as_array()?;
    let of = |way: &Value| way.as_object().map(|way| way.keys().cloned().collect::<Vec<_>>());
    let ways: Vec<Vec<String>> = ways.iter().filter_map(of).collect();
    if ways.iter().any(Vec::is_empty) {
        return None;
    }
    ways.into_iter().next()
}

/// The scheme `name`; its variables begin with `prefix`.
pub(super) fn scheme(document: &Document, name: &str, prefix: &str) -> Scheme {
    let found = part(document.root(), "/components/securitySchemes").get(name);
    let stub = match found.and_then(|found| document.meant(found)) {
        Some(found) => stub(found, name, prefix),
        None => Err("the document does not describe it".to_owned()),
    };
    Scheme {
        name: name.to_owned(),
        stub,
    }
}

fn stub(found: &Value, name: &str, prefix: &str) -> Result<(Value, Value), String> {
    let variable = |what: &str| json!({"env": variable(prefix, name, what)});
    let kind = found["type"].as_str().unwrap_or_default();
    let of_http = found["scheme"].as_str().unwrap_or_default().to_ascii_lowercase();
    match (kind, of_http.as_str()) {
        ("apiKey", _) => match (found["in"].as_str(), found["name"].as_str()) {
            (Some("header"), Some(header)) => Ok((json!({"header": header, "value": variable("KEY")}), json!({}))),
            (place, _) => Err(format!(
                "a key in a {} is not among the ways to sign in",
                place.unwrap_or("place unknown")
            )),
        },
        ("http", "bearer") => Ok((json!({"bearer": variable("TOKEN")}), json!({}))),
        ("http", "basic") => Ok((
            json!({"basic": {"user": "$login", "password": "$password"}}),
            json!({"login": variable("USER"), "password": variable("PASSWORD")}),
        )),
        ("oauth2", _) => {
            let url = part(found, "/flows/clientCredentials/tokenUrl").as_str();
            let url = url.ok_or("it has no flow of client credentials, and lensops opens no browser")?;
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(format!("its token URL {url:?} is no whole address"));
            }
            Ok((
                json!({"client_credentials": {"url": url, "client": variable("CLIENT"), "secret": variable("SECRET")}}),
                json!({}),
            ))
        }
        ("http", other) => Err(format!("the scheme {other:?} of HTTP is not among the ways to sign in")),
        ("mutualTLS", _) => Err("set `client_certificate` in lensops.yml".to_owned()),
        (other, _) => Err(format!("{other:?} is not among the ways to sign in")),
    }
}

/// The variable of a secret: `ORDERS_LOGIN_PASSWORD`; a name that says what it is says it once.
fn variable(prefix: &str, name: &str, what: &str) -> String {
    let said = name.to_ascii_uppercase().ends_with(what);
    let words = if said {
        format!("{prefix}_{name}")
    } else {
        format!("{prefix}_{name}_{what}")
    };
    let letters: String = words
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    let short: String = letters.chars().take(100).collect();
    short
        .parse::<EnvName>()
        .map_or_else(|_| format!("API_{what}"), String::from)
}

/// A name of a lens file for a text of the document.
pub(super) fn named(text: &str, taken: &dyn Fn(&str) -> bool) -> String {
    let letters: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') {
                c
            } else {
                '_'
            }
        })
        .take(60)
        .collect();
    let trimmed = letters.trim_matches(['_', '-', '.']);
    let first = match trimmed.parse::<Ident>() {
        Ok(name) => name.to_string(),
        Err(_) => format!("x_{trimmed}").trim_end_matches('_').to_owned(),
    };
    let mut tried = first.clone();
    let mut count = 2;
    while taken(&tried) {
        tried = format!("{first}_{count}");
        count += 1;
    }
    tried
}
