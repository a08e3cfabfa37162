//! The results of a stress run as one HTML file: no script, nothing fetched, charts as SVG.

use std::fmt::Write as _;

use jiff::Timestamp;
use lensops_core::percentile::{Quantile, ms};
use lensops_core::verdict::stress::{FIGURES, Tally};

use super::report::{failures, latency, statuses, told};
use super::{Ran, Stress};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const MARGIN: f64 = 50.0;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}\
table{border-collapse:collapse;margin:1rem 0}th,td{border:1px solid #bbb;padding:.25rem .6rem;text-align:left}\
svg{width:100%;height:auto}figure{margin:1rem 0}";

impl Stress {
    /// The results as a page.
    pub(super) fn page(&self, ran: &Ran, finished_at: Timestamp) -> String {
        let title = escape(&format!("Stress results: {}", self.loaded.plan.stress.title()));
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p><strong>{}</strong>: {}</p>\n<p>API {}, finished {finished_at}.</p>\n",
            ran.verdict.verdict.tell(),
            escape(&ran.verdict.reason),
            escape(&self.base.to_string()),
        );
        for tally in &ran.tallies {
            target(&mut html, tally);
        }
        html.push_str("</body></html>\n");
        html
    }
}

fn target(html: &mut String, tally: &Tally) {
    // Writing to a String cannot fail.
    let _infallible = write!(
        html,
        "<h2>{}</h2>\n<p>{}: {} of {} answered ({}), {} without an answer.</p>\n<table><tr><th></th><th>latency</th><th>95 % confidence</th></tr>\n",
        escape(&tally.name),
        escape(&tally.load),
        tally.completed(),
        tally.planned,
        statuses(tally),
        failures(tally),
    );
    for (_, quantile) in FIGURES {
        let interval = tally.latencies.interval(quantile);
        let _infallible = writeln!(
            html,
            "<tr><th>{}</th><td>{}</td><td>{} to {}</td></tr>",
            quantile.label(),
            told(&tally.latencies, quantile),
            latency(interval.low),
            latency(interval.high)
        );
    }
    html.push_str("</table>\n");
    html.push_str(&percentile_curve(tally));
    html.push_str(&time_series(tally));
}

/// Latency over percentiles, each step to the right a tenth of the requests left; nothing for an
/// empty window.
fn percentile_curve(tally: &Tally) -> String {
    // 0, 10, … 90, 91, … 99, 99.1, … 99.9 %.
    let thousandths = (0..=900).step_by(100).chain((910..=990).step_by(10)).chain(991..=999);
    let points: Vec<(f64, f64)> = thousandths
        .filter_map(|q| {
            let us = tally.latencies.at(Quantile::thousandths(q))?;
            Some((-(1.0 - f64::from(q) / 1000.0).log10(), millis(us)))
        })
        .collect();
    let ticks = [(0.0, "0 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %")];
    chart("Latency by percentile (ms)", &points, 3.0, &ticks)
}

/// The P95 of each second; nothing for a load without a course.
fn time_series(tally: &Tally) -> String {
    let points: Vec<(f64, f64)> = tally
        .series
        .iter()
        .filter_map(|second| Some((f64::from(second.at), millis(second.p95_us?))))
        .collect();
    let last = tally.series.last().map_or(0, |second| second.at).max(1);
    let end = format!("{last} s");
    chart(
        "P95 of each second (ms)",
        &points,
        f64::from(last),
        &[(0.0, "0 s"), (f64::from(last), &end)],
    )
}

#[expect(clippy::cast_precision_loss, reason = "drawn, not computed with")]
fn millis(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// A line chart with its axes; empty text for no points.
fn chart(title: &str, points: &[(f64, f64)], widest: f64, ticks: &[(f64, &str)]) -> String {
    let highest = points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    if points.is_empty() || highest <= 0.0 {
        return String::new();
    }
    let x = |value: f64| MARGIN + value / widest * (WIDTH - 2.0 * MARGIN);
    let y = |value: f64| HEIGHT - MARGIN - value / highest * (HEIGHT - 2.0 * MARGIN);
    let line: Vec<String> = points
        .iter()
        .map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b)))
        .collect();
    let (left, bottom, right) = (MARGIN, HEIGHT - MARGIN, WIDTH - MARGIN);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive latency"
    )]
    let top = ms((highest * 1000.0) as u64);
    let mut svg = format!(
        "<figure><figcaption>{title}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\"><path d=\"M{left} {MARGIN}V{bottom}H{right}\" fill=\"none\" stroke=\"#888\"/><text x=\"4\" y=\"{MARGIN}\" font-size=\"12\">{top}</text>"
    );
    for (at, label) in ticks {
        let _infallible = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" font-size=\"12\" text-anchor=\"middle\">{label}</text>",
            x(*at),
            bottom + 18.0
        );
    }
    let _infallible = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#0a58ca\" stroke-width=\"2\"/></svg></figure>",
        line.join(" ")
    );
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_no_script_and_escapes_names() {
        let tally = Tally {
            name: "<script>alert(1)</script>".to_owned(),
            latencies: (1..=1000).collect(),
            ..Tally::default()
        };
        let mut html = String::new();
        target(&mut html, &tally);
        assert!(!html.contains("<script") && html.contains("<polyline"), "{html}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let empty = Tally::default();
        assert_eq!(
            (percentile_curve(&empty), time_series(&empty)),
            (String::new(), String::new())
        );
    }
}
