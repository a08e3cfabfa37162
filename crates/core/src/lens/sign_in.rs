//! Users held against the ways to sign in.

use indexmap::IndexMap;

use super::user::User;
use crate::auth::Auths;
use crate::ident::{Ident, nearest};

/// What is wrong with `users` and `auth`: where, key by key, and why.
#[must_use]
pub fn wrong_sign_in(users: &IndexMap<Ident, User>, auth: &Auths) -> Vec<(String, String)> {
    let at = |place: String, key: String| {
        if key.is_empty() {
            place
        } else {
            format!("{place}.{key}")
        }
    };
    let of_auth = auth.iter().flat_map(|(name, auth)| {
        let wrong = auth.wrong().into_iter();
        wrong.map(move |(key, why)| (at(format!("auth.{name}"), key), why))
    });
    let of_users = users.iter().flat_map(|(name, user)| {
        let mut wrong = user.wrong();
        let unknown = user.auth.as_ref().filter(|named| !auth.contains_key(*named));
        wrong.extend(unknown.map(|named| ("auth".to_owned(), not_defined(named, auth))));
        wrong
            .into_iter()
            .map(move |(key, why)| (at(format!("users.{name}"), key), why))
    });
    of_auth.chain(of_users).collect()
}

fn not_defined(named: &Ident, auth: &Auths) -> String {
    let known: Vec<&str> = auth.keys().map(Ident::as_str).collect();
    match nearest(named.as_str(), &known) {
        Some(near) => format!("auth {named} is not defined: did you mean {near:?}?"),
        None => format!("auth {named} is not defined: add it below `auth`"),
    }
}
