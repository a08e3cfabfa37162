//! Numbers and times as pages show them. Pure.

use jiff::Timestamp;

/// Samples from which a P95 is supported.
const SUPPORTED: i64 = 20;

/// `867 ms (n=21)`: the sample size is said with the figure, as everywhere.
pub(super) fn p95(p95_ms: Option<i64>, samples: i64) -> String {
    match p95_ms {
        None => "none".to_owned(),
        Some(ms) => {
            // Kept in whole milliseconds: 0 is less than half of one.
            let figure = if ms == 0 {
                "<1 ms".to_owned()
            } else {
                format!("{ms} ms")
            };
            let only = if samples < SUPPORTED { "only " } else { "" };
            format!("{figure} ({only}n={samples})")
        }
    }
}

/// `1.25 %`; `none` where no rate is known.
pub(super) fn error_rate(percent: Option<f64>) -> String {
    percent.map_or_else(|| "none".to_owned(), |percent| format!("{percent:.2} %"))
}

/// `2026-01-28 15:00:00 UTC`
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
