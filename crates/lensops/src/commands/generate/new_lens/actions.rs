//! The actions of a new lens, chosen from what the API lists.

use lensops_core::ident::{Ident, LensId, nearest};
use lensops_core::verdict::registry::{Action, Registry, Variant};

use super::ask::{Ask, NONE, answer};
use crate::commands::error::{Error, Result};
use crate::commands::generate::lens_options::{NewLens, parse_payload};

/// The actions of `domain` that the API lists.
///
/// # Errors
/// When there are none, or the user of a role sees none at all.
pub(super) fn in_domain<'a>(registry: &'a Registry, domain: &str, id: &LensId) -> Result<Vec<&'a Action>> {
    let actions: Vec<&Action> = registry
        .actions
        .iter()
        .filter(|action| action.domain.as_str() == domain)
        .collect();
    let sees_none = |role: &&Ident| {
        !registry
            .actions
            .iter()
            .any(|action| action.allowed_roles.contains(role))
    };
    if let (false, Some(role)) = (actions.is_empty(), registry.roles.iter().find(sees_none)) {
        return Err(Error::usage(format!(
            "the API lists nothing for the user of role {role}: its id is of nobody there, mend --user or `users:`"
        )));
    }
    if actions.is_empty() {
        return Err(Error::usage(format!(
            "the API lists no action of domain {domain:?} for any user of {id}: mend --domain, or the users"
        )));
    }
    Ok(actions)
}

fn named(actions: &[&Action], variant: Variant) -> Vec<String> {
    let of_variant = actions.iter().filter(|action| action.variant == variant);
    of_variant.map(|action| action.action_id.to_string()).collect()
}

