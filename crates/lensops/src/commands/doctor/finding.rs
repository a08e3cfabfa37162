//! What the doctor found: errors, warnings, what could not be judged, and what is good.

use lensops_core::redaction::Redactor;
use serde::Serialize;
use serde_json::json;

use crate::commands::exit::Exit;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Something does not work.
    Error,
    /// Something will bite, or makes the answers worth less.
    Warning,
    /// It could not be looked at.
    Unjudged,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// How bad.
    kind: Kind,
    /// What, one line.
    what: String,
    /// Where.
    place: String,
    /// How to mend it.
    fix: String,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    good: Vec<String>,
    redactor: Redactor,
}

impl Findings {
    /// None yet; what is added is told with `redactor`.
    pub(super) fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, kind: Kind, what: impl AsRef<str>, place: impl AsRef<str>, fix: impl Into<String>) {
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

    pub(super) fn error(&mut self, what: impl AsRef<str>, place: impl AsRef<str>, fix: impl Into<String>) {
        self.add(Kind::Error, what, place, fix);
    }

    pub(super) fn warning(&mut self, what: impl AsRef<str>, place: impl AsRef<str>, fix: impl Into<String>) {
        self.add(Kind::Warning, what, place, fix);
    }

    pub(super) fn unjudged(&mut self, what: impl AsRef<str>, place: impl AsRef<str>, fix: impl Into<String>) {
        self.add(Kind::Unjudged, what, place, fix);
    }

    pub(super) fn good(&mut self, what: impl AsRef<str>) {
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

    /// Prints everything, worst first, and says what it comes to.
    pub(super) fn report(mut self, as_json: bool) -> Exit {
        self.found.sort_by_key(|finding| finding.kind);
        let exit = self.exit();
        if as_json {
            say!(
                "{:#}",
                json!({"findings": self.found, "good": self.good, "exit_code": exit as u8})
            );
            return exit;
        }
        for finding in &self.found {
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
        for good in &self.good {
            say!("✅ {good}");
        }
        exit
    }
}
