//! The plan compiler: a plan's request, a user and variables become a prepared request.

use indexmap::IndexMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use serde_json::{Value, json};
use uuid::Uuid;

use super::credential::Credential;
use super::fill::{PrepareError, expand_json, expand_text, fill_with};
use super::multipart::multipart;
use super::spec::{Body, Request, Vars};
use crate::exchange::{Base, PreparedRequest};
use crate::ident::Ident;

/// The plan's variables with `$tenant` added, those that name others filled in.
#[must_use]
pub fn vars_of(plan: &Vars, tenant: Uuid) -> Vars {
    let mut known = Vars::new();
    set(&mut known, "tenant", json!(tenant));
    vars_with(plan, known)
}

/// The plan's variables with those that are `known`: of the environment and the tenant. Those that name others are
/// filled in. One that names what is not known is not known either.
#[must_use]
pub fn vars_with(plan: &Vars, mut known: Vars) -> Vars {
    // One after the other, as far as they stand on each other. A plan with a circle does not load.
    let mut left: Vec<(&Ident, &Value)> = plan.iter().filter(|(name, _)| !known.contains_key(*name)).collect();
    while !left.is_empty() {
        let before = left.len();
        left.retain(|(name, value)| match expand_json(value, &known) {
            Err(PrepareError::Undefined(_)) => true,
            filled => {
                known.insert((*name).clone(), filled.unwrap_or(Value::Null));
                false
            }
        });
        if left.len() == before {
            break;
        }
    }
    // In the order of the plan, as they are shown.
    let mut vars: Vars = plan.keys().filter_map(|name| known.shift_remove_entry(name)).collect();
    vars.extend(known);
    vars
}

/// Sets one variable. The names used here are all identifiers.
pub fn set(vars: &mut Vars, name: &str, value: Value) {
    if let Ok(name) = name.parse::<Ident>() {
        vars.insert(name, value);
    }
}

/// Makes the request of `spec` against `base`, with `credential` where it is sent as somebody.
///
/// # Errors
/// An undefined or unknown variable in path or body.
pub fn prepare(
    base: &Base,
    spec: &Request,
    credential: Option<&Credential>,
    vars: &Vars,
) -> Result<PreparedRequest, PrepareError> {
    let mut path = encode_target(&expand_path(&spec.path, vars)?);
    if !spec.query.is_empty() {
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(&form_encoded(&spec.query, vars)?);
    }
    let mut request = PreparedRequest::new(base.clone(), spec.method, &path)
        .header("Accept", "application/json")
        .header("User-Agent", concat!("lensops/", env!("CARGO_PKG_VERSION")));
    if let Some(credential) = credential {
        request = credential.sign(request);
    }
    match &spec.body {
        Body::Empty => {}
        Body::Json(body) => request = request.json(&expand_json(body, vars)?),
        Body::Form(fields) => {
            request.body = Some(form_encoded(fields, vars)?);
            request = request.header("Content-Type", "application/x-www-form-urlencoded");
        }
        Body::Multipart(parts) => {
            let (body, content_type) = multipart(parts, vars)?;
            request.body = Some(body);
            request = request.header("Content-Type", content_type);
        }
        Body::Text(text) => request.body = Some(expand_text(text, vars)?),
    }
    for (name, value) in &spec.headers {
        let value = expand_text(value, vars)?;
        if value.contains(|c: char| c.is_control() && c != '\t') {
            return Err(PrepareError::Header(name.clone()));
        }
        // A header of the plan stands for that of the same name.
        request.headers.retain(|header| !header.name.eq_ignore_ascii_case(name));
        request = request.header(name, value);
    }
    Ok(request)
}

/// Fills a path in. A variable is one segment of it or a part of one, whatever it holds.
fn expand_path(path: &str, vars: &Vars) -> Result<String, PrepareError> {
    fill_with(path, vars, |value, out| match value {
        Value::String(text) => out.push_str(&encode_segment(text)),
        other => out.push_str(&encode_segment(&other.to_string())),
    })
}

/// Percent-encodes what would end a segment of a path, or climb out of it.
fn encode_segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const ENDS: &AsciiSet = &CONTROLS
        .add(b'/')
        .add(b'\\')
        .add(b'?')
        .add(b'#')
        .add(b'%')
        .add(b'&')
        .add(b'=')
        .add(b'+');
    match text {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => utf8_percent_encode(text, ENDS).to_string(),
    }
}

