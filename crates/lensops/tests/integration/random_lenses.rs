//! Whatever a lens says, what is generated from it parses, fits its schema and holds no marker.

use std::sync::LazyLock;

use indexmap::IndexMap;
use lensops_core::ident::Ident;
use lensops_core::lens::{Lens, ReadAction, SignedAction, User};
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::schema::all;
use lensops_core::template::{PlanKind, RepoContext, render_lens_file};
use lensops_core::yaml;
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

/// Text as people type it at its worst.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\"':#{}\\[\\]%$\\\\ \n\ta-z-]{0,30}",
        Just("${{ secrets.STAGING_JWT_SECRET }}".to_owned()),
        Just("[[ id ]] [% if x %] [# y #]".to_owned()),
        Just("yes".to_owned()),
        Just("null".to_owned()),
        Just("2026-01-01".to_owned()),
        Just(" leading\n\n  and # trailing ".to_owned()),
    ]
}

fn name() -> impl Strategy<Value = String> {
    // Names that YAML would read as something else are names all the same.
    prop_oneof![
        "[A-Za-z_][A-Za-z0-9_.-]{0,20}",
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("on".to_owned())
    ]
}

fn names(count: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<Ident>> {
    prop::collection::btree_set(name(), count)
        .prop_map(|names| names.iter().filter_map(|name| name.parse().ok()).collect())
}

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn users() -> impl Strategy<Value = IndexMap<Ident, User>> {
    let user = (id(), name(), proptest::option::of(name()));
    prop::collection::btree_map(name(), user, 1..6).prop_map(|users| {
        let user = |(name, (id, role, signs_as)): (String, (Uuid, String, Option<String>))| {
            let user = User {
                signs_as: signs_as.map(|role| role.parse().unwrap()),
                ..User::new(id.into(), role.parse().unwrap())
            };
            (name.parse().unwrap(), user)
        };
        users.into_iter().map(user).collect()
    })
}

fn lens() -> impl Strategy<Value = Lens> {
    let flags = prop::collection::btree_set("[A-Z_][A-Z0-9_]{0,40}", 0..50);
    let payload = prop::collection::btree_map(name(), text(), 0..4);
    let parts = (
        "[a-z][a-z0-9_]{0,39}",
        name(),
        flags,
        names(1..=30),
        prop::collection::btree_set(id(), 1..4),
        users(),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        (name(), name(), name()),
        payload,
        proptest::option::of(text()).prop_map(|reason| reason.filter(|reason| !reason.is_empty())),
    );
    parts.prop_map(|(lens, domain, flags, roles, tenants, users, (signed, read, consumes), action, payload, paused)| {
        let entity = tenants.iter().next().copied();
        let mut lens = json!({"lens": lens, "domain": domain, "flags": flags, "roles": roles, "tenants": tenants, "users": users, "paused": paused});
        if signed {
            let signers: Vec<&Ident> = users.keys().take(2).collect();
            lens["signed_action"] = json!({"name": action.0, "entity_type": action.1, "entity_id_key": action.2,
                "signers": signers, "payload": payload, "entities": [entity], "consumes_entity": consumes});
        }
        if read {
            lens["read_action"] = json!({"name": action.0, "entity_id_key": action.2, "entity": entity});
        }
        let lens: Lens = serde_json::from_value(lens).unwrap();
        let _: (&Option<SignedAction>, &Option<ReadAction>) = (&lens.signed_action, &lens.read_action);
        lens
    })
}

/// Whether `value` fits the schema of its plan; what it says against it otherwise. Each schema is compiled once.
fn against_schema(kind: Option<PlanKind>, value: &Value) -> Vec<String> {
    static VALIDATORS: LazyLock<Vec<(&'static str, jsonschema::Validator)>> = LazyLock::new(|| {
        let plans = all().into_iter().filter(|(name, _)| name.ends_with("-plan"));
        plans
            .map(|(name, schema)| (name, jsonschema::validator_for(&schema).unwrap()))
            .collect()
    });
    let Some(kind) = kind else { return Vec::new() };
    let (_, validator) = VALIDATORS.iter().find(|(name, _)| *name == kind.schema()).unwrap();
    validator.iter_errors(value).map(|error| error.to_string()).collect()
}

/// A path with what people put into paths, and no variable.
fn path() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9_~%:@!'\"#{},/?&=+*-]{0,20}".prop_map(|rest| format!("/{rest}"))
}

/// Text in which no dollar names a variable.
fn literal() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.replace('$', "$$"))
}

/// What an endpoint is like: its kind, its path, a text, who may (a number of roles, none: anyone), an expectation.
type Like = (u8, String, String, usize, Option<String>);

fn endpoint(name: &str, (kind, path, text, allowed, expect): Like, roles: &[String], made: &mut Vec<String>) -> Value {
    let allow = match allowed % (roles.len() + 1) {
        0 => json!("anyone"),
        count => json!(roles.iter().take(count).collect::<Vec<_>>()),
    };
    let id = format!("id{}", made.len());
    let mut endpoint = json!({"name": name, "allow": allow});
    match (kind, made.last().cloned()) {
        (0, _) => {
            endpoint["post"] = json!(path);
            endpoint["json"] = json!({"text": text, "at": "$now"});
            endpoint["creates"] = json!({ &id: "$.data.id" });
            endpoint["undo"] = json!({"delete": format!("/made/${id}")});
            made.push(id);
        }
        (1, Some(id)) => endpoint["get"] = json!(format!("/made/${id}")),
        (2, Some(id)) => {
            endpoint["patch"] = json!(format!("/made/${id}"));
            endpoint["form"] = json!({"text": text});
        }
        (3, _) => endpoint["head"] = json!(path),
        (4, _) => {
            endpoint["put"] = json!(path);
            endpoint["body"] = json!(text);
        }
        _ => endpoint["get"] = json!(path),
    }
    if let Some(text) = expect {
        endpoint["expect"] = json!({"status": [200, 201], "is": {"$.a": text}});
    }
    endpoint
}

