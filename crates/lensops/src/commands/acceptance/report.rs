//! What a run of cases leaves behind: Markdown, JSON, JUnit, the evidence bundle, and what CI shows.
//!
//! One report for every command that runs cases, so that an auditor, a dashboard and a CI service
//! read the same facts.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use lensops_core::ident::LensId;
use lensops_core::redaction::{Redacted, Redactor, legible};
use lensops_core::verdict::Verdict;
use lensops_core::verdict::acceptance::{Case, CaseResult};
use lensops_core::verdict::results::CaseResults;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;
use uuid::Uuid;

use super::Output;
use crate::commands::evidence::bundle::{Bundle, Written, fenced, write};
use crate::commands::exit::Exit;
use crate::commands::files;
use crate::config::Settings;

/// A run of cases.
#[derive(Debug)]
pub struct Report {
    /// `acceptance` or `matrix`.
    pub kind: &'static str,
    /// The heading.
    pub title: String,
    /// The lens.
    pub lens: LensId,
    /// The tenants that it may speak of; `None` where nobody knows all of them.
    pub tenants: Option<Vec<Uuid>>,
    /// What the run was about: name and value.
    pub facts: Vec<(&'static str, String)>,
    /// `generated`, `edited`, `stale` or `foreign`.
    pub plan_origin: &'static str,
    /// The plan that ran.
    pub plan_text: String,
    /// When it ended.
    pub finished_at: Timestamp,
    /// What it came to.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// Further pages: the ending of the file and its text.
    pub pages: Vec<(&'static str, Redacted)>,
}

impl Report {
    /// The name of its files without their ending: `FAULTS_ACCEPTANCE_EVIDENCE`.
    fn stem(&self) -> String {
        format!("{}_{}_EVIDENCE", self.lens.upper(), self.kind.to_ascii_uppercase())
    }

    /// The run as JSON.
    #[must_use]
    pub fn results(&self) -> CaseResults<'_> {
        CaseResults {
            kind: self.kind,
            lens: &self.lens,
            facts: self.facts.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            plan_origin: self.plan_origin,
            finished_at: self.finished_at.to_string(),
            verdict: self.verdict,
            reason: &self.reason,
            cases: &self.cases,
        }
    }

    /// The run as Markdown, every transcript included.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# {}\n\n{}: {}\n\n| | |\n| --- | --- |\n",
            self.title,
            self.verdict.tell(),
            self.reason
        );
        // Writing to a String cannot fail, here and below.
        for (name, value) in &self.facts {
            let _infallible = writeln!(text, "| {name} | `{value}` |");
        }
        let _infallible = write!(
            text,
            "| plan is | {} |\n| finished | {} |\n\n## Cases\n\n",
            self.plan_origin, self.finished_at
        );
        let lines: Vec<String> = self.cases.iter().map(Case::line).collect();
        text.push_str(&fenced(&lines.join("\n")));
        for case in &self.cases {
            let _infallible = write!(text, "\n## {}\n\n", case.heading());
            for proof in &case.proofs {
                let before = proof
                    .before
                    .map_or_else(|| "not asked".to_owned(), |rows| rows.to_string());
                let verdict = proof.broken.as_deref().unwrap_or("as expected");
                let (name, after, sql) = (&proof.name, proof.after, fenced(&proof.sql));
                let _infallible = writeln!(
                    text,
                    "Database, {name}: rows before: {before}, after: {after}, {verdict}\n\n{sql}"
                );
            }
            for reason in &case.proofs_skipped {
                let _infallible = writeln!(text, "Database proof not looked at: {reason}.\n");
            }
            text.push_str(&transcripts(case));
        }
        text
    }

    /// The run as JUnit: one test case each, the transcript as its output.
    ///
    /// # Errors
    /// When the library cannot write it.
    pub fn junit(&self) -> Result<String> {
        let mut suite = TestSuite::new(format!("{} {}", self.lens, self.kind));
        for case in &self.cases {
            let status = match &case.result {
                CaseResult::Passed { .. } => TestCaseStatus::success(),
                CaseResult::Failed { why } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(why.as_str());
                    status
                }
                // Neither passed nor failed: an error is what CI services show as such.
                CaseResult::Unjudged { reason } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                    status.set_message(format!("unjudged: {reason}"));
                    status
                }
                CaseResult::Skipped { reason } => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(reason.as_str());
                    status
                }
            };
            let mut test = TestCase::new(case.heading(), status);
            test.set_classname(format!("lensops.{}.{}", self.kind, self.lens));
            let took: u64 = case
                .transcripts
                .iter()
                .map(|transcript| transcript.timings.total_us)
                .sum();
            test.set_time(std::time::Duration::from_micros(took));
            let exchanges = case
                .transcripts
                .iter()
                .map(|transcript| format!("{}\n\n{}", transcript.request, transcript.response));
            test.set_system_out(exchanges.collect::<Vec<_>>().join("\n\n"));
            suite.add_test_case(test);
        }
        let mut report = quick_junit::Report::new(format!("lensops {}", self.kind));
        report.add_test_suite(suite);
        report.to_string().context("JUnit cannot be written")
    }

    /// A table for the summary page of a CI run.
    fn summary(&self) -> String {
        let mut text = format!(
            "### {} · {}\n\n{}: {}\n\n| test | result |\n| --- | --- |\n",
            self.lens,
            self.kind,
            self.verdict.tell(),
            self.reason
        );
        for case in &self.cases {
            let (mark, told) = outcome(case);
            let _infallible = writeln!(text, "| {} | {mark} {} |", cell(&case.heading()), cell(told.as_str()));
        }
        text
    }

    /// Writes the bundle, signed where there is a key.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, settings: &Settings, redactor: &Redactor, nonce: u32) -> Result<Written> {
        self.write_forms(settings, redactor, self.forms(redactor)?, nonce)
    }

    /// The forms are made at once: those of a thousand cases take longer than some of the requests.
    fn forms(&self, redactor: &Redactor) -> Result<Forms> {
        std::thread::scope(|threads| {
            let others = threads.spawn(|| {
                let json = redactor.json_pretty(json!(self.results()));
                (json, redactor.text(&self.markdown()))
            });
            let junit = self.junit().map(|junit| redactor.text(&junit));
            let (json, markdown) = others.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok(Forms {
                markdown,
                json,
                junit: junit?,
            })
        })
    }

    fn write_forms(&self, settings: &Settings, redactor: &Redactor, forms: Forms, nonce: u32) -> Result<Written> {
        let stem = self.stem();
        let mut files: Vec<(String, Redacted)> = vec![
            (format!("{stem}.md"), forms.markdown),
            (format!("{stem}.json"), forms.json),
            (format!("{stem}.junit.xml"), forms.junit),
        ];
        files.extend(
            self.pages
                .iter()
                .map(|(ending, text)| (format!("{stem}.{ending}"), text.clone())),
        );
        let bundle = Bundle {
            kind: self.kind,
            lens: &self.lens,
            tenants: self.tenants.clone(),
            verdict: self.verdict,
            plan_text: &self.plan_text,
            plan_origin: self.plan_origin,
            finished_at: self.finished_at,
            nonce,
            latest: files
                .iter()
                .map(|(name, _)| name.clone())
                .filter(|name| !name.ends_with(".junit.xml"))
                .collect(),
            files,
        };
        write(settings, bundle, redactor)
    }
}

