//! What a way to sign in should not say.

use serde_json::Value;

use super::definition::{Auth, Gives, Login};
use crate::redaction::names_secret;
use crate::request::fill::names;
use crate::request::{Body, FormPart, Request, is_header_name};

impl Auth {
    /// What is wrong with it: where, key by key, and why.
    #[must_use]
    pub fn wrong(&self) -> Vec<(String, String)> {
        let headers: Vec<(&str, &String)> = match self {
            Self::Header { header, .. } => vec![("header", header)],
            Self::Login(login) => match &login.gives {
                Gives::Cookies(Some(csrf)) => vec![("csrf.header", &csrf.header)],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let bad = headers.into_iter().filter(|(_, name)| !is_header_name(name));
        let mut wrong: Vec<(String, String)> = bad
            .map(|(place, name)| {
                (
                    place.to_owned(),
                    format!("{name:?} is no name of a header that can be set"),
                )
            })
            .collect();
        if let Self::Login(login) = self {
            wrong.extend(literals(login));
        }
        wrong
    }
}

/// Secrets that stand in a login.
fn literals(login: &Login) -> Vec<(String, String)> {
    let Request {
        query, headers, body, ..
    } = &login.request;
    let mut found = Vec::new();
    let mut texts = |place: &str, name: &str, text: &str| {
        if names_secret(name) && names(text).next().is_none() && !text.is_empty() {
            found.push(format!("{place}.{name}"));
        }
    };
    for (place, fields) in [("query", query), ("headers", headers)] {
        fields.iter().for_each(|(name, text)| texts(place, name, text));
    }
    match body {
        Body::Form(fields) => fields.iter().for_each(|(name, text)| texts("form", name, text)),
        Body::Json(value) => walk("json", value, &mut texts),
        Body::Multipart(parts) => {
            for (name, part) in parts {
                if let FormPart::Field(text) = part {
                    texts("multipart", name, text);
                }
            }
        }
        Body::Empty | Body::Text(_) => {}
    }
    let why = "it is a secret: write $name, and `name: {env: VARIABLE}` at the user";
    found
        .into_iter()
        .map(|place| (format!("login.{place}"), why.to_owned()))
        .collect()
}

fn walk(place: &str, value: &Value, texts: &mut impl FnMut(&str, &str, &str)) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(text) => texts(place, key, text),
                    Value::Number(number) => texts(place, key, &number.to_string()),
                    value => walk(&format!("{place}.{key}"), value, texts),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(place, item, texts)),
        _ => {}
    }
}
