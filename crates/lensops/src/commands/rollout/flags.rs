//! `lensops flags`: what the provider says of the flags of a lens, beside what the API does.

use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::flags::{FlagState, Readings};
use lensops_core::ident::FlagName;
use serde_json::json;

use crate::commands::acceptance::flag_proof;
use crate::commands::context::monitor;
use crate::commands::error::Result;
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::commands::worker::check::Monitor;
use crate::commands::worker::{Answer, Answered, told_off};
use crate::config::Settings;
use crate::flags::{FlagProvider as _, Provider};

/// How long a look waits for a provider that is busy or down: nothing is switched, and it may be made again.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);

/// Prints the flags of `lens` as provider and API have them.
///
/// # Errors
/// A plan or a setting that is not valid.
pub async fn run(settings: &Settings, lens: &str, as_json: bool) -> Result<Exit> {
    if let Some(warning) = flag_proof::warning(settings) {
        complain!("{warning}");
    }
    let monitor = monitor(settings, load(settings, &Which::Lens(lens))?)?;
    let provider = settings.provider()?.map(|provider| provider.patient(LOOK_PATIENCE));
    let provider = provider.as_ref().map_err(String::as_str);
    let seen_by = settings.seen_by()?;
    flags(&monitor, provider, seen_by.as_ref(), &settings.client()?, as_json).await
}

/// Both sides, as read.
struct Sides {
    /// The flags of the lens, the master flag first.
    names: Vec<FlagName>,
    /// What the provider says of them, or why it cannot be read.
    read: Result<Readings, String>,
    /// What an evaluation beside it says; `None` where none is named.
    seen: Option<Result<Readings, String>>,
    /// How each probe is answered that says how a switched-off feature answers.
    answers: Vec<Answer>,
}

/// Prints both sides. They agree: 0; they do not: 4; one of them cannot be told: 3.
///
/// # Errors
/// None so far: a side that cannot be read is an answer.
pub async fn flags<S: Sender>(
    monitor: &Monitor,
    provider: Result<&Provider, &str>,
    seen_by: Option<&Result<Provider, String>>,
    sender: &S,
    as_json: bool,
) -> Result<Exit> {
    let names: Vec<FlagName> = monitor.plan.flags().into_iter().cloned().collect();
    let read = read(provider, sender, &names).await;
    let seen = match seen_by {
        Some(seen) => Some(self::read(seen.as_ref().map_err(String::as_str), sender, &names).await),
        None => None,
    };
    let sides = Sides {
        names,
        read,
        seen,
        answers: monitor.ask_switched(sender, Timestamp::now()).await,
    };
    let (verdict, exit) = sides.verdict();
    if as_json {
        let target = provider.ok().map(|provider| provider.name());
        let (flags, api) = (sides.flags_json(), sides.api_json());
        say!(
            "{:#}",
            json!({"lens": monitor.lens(), "provider": target, "flags": flags, "api": api, "verdict": verdict})
        );
        return Ok(exit);
    }
    say!(
        "{} · {}",
        monitor.lens().title(),
        provider.map_or_else(|why| format!("no provider: {why}"), |provider| provider.name())
    );
    sides.print();
    let mark = match exit {
        Exit::Good => "✅",
        Exit::Degraded => "⚠️",
        _ => "❔",
    };
    say!("{mark} {verdict}");
    Ok(exit)
}

/// What `provider` says of the flags `names`.
async fn read<S: Sender>(
    provider: Result<&Provider, &str>,
    sender: &S,
    names: &[FlagName],
) -> Result<Readings, String> {
    match provider {
        Ok(provider) => provider.read(sender, names).await.map_err(|error| error.to_string()),
        Err(why) => Err(why.to_owned()),
    }
}

/// The state of `flag` among `readings`.
fn state(readings: &Readings, flag: &FlagName) -> FlagState {
    readings.get(flag).map_or(FlagState::NotThere, |reading| reading.state)
}

