//! `lensops new`: a lens from what the API says of itself, and a person's answers for the rest.
//!
//! The API is asked by the requests of the template set, so that its shape stays there: a first,
//! bare lens is rendered in memory, its list of actions is fetched for every user, and what a lens
//! needs is chosen from it. A lens of template set `http` starts from an address that answers. Each answer may be given as an option; without a terminal a question
//! that has no option and no single answer is an error that names the option.

mod actions;
mod api;
mod ask;
mod http;
mod openapi;
mod questions;

use lensops_core::exchange::Sender;
use lensops_core::ident::LensId;

use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::generate::command::generate;
use crate::commands::generate::first_lens::SET;
use crate::commands::generate::lens_options::NewLens;
use crate::commands::generate::options::Options;
use crate::commands::generate::templates;
use crate::commands::plans::LENSES;
use crate::config::Settings;

pub use ask::{Ask, Terminal};
pub use openapi::from_openapi;

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
        return Err(Error::usage(format!(
            "{there} is there already: edit it and run `lensops generate`, or choose another id"
        )));
    }
    if is_http(settings, &given)? {
        return http::new_lens(settings, sender, given, options, ask).await;
    }
    if given.domain.is_empty() {
        given.domain = ask.ask("API domain", Some(id.as_str()), "--domain")?;
    }
    questions::whose(settings, &mut given, ask)?;
    let registry = api::registry(settings, sender, &given, options).await?;
    let listed = actions::in_domain(&registry, &given.domain, &id)?;
    complain!("✅ The API lists {} actions of domain {}", listed.len(), given.domain);
    actions::choose_read(&mut given, &listed, ask)?;
    actions::choose_signed(&mut given, &listed, ask)?;
    questions::rest(settings, &mut given, ask)?;
    if given.roles.is_empty() {
        given.roles = actions::roles_of(&registry, &listed);
    }
    api::check_entity(settings, sender, &given, options).await?;
    given.gate = questions::gate(settings);
    let options = Options {
        workflows_to_root: questions::workflows_to_root(settings, ask)?,
        ..options.clone()
    };
    let exit = generate(settings, Some(given), &options)?;
    say!("Next: lensops check {id} · lensops accept {id} · lensops worker {id}");
    Ok(exit)
}

/// Whether the lens is of template set `http`: by its option, by an address, or by `lensops.yml`.
fn is_http(settings: &Settings, given: &NewLens) -> Result<bool> {
    if given.first_asked.as_ref().is_some_and(|asked| !asked.url.is_empty()) {
        return Ok(true);
    }
    match given.template_set.as_deref() {
        Some(set) => Ok(set == SET),
        None => Ok(templates::load(settings, None)?.name() == SET),
    }
}
