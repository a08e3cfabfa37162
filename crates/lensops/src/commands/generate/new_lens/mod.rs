//! `lensops new`: a lens from what the API says of itself, and a person's answers for the rest.
//!
//! The API is asked by the requests of the template set, so that its shape stays there: a first,
//! bare lens is rendered in memory, its list of actions is fetched for every user, and what a lens
//! needs is chosen from it. Each answer may be given as an option; without a terminal a question
//! that has no option and no single answer is an error that names the option.

mod questions;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use lensops_core::crypto::token::mint;
use lensops_core::exchange::Sender;
use lensops_core::ident::{Ident, LensId, nearest};
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::plan::prepare::{prepare, vars_of};
use lensops_core::verdict::registry::{Action, Registry, Variant};
use lensops_core::yaml;

use crate::commands::acceptance::matrix::fetch_registry;
use crate::commands::exit::Exit;
use crate::commands::generate::{self, NewLens, Options};
use crate::commands::plans::LENSES;
use crate::config::{Settings, Target};

/// What leaves an action out.
const NONE: &str = "none";

/// Whom to ask what no option says.
pub trait Ask {
    /// The answer to `question`; an empty one means `usual`, where there is one. `option` is what
    /// would have answered it.
    ///
    /// # Errors
    /// When there is nobody to ask and no usual answer.
    fn ask(&mut self, question: &str, usual: Option<&str>, option: &str) -> Result<String>;

    /// Whether an answer that is none may be given again.
    fn may_ask_again(&self) -> bool {
        false
    }
}

/// Asks at the terminal, where there is one.
#[derive(Debug)]
pub struct Terminal;

impl Ask for Terminal {
    fn ask(&mut self, question: &str, usual: Option<&str>, option: &str) -> Result<String> {
        if !std::io::stdin().is_terminal() {
            return match usual {
                Some(usual) => Ok(usual.to_owned()),
                None => bail!("{question}? Give {option}: there is no terminal to ask at"),
            };
        }
        let hint = usual.map_or_else(String::new, |usual| format!(" [{usual}]"));
        eprint!("{question}{hint}: ");
        std::io::stderr().flush()?;
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            bail!("the answer to {question:?} is missing: give it, or {option}");
        }
        match (line.trim(), usual) {
            ("", Some(usual)) => Ok(usual.to_owned()),
            (answer, _) => Ok(answer.to_owned()),
        }
    }

    fn may_ask_again(&self) -> bool {
        std::io::stdin().is_terminal()
    }
}

/// Makes a lens of `given`, of what the API says and of answers, and generates its files.
///
/// # Errors
/// When the API does not answer or refuses a user, an answer is none, or files cannot be written.
/// Nothing is written then.
pub async fn new_lens<S: Sender>(
    settings: &Settings,
    sender: &S,
    mut given: NewLens,
    options: &Options,
    ask: &mut impl Ask,
) -> Result<Exit> {
    let id = LensId::from_human(&given.lens_id)?;
    let there = format!("{LENSES}/{id}.yml");
    if settings.root.join(&there).exists() {
        bail!("{there} is there already: edit it and run `lensops generate`, or choose another id");
    }
    if given.domain.is_empty() {
        given.domain = ask.ask("API domain", Some(id.as_str()), "--domain")?;
    }
    questions::whose(settings, &mut given, ask)?;
    let registry = registry(settings, sender, &given, options).await?;
    let actions: Vec<&Action> = registry
        .actions
        .iter()
        .filter(|action| action.domain.as_str() == given.domain)
        .collect();
    let sees_none = |role: &&Ident| {
        !registry
            .actions
            .iter()
            .any(|action| action.allowed_roles.contains(role))
    };
    if let (false, Some(role)) = (actions.is_empty(), registry.roles.iter().find(sees_none)) {
        bail!("the API lists nothing for the user of role {role}: its id is of nobody there, mend --user or `users:`");
    }
    if actions.is_empty() {
        bail!(
            "the API lists no action of domain {:?} for any user of {}: mend --domain, or the users",
            given.domain,
            id
        );
    }
    eprintln!(
        "✅ The API knows every user, and lists {} actions of domain {}",
        actions.len(),
        given.domain
    );
    choose_read(&mut given, &actions, ask)?;
    choose_signed(&mut given, &actions, ask)?;
    questions::rest(settings, &mut given, ask)?;
    if given.roles.is_empty() {
        given.roles = roles_of(&registry, &actions);
    }
    check_entity(settings, sender, &given, options).await?;
    let exit = generate::generate(settings, Some(given), options)?;
    say!("Next: lensops check {id} · lensops accept {id} · lensops worker {id}");
    Ok(exit)
}

