//! Rules that plans of every kind are held to: tenants are listed, names unique and users defined.

use indexmap::IndexMap;
use uuid::Uuid;

use super::error::PlanError;
use crate::auth::Auths;
use crate::ident::Ident;
use crate::lens::{User, wrong_sign_in};

pub(super) fn check_tenants(tenants: &[Uuid]) -> Result<(), PlanError> {
    if tenants.is_empty() {
        Err(PlanError::Empty("tenants"))
    } else {
        Ok(())
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

pub(super) fn check_sign_in(users: &IndexMap<Ident, User>, auth: &Auths) -> Result<(), PlanError> {
    match wrong_sign_in(users, auth).into_iter().next() {
        Some((place, why)) => Err(PlanError::Invalid { place, why }),
        None => Ok(()),
    }
}
