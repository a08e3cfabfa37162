//! Switches the flag off and on, and asks the API in each state.

use std::path::Path;
use std::time::Duration;

use lensops_core::exchange::Sender;
use lensops_core::flags::{FlagState, Reading};
use lensops_core::plan::acceptance::Step;
use lensops_core::verdict::acceptance::{Case, CaseResult, Phase};
use tokio_util::sync::CancellationToken;

use super::intent::{Intent, intent_path};
use super::restore::{provider, restore};
use crate::commands::acceptance::captures::Progress;
use crate::commands::acceptance::run::Acceptance;
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::files;
use crate::config::Settings;
use crate::flags::{FlagError, FlagProvider as _, Provider};

/// The wait between two questions while the service starts anew.
const WAIT: Duration = Duration::from_secs(2);

/// Why a state is unjudged that was not waited for.
const INTERRUPTED: &str = "the run was interrupted";

/// A flag proof that may begin.
#[derive(Debug)]
pub struct Ready {
    provider: Provider,
    intent: Intent,
}

impl Acceptance {
    /// Looks whether the flag of the plan can be proved: the plan names it, the provider is read.
    ///
    /// # Errors
    /// When it cannot. Nothing was switched.
    pub async fn flag_ready<S: Sender>(&self, settings: &Settings, sender: &S) -> Result<Ready> {
        let Some(proof) = &self.loaded.plan.flag_proof else {
            return Err(Error::usage(format!(
                "{} has no `flag_proof`: name a flag in the lens file and generate again",
                self.loaded.path.display()
            )));
        };
        let provider = provider(settings)?;
        if let Some(why) = provider.read_only() {
            return Err(Error::usage(format!("the flag proof switches a flag: {why}")));
        }
        let read = provider.read(sender, std::slice::from_ref(&proof.flag)).await;
        let cannot = || format!("the flags of {} cannot be read", provider.target());
        let found = match read {
            Ok(found) => found,
            // A wrong key or file is to be mended; the rest passes by itself.
            Err(error @ (FlagError::Denied { .. } | FlagError::File(_))) => return Err(error).with_context(cannot),
            Err(error) => return Err(Error::Unanswered(format!("{}: {error}", cannot()))),
        };
        let found = found.get(&proof.flag).cloned().unwrap_or(Reading::NOT_THERE);
        if found.state == FlagState::NotThere && !provider.makes_flags() {
            return Err(FlagError::NoFlag(proof.flag.to_string()).into());
        }
        let intent = Intent {
            service: provider.target(),
            flag: proof.flag.to_string(),
            found: found.value,
            wrote: Vec::new(),
        };
        Ok(Ready { provider, intent })
    }

    /// Proves the flag of the plan: off, on, and back to what was found. What goes wrong on the way
    /// is a case: the run before it keeps its evidence.
    ///
    /// # Errors
    /// When the intent cannot be recorded; nothing was switched then.
    pub async fn prove_flag<S: Sender>(
        &self,
        settings: &Settings,
        sender: &S,
        ready: Ready,
        tries: u32,
        stop: &CancellationToken,
        each: impl Fn(&Case),
    ) -> Result<Vec<Case>> {
        let Ready { provider, mut intent } = ready;
        let Some(proof) = &self.loaded.plan.flag_proof else {
            return Ok(Vec::new());
        };
        let path = intent_path(settings);
        let mut cases = Vec::new();
        for (index, (value, name, step)) in [("false", "OFF", &proof.off), ("true", "ON", &proof.on)]
            .into_iter()
            .enumerate()
        {
            if stop.is_cancelled() {
                let reason = self.redactor.text(INTERRUPTED);
                let mut case = unasked(index, CaseResult::Unjudged { reason });
                case.name = format!("{} {name}", proof.flag);
                each(&case);
                cases.push(case);
                continue;
            }
            // On disk before it is done.
            intent.wrote.push(value.to_owned());
            files::replace_all(&[(path.clone(), serde_json::to_string_pretty(&intent)?.as_str())])?;
            let switched = provider.switch(sender, &proof.flag, value).await;
            let mut case = match &switched {
                Ok(_) => self.ask_until(sender, index, step, tries, stop).await,
                Err(error) => {
                    if error.is_refusal() {
                        // What was refused was not written, and leaves nothing to undo.
                        intent.wrote.pop();
                    }
                    let reason = self.redactor.text(&format!("the provider did not switch it: {error}"));
                    unasked(index, CaseResult::Unjudged { reason })
                }
            };
            case.name = format!("{} {name}", proof.flag);
            each(&case);
            cases.push(case);
            if switched.is_err() {
                break;
            }
        }
        if intent.wrote.is_empty() {
            // Told to stop before the first switch, or the provider refused it: there is nothing to put back.
            files::remove_if_there(&path)?;
            return Ok(cases);
        }
        // First what was found, then what came of it.
        if let Some(result) = self.put_back(&provider, sender, &intent, &path).await? {
            let mut case = unasked(cases.len(), result);
            case.name = format!("{} put back", proof.flag);
            each(&case);
            cases.push(case);
        }
        Ok(cases)
    }

    /// Puts back what was found; what there is to tell of it where that is not what was done.
    async fn put_back<S: Sender>(
        &self,
        provider: &Provider,
        sender: &S,
        intent: &Intent,
        path: &Path,
    ) -> Result<Option<CaseResult>> {
        if !path.exists() {
            let reason =
                "somebody rolled the lens back or restored it during the proof: the flag stays as that left it";
            let reason = self.redactor.text(reason);
            return Ok(Some(CaseResult::Unjudged { reason }));
        }
        let result = match restore(provider, sender, intent).await {
            Ok(None) => {
                match &intent.found {
                    Some(found) => complain!("{} is put back to {found:?}", intent.flag),
                    None => complain!(
                        "⚠️ {} was not there before: it stands as \"false\" now, which means the same",
                        intent.flag
                    ),
                }
                None
            }
            Ok(Some(other)) => {
                let told = format!("somebody set it to {other:?} during the proof: it stays so, and nothing is proved");
                let reason = self.redactor.text(&told);
                Some(CaseResult::Unjudged { reason })
            }
            Err(error) => {
                let found = intent.found.as_deref().unwrap_or("false");
                let told = format!(
                    "it could not be put back to {found:?}: {}; the next `lensops accept` tries again",
                    error.line()
                );
                let why = self.redactor.text(&told);
                return Ok(Some(CaseResult::Failed { why }));
            }
        };
        files::remove_if_there(path)?;
        Ok(result)
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
            if matches!(case.result, CaseResult::Passed { .. }) || tries >= most {
                return case;
            }
            tokio::select! {
                biased;
                // The API may have followed a moment later: nobody knows.
                () = stop.cancelled() => {
                    let reason = self.redactor.text(INTERRUPTED);
                    return Case { result: CaseResult::Unjudged { reason }, ..case };
                }
                () = tokio::time::sleep(WAIT) => {}
            }
        }
    }
}

/// A case of the proof in which the API was not asked.
fn unasked(index: usize, result: CaseResult) -> Case {
    Case {
        phase: Phase::Flag,
        number: index + 1,
        name: String::new(),
        signed_flow: false,
        result,
        proofs: Vec::new(),
        proofs_skipped: Vec::new(),
        transcripts: Vec::new(),
        answered: true,
    }
}
