//! The results of a stress run as one HTML file: no script, nothing fetched, charts as SVG.

use askama::Template;
use jiff::Timestamp;
use lensops_core::stats::chart::{Frame, Point, round_top};
use lensops_core::stats::histogram::{Latencies, Quantile, ms};
use lensops_core::verdict::tally::{FIGURES, Second, Tally};

use super::load_run::{Ran, Stress};
use super::tally_text::{answered, latency, notes, told};
use crate::load::UNASSERTED;

/// The size of a chart's area.
const SIZE: (f64, f64) = (720.0, 180.0);

#[derive(Template)]
#[template(path = "stress.html")]
struct Page {
    title: String,
    verdict: &'static str,
    reason: String,
    api: String,
    plan: String,
    finished_at: Timestamp,
    targets: Vec<Target>,
}

struct Target {
    name: String,
    /// Load and answers, one line.
    told: String,
    rows: Vec<Row>,
    /// Whether service time is something else than latency.
    is_open: bool,
    notes: String,
    charts: Vec<Chart>,
    /// The first exchange of each kind: what it is the first of, request, response.
    firsts: Vec<(String, String, String)>,
}

struct Row {
    label: String,
    latency: String,
    confidence: String,
    service: String,
}

struct Chart {
    title: &'static str,
    lines: Vec<Line>,
    /// Values at the upper edge, the middle and zero.
    scale: [String; 3],
    /// Places along the lower edge.
    ticks: Vec<(f64, String)>,
}

struct Line {
    name: &'static str,
    class: &'static str,
    path: String,
}

