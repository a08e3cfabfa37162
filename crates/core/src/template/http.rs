//! What templates see of a lens with endpoints: of each, who sends it, who must not, what it needs and what is left behind.

use serde_json::{Map, Value, json};

use crate::exchange::Method;
use crate::expect::{Capture, Place};
use crate::ident::Ident;
use crate::lens::{Allow, Endpoint, Lens, undo_name};

/// The fewest samples of a check: they support a P95.
const SAMPLES: usize = 21;

/// The endpoints of `lens`, prepared for templates; `null` where it has none.
pub(super) fn of(lens: &Lens) -> Value {
    if lens.endpoints.is_empty() {
        return Value::Null;
    }
    let plain: Vec<&Endpoint> = lens
        .endpoints
        .iter()
        .filter(|endpoint| lens.is_plain(endpoint))
        .collect();
    let stressed = plain.iter().filter(|endpoint| endpoint.stress.is_some());
    let stressed: Vec<&Ident> = match stressed.map(|endpoint| &endpoint.name).collect::<Vec<_>>() {
        none if none.is_empty() => plain.iter().map(|endpoint| &endpoint.name).collect(),
        some => some,
    };
    let samples = lens.samples.map_or(SAMPLES.div_ceil(plain.len().max(1)), |n| {
        usize::try_from(n).unwrap_or(1)
    });
    let probe = plain.first().map(|endpoint| endpoint.name.as_str());
    json!({
        "endpoints": lens.endpoints.iter().map(|endpoint| shown(lens, endpoint)).collect::<Vec<_>>(),
        "plain": plain.iter().map(|endpoint| &endpoint.name).collect::<Vec<_>>(),
        "stressed": stressed,
        "creates": lens.endpoints.iter().any(|endpoint| !endpoint.creates.is_empty()),
        "probe": probe,
        "probe_users": users_of(lens, plain.into_iter()),
        "health": lens.health,
        "off": lens.off,
        "denied": denied(lens),
        "roles": roles(lens),
        "samples": samples,
    })
}

/// How nobody is let in.
fn denied(lens: &Lens) -> Value {
    lens.denied
        .as_ref()
        .map_or_else(|| json!({"status": [401, 403, 404]}), |denied| json!(denied))
}

/// All roles: those of the lens, of its users and of its endpoints.
fn roles(lens: &Lens) -> Vec<&Ident> {
    let of_users = lens.users.values().map(|user| &user.role);
    let of_endpoints = lens.endpoints.iter().flat_map(|endpoint| endpoint.allow.roles());
    let mut roles: Vec<&Ident> = Vec::new();
    for role in lens.roles.iter().chain(of_users).chain(of_endpoints) {
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    roles
}

/// The users that send `endpoints`, each once.
fn users_of<'a>(lens: &'a Lens, endpoints: impl Iterator<Item = &'a Endpoint>) -> Vec<&'a Ident> {
    let mut users: Vec<&Ident> = Vec::new();
    for user in endpoints.filter_map(|endpoint| lens.let_in(endpoint)) {
        if !users.contains(&user) {
            users.push(user);
        }
    }
    users
}

fn shown(lens: &Lens, endpoint: &Endpoint) -> Value {
    let makers: Vec<&Ident> = lens.makers(endpoint).into_iter().map(|maker| &maker.name).collect();
    let creates = !endpoint.creates.is_empty();
    // What is made for all is not what a request may change or delete.
    let own = endpoint.changes() && !creates && !makers.is_empty();
    let is_taken_back = !endpoint.changes() || creates || own || endpoint.undo.is_some();
    let skip = (!is_taken_back).then(|| {
        format!(
            "{} changes something that nothing takes back: give the endpoint `undo`",
            endpoint.name
        )
    });
    json!({
        "name": endpoint.name,
        "request": endpoint.request,
        "method": endpoint.request.method,
        "by": lens.let_in(endpoint),
        "kept_out": lens.kept_out(endpoint),
        "anyone": endpoint.allow == Allow::ANYONE,
        "allow": endpoint.allow,
        "changes": endpoint.changes(),
        "expect": expected(endpoint),
        "creates": creates.then_some(&endpoint.creates),
        "undo": endpoint.undo,
        "undo_name": endpoint.undo.as_ref().map(|_| undo_name(endpoint)),
        "needs": !makers.is_empty(),
        "first": if own { makers } else { Vec::new() },
        "outside": outside(lens, endpoint),
        "skip": skip,
        "burst": endpoint.stress.map_or(30, |stress| stress.burst),
    })
}

/// What a good answer is: a failure within a 200 is none.
fn expected(endpoint: &Endpoint) -> Value {
    // What is created may be named by a header alone, beside an empty body.
    let in_body = |capture: &Capture| matches!(capture.place(), Place::Path(_) | Place::Named(_));
    let is_json = endpoint.request.method == Method::Get || endpoint.creates.values().any(in_body);
    match &endpoint.expect {
        Some(expect) => json!(expect),
        None if is_json => json!({"absent": ["$.error", "$.errors[*]"]}),
        None => json!({}),
    }
}

/// What users of another tenant may be answered by a request that names nothing of this one: their own, and nothing that
/// was made here. `null` where nothing could be seen.
fn outside(lens: &Lens, endpoint: &Endpoint) -> Value {
    let is_list = endpoint.request.method == Method::Get && lens.is_plain(endpoint);
    let made = lens.endpoints.iter().flat_map(|maker| &maker.creates);
    let lacks: Map<String, Value> = made
        .filter_map(|(name, capture)| Some((format!("$..{}", member(capture)?), json!(format!("${name}")))))
        .collect();
    if !is_list || endpoint.allow == Allow::ANYONE || lacks.is_empty() {
        return Value::Null;
    }
    let refusals = lens.denied.as_ref().and_then(|denied| denied.status.as_ref());
    let refusals: Vec<u16> = refusals.map_or_else(|| vec![401, 403, 404], |status| status.codes().to_vec());
    let statuses: Vec<u16> = [200]
        .into_iter()
        .chain(refusals.into_iter().filter(|status| *status != 200))
        .collect();
    json!({"status": statuses, "lacks": lacks})
}

/// The name of what is captured, where an answer in JSON holds it.
fn member(capture: &Capture) -> Option<String> {
    let Capture::Whole(Place::Path(path)) = capture else {
        return None;
    };
    let text = path.to_string();
    let (_, last) = text.rsplit_once('.')?;
    let is_name = last.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !last.is_empty();
    is_name.then(|| last.to_owned())
}
