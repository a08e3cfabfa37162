//! The live view of a load: one moving line on a terminal, plain lines elsewhere.
//!
//! No colour is used, so `NO_COLOR` asks for nothing more. Progress goes to standard error, results
//! to standard output.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lensops_core::plan::load_shape::{Closed, Load};
use lensops_core::stats::histogram::ms;
use lensops_core::verdict::tally::Tally;

use super::tally_text::line;
use crate::load::{Figures, Progress};

/// Where nobody watches, a line every so many seconds is enough.
const PLAIN_EVERY: u32 = 10;

/// Shows a load as it goes.
#[derive(Debug)]
pub struct View {
    speaks: bool,
    bar: Option<ProgressBar>,
    name: String,
    /// Whether the end is a number of requests, not a time.
    counts: bool,
}

impl View {
    /// Shows progress, and a line for each target that ends where `speaks`.
    #[must_use]
    pub fn new(speaks: bool) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant that parses; without it the bar shows its usual one.
            if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:20} {wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self {
            speaks,
            bar,
            name: String::new(),
            counts: false,
        }
    }

    /// Shows nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self {
            speaks: false,
            bar: None,
            name: String::new(),
            counts: false,
        }
    }

    /// A load begins.
    pub(crate) fn begin(&mut self, names: &[&str], load: &Load) {
        self.name = format!("{}: {}", names.join(", "), load.tell());
        self.counts = load.duration().is_none();
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_length(match load {
                Load::Burst(size) => u64::from(*size),
                Load::Closed(Closed { count: Some(count), .. }) => *count,
                _ => load.duration().map_or(1, |time| time.as_secs().max(1)),
            });
            bar.set_message(self.name.clone());
        }
    }

    /// Another second is over.
    pub(crate) fn show(&self, progress: &Progress) {
        match &self.bar {
            Some(bar) => {
                let ended = progress.totals.iter().map(Figures::ended).sum();
                bar.set_position(if self.counts { ended } else { u64::from(progress.second) });
                // What changes stands first: a narrow terminal cuts the rest off.
                bar.set_message(format!("{} · {}", now(progress), self.name));
            }
            None if self.speaks && progress.second.is_multiple_of(PLAIN_EVERY) => {
                complain!("{}s {} · {}", progress.second, self.name, now(progress));
            }
            None => {}
        }
    }

    /// The load is over.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// A target has its tally.
    pub(crate) fn ended(&self, tally: &Tally) {
        if self.speaks {
            say!("{}", line(tally));
        }
    }
}

/// Rate and P95 of the last second, errors so far.
fn now(progress: &Progress) -> String {
    let last = |figure: fn(&lensops_core::verdict::tally::Second) -> u64| {
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
