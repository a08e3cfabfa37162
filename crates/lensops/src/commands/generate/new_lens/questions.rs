//! What neither the API nor `lensops.yml` says of a new lens: whose it is, its flags, its test entities.

use std::fmt::Display;
use std::str::FromStr;

use super::ask::{Ask, NONE, answer};
use crate::commands::error::{Error, Result};
use crate::commands::generate::lens_options::{NewLens, parse_payload, parse_user, usual_user};
use crate::commands::git;
use crate::commands::plans::lens_paths;
use crate::config::{RepositoryFile, Settings};
use lensops_core::ident::{EntityId, FlagName, Ident};
use lensops_core::lens::{GateFile, Policy};

/// Names or ids with commas between them; none for [`NONE`].
pub(super) fn list<T: FromStr<Err: Display>>(text: &str) -> Result<Vec<T>> {
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty() && *item != NONE);
    items
        .map(|item| item.parse().map_err(|error| Error::usage(format!("{item:?}: {error}"))))
        .collect()
}

/// Asks for tenants and users where neither options nor the repository give any.
///
/// # Errors
/// When there is nobody to ask.
pub(super) fn whose(settings: &Settings, given: &mut NewLens, ask: &mut impl Ask) -> Result<()> {
    // Another lens of the repository gives its own.
    let first = lens_paths(settings)?.is_empty();
    if first && given.yacht_ids.is_empty() && settings.project.tenants.is_empty() {
        let question = ("Tenants, with commas between them", None, "--yacht-id");
        given.yacht_ids = answer(ask, question, |text| match list::<EntityId>(text)? {
            none if none.is_empty() => Err(Error::usage("a lens is checked for a tenant: name one")),
            tenants => Ok(tenants),
        })?;
    }
    if !first || !given.users.is_empty() || !settings.project.users.is_empty() {
        return Ok(());
    }
    for (name, who) in [
        ("hod", "Head of department, a chief_engineer who signs as manager"),
        ("captain", "Captain"),
        ("crew", "A member of the crew"),
    ] {
        let (text, option) = (format!("{who}: user id"), format!("--{name}-user-id"));
        let id = answer(ask, (&text, Some(NONE), &option), list::<EntityId>)?;
        given
            .users
            .extend(id.into_iter().next().and_then(|id| usual_user(name, id)));
    }
    while given.users.is_empty() {
        let question = ("Somebody has to ask: NAME=ROLE:ID", None, "--user NAME=ROLE:ID");
        given
            .users
            .extend([answer(ask, question, |text| parse_user(text).map_err(Error::usage))?]);
    }
    Ok(())
}

/// Asks for flags, and for test entities and signers of the actions that were chosen.
///
/// # Errors
/// When there is nobody to ask.
pub(super) fn rest(settings: &Settings, given: &mut NewLens, ask: &mut impl Ask) -> Result<()> {
    if given.feature_flags.is_empty() {
        let question = ("Feature flags, the master flag first", Some(NONE), "--feature-flags");
        given.feature_flags = answer(ask, question, list::<FlagName>)?;
    }
    if given.test_entities.is_empty() && (given.read_action.is_some() || given.signed_action.is_some()) {
        let key = given
            .entity_id_key
            .as_ref()
            .map_or("entity", Ident::as_str)
            .trim_end_matches("_id");
        let text = format!("Test entities: ids of a {key}, with commas between them");
        given.test_entities = answer(ask, (&text, Some(NONE), "--test-entity-id"), list::<EntityId>)?;
    }
    if given.signed_action.is_some() && given.signed_payload.is_empty() {
        let text = "What else the signed action's payload carries: KEY=VALUE, with commas between them";
        let question = (text, Some(NONE), "--signed-payload KEY=VALUE");
        let pairs = answer(ask, question, |text| {
            let pairs = text
                .split(',')
                .map(str::trim)
                .filter(|pair| !pair.is_empty() && *pair != NONE);
            pairs
                .map(|pair| parse_payload(pair).map_err(Error::usage))
                .collect::<Result<Vec<_>>>()
        })?;
        given.signed_payload.extend(pairs);
    }
    let names: Vec<&Ident> = given.users.keys().chain(settings.project.users.keys()).collect();
    let usual = names.iter().any(|name| matches!(name.as_str(), "captain" | "hod"));
    if given.signed_action.is_some() && given.signers.is_empty() && !usual && lens_paths(settings)?.is_empty() {
        let known: Vec<String> = names.iter().map(ToString::to_string).collect();
        let text = format!(
            "Signers: users whose signature must be accepted, of {}",
            known.join(", ")
        );
        given.signers = answer(ask, (&text, None, "--signers"), list::<Ident>)?;
    }
    Ok(())
}