/// A report as it is written.
struct Forms {
    markdown: Redacted,
    json: Redacted,
    junit: Redacted,
}

fn transcripts(case: &Case) -> String {
    if case.transcripts.is_empty() {
        return "No request was sent.\n".to_owned();
    }
    let mut text = String::new();
    for transcript in &case.transcripts {
        text.push_str(&fenced(transcript.request.as_str()));
        // Writing to a String cannot fail.
        if let Some(claims) = &transcript.claims {
            let _infallible = write!(text, "\nClaims of the token:\n\n{}", fenced(claims.as_str()));
        }
        let _infallible = write!(text, "\n{}", fenced(transcript.response.as_str()));
        let (sent_at, took) = (&transcript.sent_at, transcript.timings.total_us);
        let _infallible = writeln!(text, "\nSent {sent_at}, answered in {took} µs.\n");
    }
    text
}

fn outcome(case: &Case) -> (&'static str, &Redacted) {
    match &case.result {
        CaseResult::Passed { told } => ("✅", told),
        CaseResult::Failed { why } => ("❌", why),
        CaseResult::Unjudged { reason } => ("❔ unjudged:", reason),
        CaseResult::Skipped { reason } => ("⏭ skipped:", reason),
    }
}

/// Text that fits into a cell of a Markdown table.
pub(crate) fn cell(text: &str) -> String {
    legible(text).replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// Text that stands for itself in a page.
pub(crate) fn html_escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A message of the CI service's own format: its special characters are escaped, so that what a
/// server answered cannot start a command of its own.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Adds `text` to the summary page of a CI step, where there is one.
///
/// # Errors
/// When the file that the CI service names cannot be written.
pub(crate) fn add_to_summary(settings: &Settings, text: &Redacted) -> Result<()> {
    let Some(path) = settings.step_summary() else {
        return Ok(());
    };
    let failed = || format!("{} cannot be written", path.display());
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(failed)?;
    writeln!(file, "{text}").with_context(failed)
}

/// Prints an annotation of the CI service; `level` is `error` or `warning`. Beside JSON it goes to
/// standard error, which the service reads as well.
pub(crate) fn annotate(level: &str, title: &str, text: &str, beside_json: bool) {
    let title = escaped(title).replace([':', ','], " ");
    let line = format!("::{level} title={title}::{}", escaped(text));
    if beside_json {
        eprintln!("{line}");
    } else {
        say!("{line}");
    }
}

/// Writes evidence, JUnit and what CI shows, and prints where everything lies.
///
/// # Errors
/// When something cannot be written.
pub fn finish(settings: &Settings, redactor: &Redactor, report: &Report, output: &Output, nonce: u32) -> Result<Exit> {
    let forms = report.forms(redactor)?;
    let shown = output.json.then(|| forms.json.clone());
    let junit = output.junit.clone().map(|path| (path, forms.junit.as_str().to_owned()));
    let written = report.write_forms(settings, redactor, forms, nonce)?;
    files::replace_all(junit.as_slice())?;
    if settings.in_github_actions() {
        for case in &report.cases {
            let level = match case.result {
                CaseResult::Failed { .. } => "error",
                CaseResult::Unjudged { .. } => "warning",
                _ => continue,
            };
            annotate(level, &report.title, redactor.text(&case.line()).as_str(), output.json);
        }
    }
    if let Some(json) = shown {
        say!("{json}");
    } else {
        say!("{}: {}", report.verdict.tell(), report.reason);
        say!("Evidence: {}", written.folder.display());
        for path in &written.latest {
            say!("          {}", path.display());
        }
    }
    // Last: a page that cannot be written must not cost the verdict its words.
    add_to_summary(settings, &redactor.text(&report.summary()))?;
    Ok(report.verdict.into())
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_a_server_answered_cannot_start_a_ci_command() {
        assert_eq!(
            escaped("got x\n::set-output name=a::b 100%"),
            "got x%0A::set-output name=a::b 100%25"
        );
    }
}