impl Sides {
    /// What the two sides come to.
    fn verdict(&self) -> (String, Exit) {
        let answers = &self.answers;
        let off_at_api = answers.iter().any(|answer| answer.answered == Answered::Disabled);
        let silent = answers
            .iter()
            .all(|answer| matches!(answer.answered, Answered::Silent | Answered::Other));
        let off = |readings: &Readings| self.names.iter().any(|name| !state(readings, name).is_on());
        match &self.read {
            _ if self.names.is_empty() => ("the lens names no flag".to_owned(), Exit::CouldNotJudge),
            Err(why) => (format!("the provider cannot be read: {why}"), Exit::CouldNotJudge),
            Ok(_) if silent => (
                "the API does not tell: no good answer, and none that says switched off".to_owned(),
                Exit::CouldNotJudge,
            ),
            Ok(readings) if self.differs(readings) => (
                "provider and evaluation disagree: the evaluation has not heard of the switch yet, or asks another \
                 project or environment"
                    .to_owned(),
                Exit::Degraded,
            ),
            Ok(readings) if off(readings) == off_at_api => {
                // One answer that says off proves the switch; what answers all the same is not behind it.
                let on = off_at_api.then(|| Answered::Good.probes(answers)).flatten();
                let ungated = on.map_or_else(String::new, |on| {
                    format!("; switched off and still answered, so not gated: {on}")
                });
                (format!("provider and API agree{ungated}"), Exit::Good)
            }
            Ok(_) if off_at_api => (
                "the API is switched off and the provider says on: it has not started anew since".to_owned(),
                Exit::Degraded,
            ),
            Ok(_) => (
                format!(
                    "a flag is off at the provider and the API answers: it has not started anew since, the flag does \
                     not gate what the probes ask, or it never says {}",
                    told_off(answers)
                ),
                Exit::Degraded,
            ),
        }
    }

    /// Whether an evaluation says something else of a flag than the provider, which says `readings`. Who asks may be
    /// of either part where it is on for a part.
    fn differs(&self, readings: &Readings) -> bool {
        let Some(Ok(seen)) = &self.seen else { return false };
        self.names.iter().any(|name| {
            let kept = state(readings, name);
            kept != FlagState::Partly && kept.is_on() != state(seen, name).is_on()
        })
    }

    fn value(&self, name: &FlagName) -> Option<String> {
        self.read.as_ref().ok()?.get(name)?.value.clone()
    }

    fn flags_json(&self) -> Vec<serde_json::Value> {
        let flag = |name: &FlagName| {
            let told = |side: &Result<Readings, String>| side.as_ref().ok().map(|readings| state(readings, name));
            let read = told(&self.read);
            json!({"flag": name, "value": self.value(name), "on": read.map(FlagState::is_on), "state": read,
                "seen": self.seen.as_ref().and_then(told)})
        };
        self.names.iter().map(flag).collect()
    }

    fn api_json(&self) -> Vec<serde_json::Value> {
        let answers = self.answers.iter();
        answers
            .map(|answer| json!({"probe": answer.probe, "answer": answer.tell()}))
            .collect()
    }

    fn print(&self) {
        let probes = self.answers.iter().map(|answer| answer.probe.len());
        let names = self.names.iter().map(|name| name.as_str().len());
        let width = names.chain(probes).max().unwrap_or(0);
        for (index, name) in self.names.iter().enumerate() {
            let told = match &self.read {
                Err(_) => "unknown".to_owned(),
                Ok(readings) => match (state(readings, name), self.value(name)) {
                    (FlagState::NotThere, _) => "off (not there)".to_owned(),
                    (state, Some(value)) => format!("{} ({value:?})", state.tell()),
                    (state, None) => state.tell().to_owned(),
                },
            };
            let seen = match &self.seen {
                None => String::new(),
                Some(Err(why)) => format!(", evaluation: unknown ({why})"),
                Some(Ok(seen)) => format!(", evaluation: {}", state(seen, name).tell()),
            };
            let master = if index == 0 { ", master" } else { "" };
            say!("  {name:width$}  provider: {told}{seen}{master}");
        }
        for answer in &self.answers {
            say!("  {:width$}  API: {}", answer.probe, answer.tell());
        }
    }
}