/// How the gate decides on a new lens: of what `lensops.yml` says for all lenses, it makes no exception.
pub(super) fn gate(settings: &Settings) -> Option<GateFile> {
    settings.project.gate.is_none().then_some(GateFile {
        policy: Policy::Statistical,
    })
}

/// Whether workflows go to the root of the repository that this folder lies in. Where nobody can be asked,
/// nothing is written outside of the folder.
///
/// # Errors
/// When the terminal ends.
pub(super) fn workflows_to_root(settings: &Settings, ask: &mut impl Ask) -> Result<bool> {
    if settings.project.repository != RepositoryFile::default() || !ask.may_ask_again() {
        return Ok(false);
    }
    let Some(folder) = git::checkout(&settings.root).and_then(|checkout| checkout.folder) else {
        return Ok(false);
    };
    let text = format!(
        "This folder is {folder} of a git repository, whose workflows are run from its root alone. Write them there? yes or no"
    );
    answer(
        ask,
        (&text, Some("yes"), "`repository` in lensops.yml"),
        |text| match text {
            "yes" | "y" => Ok(true),
            "no" | "n" => Ok(false),
            _ => Err(Error::usage("answer yes or no")),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::ask::tests::Scripted;
    use super::*;
    use crate::config::Env;

    const ID: &str = "53fbdf09-b709-509d-aad0-3a6f50239a5d";

    #[test]
    fn a_first_lens_is_asked_whose_it_is_and_a_second_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::load(folder.path(), Env::default()).unwrap();
        let mut ask = Scripted::of(&["53fbdf09-b709-509d-aad0-3a6f50239a5x", NONE, ID, NONE, ID, ""]);
        let mut given = NewLens::default();
        whose(&settings, &mut given, &mut ask).unwrap();
        assert_eq!(
            given.yacht_ids,
            [ID.parse::<EntityId>().unwrap()],
            "what is no id is asked again"
        );
        assert_eq!(given.users.keys().map(Ident::as_str).collect::<Vec<_>>(), ["captain"]);
        assert_eq!(ask.asked(), 6);
        std::fs::create_dir(folder.path().join("lenses")).unwrap();
        std::fs::write(folder.path().join("lenses/first.yml"), "lens: first\n").unwrap();
        let mut silent = Scripted::of(&[]);
        whose(&settings, &mut NewLens::default(), &mut silent).unwrap();
        assert_eq!(silent.asked(), 0);
    }

    #[test]
    fn flags_and_entities_may_be_none_and_signers_may_not() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::load(folder.path(), Env::default()).unwrap();
        let mut given = NewLens {
            signed_action: Some("write_off_part".parse().unwrap()),
            entity_id_key: Some("part_id".parse().unwrap()),
            users: usual_user("crew", ID.parse().unwrap()).into_iter().collect(),
            ..NewLens::default()
        };
        let mut ask = Scripted::of(&["PARTS_ENABLED, PARTS_SIGNED_ENABLED", "", "override=true", "crew"]);
        rest(&settings, &mut given, &mut ask).unwrap();
        assert_eq!(given.feature_flags.len(), 2);
        assert!(given.test_entities.is_empty());
        assert_eq!(given.signers[0].as_str(), "crew");
        assert_eq!(
            given.signed_payload.values().next(),
            Some(&serde_json::Value::Bool(true))
        );
    }
}
