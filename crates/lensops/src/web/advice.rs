//! What the person on call needs beside the reason: expected beside seen, what changed near it, and what to do. Pure.

use jiff::Timestamp;
use lensops_core::alert::{Notice, Notification};
use lensops_core::history::status::Standing;
use lensops_core::plan::monitor::MonitorPlan;

use super::format::Moment;
use super::row::Row;
use crate::store::{Exported, Mark, Note};

/// The probe that made the latest check what it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) probe: String,
    /// The request's first line.
    pub(super) asked: Option<String>,
    pub(super) expected: Option<String>,
    pub(super) seen: Option<String>,
    /// The answer's first line.
    pub(super) answered: Option<String>,
}

/// The gravest finding of a probe of `plan` in a check; `None` where no probe found anything.
pub(super) fn failing((_, events): &Exported, plan: &MonitorPlan) -> Option<Failing> {
    let of_probe = |level: &'static str| {
        let mut own = events
            .iter()
            .filter(move |(own, detail)| own == level && detail["probe"].is_string());
        own.find(|(_, detail)| detail["kind"] != "transition")
    };
    let (_, detail) = of_probe("error").or_else(|| of_probe("warning"))?;
    let text = |name: &str| detail[name].as_str().map(ToOwned::to_owned);
    let first_line = |name: &str| Some(detail[name].as_str()?.lines().next()?.to_owned());
    let probe = text("probe").unwrap_or_default();
    let planned = plan
        .probes
        .iter()
        .find(|planned| planned.name == probe && planned.flags.is_empty());
    Some(Failing {
        asked: first_line("request").map(|line| line.trim_end_matches(" HTTP/1.1").to_owned()),
        expected: text("expected").or_else(|| planned.map(|planned| planned.expect.tell())),
        seen: text("seen"),
        answered: first_line("response"),
        probe,
    })
}

/// Something that changed at a lens, as the page lists it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) at: Moment,
    /// What kind of thing it is: `flag`, `note`, `alert`.
    pub(super) kind: &'static str,
    pub(super) what: String,
}

/// The most changes that are listed.
const LISTED: usize = 6;

/// What happened at a lens, as charts mark it: switches and flags, notes and alerts, oldest first.
pub(super) fn marks(switched: Vec<Mark>, notes: &[Note], notices: &[Notification]) -> Vec<Mark> {
    let noted = notes.iter().map(|note| Mark {
        at: note.at,
        what: format!("note by {}: {}", note.who, note.text),
    });
    let told = notices.iter().filter_map(|told| {
        let what = match told.notice {
            Notice::Firing => format!("alert: {}: {}", told.rule.title(), told.reason),
            Notice::Resolved => format!("alert over: {}", told.rule.title()),
            _ => return None,
        };
        Some(Mark { at: told.at, what })
    });
    let mut marks: Vec<Mark> = switched.into_iter().chain(noted).chain(told).collect();
    marks.sort_by_key(|mark| mark.at);
    marks
}

/// The newest of `marks`, newest first; how many there are besides.
pub(super) fn changes(marks: &[Mark], now: Timestamp) -> (Vec<Change>, usize) {
    let kind = |what: &str| match what.split([' ', ':']).next() {
        Some("note") => "note",
        Some("alert") => "alert",
        Some("rollback" | "restore") => "switch",
        _ => "flag",
    };
    let newest = marks.iter().rev().take(LISTED).map(|mark| Change {
        at: Moment::of(mark.at, now),
        kind: kind(&mark.what),
        what: mark.what.clone(),
    });
    (newest.collect(), marks.len().saturating_sub(LISTED))
}

/// A command for whoever is on call, and what it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) does: &'static str,
    pub(super) line: String,
}

/// The commands that help with `row` as it stands.
pub(super) fn commands(row: &Row) -> Vec<Command> {
    let lens = &row.lens;
    let command = |does, line| Command { does, line };
    let again = command("Check it again now", format!("lensops check {lens}"));
    let off = || {
        let why = quoted(&row.shown.why);
        command(
            "Switch the feature off",
            format!("lensops rollback {lens} --reason {why}"),
        )
    };
    match row.standing {
        Standing::Unhealthy => vec![off(), again],
        Standing::Degraded => vec![again, off()],
        Standing::Paused => vec![
            command(
                "Switch the feature on again",
                format!("lensops restore {lens} --reason fixed"),
            ),
            again,
        ],
        Standing::Unknown | Standing::CannotJudge => vec![
            command("See what keeps the worker from checking", "lensops doctor".to_owned()),
            again,
        ],
        Standing::Maintenance | Standing::Healthy => vec![again],
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Errors that the SLO leaves over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Budget {
    samples: i64,
    failed: i64,
    percent: f64,
}

impl Budget {
    /// Of `samples` of which `failed` failed, `percent` may.
    pub(super) fn new(samples: i64, failed: i64, percent: f64) -> Self {
        Self {
            samples,
            failed,
            percent,
        }
    }

    fn allowed(self) -> f64 {
        super::series::whole(self.samples) * self.percent / 100.0
    }

    /// `99 of 141 errors left: 1 % of 14112 samples may fail, 42 did`.
    pub(super) fn tell(self) -> String {
        let allowed = self.allowed().floor();
        let left = (allowed - super::series::whole(self.failed)).max(0.0);
        format!(
            "{left} of {allowed} errors left: {} % of {} samples may fail, {} did",
            self.percent, self.samples, self.failed
        )
    }

    /// How much of a bar of 100 units is left.
    pub(super) fn left(self) -> u32 {
        let share = 1.0 - super::series::whole(self.failed) / self.allowed().max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100"
        )]
        let units = (share * 100.0).clamp(0.0, 100.0) as u32;
        units
    }

    /// A class of the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self.left() {
            0 => "unhealthy",
            1..=25 => "degraded",
            _ => "healthy",
        }
    }
}

/// The runbook of `lens`, from a page with places for names.
pub(super) fn runbook(page: Option<&str>, lens: &str) -> Option<String> {
    Some(page?.replace("{lens}", lens).replace("{rule}", "unhealthy"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_left_are_whole_and_never_below_none() {
        for (samples, failed, left, told) in [
            (
                14_112,
                42,
                70,
                "99 of 141 errors left: 1 % of 14112 samples may fail, 42 did",
            ),
            (
                14_112,
                500,
                0,
                "0 of 141 errors left: 1 % of 14112 samples may fail, 500 did",
            ),
            (0, 0, 100, "0 of 0 errors left: 1 % of 0 samples may fail, 0 did"),
        ] {
            let budget = Budget::new(samples, failed, 1.0);
            assert_eq!((budget.left(), budget.tell().as_str()), (left, told));
        }
    }

    #[test]
    fn a_reason_becomes_one_word_of_a_shell() {
        assert_eq!(quoted("it's $(down)"), "'it'\\''s $(down)'");
        let page = Some("https://runbooks.example/{lens}/{rule}");
        let found = runbook(page, "faults");
        assert_eq!(found.as_deref(), Some("https://runbooks.example/faults/unhealthy"));
    }
}