/// The chosen action of `variant`; `None` where there is none or none is wanted.
fn choose<'a>(
    chosen: Option<&Ident>,
    actions: &[&'a Action],
    variant: Variant,
    option: &str,
    ask: &mut impl Ask,
) -> Result<Option<&'a Action>> {
    let names = named(actions, variant);
    let find = |answer: &str| {
        if answer == NONE {
            return Ok(None);
        }
        let of_variant = |action: &&&'a Action| action.action_id.as_str() == answer && action.variant == variant;
        if let Some(action) = actions.iter().find(of_variant) {
            return Ok(Some(*action));
        }
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = nearest(answer, &known).map_or_else(
            || format!("there are {}", known.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        Err(Error::usage(format!(
            "{option} {answer:?} is no such action of the domain: {hint}"
        )))
    };
    if let Some(name) = chosen {
        return find(name.as_str());
    }
    let usual = match names.as_slice() {
        [] => return Ok(None),
        [only] => Some(only.as_str()),
        _ => None,
    };
    let what = option.trim_start_matches("--").replace('-', " ");
    let text = format!("{what}: {} or {NONE}", names.join(", "));
    answer(ask, (&text, usual, &format!("{option} NAME, or {option} {NONE}")), find)
}

/// The required field that names what an action is of.
fn entity_key(action: &Action) -> Option<&Ident> {
    let mut keys = action
        .required_fields
        .iter()
        .filter(|field| field.as_str().ends_with("_id") && field.as_str() != "yacht_id");
    keys.next()
}

/// Chooses the READ action: one that names an entity, or none.
pub(super) fn choose_read(given: &mut NewLens, actions: &[&Action], ask: &mut impl Ask) -> Result<()> {
    let Some(action) = choose(given.read_action.as_ref(), actions, Variant::Read, "--read-action", ask)? else {
        given.read_action = None;
        return Ok(());
    };
    let Some(key) = entity_key(action) else {
        complain!(
            "⚠️ {} names no entity, so it is no READ action of one: left out",
            action.action_id
        );
        given.read_action = None;
        return Ok(());
    };
    given.read_action = Some(action.action_id.clone());
    given.entity_id_key.get_or_insert_with(|| key.clone());
    Ok(())
}

/// Chooses the signed action, and asks for what its payload needs.
pub(super) fn choose_signed(given: &mut NewLens, actions: &[&Action], ask: &mut impl Ask) -> Result<()> {
    let Some(action) = choose(
        given.signed_action.as_ref(),
        actions,
        Variant::Signed,
        "--signed-action",
        ask,
    )?
    else {
        given.signed_action = None;
        return Ok(());
    };
    let key = match given.entity_id_key.clone().or_else(|| entity_key(action).cloned()) {
        Some(key) => key,
        None => {
            let question = ("Payload key that names the entity", None, "--entity-id-key");
            answer(ask, question, |text| Ok(text.parse()?))?
        }
    };
    if given.entity_type.is_none() {
        let usual = key.as_str().trim_end_matches("_id").to_owned();
        let question = (
            "What the signed action creates or changes",
            Some(usual.as_str()),
            "--entity-type",
        );
        given.entity_type = Some(answer(ask, question, |text| Ok(text.parse()?))?);
    }
    for field in &action.required_fields {
        let filled = [key.as_str(), "yacht_id", "signature"].contains(&field.as_str());
        if !filled && !given.signed_payload.contains_key(field) {
            let option = format!("--signed-payload {field}=VALUE");
            let value = ask.ask(&format!("{} needs {field}", action.action_id), None, &option)?;
            let (field, value) = parse_payload(&format!("{field}={value}")).map_err(Error::usage)?;
            given.signed_payload.insert(field, value);
        }
    }
    given.entity_id_key = Some(key);
    given.signed_action = Some(action.action_id.clone());
    Ok(())
}

/// The roles that are listed any of `actions`, in the registry's order.
pub(super) fn roles_of(registry: &Registry, actions: &[&Action]) -> Vec<Ident> {
    let sees = |role: &&Ident| actions.iter().any(|action| action.allowed_roles.contains(role));
    registry.roles.iter().filter(sees).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ask::tests::Scripted;
    use super::*;

    fn actions() -> Vec<Action> {
        serde_json::from_value(json!([
            {"action_id": "view_part", "domain": "parts", "variant": "READ", "required_fields": ["yacht_id", "part_id"]},
            {"action_id": "view_all", "domain": "parts", "variant": "READ", "required_fields": ["yacht_id"]},
            {"action_id": "write_off_part", "domain": "parts", "variant": "SIGNED",
             "required_fields": ["yacht_id", "part_id", "quantity", "signature"]}
        ]))
        .unwrap()
    }

    #[test]
    fn what_the_api_says_is_taken_and_only_the_rest_is_asked() {
        let (actions, mut ask) = (actions(), Scripted::of(&["view_part", "", "", "2"]));
        let actions: Vec<&Action> = actions.iter().collect();
        let mut given = NewLens::default();
        choose_read(&mut given, &actions, &mut ask).unwrap();
        choose_signed(&mut given, &actions, &mut ask).unwrap();
        assert_eq!(given.read_action.unwrap().as_str(), "view_part");
        assert_eq!(given.signed_action.unwrap().as_str(), "write_off_part");
        assert_eq!(given.entity_type.unwrap().as_str(), "part");
        assert_eq!(given.entity_id_key.unwrap().as_str(), "part_id");
        assert_eq!(
            given.signed_payload.get(&"quantity".parse::<Ident>().unwrap()),
            Some(&json!(2))
        );
        assert_eq!(ask.1.len(), 4, "{:?}", ask.1);
        assert!(ask.1[3].contains("--signed-payload quantity=VALUE"), "{:?}", ask.1);
    }

    #[test]
    fn an_unknown_action_is_told_with_the_nearest_and_none_leaves_it_out() {
        let actions = actions();
        let actions: Vec<&Action> = actions.iter().collect();
        let mut given = NewLens {
            read_action: Some("view_prat".parse().unwrap()),
            ..NewLens::default()
        };
        let mut ask = Scripted::of(&[NONE]);
        let error = choose_read(&mut given, &actions, &mut ask).unwrap_err();
        assert!(error.to_string().contains("did you mean \"view_part\"?"), "{error}");
        choose_signed(&mut given, &actions, &mut ask).unwrap();
        assert!(given.signed_action.is_none() && given.signed_payload.is_empty());
    }
}