/// Asks the API what it lists for each user.
async fn registry<S: Sender>(settings: &Settings, sender: &S, given: &NewLens, options: &Options) -> Result<Registry> {
    let bare = NewLens {
        signed_action: None,
        read_action: None,
        signers: Vec::new(),
        entity_type: None,
        consumes_entity: false,
        signed_payload: indexmap::IndexMap::new(),
        ..given.clone()
    };
    let plan: AcceptancePlan = rendered(settings, bare, options, "acceptance")?;
    fetch_registry(settings, &plan, sender).await
}

/// The plan of `lens` that opens with `kind:`, rendered in memory.
fn rendered<T: serde::de::DeserializeOwned>(
    settings: &Settings,
    lens: NewLens,
    options: &Options,
    kind: &str,
) -> Result<T> {
    let texts = generate::preview(settings, lens, options)?;
    // Of one lens alone: the key is enough, and its value may be quoted.
    let opening = format!("\n{kind}: ");
    let (path, text) = texts
        .into_iter()
        .find(|(_, text)| text.contains(&opening))
        .with_context(|| format!("the template set makes no {kind} plan"))?;
    Ok(yaml::read(&path, &text)?)
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
        bail!("{option} {answer:?} is no such action of the domain: {hint}")
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
    questions::answer(ask, (&text, usual, &format!("{option} NAME, or {option} {NONE}")), find)
}

/// The required field that names what an action is of.
fn entity_key(action: &Action) -> Option<&Ident> {
    let mut keys = action
        .required_fields
        .iter()
        .filter(|field| field.as_str().ends_with("_id") && field.as_str() != "yacht_id");
    keys.next()
}

