//! The live view of a load: one moving line on a terminal, plain lines elsewhere.
//!
//! No colour is used, so `NO_COLOR` asks for nothing more. Progress goes to standard error, results
//! to standard output.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lensops_core::percentile::ms;
use lensops_core::plan::load::Load;
use lensops_core::verdict::stress::Tally;

use super::report::line;
use crate::load::{Figures, Progress};

/// Where nobody watches, a line every so many seconds is enough.
const PLAIN_EVERY: u32 = 10;

/// Shows a load as it goes.
#[derive(Debug)]
pub struct View {
    speaks: bool,
    bar: Option<ProgressBar>,
    name: String,
}

impl View {
    /// Shows progress, and a line for each target that ends where `speaks`.
    #[must_use]
    pub fn new(speaks: bool) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant that parses; without it the bar shows its usual one.
            if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:20} {msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self {
            speaks,
            bar,
            name: String::new(),
        }
    }

    /// Shows nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self {
            speaks: false,
            bar: None,
            name: String::new(),
        }
    }

    /// A load begins.
    pub(super) fn begin(&mut self, names: &[&str], load: &Load) {
        self.name = format!("{}: {}", names.join(", "), load.tell());
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_length(load.duration().map_or(1, |time| time.as_secs().max(1)));
            bar.set_message(self.name.clone());
        }
    }

    /// Another second is over.
    pub(super) fn show(&self, progress: &Progress) {
        let text = || format!("{} · {}", self.name, now(progress));
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::from(progress.second));
                bar.set_message(text());
            }
            None if self.speaks && progress.second.is_multiple_of(PLAIN_EVERY) => {
                eprintln!("{}s {}", progress.second, text());
            }
            None => {}
        }
    }

    /// The load is over.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// A target has its tally.
    pub(super) fn ended(&self, tally: &Tally) {
        if self.speaks {
            say!("{}", line(tally));
        }
    }
}

/// Rate and P95 of the last second, errors so far.
fn now(progress: &Progress) -> String {
    let last = |figure: fn(&lensops_core::verdict::stress::Second) -> u64| {
        progress
            .series
            .iter()
            .filter_map(|series| series.last())
            .map(figure)
            .sum::<u64>()
    };
    let slowest = progress.series.iter().filter_map(|series| series.last()?.p95_us).max();
    let errors: u64 = progress.totals.iter().map(Figures::errors).sum();
    format!(
        "{}/s · P95 {} · {errors} errors",
        last(|second| second.ended),
        slowest.map_or_else(|| "n/a".to_owned(), ms)
    )
}
