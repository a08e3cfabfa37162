//! Endpoints held against one another, and against the users of their lens.

use super::definition::Lens;
use super::endpoint::{Allow, Endpoint};
use crate::expect::Place;
use crate::ident::{Ident, nearest};
use crate::request::PER_STEP;

/// The variables that are known before any endpoint made one.
fn given(lens: &Lens) -> Vec<&str> {
    let values = lens.tenants.value_names().map(Ident::as_str);
    values.chain(["tenant"]).chain(PER_STEP).collect()
}

/// What is wrong with the endpoints of `lens`: where, key by key, and why.
pub(super) fn wrong_endpoints(lens: &Lens) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let mut known = given(lens);
    for (index, endpoint) in lens.endpoints.iter().enumerate() {
        let at = |key: &str| format!("endpoints.{index}{}{key}", if key.is_empty() { "" } else { "." });
        let earlier = || lens.endpoints.iter().take(index);
        let name = &endpoint.name;
        if earlier().any(|other| other.name == *name) {
            wrong.push((at("name"), format!("two endpoints are called {name}")));
        }
        if lens
            .endpoints
            .iter()
            .any(|other| other.undo.is_some() && undo_name(other) == name.as_str())
        {
            wrong.push((
                at("name"),
                format!("{name} is what the undo of another endpoint is called"),
            ));
        }
        wrong.extend(not_known(lens, index, &known).map(|why| (at(""), why)));
        wrong.extend(wrong_creates(endpoint, &known).map(|why| (at("creates"), why)));
        known.extend(endpoint.creates.keys().map(Ident::as_str));
        let of_undo = endpoint.undo.iter().flat_map(|undo| undo.names());
        let of_undo = of_undo.filter(|named| !known.contains(named));
        wrong.extend(of_undo.map(|named| (at("undo"), format!("${named} is not defined{}", meant(named, &known)))));
        wrong.extend(nobody(lens, endpoint).map(|why| (at("allow"), why)));
    }
    let is_checked =
        lens.health.is_some() || !lens.flags.is_empty() || lens.endpoints.iter().any(|it| lens.is_plain(it));
    if !lens.endpoints.is_empty() && !is_checked {
        let why = "a check has nothing to ask: give `health`, or a GET that names nothing which an endpoint creates";
        wrong.push(("endpoints".to_owned(), why.to_owned()));
    }
    wrong
}

/// The variables that an endpoint names where nothing made them.
fn not_known(lens: &Lens, index: usize, known: &[&str]) -> Option<String> {
    let endpoint = lens.endpoints.get(index)?;
    let of_expect = endpoint.expect.iter().flat_map(|expect| expect.names());
    let mut named = endpoint.request.names().into_iter().chain(of_expect);
    let unknown = named.find(|named| !known.contains(named))?;
    let later = lens
        .endpoints
        .iter()
        .skip(index)
        .find(|it| it.creates.contains_key(unknown));
    Some(match later {
        Some(later) if later.name == endpoint.name => format!("${unknown} is known only after {} was sent", later.name),
        Some(later) => format!(
            "${unknown} is what {} creates, which stands below: list it first",
            later.name
        ),
        None => format!(
            "${unknown} is not defined: no endpoint `creates` it{}",
            meant(unknown, known)
        ),
    })
}

fn meant(name: &str, known: &[&str]) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!(" (did you mean ${near}?)"))
}

fn wrong_creates(endpoint: &Endpoint, known: &[&str]) -> Option<String> {
    if !endpoint.creates.is_empty() && !endpoint.changes() {
        return Some(format!("a {} creates nothing", endpoint.request.method.as_str()));
    }
    endpoint.creates.iter().find_map(|(name, capture)| {
        if known.contains(&name.as_str()) {
            return Some(format!("${name} has a value already: choose another name"));
        }
        let named = matches!(capture.place(), Place::Named(_));
        named.then(|| {
            format!(
                "{} is no place of an answer: write $.data.id, header:location",
                capture.place()
            )
        })
    })
}

/// Why nobody can send an endpoint's request.
fn nobody(lens: &Lens, endpoint: &Endpoint) -> Option<String> {
    let Allow::Roles(roles) = &endpoint.allow else {
        return None;
    };
    if roles.is_empty() {
        return Some("it lets nobody in: name roles, or `anyone`".to_owned());
    }
    if lens.users.values().any(|user| roles.contains(&user.role)) {
        return None;
    }
    let named: Vec<&str> = roles.iter().map(Ident::as_str).collect();
    let known: Vec<&str> = lens.users.values().map(|user| user.role.as_str()).collect();
    let near = named.iter().find_map(|role| nearest(role, &known));
    let hint = near.map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
    Some(format!(
        "no user has role {}{hint}: add one below `users`",
        named.join(" or ")
    ))
}

/// The name of the request that takes back what an endpoint does.
#[must_use]
pub fn undo_name(endpoint: &Endpoint) -> String {
    format!("undo_{}", endpoint.name)
}

