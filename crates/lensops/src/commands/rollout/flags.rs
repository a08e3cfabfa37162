//! `lensops flags`: what the provider says of the flags of a lens, beside what the API does.

use anyhow::Result;
use jiff::Timestamp;
use lensops_core::exchange::Sender;
use serde_json::json;

use crate::commands::exit::Exit;
use crate::commands::worker::check::{Answered, Monitor};
use crate::flags::{FlagError, FlagProvider as _, Provider, Variables, is_on};

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
    let names: Vec<String> = monitor.plan.flags().into_iter().map(ToString::to_string).collect();
    let answers = monitor.ask_switched(sender, Timestamp::now()).await;
    let off_at_api = answers.iter().any(|(_, answered)| *answered == Answered::Disabled);
    let silent = answers
        .iter()
        .all(|(_, answered)| matches!(answered, Answered::Silent | Answered::Other));
    let off = |variables: &Variables| names.iter().any(|name| !is_on(variables.get(name).map(String::as_str)));
    let (verdict, exit) = match &read {
        _ if names.is_empty() => ("the lens names no flag".to_owned(), Exit::CouldNotJudge),
        Err(why) => (format!("the provider cannot be read: {why}"), Exit::CouldNotJudge),
        Ok(_) if silent => ("the API does not tell: no good answer, and none that says switched off".to_owned(), Exit::CouldNotJudge),
        Ok(variables) if off(variables) == off_at_api => {
            // One answer of 503 proves the switch; what answers all the same is not behind it.
            let on = off_at_api.then(|| Answered::Good.probes(&answers)).flatten();
            let ungated = on.map_or_else(String::new, |on| format!("; switched off and still answered, so not gated: {on}"));
            (format!("provider and API agree{ungated}"), Exit::Good)
        }
        Ok(_) if off_at_api => ("the API is switched off and the provider says on: it has not started anew since".to_owned(), Exit::Degraded),
        Ok(_) => ("a flag is off at the provider and the API answers: it has not started anew since, the flag does not gate what the probes ask, or its dialect never says 503 FEATURE_DISABLED".to_owned(), Exit::Degraded),
    };
    let value = |name: &str| read.as_ref().ok().and_then(|variables| variables.get(name)).cloned();
    if as_json {
        let flags: Vec<_> = names
            .iter()
            .map(|name| {
                let value = value(name);
                json!({"flag": name, "value": value, "on": read.is_ok().then(|| is_on(value.as_deref()))})
            })
            .collect();
        let api: Vec<_> = answers
            .iter()
            .map(|(name, answered)| json!({"probe": name, "answer": answered.as_str()}))
            .collect();
        let target = provider.ok().map(|provider| provider.name());
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
    let width = names
        .iter()
        .map(String::len)
        .chain(answers.iter().map(|(name, _)| name.len()))
        .max()
        .unwrap_or(0);
    for (index, name) in names.iter().enumerate() {
        let value = value(name);
        let state = match (&read, is_on(value.as_deref())) {
            (Err(_), _) => "unknown",
            (Ok(_), true) => "on",
            (Ok(_), false) => "off",
        };
        let shown = match (&read, &value) {
            (Err(_), _) => String::new(),
            (Ok(_), Some(value)) => format!(" ({value:?})"),
            (Ok(_), None) => " (not there)".to_owned(),
        };
        say!(
            "  {name:width$}  provider: {state}{shown}{}",
            if index == 0 { ", master" } else { "" }
        );
    }
    for (name, answered) in &answers {
        say!("  {name:width$}  API: {}", answered.as_str());
    }
    let mark = match exit {
        Exit::Good => "✅",
        Exit::Degraded => "⚠️",
        _ => "❔",
    };
    say!("{mark} {verdict}");
    Ok(exit)
}
