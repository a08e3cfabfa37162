//! The overview: what is wrong now in sentences, then one row a lens and tenant, worst first; filtered, sorted and
//! paged by the address.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use lensops_core::history::status::Standing;
use serde::Deserialize;
use uuid::Uuid;

use super::app::App;
use super::format::Moment;
use super::matrix::{Count, Group, counts, group, tenants_worst_first};
use super::page::{Frame, show};
use super::row::Row;
use super::rows::{self, Rows};
use super::session::Who;
use super::status_icon::WELL;
use super::strip::STRIP;
use super::wrong::{Sentence, sentences};

/// Rows of a page.
const PAGE: usize = 100;

/// Lenses of which it is told that they are healthy again.
const RECENT: usize = 4;

/// What of the overview is asked for. Words that mean nothing ask for nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    q: String,
    status: String,
    tenant: String,
    sort: String,
    page: String,
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
    wrong: Vec<Sentence>,
    /// Lenses that are healthy again: address, title, unhealthy checks of 24 h, and when the last of them was.
    over: Vec<(String, String, usize, Moment)>,
    groups: Vec<Group>,
    /// How many match, and how many there are.
    matched: usize,
    of: usize,
    /// What can be filtered by.
    words: [&'static str; Standing::ALL.len()],
    summary: Vec<Count>,
    /// Ids and names.
    tenants: Vec<(Uuid, String)>,
    several: bool,
    has_certificates: bool,
    as_of: Moment,
    virtual_clock: bool,
    /// The addresses of the pages before and after this one, and which of how many it is.
    pages: (Option<String>, Option<String>, usize, usize),
}

impl Asked {
    fn keeps(&self, row: &Row) -> bool {
        let words = self.q.trim().to_lowercase();
        let text = format!("{} {} {} {}", row.lens, row.title, row.tenant, row.shown.tenant_name).to_lowercase();
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

impl Asked {
    /// The address of page `number` of the same question.
    fn address(&self, number: usize) -> String {
        let parts = [
            ("q", &self.q),
            ("status", &self.status),
            ("tenant", &self.tenant),
            ("sort", &self.sort),
        ];
        let asked = parts.into_iter().filter(|(_, value)| !value.is_empty());
        let asked: String = asked
            .map(|(name, value)| format!("{name}={}&", percent_encoded(value)))
            .collect();
        format!("/?{asked}page={number}")
    }
}

fn percent_encoded(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// The rows of a page in groups of a lens, in the order of the rows, and after them the lenses that have no row on it;
/// all in one where there is one tenant.
fn grouped(page: Vec<Row>, all: &[Row], order: &[Uuid], is_open: bool) -> Vec<Group> {
    let mut parts: Vec<(&str, Vec<Row>)> = Vec::new();
    if order.len() < 2 {
        let all: Vec<&Row> = all.iter().collect();
        return group(page, &all, order, true).into_iter().collect();
    }
    for row in page {
        let Some(lens) = all.iter().map(|own| own.lens.as_str()).find(|lens| *lens == row.lens) else {
            continue;
        };
        match parts.iter_mut().find(|(own, _)| *own == lens) {
            Some((_, part)) => part.push(row),
            None => parts.push((lens, vec![row])),
        }
    }
    for row in all {
        if !parts.iter().any(|(lens, _)| *lens == row.lens) {
            parts.push((&row.lens, Vec::new()));
        }
    }
    let of_lens = |(lens, rows): (&str, Vec<Row>)| {
        let all: Vec<&Row> = all.iter().filter(|row| row.lens == lens).collect();
        group(rows, &all, order, is_open)
    };
    parts.into_iter().filter_map(of_lens).collect()
}

/// The overview.
pub(super) async fn overview(State(app): State<Arc<App>>, who: Who, Query(asked): Query<Asked>) -> Response {
    let Rows { rows, as_of, trouble } = rows::rows(&app, &who).await;
    let order = tenants_worst_first(&rows);
    let several = order.len() > 1;
    let mut tenants: Vec<(Uuid, String)> = order.iter().map(|id| (*id, app.names.of(id))).collect();
    tenants.sort_by(|a, b| a.1.cmp(&b.1));
    let mut frame = Frame::new("Overview", "overview", &who);
    frame.unread = trouble.is_none() && rows.iter().any(|row| row.gate.is_none());
    frame.stands(rows.iter().map(|row| row.standing));
    let mut kept: Vec<Row> = rows.iter().filter(|row| asked.keeps(row)).cloned().collect();
    asked.order(&mut kept);
    let matched = kept.len();
    let last = matched.div_ceil(PAGE).max(1);
    let number = asked.page.parse().unwrap_or(1).clamp(1, last);
    let page: Vec<Row> = kept.into_iter().skip((number - 1) * PAGE).take(PAGE).collect();
    // Where the store does not answer, that is what is wrong: the frame says so.
    let wrong = if trouble.is_none() {
        sentences(&rows, as_of)
    } else {
        Vec::new()
    };
    frame.trouble = trouble;
    let over = rows.iter().filter(|row| row.standing == Standing::Healthy);
    let over = over.filter_map(|row| {
        let (count, last) = row.shown.broken.clone()?;
        Some((row.address(), row.title.clone(), count, last))
    });
    show(&Overview {
        over: over.take(RECENT).collect(),
        wrong,
        several,
        matched,
        of: rows.len(),
        virtual_clock: page.iter().any(|row| row.virtual_clock),
        has_certificates: page.iter().any(|row| row.shown.certificate_days.is_some()),
        pages: (
            (number > 1).then(|| asked.address(number - 1)),
            (number < last).then(|| asked.address(number + 1)),
            number,
            last,
        ),
        groups: grouped(page, &rows, &order, !asked.q.is_empty() || !asked.tenant.is_empty()),
        frame,
        asked,
        words: Standing::ALL.map(|standing| standing.tell().1),
        summary: counts(rows.iter()),
        tenants,
        as_of: Moment::of(as_of, as_of),
    })
}
