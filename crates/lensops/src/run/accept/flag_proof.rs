//! The flag proof: off at the provider means 503 at the API, on means 200.
//!
//! It switches a flag of a running service, so it puts back what it found whatever happens: the
//! intent is on disk before the first switch, an interrupt goes to the restoring at once, and a
//! run that was killed is undone by the next one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use lensops_core::exchange::Sender;
use lensops_core::plan::acceptance::{FlagProof, Step};
use lensops_core::verdict::acceptance::{Case, CaseResult, Phase};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Acceptance;
use super::case::Progress;
use crate::config::Settings;
use crate::flags::{FlagProvider as _, Provider};
use crate::run::files;

/// The wait between two questions while the service starts anew.
const WAIT: Duration = Duration::from_secs(2);

/// What was found before the first switch.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Intent {
    service: String,
    flag: String,
    /// `None`: the variable was not there. It is restored as `false`, which means the same.
    found: Option<String>,
}

fn intent_path(settings: &Settings) -> PathBuf {
    settings.state_dir().join("flag-proof.json")
}

/// Whether a proof was cut off and must be undone before anything else switches flags.
#[must_use]
pub fn is_pending(settings: &Settings) -> bool {
    intent_path(settings).exists()
}

fn provider(settings: &Settings) -> Result<Provider> {
    settings
        .provider()?
        .map_err(|why| anyhow::anyhow!("the flag proof switches a flag at the provider: {why}"))
}

/// Undoes what a killed run left switched.
///
/// # Errors
/// When there is something to undo and the provider does not do it: nothing else may run then.
pub(super) async fn undo<S: Sender>(settings: &Settings, sender: &S) -> Result<()> {
    let path = intent_path(settings);
    let Some(text) = files::read_if_there(&path)? else {
        return Ok(());
    };
    let intent: Intent =
        serde_json::from_str(&text).with_context(|| format!("{} is no record of a flag proof", path.display()))?;
    let provider = provider(settings).context("an earlier flag proof was cut off and must be undone first")?;
    if provider.target() != intent.service {
        bail!(
            "an earlier flag proof left {} of service {} switched: run against that service first",
            intent.flag,
            intent.service
        );
    }
    restore(&provider, sender, &intent)
        .await
        .context("an earlier flag proof was cut off and cannot be undone")?;
    std::fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
    eprintln!(
        "⚠️ an earlier flag proof was cut off: {} is {:?} again",
        intent.flag,
        intent.found.as_deref().unwrap_or("false")
    );
    Ok(())
}

async fn restore<S: Sender>(provider: &Provider, sender: &S, intent: &Intent) -> Result<()> {
    let found = intent.found.as_deref().unwrap_or("false");
    provider.switch(sender, &intent.flag, found).await?;
    Ok(())
}

impl Acceptance {
    /// Proves the flag of the plan: off, on, and back to what was found.
    ///
    /// # Errors
    /// When the plan has no flag, the provider cannot be read, or the intent cannot be recorded;
    /// nothing was switched then. Also when what was found cannot be put back.
    pub async fn prove_flag<S: Sender>(
        &self,
        settings: &Settings,
        sender: &S,
        tries: u32,
        stop: &CancellationToken,
        each: impl Fn(&Case),
    ) -> Result<Vec<Case>> {
        let plan = &self.loaded.plan;
        let Some(proof) = &plan.flag_proof else {
            bail!(
                "{} has no `flag_proof`: name a flag in the lens file and generate again",
                self.loaded.path.display()
            );
        };
        let provider = provider(settings)?;
        let found = provider.read(sender).await?.get(proof.flag.as_str()).cloned();
        let intent = Intent {
            service: provider.target(),
            flag: proof.flag.to_string(),
            found,
        };
        let path = intent_path(settings);
        files::replace_all(&[(path.clone(), serde_json::to_string_pretty(&intent)?.as_str())])?;
        let switched = self.switch_both(&provider, sender, proof, tries, stop, each).await;
        // First what was found, then what came of it.
        restore(&provider, sender, &intent).await.with_context(|| {
            format!(
                "{} could not be put back to {:?}: the next `lensops accept` tries again",
                intent.flag,
                intent.found.as_deref().unwrap_or("false")
            )
        })?;
        std::fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        switched
    }

    async fn switch_both<S: Sender>(
        &self,
        provider: &Provider,
        sender: &S,
        proof: &FlagProof,
        tries: u32,
        stop: &CancellationToken,
        each: impl Fn(&Case),
    ) -> Result<Vec<Case>> {
        let mut cases = Vec::new();
        for (index, (value, name, step)) in [("false", "OFF", &proof.off), ("true", "ON", &proof.on)]
            .into_iter()
            .enumerate()
        {
            if stop.is_cancelled() {
                break;
            }
            provider.switch(sender, proof.flag.as_str(), value).await?;
            let mut case = self.ask_until(sender, index, step, tries, stop).await;
            case.name = format!("{} {name}", proof.flag);
            each(&case);
            cases.push(case);
        }
        Ok(cases)
    }

    /// Asks until the answer is as expected: a service takes a while to start anew. The last
    /// answer counts.
    async fn ask_until<S: Sender>(
        &self,
        sender: &S,
        index: usize,
        step: &Step,
        most: u32,
        stop: &CancellationToken,
    ) -> Case {
        let mut tries = 0;
        loop {
            let mut progress = Progress::new(self.vars.clone(), u64::from(tries));
            let case = self
                .run_step_case(sender, Phase::Flag, index, step, &mut progress, stop)
                .await;
            tries += 1;
            if matches!(case.result, CaseResult::Passed { .. }) || tries >= most || stop.is_cancelled() {
                return case;
            }
            tokio::select! {
                () = stop.cancelled() => return case,
                () = tokio::time::sleep(WAIT) => {}
            }
        }
    }
}
