//! `lensops simulate`: seeded histories as files, and the table of error rates over many of them in memory.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use lensops_core::crypto::digest::uuid_v8;
use lensops_core::history::simulate::{Kind, Row, Shapes, lines, markdown, run_kind, simulate};
use lensops_core::ident::LensId;
use serde_json::json;

use crate::commands::error::{Context as _, Error, Result};
use crate::commands::exit::Exit;

/// Histories that a thread takes at once.
const AT_ONCE: u64 = 50;

/// When simulated histories begin: a Monday, in milliseconds since the epoch.
const START_MS: i64 = 1_767_571_200_000;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The kinds; all of them where none is named.
    pub kinds: &'a [String],
    /// The seed.
    pub seed: u64,
    /// Histories of each kind.
    pub count: u64,
    /// The folder that files are written into.
    pub out: &'a Path,
    /// The lens that they are of.
    pub lens: &'a str,
    /// Whether the table is made instead of files.
    pub table: bool,
    /// Print JSON.
    pub json: bool,
}

/// Writes histories, or prints the table.
///
/// # Errors
/// A kind that is not known, or a folder that cannot be written.
pub fn run(asked: &Asked<'_>) -> Result<Exit> {
    let kinds = kinds(asked.kinds)?;
    if asked.table {
        table(&kinds, asked)
    } else {
        files(&kinds, asked)
    }
}

fn kinds(names: &[String]) -> Result<Vec<Kind>> {
    if names.is_empty() {
        return Ok(Kind::ALL.to_vec());
    }
    let known = Kind::ALL.map(Kind::name).join(", ");
    let kind = |name: &String| {
        Kind::parse(name).ok_or_else(|| Error::usage(format!("{name:?} is no kind of history: {known}")))
    };
    names.iter().map(kind).collect()
}

/// One file a history: `KIND-SEED-NUMBER.jsonl`.
fn files(kinds: &[Kind], asked: &Asked<'_>) -> Result<Exit> {
    let lens = LensId::from_human(asked.lens)?;
    let shapes = Shapes::new();
    fs::create_dir_all(asked.out)
        .map_err(Error::system)
        .context(asked.out.display().to_string())?;
    for kind in kinds {
        for index in 0..asked.count {
            let history = simulate(*kind, asked.seed, index, START_MS, &shapes);
            let tenant = uuid_v8(
                0,
                &[b"simulated tenant", &asked.seed.to_be_bytes(), &index.to_be_bytes()],
            );
            let path = asked
                .out
                .join(format!("{}-{}-{index:05}.jsonl", kind.name(), asked.seed));
            let mut text = Vec::new();
            for line in lines(&history, &lens, tenant) {
                writeln!(text, "{line}").map_err(Error::system)?;
            }
            fs::write(&path, text)
                .map_err(Error::system)
                .context(path.display().to_string())?;
            if asked.json {
                say!(
                    "{}",
                    json!({"file": path, "kind": kind, "onset_ms": history.onset_ms, "tenant": tenant})
                );
            } else {
                say!("{} · {}", path.display(), kind.what());
            }
        }
    }
    Ok(Exit::Good)
}

fn table(kinds: &[Kind], asked: &Asked<'_>) -> Result<Exit> {
    let rows: Vec<Row> = kinds.iter().map(|kind| row(*kind, asked.seed, asked.count)).collect();
    if asked.json {
        say!("{:#}", json!({"seed": asked.seed, "count": asked.count, "rows": rows}));
    } else {
        say!("seed {} · {} histories of each kind\n", asked.seed, asked.count);
        say!("{}", markdown(&rows).trim_end());
    }
    Ok(Exit::Good)
}

/// The row of a kind, on every processor. Which thread counts a history changes nothing in the sums.
fn row(kind: Kind, seed: u64, count: u64) -> Row {
    let shapes = Shapes::new();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut row = Row::empty(kind);
        loop {
            let from = next.fetch_add(1, Ordering::Relaxed) as u64 * AT_ONCE;
            if from >= count {
                return row;
            }
            row.merge(run_kind(kind, seed, from, (from + AT_ONCE).min(count), &shapes));
        }
    };
    let mut row = Row::empty(kind);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for part in running.into_iter().filter_map(|thread| thread.join().ok()) {
            row.merge(part);
        }
    });
    row.settle();
    row
}
