//! The pairs in force: the published plans, each as this machine can run it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lensops_core::duration::Every;
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::LensId;
use lensops_core::lens::Tenants;
use lensops_core::plan::monitor::MonitorPlan;
use uuid::Uuid;

use crate::commands::context::monitor;
use crate::commands::error::Result;
use crate::commands::plans::{load_all, load_text};
use crate::commands::worker::check::Monitor;
use crate::config::Settings;
use crate::store::fleet::{Published, PublishedPlan};

/// A plan of this machine's own files.
#[derive(Clone)]
pub(in crate::commands) struct Own {
    pub(super) monitor: Arc<Monitor>,
    pub(super) text: String,
}

/// A lens with the tenants it is checked for.
struct Lens {
    /// `None` where this machine cannot run the plan.
    monitor: Option<Arc<Monitor>>,
    id: LensId,
    every: Every,
    tenants: HashSet<Uuid>,
}

/// The pairs in force.
#[derive(Default)]
pub(super) struct Pairs {
    /// The revision of the plans; `None` before any is known.
    pub(super) revision: Option<i64>,
    lenses: HashMap<LensId, Lens>,
}

/// What a job's pair is to this machine.
pub(super) enum Wanted {
    /// It is checked here.
    Here(Arc<Monitor>),
    /// It is in force, and this machine cannot run its plan.
    NotHere,
    /// It is not in force.
    No,
}

impl Pairs {
    /// The pairs of `published`. A plan that is as in this machine's `own` files is taken from there.
    pub(super) fn of(published: &Published, settings: &Settings, own: &[Own]) -> Self {
        let mut lenses = HashMap::new();
        for plan in &published.plans {
            let Ok(every) = format!("{}s", plan.every_ms / 1000).parse::<Every>() else {
                tracing::error!(
                    "❌ The published plan of lens {} has no valid interval: it is not run",
                    plan.lens
                );
                continue;
            };
            let monitor = build(plan, every, settings, own)
                .inspect_err(|error| {
                    let line = settings.redactor().text(&error.line());
                    tracing::error!(
                        "❌ The published plan of lens {} cannot be run here: {line}; other machines run it",
                        plan.lens
                    );
                })
                .ok();
            let lens = Lens {
                monitor,
                id: plan.lens.clone(),
                every,
                tenants: plan.tenants.iter().copied().collect(),
            };
            lenses.insert(plan.lens.clone(), lens);
        }
        Self {
            revision: Some(published.revision),
            lenses,
        }
    }

    /// What the pair of `lens` and `tenant` is.
    pub(super) fn wanted(&self, lens: &LensId, tenant: Uuid) -> Wanted {
        match self.lenses.get(lens).filter(|lens| lens.tenants.contains(&tenant)) {
            None => Wanted::No,
            Some(Lens { monitor: None, .. }) => Wanted::NotHere,
            Some(Lens {
                monitor: Some(monitor), ..
            }) => Wanted::Here(monitor.clone()),
        }
    }

    /// The timetables of all pairs.
    pub(super) fn schedules(&self) -> Vec<Schedule<'_>> {
        let of = |lens: &'_ Lens| -> Vec<Uuid> { lens.tenants.iter().copied().collect() };
        self.lenses
            .values()
            .flat_map(|lens| {
                of(lens)
                    .into_iter()
                    .map(|tenant| Schedule::new(lens.every, &lens.id, tenant))
            })
            .collect()
    }

    /// The plans that this machine can run.
    pub(super) fn monitors(&self) -> Vec<Arc<Monitor>> {
        self.lenses.values().filter_map(|lens| lens.monitor.clone()).collect()
    }

    /// Lenses and pairs.
    pub(super) fn counts(&self) -> (usize, usize) {
        (
            self.lenses.len(),
            self.lenses.values().map(|lens| lens.tenants.len()).sum(),
        )
    }
}

fn build(plan: &PublishedPlan, every: Every, settings: &Settings, own: &[Own]) -> Result<Arc<Monitor>> {
    let mine = own
        .iter()
        .find(|own| own.monitor.lens() == &plan.lens && own.text == plan.text && own.monitor.plan.every == every);
    let mut built = match mine {
        Some(own) => own.monitor.clone(),
        None => {
            let shown = format!("the published plan of lens {}", plan.lens);
            let mut built = monitor(settings, load_text(settings, &shown, plan.text.clone())?)?;
            built.plan.every = every;
            // One service, one reader: what one lens has read of the flags, the others need not.
            if let Some(first) = own.first() {
                built.provider = first.monitor.provider.clone();
                built.signing.held = first.monitor.signing.held.clone();
            }
            Arc::new(built)
        }
    };
    if built.plan.tenants.to_vec() != plan.tenants {
        let tenants = Tenants::from(plan.tenants.clone()).knowing(&built.plan.tenants);
        Arc::make_mut(&mut built).plan.tenants = tenants;
    }
    Ok(built)
}

/// The settings as they are now, and what this machine's own files say.
///
/// # Errors
/// The first thing that cannot be used.
pub(in crate::commands) fn own_plans(settings: &Settings) -> Result<(Settings, Vec<Own>)> {
    let settings = settings.read_again()?;
    let mut own: Vec<Own> = Vec::new();
    for loaded in load_all::<MonitorPlan>(&settings)? {
        let text = loaded.text.clone();
        let mut monitor = monitor(&settings, loaded)?;
        // One service, one reader; who is signed in for one lens is for all.
        if let Some(first) = own.first() {
            monitor.provider = first.monitor.provider.clone();
            monitor.signing.held = first.monitor.signing.held.clone();
        }
        own.push(Own {
            monitor: Arc::new(monitor),
            text,
        });
    }
    Ok((settings, own))
}

/// What this machine would publish.
pub(in crate::commands) fn to_publish(own: &[Own], tenants: Option<&[Uuid]>) -> Vec<PublishedPlan> {
    let plan = |own: &Own| PublishedPlan {
        lens: own.monitor.lens().clone(),
        text: own.text.clone(),
        every_ms: own.monitor.plan.every.as_ms(),
        tenants: tenants.map_or_else(|| own.monitor.plan.tenants.to_vec(), <[Uuid]>::to_vec),
    };
    own.iter().map(plan).collect()
}