/// What a form's fields may not hold raw: the unreserved characters of RFC 3986 stay as they are.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn form_encoded(fields: &IndexMap<String, String>, vars: &Vars) -> Result<String, PrepareError> {
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, RESERVED).to_string();
    let pairs = fields
        .iter()
        .map(|(name, value)| Ok(format!("{}={}", encode(name), encode(&expand_text(value, vars)?))));
    Ok(pairs.collect::<Result<Vec<_>, PrepareError>>()?.join("&"))
}

/// Percent-encodes what a request target may not hold raw.
fn encode_target(path: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const UNSAFE: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'`')
        .add(b'#')
        .add(b'{')
        .add(b'}')
        .add(b'|')
        .add(b'\\')
        .add(b'^');
    utf8_percent_encode(path, UNSAFE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars() -> Vars {
        let mut vars = vars_of(&Vars::new(), Uuid::from_u128(1));
        set(&mut vars, "count", json!(3));
        set(&mut vars, "signature", json!({"a": 1}));
        set(&mut vars, "entity", Value::Null);
        vars
    }

    #[test]
    fn a_form_is_encoded_a_text_is_not_and_a_header_of_the_plan_wins() {
        let base = Base::parse("http://127.0.0.1:1").unwrap();
        let read = |text: &str| crate::yaml::read::<Request>("x", text);
        let form = prepare(
            &base,
            &read("post: /x\nform: {a: \"1 & 2\", b: $count}").unwrap(),
            None,
            &vars(),
        )
        .unwrap();
        assert_eq!(form.body.unwrap(), "a=1%20%26%202&b=3");
        let text = prepare(
            &base,
            &read("put: /x\nheaders: {accept: text/plain}\nbody: \"n=$count\"").unwrap(),
            None,
            &vars(),
        )
        .unwrap();
        let accepts: Vec<_> = text
            .headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case("accept"))
            .map(|h| h.value.expose())
            .collect();
        assert_eq!((text.body.as_deref(), accepts), (Some("n=3"), vec!["text/plain"]));
        for bad in [
            "post: /x\njson: {}\nbody: x",
            "get: /x\nbody: x",
            "get: /x\nheaders: {Host: x}",
            "get: /x\nheaders: {\"a b\": x}",
            "get: x",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_carries_path_token_and_body() {
        let spec: Request = crate::yaml::read(
            "x",
            "post: \"/v1/x?t=$tenant\"\nquery: {q: \"a b&c\"}\nheaders: {X-Count: \"n$count\"}\njson: {y: $tenant}",
        )
        .unwrap();
        let base = Base::parse("http://127.0.0.1:1/api").unwrap();
        let now = jiff::Timestamp::from_second(1_770_000_000).unwrap();
        let secret = crate::secret::Secret::new("made up");
        let token = crate::crypto::token::mint(&secret, "http://x", "nine", now).unwrap();
        let request = prepare(&base, &spec, Some(&Credential::from(&token)), &vars()).unwrap();
        assert_eq!(
            request.target,
            "/api/v1/x?t=00000000-0000-0000-0000-000000000001&q=a%20b%26c"
        );
        assert_eq!(request.body.unwrap(), r#"{"y":"00000000-0000-0000-0000-000000000001"}"#);
        let names: Vec<_> = request.headers.iter().map(|header| header.name.as_str()).collect();
        assert_eq!(
            names,
            ["Accept", "User-Agent", "Authorization", "Content-Type", "X-Count"]
        );
    }

    #[test]
    fn a_content_type_of_the_plan_stands_alone() {
        let spec = "post: /x\nheaders: {content-type: application/merge-patch+json}\njson: {}";
        let spec: Request = crate::yaml::read("x", spec).unwrap();
        let request = prepare(&Base::parse("http://h").unwrap(), &spec, None, &vars()).unwrap();
        let types = request
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("content-type"));
        let types: Vec<&str> = types.map(|header| header.value.expose()).collect();
        assert_eq!(types, ["application/merge-patch+json"]);
    }

    #[test]
    fn a_variable_within_a_path_stays_one_segment() {
        let target = |path: &str, value: &str| {
            let mut vars = vars();
            set(&mut vars, "v", json!(value));
            let spec: Request = crate::yaml::read("x", &format!("get: {path:?}")).unwrap();
            prepare(&Base::parse("http://h").unwrap(), &spec, None, &vars)
                .unwrap()
                .target
        };
        assert_eq!(
            target("/ok/$v/x", "1/../../admin?role=root#f"),
            "/ok/1%2F..%2F..%2Fadmin%3Frole%3Droot%23f/x"
        );
        assert_eq!(target("/ok/$v/x", ".."), "/ok/%2E%2E/x");
        assert_eq!(target("/ok?q=$v", "a&b=c d+e%"), "/ok?q=a%26b%3Dc%20d%2Be%25");
    }
}