impl Lens {
    /// Whether a request changes nothing and names nothing that another one makes: it can be sent at any time.
    #[must_use]
    pub fn is_plain(&self, endpoint: &Endpoint) -> bool {
        let names = endpoint.request.names();
        !endpoint.changes() && !names.iter().any(|name| PER_STEP.contains(name)) && self.makers(endpoint).is_empty()
    }

    /// The endpoints whose creations a request names, those that they need themselves first.
    #[must_use]
    pub fn makers(&self, endpoint: &Endpoint) -> Vec<&Endpoint> {
        let mut needed: Vec<&str> = endpoint.request.names();
        let mut makers = Vec::new();
        for maker in self.endpoints.iter().rev().filter(|it| it.name != endpoint.name) {
            if maker.creates.keys().any(|made| needed.contains(&made.as_str())) {
                needed.extend(maker.request.names());
                makers.push(maker);
            }
        }
        makers.reverse();
        makers
    }

    /// The first user that an endpoint lets in; `None` where anyone is let in, or no user is.
    #[must_use]
    pub fn let_in(&self, endpoint: &Endpoint) -> Option<&Ident> {
        let roles = endpoint.allow.roles();
        self.users
            .iter()
            .find(|(_, user)| roles.contains(&user.role))
            .map(|(name, _)| name)
    }

    /// The first user that an endpoint does not let in.
    #[must_use]
    pub fn kept_out(&self, endpoint: &Endpoint) -> Option<&Ident> {
        self.users
            .iter()
            .find(|(_, user)| !endpoint.allow.lets_in(&user.role))
            .map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lens::Defaults;

    const USERS: &str = "users:\n  viewer: {id: v, role: viewer}\n  editor: {id: e, role: editor}\n";

    fn lens(endpoints: &str) -> Lens {
        crate::yaml::read(
            "x",
            &format!("lens: orders\ntenants: [acme]\n{USERS}endpoints:\n{endpoints}"),
        )
        .unwrap()
    }

    #[test]
    fn each_mistake_of_endpoints_is_told_where_it_stands() {
        let table = [
            (
                "  - {name: a, get: /a, allow: [viewer]}\n  - {name: a, get: /b, allow: [viewer]}\n",
                "endpoints.1.name: two endpoints",
            ),
            (
                "  - {name: a, get: /a/$id, allow: [viewer]}\n",
                "endpoints.0: $id is not defined: no endpoint `creates` it",
            ),
            (
                "  - {name: a, get: /a/$tenannt, allow: [viewer]}\n",
                "did you mean $tenant?",
            ),
            (
                "  - {name: a, get: /a, allow: []}\n",
                "endpoints.0.allow: it lets nobody in",
            ),
            (
                "  - {name: a, get: /a, allow: [edtor]}\n",
                "no user has role edtor (did you mean \"editor\"?)",
            ),
            (
                "  - {name: r, get: /a/$id, allow: [viewer]}\n  - {name: c, post: /a, creates: {id: $.id}, undo: {delete: /a/$id}, allow: [editor]}\n",
                "$id is what c creates, which stands below: list it first",
            ),
            (
                "  - {name: c, post: /a, creates: {tenant: $.id}, undo: {delete: /a/$tenant}, allow: [editor]}\n",
                "endpoints.0.creates: $tenant has a value already",
            ),
            (
                "  - {name: c, post: /a, creates: {id: $.id}, undo: {delete: /a/$ids}, allow: [editor]}\n",
                "endpoints.0.undo: $ids is not defined (did you mean $id?)",
            ),
            (
                "  - {name: c, post: /a, creates: {id: $.id}, undo: {delete: /a/$id}, allow: [editor]}\n",
                "a check has nothing to ask",
            ),
        ];
        for (text, expected) in table {
            let error = lens(text).resolve(&Defaults::default(), false).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_makes_what_is_known() {
        let lens = lens(
            "  - {name: order, post: /o, creates: {order: $.id}, undo: {delete: /o/$order}, allow: [editor]}\n  \
             - {name: item, post: /o/$order/i, creates: {item: $.id}, undo: {delete: /i/$item}, allow: [editor]}\n  \
             - {name: read, get: /i/$item, allow: [viewer]}\n  - {name: list, get: /o, allow: anyone}\n",
        );
        let (lens, _) = lens.resolve(&Defaults::default(), false).unwrap();
        let makers = |at: usize| {
            lens.makers(&lens.endpoints[at])
                .iter()
                .map(|it| it.name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (makers(1), makers(2)),
            (vec!["order".to_owned()], vec!["order".to_owned(), "item".to_owned()])
        );
        assert!(lens.is_plain(&lens.endpoints[3]) && !lens.is_plain(&lens.endpoints[2]));
        assert_eq!(lens.kept_out(&lens.endpoints[0]).unwrap().as_str(), "viewer");
        assert_eq!(lens.let_in(&lens.endpoints[0]).unwrap().as_str(), "editor");
        assert_eq!(
            (lens.let_in(&lens.endpoints[3]), lens.kept_out(&lens.endpoints[3])),
            (None, None)
        );
    }
}