/// A line that is to be drawn: its name and values along the axis.
type Series = (&'static str, Vec<Point>);

/// The lower edge of a chart.
struct Axis {
    until: i64,
    ticks: Vec<(i64, String)>,
    /// The farthest that two points of one line lie apart.
    gap: i64,
}

impl Stress {
    /// The results as a page.
    ///
    /// # Errors
    /// When it cannot be rendered.
    pub(crate) fn page(&self, ran: &Ran, finished_at: Timestamp) -> Result<String, askama::Error> {
        let page = Page {
            title: format!("Stress results: {}", self.loaded.plan.stress.title()),
            verdict: ran.verdict.verdict.tell(),
            reason: ran.verdict.reason.clone(),
            api: self.base.to_string(),
            plan: format!("{} ({})", self.loaded.path.display(), self.loaded.origin),
            finished_at,
            targets: ran.tallies.iter().map(target).collect(),
        };
        page.render()
    }
}

fn target(tally: &Tally) -> Target {
    let mut charts = vec![percentile_curve(tally)];
    if !tally.series.is_empty() {
        charts.extend(course(&tally.series));
    }
    Target {
        name: tally.name.clone(),
        told: answered(tally),
        rows: rows(tally),
        is_open: !tally.service.is_empty(),
        notes: notes(tally),
        firsts: tally
            .transcripts
            .iter()
            .filter(|(label, _)| !label.starts_with(UNASSERTED))
            .map(|(label, transcript)| {
                let (request, response) = (transcript.request.as_str(), transcript.response.as_str());
                (label.clone(), request.to_owned(), response.to_owned())
            })
            .collect(),
        charts: charts.into_iter().filter(|chart| !chart.lines.is_empty()).collect(),
    }
}

fn rows(tally: &Tally) -> Vec<Row> {
    let quantiles = FIGURES.iter().map(|(_, quantile)| *quantile);
    let row = |quantile: Quantile| {
        let interval = tally.latencies.interval(quantile);
        Row {
            label: quantile.label(),
            latency: told(&tally.latencies, quantile),
            confidence: format!("{} to {}", latency(interval.low), latency(interval.high)),
            service: told(&tally.service, quantile),
        }
    };
    let mut rows: Vec<Row> = quantiles.map(row).collect();
    rows.push(Row {
        label: "max".to_owned(),
        latency: latency(tally.latencies.max()),
        confidence: String::new(),
        service: latency(tally.service.max()),
    });
    rows
}

/// Latency over percentiles, each step to the right a tenth of the requests left. It ends with the
/// last percentile that the sample supports.
fn percentile_curve(tally: &Tally) -> Chart {
    let ticks = [(0, "0 %"), (1_000, "90 %"), (2_000, "99 %"), (3_000, "99.9 %")];
    let axis = Axis {
        until: 3_000,
        ticks: ticks.map(|(at, label)| (at, label.to_owned())).into(),
        gap: i64::MAX,
    };
    let lines = [
        ("latency", curve(&tally.latencies)),
        ("service time", curve(&tally.service)),
    ];
    chart("Latency by percentile", &lines, &axis, millis)
}

fn curve(window: &Latencies) -> Vec<Point> {
    // 0, 10, … 90, 91, … 99, 99.1, … 99.9 %.
    let thousandths = (0..=900_u32)
        .step_by(100)
        .chain((910..=990).step_by(10))
        .chain(991..=999);
    let supported = thousandths
        .map(|q| (q, Quantile::thousandths(q)))
        .filter(|(_, quantile)| window.len() >= quantile.supported_from());
    supported
        .map(|(q, quantile)| {
            #[expect(clippy::cast_possible_truncation, reason = "0 to 3000")]
            let place = (-(1.0 - f64::from(q) / 1_000.0).log10() * 1_000.0).round() as i64;
            (place, window.at(quantile).map(drawn))
        })
        .collect()
}

/// What happened second by second.
fn course(series: &[Second]) -> [Chart; 2] {
    let last = i64::from(series.last().map_or(0, |second| second.at).max(1));
    let axis = Axis {
        until: last,
        ticks: [0, last].map(|at| (at, format!("{at} s"))).into(),
        gap: 1,
    };
    let line = |figure: fn(&Second) -> Option<u64>| -> Vec<Point> {
        let point = |second: &Second| (i64::from(second.at), figure(second).map(drawn));
        series.iter().map(point).collect()
    };
    let latencies = [
        ("P95", line(|second| second.p95_us)),
        ("P50", line(|second| second.p50_us)),
    ];
    let counts = [
        ("requests ended", line(|second| Some(second.ended))),
        ("without the asserted answer", line(|second| Some(second.errors))),
    ];
    [
        chart("Latency of each second", &latencies, &axis, millis),
        chart("Each second", &counts, &axis, |count| format!("{count}")),
    ]
}

/// A chart of at most two lines, those without a value left out.
fn chart(title: &'static str, series: &[Series], axis: &Axis, label: fn(f64) -> String) -> Chart {
    let values = series
        .iter()
        .flat_map(|(_, points)| points)
        .filter_map(|(_, value)| *value);
    let top = round_top(values.fold(0.0, f64::max));
    let frame = Frame {
        from_ms: 0,
        until_ms: axis.until,
        width: SIZE.0,
        height: SIZE.1,
        top,
    };
    let lines = series.iter().zip(["a", "b"]).map(|((name, points), class)| Line {
        name,
        class,
        path: frame.line(points, axis.gap),
    });
    Chart {
        title,
        lines: lines.filter(|line| !line.path.is_empty()).collect(),
        scale: [label(top), label(top / 2.0), "0".to_owned()],
        ticks: axis
            .ticks
            .iter()
            .map(|(at, text)| (frame.x(*at), text.clone()))
            .collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "drawn, not computed with")]
fn drawn(figure: u64) -> f64 {
    figure as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive latency"
)]
fn millis(us: f64) -> String {
    ms(us as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(tally: &Tally) -> String {
        let page = Page {
            title: "Stress results: Faults".to_owned(),
            verdict: "PASS",
            reason: "as asserted".to_owned(),
            api: "http://127.0.0.1:1".to_owned(),
            plan: "plan.yml".to_owned(),
            finished_at: Timestamp::UNIX_EPOCH,
            targets: vec![target(tally)],
        };
        page.render().unwrap()
    }

    #[test]
    fn a_page_holds_no_script_and_escapes_names() {
        let tally = Tally {
            name: "<script>alert(1)</script>".to_owned(),
            latencies: (1..=1000).collect(),
            ..Tally::default()
        };
        let html = page(&tally);
        assert!(
            !html.contains("<script") && html.matches("class=\"line").count() == 1,
            "{html}"
        );
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert!(!page(&Tally::default()).contains("<svg"));
    }

    #[test]
    fn the_course_breaks_where_a_second_has_no_figure() {
        let second = |at, p95_us| Second {
            at,
            ended: 1,
            p95_us,
            ..Second::default()
        };
        let series = vec![
            second(0, Some(5)),
            second(1, None),
            second(2, Some(5)),
            second(3, Some(5)),
        ];
        let [latencies, counts] = course(&series);
        assert_eq!(latencies.lines.len(), 1, "there is no P50 to draw");
        assert_eq!(
            latencies.lines[0].path.matches('M').count(),
            2,
            "{}",
            latencies.lines[0].path
        );
        assert_eq!(counts.lines[0].path.matches('M').count(), 1);
    }
}
