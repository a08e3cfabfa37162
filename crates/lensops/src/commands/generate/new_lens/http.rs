//! A new lens of template set `http`: an address that answers, and a person's answers for the rest.

use lensops_core::exchange::Sender;
use lensops_core::ident::{FlagName, LensId};

use super::ask::{Ask, NONE, answer};
use super::questions::{gate, list, workflows_to_root};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::generate::command::generate;
use crate::commands::generate::first_lens::{FirstAsked, FirstLens};
use crate::commands::generate::lens_options::NewLens;
use crate::commands::generate::options::Options;
use crate::config::{Settings, Target};

/// Makes the lens of `given`, once its address was seen to answer.
///
/// # Errors
/// When the API does not answer as it should, an answer is none, or files cannot be written. Nothing is written then.
pub(super) async fn new_lens<S: Sender>(
    settings: &Settings,
    sender: &S,
    mut given: NewLens,
    options: &Options,
    ask: &mut impl Ask,
) -> Result<Exit> {
    let id = LensId::from_human(&given.lens_id)?;
    let mut asked = FirstAsked {
        id: Some(id.clone()),
        flags: given.feature_flags.clone(),
        tenants: tenants(settings, &given),
        ..given.first_asked.take().unwrap_or_default()
    };
    complete(settings, &mut asked, ask)?;
    let mut first = FirstLens::of(&asked)?;
    if let Some(why) = first.try_once(sender).await? {
        return Err(Error::Unanswered(format!(
            "{}: {why}; nothing was written: correct --url, give --header \"NAME: VALUE\" to sign in, or --expect STATUS",
            asked.url
        )));
    }
    complain!("✅ {} answers", asked.url);
    first.lens.gate = gate(settings);
    first.lens.every = given.interval.unwrap_or(first.lens.every);
    let credential = first.credential.as_ref().map(|(variable, _)| variable.clone());
    given.first = Some(Box::new(first));
    let options = Options {
        workflows_to_root: workflows_to_root(settings, ask)?,
        ..options.clone()
    };
    let exit = generate(settings, Some(given), &options)?;
    if let Some(variable) = credential {
        say!("Set {variable} to what --header holds: no file has it");
    }
    say!("Next: lensops check {id}, then more `endpoints` in lenses/{id}.yml and `lensops generate`");
    Ok(exit)
}

/// Asks for what no option says.
fn complete(settings: &Settings, asked: &mut FirstAsked, ask: &mut impl Ask) -> Result<()> {
    let is_new = asked.url.is_empty();
    if is_new {
        let text = "Address of a GET that answers, such as https://api.example.com/orders";
        asked.url = answer(ask, (text, None, "--url URL"), |text| Ok(text.to_owned()))?;
    }
    // Below an API that lensops.yml names, a path is enough.
    if asked.url.starts_with('/') {
        asked.url = format!("{}{}", settings.api(Target::Production)?, asked.url);
    }
    if is_new && asked.headers.is_empty() {
        let text = "Header that signs in, NAME: VALUE";
        let header = ask.ask(text, Some(NONE), "--header")?;
        asked.headers.extend((header != NONE).then_some(header));
    }
    if is_new && asked.health.is_none() {
        let health = ask.ask(
            "Path that tells whether the API is well, such as /healthz",
            Some(NONE),
            "--health",
        )?;
        asked.health = (health != NONE).then_some(health);
    }
    if is_new && asked.flags.is_empty() {
        let question = ("Feature flags, the master flag first", Some(NONE), "--feature-flags");
        asked.flags = answer(ask, question, list::<FlagName>)?;
    }
    Ok(())
}

/// The tenants of the options; none where `lensops.yml` has some.
fn tenants(settings: &Settings, given: &NewLens) -> Vec<lensops_core::ident::EntityId> {
    let of_project = settings.project.tenants.names().map(|(_, name)| name.clone());
    if given.yacht_ids.is_empty() {
        of_project.collect()
    } else {
        given.yacht_ids.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ask::tests::Scripted;
    use super::*;
    use crate::config::Env;

    #[test]
    fn only_what_no_option_says_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::load(folder.path(), Env::default()).unwrap();
        let mut silent = Scripted::of(&[]);
        let mut asked = FirstAsked {
            url: "https://x/orders".to_owned(),
            ..FirstAsked::default()
        };
        complete(&settings, &mut asked, &mut silent).unwrap();
        assert_eq!(silent.asked(), 0);
        let mut ask = Scripted::of(&["https://x/orders", "X-Api-Key: k", "/healthz", "ORDERS_ENABLED"]);
        let mut asked = FirstAsked::default();
        complete(&settings, &mut asked, &mut ask).unwrap();
        assert_eq!(
            (ask.asked(), asked.headers.len(), asked.health.as_deref()),
            (4, 1, Some("/healthz"))
        );
    }
}
