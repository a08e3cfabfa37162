//! The template sets of a repository, and which lens is of which.

use std::path::Path;

use lensops_core::lens::Lens;
use lensops_core::template::{RepoContext, TemplateSet};

use super::templates;
use crate::commands::error::Result;
use crate::commands::plans::LENSES;
use crate::config::Settings;

/// The sets in use: that of the repository first, then those that lenses name besides.
pub(super) struct Sets {
    sets: Vec<TemplateSet>,
    /// The name by which lenses ask for each set but the first.
    names: Vec<String>,
}

impl Sets {
    /// The set of the repository, or the one in `folder`.
    pub(super) fn load(settings: &Settings, folder: Option<&Path>) -> Result<Self> {
        Ok(Self {
            sets: vec![templates::load(settings, folder)?],
            names: vec![String::new()],
        })
    }

    /// The set of the repository.
    pub(super) fn project(&self) -> &TemplateSet {
        &self.sets[0]
    }

    /// Loads the set that `lens` names, where it is not known yet.
    pub(super) fn add(&mut self, settings: &Settings, lens: &Lens) -> Result<()> {
        let named = &lens.template_set;
        if self.names.contains(named) {
            return Ok(());
        }
        let place = format!("{LENSES}/{}.yml", lens.lens);
        if let Some(set) = templates::of_lens(settings, self.project(), named, &place)? {
            self.sets.push(set);
            self.names.push(named.clone());
        }
        Ok(())
    }

    /// The set of `lens`.
    pub(super) fn of(&self, lens: &Lens) -> &TemplateSet {
        let at = self.names.iter().position(|name| *name == lens.template_set);
        at.and_then(|at| self.sets.get(at)).unwrap_or_else(|| self.project())
    }

    /// Every set with its lenses, in their order.
    pub(super) fn with(&self, lenses: &[Lens]) -> Vec<(&TemplateSet, Vec<Lens>)> {
        let of = |set: &TemplateSet| {
            let own = lenses.iter().filter(|lens| std::ptr::eq(self.of(lens), set));
            own.cloned().collect()
        };
        self.sets.iter().map(|set| (set, of(set))).collect()
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &TemplateSet> {
        self.sets.iter()
    }

    /// Their names, for people.
    pub(super) fn tell(&self) -> String {
        let names: Vec<&str> = self.sets.iter().map(TemplateSet::name).collect();
        names.join(", ")
    }

    /// The lines of `.gitattributes` for all that they write.
    pub(super) fn attributes(&self, repo: &RepoContext) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for line in self.sets.iter().flat_map(|set| set.attributes(repo)) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }
}
