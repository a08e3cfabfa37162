//! `lensops evidence package`: one document a lens, filled from the runs that exist.
//!
//! It invents nothing: a section whose run is missing says so and names the command that makes it.
//! The sections are data, written once as Markdown and once as a page of its own.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use lensops_core::duration::parse_span;
use lensops_core::history::gate::Decision;
use lensops_core::ident::LensId;
use lensops_core::redaction::one_line;
use lensops_core::stats::histogram::ms;
use serde_json::Value;

use super::bundle::{self, FOLDER};
use crate::commands::acceptance::report::{cell, html_escaped};
use crate::commands::context::{monitor_plan, open_history};
use crate::commands::exit::Exit;
use crate::commands::files;
use crate::commands::plans::{Which, load};
use crate::commands::rollout::gate::{Gated, gate};
use crate::config::Settings;

/// A part of the document.
struct Section {
    title: &'static str,
    text: Vec<String>,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Section {
    fn new(title: &'static str) -> Self {
        Self {
            title,
            text: Vec::new(),
            head: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn missing(title: &'static str, what: &str, command: &str) -> Self {
        let mut section = Self::new(title);
        section
            .text
            .push(format!("Not there yet: {what}. `{command}` makes it."));
        section
    }
}

/// What the gate said over the two windows that matter.
#[derive(Debug)]
pub struct Gates {
    /// Over 24 hours.
    pub day: Gated,
    /// Over 7 days.
    pub week: Gated,
}

/// The windows of the gate that a package looks at.
///
/// # Errors
/// Never: both are constants.
pub fn windows() -> Result<[jiff::SignedDuration; 2]> {
    Ok([parse_span("24h")?, parse_span("7d")?])
}

/// The results of the runs of a lens whose folders are as the runs left them, newest first.
struct Runs {
    results: Vec<Value>,
    /// Folders that are not, and why: nothing is taken from them.
    refused: Vec<String>,
    /// Runs of plans that were not generated: they may ask for less than the lens needs.
    foreign: Vec<String>,
}

impl Runs {
    fn of(settings: &Settings, lens: &LensId) -> Result<Self> {
        let mut runs = Self {
            results: Vec::new(),
            refused: Vec::new(),
            foreign: Vec::new(),
        };
        for folder in bundle::folders(settings)?.into_iter().rev() {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let name = one_line(&name);
            let (found, files) = match bundle::verified(&folder) {
                Ok(verified) => verified,
                Err(error) => {
                    runs.refused.push(format!("{name}: {error:#}"));
                    continue;
                }
            };
            if let Some(finding) = found.findings.first() {
                runs.refused.push(format!("{name}: {}", one_line(finding)));
                continue;
            }
            let Some(manifest) = found.manifest.filter(|manifest| manifest.lens == lens.as_str()) else {
                continue;
            };
            if manifest.plan_origin == "foreign" {
                runs.foreign.push(name);
                continue;
            }
            let results = files.iter().find(|(name, _)| {
                ["ACCEPTANCE_EVIDENCE", "STRESS_RESULTS", "MATRIX_EVIDENCE"]
                    .iter()
                    .any(|suffix| **name == format!("{}_{suffix}.json", lens.upper()))
            });
            if let Some((_, bytes)) = results {
                let mut value: Value = serde_json::from_slice(bytes).with_context(|| format!("{name} is not JSON"))?;
                value["run_id"] = Value::String(manifest.run_id);
                value["of_kind"] = Value::String(manifest.kind);
                runs.results.push(value);
            }
        }
        Ok(runs)
    }

    /// The newest run of `kind` that `fits`.
    fn newest(&self, kind: &str, fits: impl Fn(&Value) -> bool) -> Option<&Value> {
        self.results.iter().find(|run| run["of_kind"] == kind && fits(run))
    }
}

/// Writes the evidence package of `lens` as of `now`.
///
/// # Errors
/// A plan that is not valid, history that cannot be read, or a package that cannot be written.
pub async fn run(settings: &Settings, lens: &str, now: Timestamp) -> Result<Exit> {
    let plan = monitor_plan(settings, load(settings, &Which::Lens(lens))?)?.plan;
    let history = open_history(settings).await?;
    let [day, week] = windows()?;
    let day = gate(&history, &plan, day, now, now).await?;
    let week = gate(&history, &plan, week, now, now).await?;
    package(settings, &plan.monitor, &Gates { day, week }, now)
}

/// Writes the package of `lens` from the runs that verify and what the gate says.
///
/// # Errors
/// When a run that is there cannot be read, or the package cannot be written.
pub fn package(settings: &Settings, lens: &LensId, gates: &Gates, now: Timestamp) -> Result<Exit> {
    let folder = settings.root.join(FOLDER).join("phase6");
    let runs = Runs::of(settings, lens)?;
    let has =
        |run: &Value, wanted: fn(&Value) -> bool| run["cases"].as_array().is_some_and(|cases| cases.iter().any(wanted));
    // A run of chosen scenarios says nothing of those that were left out.
    let acceptance = runs.newest("acceptance", |run| run["scenarios"].is_null());
    let stress = runs.newest("stress", |_| true);
    let matrix = runs.newest("matrix", |_| true);
    let flag_run = runs.newest("acceptance", |run| has(run, is_flag_case));
    let twice = runs.newest("acceptance", |run| has(run, is_idempotency));
    let mut sections = vec![
        signatures(lens, acceptance),
        stress_section(lens, stress),
        flags(lens, flag_run),
        idempotency(twice),
        roles(lens, matrix),
        scripts(lens),
        readiness(acceptance, stress, matrix, gates),
    ];
    if !runs.refused.is_empty() {
        let mut section = Section::new("Runs that were not used");
        section
            .text
            .push("Their files are not as the runs left them: nothing is taken from them.".to_owned());
        section.head = vec!["run and finding"];
        section.rows = runs.refused.iter().map(|line| vec![line.clone()]).collect();
        sections.push(section);
    }
    if !runs.foreign.is_empty() {
        let mut section = Section::new("Runs of other plans");
        let why =
            "Their plans were not generated for the lens and may ask for less than it needs: they prove nothing here.";
        section.text.push(why.to_owned());
        section.head = vec!["run"];
        section.rows = runs.foreign.iter().map(|name| vec![name.clone()]).collect();
        sections.push(section);
    }
    let title = format!("Evidence: {}", lens.title());
    let made = format!(
        "Made {} from the runs that were there.",
        now.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    let redactor = settings.redactor();
    let texts = [
        ("md", redactor.text(&markdown(&title, &made, &sections))),
        ("html", redactor.text(&html(&title, &made, &sections))),
    ];
    let paths = texts.iter().map(|(ending, text)| {
        (
            folder.join(format!("{}_EVIDENCE.{ending}", lens.upper())),
            text.as_str(),
        )
    });
    let paths: Vec<(PathBuf, &str)> = paths.collect();
    files::replace_all(&paths)?;
    for (path, _) in &paths {
        say!("✅ Created: {}", path.display());
    }
    for line in &runs.refused {
        say!("❌ Not used: {line}");
    }
    for name in &runs.foreign {
        say!("⚠️ Not used: {name}: its plan was not generated for the lens");
    }
    Ok(if runs.refused.is_empty() { Exit::Good } else { Exit::Bad })
}

fn is_flag_case(case: &Value) -> bool {
    case["phase"] == "flag"
}

fn is_idempotency(case: &Value) -> bool {
    text(&case["name"]).to_lowercase().contains("idempot")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// `pass: 5 passed, …, finished 2026-…`.
fn outcome(run: &Value) -> String {
    format!(
        "{}: {} (finished {}, run {})",
        text(&run["verdict"]),
        text(&run["reason"]),
        text(&run["finished_at"]),
        text(&run["run_id"])
    )
}

fn case_rows(run: &Value, wanted: impl Fn(&Value) -> bool) -> Vec<Vec<String>> {
    let cases = run["cases"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|case| wanted(case));
    let told = |case: &Value| {
        ["told", "why", "reason"]
            .iter()
            .find_map(|key| case[*key].as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    cases
        .map(|case| vec![text(&case["name"]), text(&case["result"]), told(case)])
        .collect()
}

fn signatures(lens: &LensId, run: Option<&Value>) -> Section {
    const TITLE: &str = "Signature validation";
    let Some(run) = run else {
        return Section::missing(TITLE, "no acceptance run", &format!("lensops accept {lens}"));
    };
    let mut section = Section::new(TITLE);
    section.text.push(outcome(run));
    section.text.push(format!(
        "Dialect {}, tenant {}, API {}, plan {}.",
        text(&run["dialect"]),
        text(&run["tenant"]),
        text(&run["api"]),
        text(&run["plan_origin"])
    ));
    section.head = vec!["case", "result", "what came"];
    section.rows = case_rows(run, |case| case["signed_flow"] == true);
    if section.rows.is_empty() {
        section
            .text
            .push("The run holds no case of a signed action.".to_owned());
    }
    section
}

fn stress_section(lens: &LensId, run: Option<&Value>) -> Section {
    const TITLE: &str = "Stress";
    let Some(run) = run else {
        return Section::missing(TITLE, "no stress run", &format!("lensops stress {lens}"));
    };
    let mut section = Section::new(TITLE);
    section.text.push(outcome(run));
    section.head = vec!["target", "answered", "P50", "P95", "P99", "n"];
    let targets = run["targets"].as_array().into_iter().flatten();
    section.rows = targets
        .map(|target| {
            // A figure that its sample does not support carries the sample's size.
            let mark = |key: &str| {
                if target[format!("{key}_supported")] == false {
                    format!(" (n={})", target["n"])
                } else {
                    String::new()
                }
            };
            let latency = |key: &str| {
                target["latency_us"][key]
                    .as_u64()
                    .map_or_else(|| "n/a".to_owned(), |us| format!("{}{}", ms(us), mark(key)))
            };
            let answered = format!("{} of {}", target["completed"], target["planned"]);
            vec![
                text(&target["name"]),
                answered,
                latency("p50"),
                latency("p95"),
                latency("p99"),
                target["n"].to_string(),
            ]
        })
        .collect();
    section
}

fn flags(lens: &LensId, run: Option<&Value>) -> Section {
    const TITLE: &str = "Feature flags";
    let rows = run.map(|run| case_rows(run, is_flag_case)).unwrap_or_default();
    if rows.is_empty() {
        return Section::missing(
            TITLE,
            "no run has switched the master flag",
            &format!("lensops accept {lens} --flag-proof"),
        );
    }
    let mut section = Section::new(TITLE);
    section.text.push(
        "Off at the provider must be 503 FEATURE_DISABLED at the API, on must be 200; what was found was put back."
            .to_owned(),
    );
    (section.head, section.rows) = (vec!["state", "result", "what came"], rows);
    section
}

fn idempotency(run: Option<&Value>) -> Section {
    const TITLE: &str = "Idempotency";
    let rows = run.map(|run| case_rows(run, is_idempotency)).unwrap_or_default();
    let mut section = Section::new(TITLE);
    if rows.is_empty() {
        section.text.push("Not there yet: the acceptance plan holds no scenario whose name says idempotency. Add one to the lens's `overrides`.".to_owned());
        return section;
    }
    (section.head, section.rows) = (vec!["case", "result", "what came"], rows);
    section
}

fn roles(lens: &LensId, run: Option<&Value>) -> Section {
    const TITLE: &str = "Roles";
    let Some(run) = run else {
        return Section::missing(TITLE, "no role matrix", &format!("lensops matrix {lens}"));
    };
    let mut section = Section::new(TITLE);
    section.text.push(outcome(run));
    section.text.push("Where the API differs from its registry:".to_owned());
    section.head = vec!["cell", "result", "what came"];
    section.rows = case_rows(run, |case| case["result"] == "failed");
    if section.rows.is_empty() {
        section.text.push("Nowhere.".to_owned());
    }
    section
}

fn scripts(lens: &LensId) -> Section {
    let mut section = Section::new("Scripts reference");
    section.head = vec!["command", "what it proves"];
    section.rows = [
        (format!("lensops accept {lens}"), "the signed flow, case by case"),
        (
            format!("lensops accept {lens} --flag-proof"),
            "that the master flag switches the lens",
        ),
        (
            format!("lensops matrix {lens}"),
            "who may do what, held to the registry",
        ),
        (format!("lensops stress {lens}"), "that load brings no 5xx"),
        (format!("lensops gate {lens} --window 7d"), "what a week of checks says"),
        (
            "lensops evidence verify verification_handoff/runs/RUN_ID".to_owned(),
            "that a run's files are as it left them",
        ),
    ]
    .map(|(command, what)| vec![format!("`{command}`"), what.to_owned()])
    .to_vec();
    section
}

fn readiness(acceptance: Option<&Value>, stress: Option<&Value>, matrix: Option<&Value>, gates: &Gates) -> Section {
    let mut section = Section::new("Rollout readiness");
    let run = |run: Option<&Value>| run.map_or_else(|| "not there yet".to_owned(), |run| text(&run["verdict"]));
    let gate = |gated: &Gated| {
        let reason = gated
            .reports
            .first()
            .map_or("no tenant", |report| report.reason.as_str());
        let clock = if gated.virtual_clock {
            " (under a virtual clock)"
        } else {
            ""
        };
        format!("{}: {reason}{clock}", gated.decision.tell())
    };
    section.head = vec!["criterion", "needed", "found"];
    section.rows = [
        ("acceptance", "pass", run(acceptance)),
        ("stress", "pass", run(stress)),
        ("role matrix", "pass", run(matrix)),
        ("gate over 24 h", "proceed", gate(&gates.day)),
        ("gate over 7 d", "proceed", gate(&gates.week)),
    ]
    .map(|(criterion, needed, found)| vec![criterion.to_owned(), needed.to_owned(), found])
    .to_vec();
    let passed = [acceptance, stress, matrix]
        .iter()
        .all(|run| run.is_some_and(|run| run["verdict"] == "pass"));
    let ready = passed && gates.day.decision == Decision::Proceed && gates.week.decision == Decision::Proceed;
    section.text.push(if ready {
        "✅ Every criterion is met.".to_owned()
    } else {
        "❌ Not every criterion is met.".to_owned()
    });
    section
}

fn markdown(title: &str, made: &str, sections: &[Section]) -> String {
    let mut out = format!("# {title}\n\n{made}\n");
    for section in sections {
        // Writing to a String cannot fail, here and below.
        let _infallible = write!(out, "\n## {}\n\n", section.title);
        for text in &section.text {
            let _infallible = writeln!(out, "{}\n", text.replace('\n', " "));
        }
        if !section.rows.is_empty() {
            let _infallible = writeln!(
                out,
                "| {} |\n|{}",
                section.head.join(" | "),
                " --- |".repeat(section.head.len())
            );
            for row in &section.rows {
                let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
                let _infallible = writeln!(out, "| {} |", cells.join(" | "));
            }
        }
    }
    out
}

/// Text of the document as HTML; what stands in backticks is code.
fn coded(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| match index % 2 {
        0 => html_escaped(part),
        _ => format!("<code>{}</code>", html_escaped(part)),
    });
    parts.collect()
}

fn html(title: &str, made: &str, sections: &[Section]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n<style>\n\
         body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }}\n\
         table {{ border-collapse: collapse; width: 100% }}\nth, td {{ border-bottom: 1px solid #8886; padding: .3rem .6rem; text-align: left; vertical-align: top }}\n\
         th {{ white-space: nowrap }}\ntd:last-child {{ overflow-wrap: anywhere }}\ncode {{ font-family: monospace; white-space: nowrap }}\n\
         </style>\n<h1>{0}</h1>\n<p>{1}</p>\n",
        html_escaped(title),
        html_escaped(made),
    );
    for section in sections {
        // Writing to a String cannot fail, here and below.
        let _infallible = writeln!(out, "<h2>{}</h2>", html_escaped(section.title));
        for text in &section.text {
            let _infallible = writeln!(out, "<p>{}</p>", coded(text));
        }
        if !section.rows.is_empty() {
            let cells = |tag: &str, row: Vec<&str>| {
                row.iter()
                    .map(|text| format!("<{tag}>{}</{tag}>", coded(text)))
                    .collect::<String>()
            };
            let _infallible = writeln!(out, "<table>\n<tr>{}</tr>", cells("th", section.head.clone()));
            for row in &section.rows {
                let _infallible = writeln!(
                    out,
                    "<tr>{}</tr>",
                    cells("td", row.iter().map(String::as_str).collect())
                );
            }
            out.push_str("</table>\n");
        }
    }
    out.push_str("</html>\n");
    out
}
