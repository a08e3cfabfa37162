//! Rules that plans of every kind are held to: tenants are listed, names unique and users defined.

use indexmap::IndexMap;

use super::error::PlanError;
use crate::auth::{Auth, Auths};
use crate::ident::Ident;
use crate::lens::{Tenants, User, wrong_sign_in};
use crate::request::{Hosts, Request};

pub(super) fn check_tenants(tenants: &Tenants) -> Result<(), PlanError> {
    if tenants.is_empty() {
        return Err(PlanError::Empty("tenants"));
    }
    match tenants.wrong().into_iter().next() {
        Some((place, why)) => Err(PlanError::Invalid { place, why }),
        None => Ok(()),
    }
}

pub(super) fn check_unique<'a>(what: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), PlanError> {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            return Err(PlanError::Twice {
                what,
                name: name.to_owned(),
            });
        }
        seen.push(name);
    }
    Ok(())
}

pub(super) fn check_user(place: &str, name: Option<&Ident>, users: &IndexMap<Ident, User>) -> Result<(), PlanError> {
    match name {
        Some(name) if !users.contains_key(name) => Err(PlanError::Unknown {
            place: place.to_owned(),
            what: "user",
            name: name.to_string(),
            known: users.keys().map(ToString::to_string).collect(),
        }),
        _ => Ok(()),
    }
}

/// Whether the hosts that `requests` and the logins of `auth` name are defined.
pub(super) fn check_hosts<'a>(
    requests: impl Iterator<Item = &'a Request>,
    auth: &'a Auths,
    hosts: &Hosts,
) -> Result<(), PlanError> {
    let logins = auth.values().filter_map(|auth| match auth {
        Auth::Login(login) => Some(&login.request),
        _ => None,
    });
    let mut named = requests
        .chain(logins)
        .filter_map(|request| Some((request, request.at.as_ref()?)));
    match named.find(|(_, name)| !hosts.contains_key(*name)) {
        Some((request, name)) => Err(PlanError::Unknown {
            place: format!("request {} {}", request.method.as_str(), request.path),
            what: "host",
            name: name.to_string(),
            known: hosts.keys().map(ToString::to_string).collect(),
        }),
        None => Ok(()),
    }
}

pub(super) fn check_sign_in(users: &IndexMap<Ident, User>, auth: &Auths) -> Result<(), PlanError> {
    match wrong_sign_in(users, auth).into_iter().next() {
        Some((place, why)) => Err(PlanError::Invalid { place, why }),
        None => Ok(()),
    }
}
