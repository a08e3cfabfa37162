//! The table as text: Markdown for docs and pull requests.

use super::incident::Truth;
use super::table::{Row, Tally};
use crate::stats::exact::share_interval;

/// `0.42 % (0.31–0.57)`: a point estimate and its exact 95 % bounds, in percent.
fn told(hits: u64, of: u64) -> String {
    let (low, high) = share_interval(hits, of);
    #[expect(clippy::cast_precision_loss, reason = "counts of a table")]
    let point = 100.0 * hits as f64 / of.max(1) as f64;
    format!("{point:.2} ({:.2}–{:.2})", low * 100.0, high * 100.0)
}

fn short(hits: u64, of: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts of a table")]
    let point = 100.0 * hits as f64 / of.max(1) as f64;
    format!("{point:.1}")
}

/// The table as Markdown. Shares are percents of histories with exact 95 % bounds (Clopper and Pearson); of the
/// other policies: roll back in any hour / investigate at the close / proceed at the close.
#[must_use]
pub fn markdown(rows: &[Row]) -> String {
    let mut text = "| kind | n | should | roll back, any hour | investigate, any hour | investigate, close | not enough data, close | proceed, close | not enough, hours | delay | pages a lens-year | page after | strict | two in a row | burn rates |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n".to_owned();
    for row in rows {
        let n = row.histories;
        let should = match row.kind.truth() {
            Truth::Healthy => "proceed",
            Truth::Broken => "not proceed",
            Truth::Own => "not roll back",
            Truth::Told => "–",
        };
        let gate = &row.gate;
        let delay = row
            .median_delay()
            .map_or_else(|| "–".to_owned(), |hours| format!("{hours} h"));
        let rival = |tally: &Tally| {
            [tally.rolled_back, tally.close_investigate, tally.close_proceed]
                .map(|hits| short(hits, n))
                .join(" / ")
        };
        text.push_str(&format!(
            "| `{}`: {} | {n} | {should} ",
            row.kind.name(),
            row.kind.what()
        ));
        for hits in [
            gate.rolled_back,
            gate.investigated,
            gate.close_investigate,
            gate.close_not_enough,
            gate.close_proceed,
        ] {
            text.push_str(&format!("| {} ", told(hits, n)));
        }
        text.push_str(&format!("| {} | {delay} ", short(gate.hours_not_enough, gate.hours)));
        let pages = row
            .pages_a_year()
            .map_or_else(|| "–".to_owned(), |pages| format!("{pages:.2}"));
        let woken = row.median_page_delay();
        let woken = woken.map_or_else(|| "–".to_owned(), |checks| format!("{checks} checks"));
        text.push_str(&format!("| {pages} | {woken} "));
        for tally in &row.rivals {
            text.push_str(&format!("| {} ", rival(tally)));
        }
        text.push_str("|\n");
    }
    text
}
