//! `render.yaml`, edited in place: entries of lensops are added, brought up to date and removed, and
//! every other byte stays.
//!
//! The file belongs to the people who host the API: other services, comments, anchors, odd
//! indentation. So lines are found, not rewritten, and the result is proved: it is parsed, and
//! everything but our entries must say what it said before. What cannot be proved is refused. A
//! library that edits YAML trees was not taken: it keeps comments, but promises nothing of the rest.

mod edits;
mod entry;
mod lines;
mod proof;
mod refusal;

use serde_json::{Map, Value};

use edits::plan;
use entry::{is_ours, name_of, parse, services};
use lines::Lines;
use proof::prove;
pub use refusal::Refusal;
use refusal::refuse;

/// What an edit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole file.
    pub text: String,
    /// Services of lensops that no lens has any more, and that were left in.
    pub orphans: Vec<String>,
}

/// `before` with the services of `rendered` in it, and without services of lensops that are not in
/// `rendered` where `prune` says so. An absent or empty file becomes `rendered`.
///
/// # Errors
/// When the file cannot be edited so that everything else provably stays; nothing is lost then.
pub fn edit(before: Option<&str>, rendered: &str, prune: bool) -> Result<Edited, Refusal> {
    let before = before.unwrap_or_default();
    let wanted = services(&parse("the rendered entries", rendered)?)?;
    let found = parse("render.yaml", before)?;
    if found.is_null() && before.trim().is_empty() {
        // Where nothing is wanted, nothing is made.
        let text = if wanted.is_empty() { before } else { rendered };
        return Ok(Edited {
            text: text.to_owned(),
            orphans: Vec::new(),
        });
    }
    let found = if found.is_null() {
        Value::Object(Map::new())
    } else {
        found
    };
    let Value::Object(_) = &found else {
        return refuse("it is no mapping with `services:`");
    };
    let existing = services(&found)?;
    let names: Vec<&str> = wanted.iter().filter_map(name_of).collect();
    let orphans: Vec<String> = existing
        .iter()
        .filter(|entry| is_ours(entry) && name_of(entry).is_some_and(|name| !names.contains(&name)))
        .filter_map(|entry| name_of(entry).map(str::to_owned))
        .collect();
    let drop: &[String] = if prune { &orphans } else { &[] };
    // Whatever its form, what says all of it already is left alone.
    if drop.is_empty() && prove(&found, before, &wanted, &[]).is_ok() {
        return Ok(Edited {
            text: before.to_owned(),
            orphans,
        });
    }
    let file = Lines::of(before);
    let source = Lines::of(rendered);
    let edits = plan(&file, &source, &existing, &wanted, drop)?;
    let text = file.apply(edits);
    prove(&found, &text, &wanted, drop)?;
    Ok(Edited {
        text,
        orphans: if prune { Vec::new() } else { orphans },
    })
}

#[cfg(test)]
mod tests;
