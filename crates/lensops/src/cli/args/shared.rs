//! Arguments of several commands.

use std::path::PathBuf;

use clap::Args;

#[cfg(feature = "sandbox")]
use crate::commands::demo::sandbox::Options;
use crate::commands::error::{Error, Result};
use crate::commands::generate::FirstAsked;
use crate::commands::plans::{Which, lens_paths};
use crate::commands::rollout::rollback::Asked;
use crate::config::Settings;

#[derive(Debug, Args)]
pub(in crate::cli) struct PlanArgs {
    /// The lens
    #[arg(conflicts_with = "plan")]
    pub(in crate::cli) lens: Option<String>,
    /// A plan file instead of that of a lens
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) plan: Option<PathBuf>,
    /// The API's address
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) api_url: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

impl PlanArgs {
    /// The plan that is meant.
    pub(in crate::cli) fn which(&self, settings: &Settings) -> Result<Which<'_>> {
        match (&self.plan, &self.lens) {
            (Some(path), _) => Ok(Which::File(path)),
            (None, Some(lens)) => Ok(Which::Lens(lens)),
            (None, None) => {
                let names: Vec<String> = lens_paths(settings)?
                    .iter()
                    .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
                    .collect();
                let there = if names.is_empty() {
                    "this folder has none".to_owned()
                } else {
                    format!("there are {}", names.join(", "))
                };
                Err(Error::usage(format!("name a lens, or give --plan FILE: {there}")))
            }
        }
    }
}

/// How an address is asked, and what it answers.
#[derive(Debug, Args)]
pub(in crate::cli) struct AnswerArgs {
    /// A header of the request to --url, may be repeated; one that signs in is a secret
    #[arg(long, value_name = "NAME: VALUE", requires = "url")]
    pub(in crate::cli) header: Vec<String>,
    /// The statuses that --url may answer with; any 2xx if you name none
    #[arg(long, value_name = "STATUS", value_delimiter = ',', requires = "url")]
    pub(in crate::cli) expect: Vec<u16>,
}

/// What a lens of template set http starts from.
#[derive(Debug, Args)]
pub(in crate::cli) struct FirstArgs {
    /// The template set: action-router, http or a folder
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) template_set: Option<String>,
    /// The address of a GET that answers: the first endpoint of a lens of template set http
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) url: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) answer: AnswerArgs,
    /// An OpenAPI document (3.0, 3.1): what can be asked as it stands becomes the endpoints of the lens
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub(in crate::cli) openapi: Option<PathBuf>,
    /// The operations of this tag alone; of several tags a lens each
    #[arg(long, value_name = "TAG", requires = "openapi")]
    pub(in crate::cli) tag: Vec<String>,
    /// The path that tells whether the API is well
    #[arg(long, value_name = "PATH", requires = "url")]
    pub(in crate::cli) health: Option<String>,
}

impl AnswerArgs {
    /// What is known of the API at `url`.
    pub(in crate::cli) fn of(self, url: String) -> FirstAsked {
        FirstAsked {
            url,
            headers: self.header,
            expect: self.expect,
            ..FirstAsked::default()
        }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RollbackArgs {
    /// The lens
    pub(in crate::cli) lens: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: String,
    /// Who [default: the user of this shell]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) by: Option<String>,
    /// How long to wait for the API to follow
    #[arg(long, default_value = "3m")]
    pub(in crate::cli) wait: String,
    /// Change nothing; print what would be done
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// The API's address
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) api_url: Option<String>,
}

impl RollbackArgs {
    /// What was asked for.
    pub(in crate::cli) fn asked(&self) -> Asked<'_> {
        Asked {
            lens: &self.lens,
            reason: &self.reason,
            by: self.by.as_deref(),
            wait: &self.wait,
            dry_run: self.dry_run,
            json: self.json,
        }
    }
}

#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub(in crate::cli) struct SandboxArgs {
    /// The API's port; 0 takes a free one
    #[arg(long, default_value_t = 8085)]
    pub(in crate::cli) port: u16,
    /// The control port; 0 takes a free one
    #[arg(long, default_value_t = 8086)]
    pub(in crate::cli) control_port: u16,
    /// documented, deployed_a or deployed_b
    #[arg(long, default_value = "documented")]
    pub(in crate::cli) dialect: String,
    /// Faults at start, as JSON
    #[arg(long, value_name = "JSON")]
    pub(in crate::cli) faults: Option<String>,
    /// A flag at start, may be repeated
    #[arg(long = "flag", value_name = "NAME=VALUE")]
    pub(in crate::cli) flags: Vec<String>,
}

#[cfg(feature = "sandbox")]
impl SandboxArgs {
    /// How the stand-in API is started.
    pub(in crate::cli) fn options(self) -> Options {
        let Self {
            port,
            control_port,
            dialect,
            faults,
            flags,
        } = self;
        Options {
            port,
            control_port,
            dialect,
            faults,
            flags,
        }
    }
}
