//! Writes OpenMetrics text.
//!
//! A small writer of our own: metrics are read on request, from the journal and from the counters of the
//! worker, and a registry of live counters would have to be fed with both. It validates nothing: names
//! are literals here, and label values are escaped.

use std::fmt::{Display, Write as _};

/// The content type of what is written.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the buckets of latencies, in seconds.
pub const BOUNDS: [f64; 13] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 15.0,
];

/// A histogram over [`BOUNDS`], the last bucket without an end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    sum_us: u64,
}

impl Histogram {
    /// Counts one value, in microseconds.
    pub fn add_us(&mut self, us: u64) {
        #[expect(clippy::cast_precision_loss, reason = "microseconds, far below 2^52")]
        let seconds = us as f64 / 1e6;
        let at = BOUNDS
            .iter()
            .position(|bound| seconds <= *bound)
            .unwrap_or(BOUNDS.len());
        self.counts[at] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }
}

/// Label names with values.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// Text under construction.
#[derive(Debug, Default)]
pub struct Metrics {
    text: String,
}

impl Metrics {
    /// Begins a family. `kind` is `gauge`, `counter`, `histogram` or `info`.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
        // Writing to a String cannot fail, here and below.
        let _infallible = writeln!(self.text, "# TYPE {name} {kind}\n# HELP {name} {help}");
    }

    /// Writes one sample.
    pub fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.text.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _infallible = write!(self.text, "{label}=\"{value}\"");
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _infallible = writeln!(self.text, " {value}");
    }

    /// Writes the samples of a histogram.
    pub fn histogram(&mut self, name: &str, labels: Labels<'_>, histogram: &Histogram) {
        let mut below = 0;
        let ends = BOUNDS
            .iter()
            .map(|bound| bound_text(*bound))
            .chain(std::iter::once("+Inf".to_owned()));
        for (end, count) in ends.zip(histogram.counts) {
            below += count;
            let mut all = labels.to_vec();
            all.push(("le", &end));
            self.sample(&format!("{name}_bucket"), &all, below);
        }
        self.sample(&format!("{name}_count"), labels, below);
        let sum = format!("{}.{:06}", histogram.sum_us / 1_000_000, histogram.sum_us % 1_000_000);
        self.sample(&format!("{name}_sum"), labels, sum);
    }

    /// The text, closed as the format wants it.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

/// `1.0` and not `1`: the form that the format asks for.
fn bound_text(bound: f64) -> String {
    if bound.fract() == 0.0 {
        format!("{bound:.1}")
    } else {
        bound.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_cumulative_and_ends_in_everything() {
        let mut histogram = Histogram::default();
        for us in [1_000, 5_000, 5_001, 700_000, 99_000_000] {
            histogram.add_us(us);
        }
        let mut metrics = Metrics::default();
        metrics.family("x", "histogram", "a \"b\"");
        metrics.histogram("x", &[("lens", "a\"b\\c\nd")], &histogram);
        let text = metrics.finish();
        for line in [
            "# TYPE x histogram",
            r#"# HELP x a \"b\""#,
            r#"x_bucket{lens="a\"b\\c\nd",le="0.005"} 2"#,
            r#"x_bucket{lens="a\"b\\c\nd",le="0.01"} 3"#,
            r#"x_bucket{lens="a\"b\\c\nd",le="1.0"} 4"#,
            r#"x_bucket{lens="a\"b\\c\nd",le="+Inf"} 5"#,
            r#"x_count{lens="a\"b\\c\nd"} 5"#,
            r#"x_sum{lens="a\"b\\c\nd"} 99.711001"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
