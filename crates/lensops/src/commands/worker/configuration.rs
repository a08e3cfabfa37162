//! The configuration of a worker: plans and settings, read at the start and again on a reload, and
//! how two readings differ.

use std::sync::Arc;

use super::check::Monitor;
use crate::commands::context::{monitor, tenant_source};
use crate::commands::error::Result;
use crate::commands::plans::{Which, load, load_all};
use crate::config::Settings;

/// The configuration of a worker.
pub(super) struct Configuration {
    pub(super) settings: Settings,
    /// The plans, each with what its checks need.
    pub(super) monitors: Vec<Arc<Monitor>>,
    /// The lenses named on the command line; none means all there are.
    lenses: Vec<String>,
}

impl Configuration {
    /// All plans of `settings`, read already.
    pub(super) fn of(settings: &Settings, monitors: Vec<Arc<Monitor>>) -> Self {
        Self {
            monitors,
            settings: settings.clone(),
            lenses: Vec::new(),
        }
    }

    /// Reads the plans.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub(super) fn read(settings: &Settings, lenses: &[String]) -> Result<Self> {
        let plans = if lenses.is_empty() {
            load_all(settings)?
        } else {
            let one = |lens: &String| load(settings, &Which::Lens(lens));
            lenses.iter().map(one).collect::<Result<Vec<_>>>()?
        };
        let monitors = plans.into_iter().map(|plan| monitor(settings, plan));
        let mut monitors = monitors.collect::<Result<Vec<_>>>()?;
        // One service, one reader: what one lens has read of the flags, the others need not, nor sign in where
        // another has. The secrets are mostly the same for all of them too.
        if let Some((first, others)) = monitors.split_first_mut() {
            for monitor in others {
                monitor.provider = first.provider.clone();
                monitor.signing.held = first.signing.held.clone();
                if monitor.redactor.is_alike(&first.redactor) {
                    monitor.redactor = first.redactor.clone();
                }
            }
        }
        Ok(Self {
            monitors: monitors.into_iter().map(Arc::new).collect(),
            settings: settings.clone(),
            lenses: lenses.to_vec(),
        })
    }

    /// Checks that run at once against one host.
    pub(super) fn per_host(&self) -> usize {
        usize::from(self.settings.project.worker.per_host)
    }

    /// Reads plans and settings again, and checks what a worker takes from them.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub(super) fn read_again(&self) -> Result<Self> {
        let mut again = Self::read(&self.settings.read_again()?, &self.lenses)?;
        // Who was signed in stays so.
        if let Some(held) = self.monitors.first().map(|monitor| monitor.signing.held.clone()) {
            for monitor in &mut again.monitors {
                Arc::make_mut(monitor).signing.held = held.clone();
            }
        }
        tenant_source(&again.settings)?;
        again.settings.rule_book(&again.settings.receivers()?)?;
        Ok(again)
    }

    /// What `other` has otherwise, for people.
    pub(super) fn changes_to(&self, other: &Self) -> String {
        let mut told = Vec::new();
        if self.settings.project != other.settings.project {
            told.push("lensops.yml changed".to_owned());
        }
        if self.settings.project.store != other.settings.project.store {
            told.push("another store is taken up by a restart alone".to_owned());
        }
        if self.settings.alerts().receivers != other.settings.alerts().receivers {
            told.push("other alert receivers are taken up by a restart alone".to_owned());
        }
        let of = |configuration: &'_ Self, monitor: &Monitor| {
            let found = configuration
                .monitors
                .iter()
                .find(|known| known.lens() == monitor.lens());
            found.cloned()
        };
        for monitor in &other.monitors {
            match of(self, monitor) {
                None => told.push(format!("lens {} added", monitor.lens())),
                Some(old) if old.plan != monitor.plan => told.push(format!("lens {} changed", monitor.lens())),
                Some(_) => {}
            }
        }
        let gone = self.monitors.iter().filter(|monitor| of(other, monitor).is_none());
        told.extend(gone.map(|monitor| format!("lens {} removed", monitor.lens())));
        if told.is_empty() {
            return "nothing changed".to_owned();
        }
        told.join(", ")
    }
}
