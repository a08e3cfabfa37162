//! Writes a report as an evidence bundle, as JUnit, and for CI.

use lensops_core::redaction::{Redacted, Redactor};
use lensops_core::verdict::acceptance::CaseResult;
use serde_json::json;

use super::ci::{ANNOTATIONS, add_to_summary, annotate};
use super::output::Output;
use super::run_report::Report;
use crate::commands::error::Result;
use crate::commands::evidence::bundle::{Bundle, Written, write};
use crate::commands::exit::Exit;
use crate::commands::files;
use crate::config::Settings;

impl Report {
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
        annotate_cases(report, redactor, output.json);
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

/// An annotation for each case that failed, then for each that is unjudged, as many as the service shows.
fn annotate_cases(report: &Report, redactor: &Redactor, beside_json: bool) {
    let of = |level, wanted: fn(&CaseResult) -> bool| {
        let cases = report.cases.iter().filter(move |case| wanted(&case.result));
        cases.map(move |case| (level, case))
    };
    let failed = of("error", |result| matches!(result, CaseResult::Failed { .. }));
    let all = failed.chain(of("warning", |result| matches!(result, CaseResult::Unjudged { .. })));
    let all: Vec<_> = all.collect();
    // The last one counts the rest.
    let shown = if all.len() > ANNOTATIONS {
        ANNOTATIONS - 1
    } else {
        all.len()
    };
    for (level, case) in all.iter().take(shown) {
        annotate(level, &report.title, redactor.text(&case.line()).as_str(), beside_json);
    }
    if all.len() > shown {
        let rest = format!("{} more cases failed or are unjudged", all.len() - shown);
        annotate("warning", &report.title, &rest, beside_json);
    }
}
