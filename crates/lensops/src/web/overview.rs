//! The overview: one row a lens and tenant, worst first; filtered and sorted by the address.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use lensops_core::history::status::Standing;
use serde::Deserialize;
use uuid::Uuid;

use super::app::App;
use super::format;
use super::names::Names;
use super::page::{Frame, show};
use super::row::Row;
use super::rows::{self, Rows};
use super::session::Who;
use super::sparkline::SPARK;
use super::status_icon::shape;

/// What of the overview is asked for. Words that mean nothing ask for nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    status: String,
    tenant: String,
    sort: String,
}

/// The orders there are, with their names for people.
const SORTS: [(&str, &str); 5] = [
    ("worst", "Worst first"),
    ("name", "Name"),
    ("p95", "P95, highest first"),
    ("errors", "Error rate, highest first"),
    ("checked", "Checked longest ago"),
];

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    asked: Asked,
    rows: Vec<Row>,
    of: usize,
    /// What can be filtered by.
    words: [&'static str; Standing::ALL.len()],
    /// Class, shape, word and count of each status that there is, worst first.
    summary: Vec<(String, &'static str, &'static str, usize)>,
    tenants: Vec<Uuid>,
    names: Names,
    several: bool,
    as_of: String,
    virtual_clock: bool,
}

impl Asked {
    fn keeps(&self, row: &Row, names: &Names) -> bool {
        let words = self.q.trim().to_lowercase();
        let text = format!("{} {} {} {}", row.lens, row.title, row.tenant, names.of(&row.tenant)).to_lowercase();
        words.split_whitespace().all(|word| text.contains(word))
            && (self.status.is_empty() || self.status.eq_ignore_ascii_case(row.word()))
            && (self.tenant.is_empty() || self.tenant.parse() == Ok(row.tenant))
    }

    fn order(&self, rows: &mut [Row]) {
        match self.sort.as_str() {
            "name" => rows.sort_by(|a, b| (&a.lens, a.tenant).cmp(&(&b.lens, b.tenant))),
            "p95" => rows.sort_by_key(|row| std::cmp::Reverse(row.p95_latency_ms)),
            "errors" => rows.sort_by(|a, b| {
                let rate = |row: &Row| row.error_rate_percent.unwrap_or(-1.0);
                rate(b).total_cmp(&rate(a))
            }),
            "checked" => rows.sort_by_key(|row| row.observed_at),
            // They come worst first.
            _ => {}
        }
    }
}

/// The overview.
pub(super) async fn overview(State(app): State<Arc<App>>, who: Who, Query(asked): Query<Asked>) -> Response {
    let Rows { rows, as_of, trouble } = rows::rows(&app, &who).await;
    let count = |standing: Standing| rows.iter().filter(|row| row.standing == standing).count();
    let summary = Standing::ALL
        .into_iter()
        .filter(|standing| count(*standing) > 0)
        .map(|standing| {
            let word = standing.tell().1;
            (word.to_lowercase(), shape(standing), word, count(standing))
        })
        .collect();
    let mut tenants: Vec<Uuid> = rows.iter().map(|row| row.tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let of = rows.len();
    let unread = trouble.is_none() && rows.iter().any(|row| row.gate.is_none());
    let alarms = count(Standing::Unhealthy);
    let mut kept: Vec<Row> = rows.into_iter().filter(|row| asked.keeps(row, &app.names)).collect();
    asked.order(&mut kept);
    let mut frame = Frame::new("Overview", "overview", &who);
    frame.trouble = trouble;
    frame.alarms = alarms;
    frame.unread = unread;
    show(&Overview {
        several: tenants.len() > 1,
        of,
        virtual_clock: kept.iter().any(|row| row.virtual_clock),
        frame,
        asked,
        rows: kept,
        words: Standing::ALL.map(|standing| standing.tell().1),
        summary,
        tenants,
        names: app.names.clone(),
        as_of: format::time(as_of),
    })
}
