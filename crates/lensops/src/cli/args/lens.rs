//! The options that say what a lens is made of, and how it is generated.

use std::path::PathBuf;

use clap::Args;
use indexmap::IndexMap;
use lensops_core::duration::Every;
use lensops_core::ident::{EntityId, FlagName, Ident};
use lensops_core::lens::User;
use serde_json::Value;

use crate::commands::generate::{self, Mode, NewLens, parse_payload, parse_user, usual_user};
use crate::config::Runtime;

/// What a lens is made of.
#[derive(Debug, Args)]
pub(in crate::cli) struct LensArgs {
    /// Its API domain
    #[arg(long, requires = "lens_id")]
    pub(in crate::cli) domain: Option<String>,
    /// Its flags, the master flag first
    #[arg(long, value_delimiter = ',', requires = "lens_id")]
    pub(in crate::cli) feature_flags: Vec<FlagName>,
    /// The roles that see it
    #[arg(long, value_delimiter = ',', requires = "lens_id")]
    pub(in crate::cli) roles: Vec<Ident>,
    /// Its tenants
    #[arg(
        long,
        visible_alias = "tenant",
        value_delimiter = ',',
        requires = "lens_id",
        value_name = "TENANT"
    )]
    pub(in crate::cli) yacht_id: Vec<EntityId>,
    /// The head of department: a chief_engineer who signs as manager
    #[arg(long, requires = "lens_id", value_name = "ID")]
    pub(in crate::cli) hod_user_id: Option<EntityId>,
    /// A user of role crew
    #[arg(long, requires = "lens_id", value_name = "ID")]
    pub(in crate::cli) crew_user_id: Option<EntityId>,
    /// A user of role captain
    #[arg(long, requires = "lens_id", value_name = "ID")]
    pub(in crate::cli) captain_user_id: Option<EntityId>,
    /// Any other user, may be repeated
    #[arg(long, requires = "lens_id", value_name = "NAME=ROLE:ID", value_parser = parse_user)]
    pub(in crate::cli) user: Vec<(Ident, User)>,
    /// Its signed action; leave it out for a lens without one
    #[arg(long, requires = "lens_id")]
    pub(in crate::cli) signed_action: Option<Ident>,
    /// What the signed action creates or changes
    #[arg(long, requires = "lens_id")]
    pub(in crate::cli) entity_type: Option<Ident>,
    /// The payload key that names the entity
    #[arg(long, requires = "lens_id")]
    pub(in crate::cli) entity_id_key: Option<Ident>,
    /// Its READ action; leave it out for a lens without one
    #[arg(long, requires = "lens_id")]
    pub(in crate::cli) read_action: Option<Ident>,
    /// Test entities; one a signer where the signed action consumes it
    #[arg(long, value_delimiter = ',', requires = "lens_id", value_name = "ID")]
    pub(in crate::cli) test_entity_id: Vec<EntityId>,
    /// The users whose signature must be accepted
    #[arg(long, value_delimiter = ',', requires = "lens_id")]
    pub(in crate::cli) signers: Vec<Ident>,
    /// The signed action uses its entity up
    #[arg(long, requires = "lens_id")]
    pub(in crate::cli) consumes_entity: bool,
    /// What the signed action needs besides tenant, entity and signature, may be repeated
    #[arg(long, requires = "lens_id", value_name = "KEY=VALUE", value_parser = parse_payload)]
    pub(in crate::cli) signed_payload: Vec<(Ident, Value)>,
    /// How often it is checked
    #[arg(long, requires = "lens_id", value_name = "15m")]
    pub(in crate::cli) interval: Option<Every>,
}
#[derive(Debug, Args)]
pub(in crate::cli) struct GenerateArgs {
    /// Id of a new lens; without it everything is made anew for every lens file
    #[arg(long, requires = "domain", requires = "roles")]
    pub(in crate::cli) lens_id: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) lens: LensArgs,
    /// The repository's folder, as --root
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) output_dir: Option<PathBuf>,
    /// Write nothing; print the differences and exit 1 on any
    #[arg(long, conflicts_with = "dry_run")]
    pub(in crate::cli) check: bool,
    /// Print JSON, the differences within
    #[arg(long, requires = "check")]
    pub(in crate::cli) json: bool,
    /// Write nothing; list what would be written
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Overwrite files that were edited by hand
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Accept placeholder ids
    #[arg(long)]
    pub(in crate::cli) allow_placeholders: bool,
    /// A template set in a folder; lensops.yml names it from then on
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) template_dir: Option<PathBuf>,
    /// One worker service for all lenses in render.yaml; lensops.yml says so from then on
    #[arg(long)]
    pub(in crate::cli) single_worker: bool,
    /// How the hosting provider runs the worker; lensops.yml says so from then on
    #[arg(long, value_enum)]
    pub(in crate::cli) runtime: Option<Runtime>,
    /// Remove what is generated no more: of lenses that are gone, in places that changed, their services in render.yaml
    #[arg(long)]
    pub(in crate::cli) prune: bool,
}

impl GenerateArgs {
    pub(in crate::cli) fn options(&self) -> generate::Options {
        let mode = match (self.check, self.dry_run) {
            (true, _) => Mode::Check { json: self.json },
            (_, true) => Mode::DryRun,
            _ => Mode::Write,
        };
        generate::Options {
            mode,
            force: self.force,
            allow_placeholders: self.allow_placeholders,
            template_dir: self.template_dir.clone(),
            single_worker: self.single_worker,
            runtime: self.runtime,
            workflows_to_root: false,
            prune: self.prune,
        }
    }

    pub(in crate::cli) fn new_lens(self) -> Option<NewLens> {
        Some(self.lens.of(self.lens_id?))
    }
}

impl LensArgs {
    pub(in crate::cli) fn of(self, lens_id: String) -> NewLens {
        let usual = [
            ("hod", self.hod_user_id),
            ("crew", self.crew_user_id),
            ("captain", self.captain_user_id),
        ];
        let mut users: IndexMap<Ident, User> = usual
            .into_iter()
            .filter_map(|(name, id)| usual_user(name, id?))
            .collect();
        users.extend(self.user);
        NewLens {
            lens_id,
            domain: self.domain.unwrap_or_default(),
            feature_flags: self.feature_flags,
            roles: self.roles,
            yacht_ids: self.yacht_id,
            users,
            signed_action: self.signed_action,
            entity_type: self.entity_type,
            entity_id_key: self.entity_id_key,
            read_action: self.read_action,
            test_entities: self.test_entity_id,
            signers: self.signers,
            consumes_entity: self.consumes_entity,
            signed_payload: self.signed_payload.into_iter().collect(),
            interval: self.interval,
            gate: None,
            ..NewLens::default()
        }
    }
}