fn lens_of_endpoints() -> impl Strategy<Value = Lens> {
    let like = (
        0_u8..7,
        path(),
        literal(),
        any::<usize>(),
        proptest::option::of(literal()),
    );
    let parts = (
        "[a-z][a-z0-9_]{0,39}",
        prop::collection::btree_set("[A-Z_][A-Z0-9_]{0,40}", 0..4),
        prop::collection::btree_set(name(), 1..5),
        prop::collection::btree_map(name(), like, 1..9),
        prop::collection::btree_set("[a-z][a-z0-9 .&-]{0,30}[a-z]", 1..4),
        (any::<bool>(), any::<bool>(), proptest::option::of(path())),
        literal(),
    );
    parts.prop_map(|(lens, flags, roles, endpoints, tenants, (off, denied, health), value)| {
        let roles: Vec<String> = roles.into_iter().collect();
        let user = |(at, role): (usize, &String)| {
            let user = json!({"role": role, "auth": "key", "token": {"env": format!("TOKEN_{at}")}, "note": value});
            (format!("user{at}"), user)
        };
        let users: serde_json::Map<String, Value> = roles.iter().enumerate().map(user).collect();
        let mut made = Vec::new();
        let endpoints = endpoints.into_iter().map(|(name, like)| endpoint(&name, like, &roles, &mut made));
        let endpoints: Vec<Value> = endpoints.collect();
        let mut lens = json!({"lens": lens, "template_set": "http", "flags": flags, "tenants": tenants, "users": users,
            "auth": {"key": {"header": "X-Api-Key", "value": "$token"}}, "endpoints": endpoints});
        if off {
            lens["off"] = json!({"status": 404});
        }
        if denied {
            lens["denied"] = json!({"status": [200, 403], "is": {"$.ok": false}});
        }
        if let Some(health) = health {
            lens["health"] = json!(health);
        }
        serde_json::from_value(lens).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(20_261_123), ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_lens_says_its_files_parse_fit_their_schema_and_hold_no_marker(lens in lens()) {
        let lens = lens.resolve(&Default::default(), true);
        // A payload key may be one that the plans fill: that is refused, and no case for here.
        prop_assume!(lens.is_ok());
        holds("action-router", lens.unwrap().0)?;
    }

    #[test]
    fn whatever_endpoints_a_lens_has_its_files_parse_fit_their_schema_and_hold_no_marker(lens in lens_of_endpoints()) {
        let lens = lens.resolve(&Default::default(), true);
        // A lens that no check could ask anything of is refused.
        prop_assume!(lens.is_ok());
        holds("http", lens.unwrap().0)?;
    }
}

/// Holds what `set` makes of `lens` to what is promised of it.
fn holds(set: &str, lens: Lens) -> Result<(), TestCaseError> {
    let files = lensops::commands::generate::templates::built_in(set).unwrap();
    let set = lensops_core::template::TemplateSet::load(files).unwrap();
    let repo = RepoContext {
        version: "0.0.0".to_owned(),
        runtime: "docker".to_owned(),
        render: true,
        ..RepoContext::default()
    };
    let files = set
        .render(std::slice::from_ref(&lens), &repo)
        .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
    let again = set.render(std::slice::from_ref(&lens), &repo).unwrap();
    prop_assert_eq!(&files, &again, "a second run differs");
    let given = serde_json::to_string(&lens).unwrap();
    for file in &files {
        for marker in ["[[ ", "[% ", "[# ", "{PLACEHOLDER}"] {
            let is_left = file.text.contains(marker) && !given.contains(marker);
            prop_assert!(!is_left, "{} holds {marker}", file.path);
        }
        if file.path.starts_with(".github/") {
            // Of the lens nothing but names reaches a workflow.
            let secrets = file.text.matches("${{ secrets.").count();
            let named = lens.users.values().flat_map(User::variables).count();
            prop_assert!(secrets <= 2 + named && !file.text.contains("[["), "{}", file.text);
        }
        if file.path.ends_with("ml") {
            let value: Value =
                yaml::read(&file.path, &file.text).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let errors = against_schema(file.plan, &value);
            prop_assert!(errors.is_empty(), "{}: {errors:?}\n{}", file.path, file.text);
        }
        if file.plan == Some(PlanKind::Acceptance) {
            let plan: AcceptancePlan = yaml::read(&file.path, &file.text).unwrap();
            let undefined = plan.undefined();
            prop_assert!(undefined.is_empty(), "{undefined:?}\n{}", file.text);
        }
    }
    // The lens file says the same lens again.
    let template = lensops::commands::generate::templates::lens_file().unwrap();
    let text = render_lens_file(&template, &lens, set.terms()).unwrap();
    let again: Lens = yaml::read("lens", &text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
    prop_assert_eq!(again, lens, "{}", text);
    Ok(())
}
