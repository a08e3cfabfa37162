//! Lenses by tenants: the rows of the overview in groups that fold, each with a cell a tenant. Pure.
//!
//! The cells of a group are one path a status, in the same order of tenants in every group: a column is a
//! tenant. They are drawn and not linked; the rows of the group are the links.

use lensops_core::history::status::Standing;
use uuid::Uuid;

use super::row::Row;
use super::status_icon::shape;

/// Cells in a line of a group.
const WIDE: usize = 40;

/// How far one cell lies from the next.
const STEP: usize = 9;

/// The rows of a lens on a page, with how it stands for all tenants.
pub(super) struct Group {
    pub(super) lens: String,
    pub(super) title: String,
    pub(super) class: String,
    pub(super) shape: &'static str,
    /// Class, shape, word and count of each status that there is, worst first.
    pub(super) counts: Vec<Count>,
    /// A path a class.
    pub(super) cells: Vec<(String, String)>,
    pub(super) size: (usize, usize),
    pub(super) is_open: bool,
    pub(super) rows: Vec<Row>,
}

/// How many stand alike.
#[derive(Debug, Clone)]
pub(super) struct Count {
    pub(super) class: String,
    pub(super) shape: &'static str,
    pub(super) word: &'static str,
    pub(super) count: usize,
}

/// How many of `rows` there are of each status, worst first; those that there are none of are left out.
pub(super) fn counts<'a>(rows: impl Iterator<Item = &'a Row> + Clone) -> Vec<Count> {
    let count = |standing| {
        let count = rows.clone().filter(|row| row.standing == standing).count();
        (count > 0).then(|| {
            let word = standing.tell().1;
            Count {
                class: word.to_lowercase(),
                shape: shape(standing),
                word,
                count,
            }
        })
    };
    Standing::ALL.into_iter().filter_map(count).collect()
}

/// Tenants of `rows`, the one that stands worst first.
pub(super) fn tenants_worst_first(rows: &[Row]) -> Vec<Uuid> {
    let mut worst: Vec<(Standing, Uuid)> = Vec::new();
    for row in rows {
        match worst.iter_mut().find(|(_, tenant)| *tenant == row.tenant) {
            Some((standing, _)) => *standing = (*standing).min(row.standing),
            None => worst.push((row.standing, row.tenant)),
        }
    }
    worst.sort_unstable();
    worst.into_iter().map(|(_, tenant)| tenant).collect()
}

/// The outline of a standing's cell: each has its own.
fn outline(standing: Standing, x: usize, y: usize) -> String {
    match standing {
        Standing::Unhealthy => format!("M{x} {y}h8v8h-8z"),
        Standing::Degraded => format!("M{x} {}l4-8 4 8z", y + 8),
        Standing::Unknown | Standing::CannotJudge => format!("M{} {y}l4 4-4 4-4-4z", x + 4),
        Standing::Paused | Standing::Maintenance => format!("M{x} {}h8v3h-8z", y + 3),
        Standing::Healthy => format!("M{} {}h4v4h-4z", x + 2, y + 2),
    }
}

/// The group of a lens of which `all` are the rows of every tenant and `rows` those of the page; `order` is that of
/// the columns. It is open where `is_open` says so, or where a row of the page is not healthy.
pub(super) fn group(rows: Vec<Row>, all: &[&Row], order: &[Uuid], is_open: bool) -> Option<Group> {
    let worst = all.iter().map(|row| row.standing).min()?;
    let first = all.first()?;
    let is_bad = |row: &Row| row.standing != Standing::Healthy;
    let place = |tenant: Uuid| order.iter().position(|own| *own == tenant).unwrap_or(0);
    let mut cells = Vec::new();
    for standing in Standing::ALL {
        let own = all.iter().filter(|row| row.standing == standing);
        let path: String = own
            .map(|row| {
                let place = place(row.tenant);
                outline(standing, place % WIDE * STEP, place / WIDE * STEP)
            })
            .collect();
        if !path.is_empty() {
            cells.push((standing.tell().1.to_lowercase().replace(' ', "_"), path));
        }
    }
    Some(Group {
        lens: first.lens.clone(),
        title: first.title.clone(),
        class: worst.tell().1.to_lowercase(),
        shape: shape(worst),
        counts: counts(all.iter().copied()),
        cells,
        size: (order.len().min(WIDE) * STEP, order.len().div_ceil(WIDE).max(1) * STEP),
        is_open: is_open || rows.iter().any(is_bad),
        rows,
    })
}
