//! `lensops doctor`: what would bite, found before it does. One file a group of questions.
//!
//! Each finding says what, where and how to mend it. What could not be looked at is a finding of a
//! kind of its own: it is neither good nor wrong. What was looked at and is good is named as well,
//! or nobody would know that it was looked at.

mod api;
mod clock;
mod files;
mod flags;
mod secrets;
mod store;

use lensops_core::lens::Lens;
use lensops_core::redaction::Redactor;
use serde::Serialize;
use serde_json::json;

use crate::commands::exit::Exit;
use crate::commands::plans::Loaded;
use crate::commands::worker::check::Monitor;
use crate::config::Settings;
use crate::http::Client;
use crate::store::TenantSource;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something does not work.
    Error,
    /// Something will bite, or makes the answers worth less.
    Warning,
    /// It could not be looked at.
    Unjudged,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad.
    pub kind: Kind,
    /// What, one line.
    pub what: String,
    /// Where.
    pub place: String,
    /// How to mend it.
    pub fix: String,
}

/// What is looked at.
pub struct Patient<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The lens files that could be read, and what is wrong with the others.
    pub lenses: Vec<Result<Lens, String>>,
    /// The plans, and what is wrong with them.
    pub plans: Vec<Result<Loaded<lensops_core::plan::monitor::MonitorPlan>, String>>,
    /// Their monitors; none where the settings do not suffice.
    pub monitors: Vec<Monitor>,
    /// Where the tenants are read from, where the store can tell.
    pub tenants: Result<Option<TenantSource<Client>>, String>,
    /// Sends requests.
    pub client: Client,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Finding>,
    good: Vec<String>,
    redactor: Redactor,
}

impl Findings {
    fn add(&mut self, kind: Kind, what: impl AsRef<str>, place: impl AsRef<str>, fix: impl Into<String>) {
        let text = |text: &str| self.redactor.text(text).as_str().to_owned();
        let finding = Finding {
            kind,
            what: text(what.as_ref()),
            place: text(place.as_ref()),
            fix: fix.into(),
        };
        // Two lenses may find the same thing.
        if !self.found.contains(&finding) {
            self.found.push(finding);
        }
    }

    fn error(&mut self, what: impl AsRef<str>, place: impl AsRef<str>, fix: impl Into<String>) {
        self.add(Kind::Error, what, place, fix);
    }

    fn warning(&mut self, what: impl AsRef<str>, place: impl AsRef<str>, fix: impl Into<String>) {
        self.add(Kind::Warning, what, place, fix);
    }

    fn unjudged(&mut self, what: impl AsRef<str>, place: impl AsRef<str>, fix: impl Into<String>) {
        self.add(Kind::Unjudged, what, place, fix);
    }

    fn good(&mut self, what: impl AsRef<str>) {
        let what = self.redactor.text(what.as_ref()).as_str().to_owned();
        if !self.good.contains(&what) {
            self.good.push(what);
        }
    }

    /// An error: 1. Nothing could be looked at: 3. Anything else that is not good: 4.
    fn exit(&self) -> Exit {
        let any = |kind| self.found.iter().any(|finding| finding.kind == kind);
        if any(Kind::Error) {
            Exit::Bad
        } else if self.good.is_empty() && !any(Kind::Warning) {
            Exit::CouldNotJudge
        } else if self.found.is_empty() {
            Exit::Good
        } else {
            Exit::Degraded
        }
    }
}

/// Looks at everything and prints what was found, worst first.
pub async fn doctor(patient: &Patient<'_>, as_json: bool) -> Exit {
    let mut findings = Findings {
        redactor: patient.settings.redactor(),
        ..Findings::default()
    };
    secrets::look(patient, &mut findings);
    files::look(patient, &mut findings);
    api::look(patient, &mut findings).await;
    flags::look(patient, &mut findings).await;
    store::look(patient, &mut findings).await;
    clock::look(patient, &mut findings).await;
    findings.found.sort_by_key(|finding| finding.kind);
    let exit = findings.exit();
    if as_json {
        say!(
            "{:#}",
            json!({"findings": findings.found, "good": findings.good, "exit_code": exit as u8})
        );
        return exit;
    }
    for finding in &findings.found {
        let mark = match finding.kind {
            Kind::Error => "❌",
            Kind::Warning => "⚠️",
            Kind::Unjudged => "❔",
        };
        say!(
            "{mark} {}\n   where: {}\n   fix:   {}",
            finding.what,
            finding.place,
            finding.fix
        );
    }
    for good in &findings.good {
        say!("✅ {good}");
    }
    exit
}
