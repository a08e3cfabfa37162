//! `lensops flags`: what the provider says of the flags of a lens, beside what the API does.

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use serde_json::json;

use crate::commands::acceptance::flag_proof;
use crate::commands::context::monitor;
use crate::commands::error::Result;
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::commands::worker::check::Monitor;
use crate::commands::worker::{Answer, Answered, told_off};
use crate::config::Settings;
use crate::flags::{COMMAND_PATIENCE, FlagError, FlagProvider as _, Provider, Variables, is_on};

/// Prints the flags of `lens` as provider and API have them.
///
/// # Errors
/// A plan or a setting that is not valid.
pub async fn run(settings: &Settings, lens: &str, as_json: bool) -> Result<Exit> {
    if let Some(warning) = flag_proof::warning(settings) {
        complain!("{warning}");
    }
    let monitor = monitor(settings, load(settings, &Which::Lens(lens))?)?;
    let provider = settings.provider()?.map(|provider| provider.patient(COMMAND_PATIENCE));
    let provider = provider.as_ref().map_err(String::as_str);
    flags(&monitor, provider, &settings.client()?, as_json).await
}

/// Both sides, as read.
struct Sides {
    /// The flags of the lens, the master flag first.
    names: Vec<String>,
    /// The provider's variables, or why they cannot be read.
    read: Result<Variables, String>,
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
    sender: &S,
    as_json: bool,
) -> Result<Exit> {
    let read = match provider {
        Ok(provider) => provider
            .read(sender)
            .await
            .map_err(|error: FlagError| error.to_string()),
        Err(why) => Err(why.to_owned()),
    };
    let sides = Sides {
        names: monitor.plan.flags().into_iter().map(ToString::to_string).collect(),
        read,
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

impl Sides {
    /// What the two sides come to.
    fn verdict(&self) -> (String, Exit) {
        let answers = &self.answers;
        let off_at_api = answers.iter().any(|answer| answer.answered == Answered::Disabled);
        let silent = answers
            .iter()
            .all(|answer| matches!(answer.answered, Answered::Silent | Answered::Other));
        let off = |variables: &Variables| {
            let mut values = self.names.iter().map(|name| variables.get(name));
            values.any(|value| !is_on(value.map(String::as_str)))
        };
        match &self.read {
            _ if self.names.is_empty() => ("the lens names no flag".to_owned(), Exit::CouldNotJudge),
            Err(why) => (format!("the provider cannot be read: {why}"), Exit::CouldNotJudge),
            Ok(_) if silent => (
                "the API does not tell: no good answer, and none that says switched off".to_owned(),
                Exit::CouldNotJudge,
            ),
            Ok(variables) if off(variables) == off_at_api => {
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

    fn value(&self, name: &str) -> Option<String> {
        self.read
            .as_ref()
            .ok()
            .and_then(|variables| variables.get(name))
            .cloned()
    }

    fn flags_json(&self) -> Vec<serde_json::Value> {
        let flag = |name: &String| {
            let value = self.value(name);
            json!({"flag": name, "value": value, "on": self.read.is_ok().then(|| is_on(value.as_deref()))})
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
        let width = self.names.iter().map(String::len).chain(probes).max().unwrap_or(0);
        for (index, name) in self.names.iter().enumerate() {
            let value = self.value(name);
            let state = match (&self.read, is_on(value.as_deref())) {
                (Err(_), _) => "unknown",
                (Ok(_), true) => "on",
                (Ok(_), false) => "off",
            };
            let shown = match (&self.read, &value) {
                (Err(_), _) => String::new(),
                (Ok(_), Some(value)) => format!(" ({value:?})"),
                (Ok(_), None) => " (not there)".to_owned(),
            };
            say!(
                "  {name:width$}  provider: {state}{shown}{}",
                if index == 0 { ", master" } else { "" }
            );
        }
        for answer in &self.answers {
            say!("  {:width$}  API: {}", answer.probe, answer.tell());
        }
    }
}