fn choose_read(given: &mut NewLens, actions: &[&Action], ask: &mut impl Ask) -> Result<()> {
    let Some(action) = choose(given.read_action.as_ref(), actions, Variant::Read, "--read-action", ask)? else {
        given.read_action = None;
        return Ok(());
    };
    let Some(key) = entity_key(action) else {
        eprintln!(
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

fn choose_signed(given: &mut NewLens, actions: &[&Action], ask: &mut impl Ask) -> Result<()> {
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
            questions::answer(ask, question, |text| Ok(text.parse()?))?
        }
    };
    if given.entity_type.is_none() {
        let usual = key.as_str().trim_end_matches("_id").to_owned();
        let question = (
            "What the signed action creates or changes",
            Some(usual.as_str()),
            "--entity-type",
        );
        given.entity_type = Some(questions::answer(ask, question, |text| Ok(text.parse()?))?);
    }
    for field in &action.required_fields {
        let filled = [key.as_str(), "yacht_id", "signature"].contains(&field.as_str());
        if !filled && !given.signed_payload.contains_key(field) {
            let option = format!("--signed-payload {field}=VALUE");
            let value = ask.ask(&format!("{} needs {field}", action.action_id), None, &option)?;
            let (field, value) = generate::parse_payload(&format!("{field}={value}")).map_err(anyhow::Error::msg)?;
            given.signed_payload.insert(field, value);
        }
    }
    given.entity_id_key = Some(key);
    given.signed_action = Some(action.action_id.clone());
    Ok(())
}

/// The roles that are listed any of `actions`, in the registry's order.
fn roles_of(registry: &Registry, actions: &[&Action]) -> Vec<Ident> {
    let sees = |role: &&Ident| actions.iter().any(|action| action.allowed_roles.contains(role));
    registry.roles.iter().filter(sees).cloned().collect()
}

/// Sends the READ probe once, so that a wrong tenant or entity is told before anything is written.
async fn check_entity<S: Sender>(settings: &Settings, sender: &S, given: &NewLens, options: &Options) -> Result<()> {
    if given.read_action.is_none() || given.test_entities.is_empty() {
        return Ok(());
    }
    let plan: MonitorPlan = rendered(settings, given.clone(), options, "monitor")?;
    let base = settings.api(Target::Staging)?;
    let vars = vars_of(&plan.vars, plan.tenants[0]);
    for probe in &plan.probes {
        let (Some(spec), Some(user)) = (
            &probe.request,
            probe.user.as_ref().and_then(|name| plan.users.get(name)),
        ) else {
            continue;
        };
        let of_entity = spec.json().is_some_and(|body| body.to_string().contains("$entity"));
        let Some(secret) = settings.jwt_secret(Target::Staging).filter(|_| of_entity) else {
            continue;
        };
        let token = mint(&secret, &settings.issuer(&base), user.id, Timestamp::now())?;
        let exchange = sender.send(Arc::new(prepare(&base, spec, Some(&token), &vars)?)).await;
        match exchange.result {
            Ok(response) if response.status == 200 => eprintln!("✅ The API finds the test entity"),
            Ok(response) if response.status == 404 => {
                eprintln!("⚠️ The API does not find the test entity: cases that need it will fail (--test-entity-id)");
            }
            Ok(response) => bail!(
                "the API answers {} to the READ action for tenant {}: mend --yacht-id, --user or --test-entity-id",
                response.status,
                plan.tenants[0]
            ),
            Err(failure) => bail!("the API did not answer: {}", failure.detail),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Answers in order, as a person who may be asked again; what was asked is kept.
    pub(crate) struct Scripted(Vec<&'static str>, Vec<String>);

    impl Scripted {
        pub(crate) fn of(answers: &[&'static str]) -> Self {
            Self(answers.to_vec(), Vec::new())
        }

        pub(crate) fn asked(&self) -> usize {
            self.1.len()
        }
    }

    impl Ask for Scripted {
        fn may_ask_again(&self) -> bool {
            !self.0.is_empty()
        }

        fn ask(&mut self, question: &str, usual: Option<&str>, option: &str) -> Result<String> {
            self.1.push(format!("{question} ({option})"));
            Ok(match self.0.remove(0) {
                "" => usual.context("no usual answer")?.to_owned(),
                answer => answer.to_owned(),
            })
        }
    }

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
    fn a_plan_is_found_whatever_the_lens_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::load(folder.path(), crate::config::Env::default()).unwrap();
        for id in ["n", "y", "parts"] {
            let lens = NewLens {
                lens_id: id.to_owned(),
                domain: "parts".to_owned(),
                roles: vec!["crew".parse().unwrap()],
                yacht_ids: vec!["53fbdf09-b709-509d-aad0-3a6f50239a5d".parse().unwrap()],
                users: generate::usual_user("crew", "eb3fdfe4-81e3-53a5-b423-fd13884b12e8".parse().unwrap())
                    .into_iter()
                    .collect(),
                ..NewLens::default()
            };
            let plan: MonitorPlan = rendered(&settings, lens.clone(), &Options::default(), "monitor").unwrap();
            assert_eq!(plan.monitor.as_str(), id);
            let plan: AcceptancePlan = rendered(&settings, lens, &Options::default(), "acceptance").unwrap();
            assert_eq!(plan.acceptance.as_str(), id);
        }
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
