//! The gate over files of exported checks: one decision a file, lens and tenant.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lensops_core::history::gate::{Answer, Decision, FileAnswer, GateOutput, Gated, Line, Recorded, recorded};
use lensops_core::history::schedule::from_ms;
use lensops_core::ident::LensId;
use lensops_core::lens::Policy;
use serde_json::Value;
use uuid::Uuid;

use super::asked::{Asked, Form};
use super::backtest;
use super::print::{explain, markdown, would_say};
use super::reading::{Asking, Reading, reading};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::config::Settings;

/// Decides over every file of `history`, a file or a folder, and prints it.
///
/// # Errors
/// A window that makes no sense, or a path that is not there.
pub(super) fn run(settings: &Settings, asked: &Asked<'_>, history: &Path) -> Result<Exit> {
    let reading = reading(settings, asked)?;
    let (mut decisions, mut unread) = (Vec::new(), false);
    for path in paths(history)? {
        match lines(&path, &reading.lens) {
            Ok(lines) => {
                let tenants = recorded(lines, &reading.otherwise);
                if asked.backtest {
                    backtest::file(&path, &tenants, &reading);
                } else {
                    decisions.extend(file(&path, &tenants, &reading));
                }
            }
            Err(why) => {
                complain!("❌ {}: {why}", path.display());
                unread = true;
            }
        }
    }
    Ok(match decisions[..] {
        _ if unread => Exit::Usage,
        [decision] => decision.into(),
        _ => Exit::Good,
    })
}

/// The file, or the files of a folder by name.
fn paths(history: &Path) -> Result<Vec<PathBuf>> {
    if !history.is_dir() {
        return Ok(vec![history.to_owned()]);
    }
    let unreadable = |error| Error::usage(format!("{}: {error}", history.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(history).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_file() && ["jsonl", "ndjson", "json"].contains(&ending) {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(Error::usage(format!("{} holds no .jsonl file", history.display())));
    }
    Ok(paths)
}

/// The lines of a lens in a file; the first line that is none fails the whole file.
fn lines(path: &Path, lens: &LensId) -> std::result::Result<Vec<Line>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    for (number, line) in (1_u64..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|error| format!("line {number}: {error}"))?;
        if line.trim().is_empty() {
            continue;
        }
        // Lines of other lenses need not be understood.
        let value: Value = serde_json::from_str(&line).map_err(|error| format!("line {number} is no JSON: {error}"))?;
        if value["lens_id"].as_str().is_some_and(|other| other != lens.as_str()) {
            continue;
        }
        let line: Line =
            serde_json::from_value(value).map_err(|error| format!("line {number} is no check: {error}"))?;
        lines.push(line);
    }
    Ok(lines)
}

/// Decides over the tenants of a file and prints it.
fn file(path: &Path, tenants: &[Recorded], reading: &Reading<'_>) -> Vec<Decision> {
    let end_ms = tenants.iter().map(|tenant| tenant.end_ms).max();
    let at = reading.at.or(end_ms.map(from_ms));
    let mut decisions = Vec::new();
    let none = Recorded {
        tenant: Uuid::nil(),
        slots: Vec::new(),
        statuses: Vec::new(),
        slo: reading.otherwise.slo.clone(),
        end_ms: 0,
    };
    let is_empty = tenants.is_empty();
    for tenant in tenants.iter().chain(is_empty.then_some(&none)) {
        let until = at.unwrap_or(Timestamp::UNIX_EPOCH);
        let gated = Asking::new(tenant, until, reading).at(until);
        let (decision, _) = gated.decided();
        say_answer(path, tenant, at, &gated, is_empty, reading);
        decisions.push(decision);
    }
    decisions
}

fn say_answer(
    path: &Path,
    tenant: &Recorded,
    at: Option<Timestamp>,
    gated: &Gated,
    is_empty: bool,
    reading: &Reading<'_>,
) {
    let (decision, reason) = gated.decided();
    let answer: &Answer = &gated.statistical;
    let until = at.map_or_else(
        || "nothing".to_owned(),
        |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    let who = if is_empty {
        "no check".to_owned()
    } else {
        format!("tenant {}", tenant.tenant)
    };
    let title = format!("{} · {} · {who}", path.display(), reading.lens.title());
    let stretch = format!("{} until {until}", reading.window);
    match reading.form {
        Form::Json => {
            let line = GateOutput::File(FileAnswer {
                file: path.display().to_string(),
                lens: reading.lens.clone(),
                tenant: (!is_empty).then_some(tenant.tenant),
                at,
                decision,
                policy: gated.policy,
                reason: reason.to_owned(),
                strict: gated.strict.0,
                statistical: answer.decision,
                slots: answer.slots,
                covered: answer.covered,
                left_out: answer.left_out,
                criteria: answer.criteria.clone(),
            });
            say!("{}", serde_json::json!(line));
        }
        Form::Markdown => say!(
            "{}",
            markdown(&title, &stretch, gated.policy, (decision, reason), answer)
        ),
        Form::Text | Form::Explain => {
            say!("{title} · {stretch}");
            say!("{}: {reason}", decision.tell());
            say!(
                "  slots {} · covered {} · left out {}",
                answer.slots,
                answer.covered,
                answer.left_out
            );
            if gated.policy == Policy::Strict {
                say!("  {}", would_say(answer));
            }
            if reading.form == Form::Explain {
                explain(answer);
            }
        }
    }
}
