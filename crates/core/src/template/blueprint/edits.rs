//! The edits that bring the entries of a file up to date: services added, changed and removed.

use std::ops::Range;

use serde_json::Value;

use super::entry::{OWN_KEYS, does_as_well, name_of, variable_does};
use super::lines::{Edit, Keys, Lines, List};
use super::refusal::{Refusal, refuse};

pub(super) fn plan(
    file: &Lines<'_>,
    source: &Lines<'_>,
    existing: &[Value],
    wanted: &[Value],
    drop: &[String],
) -> Result<Vec<Edit>, Refusal> {
    let rendered = source.list("services", 0..source.lines.len(), 0)?;
    let rendered = match rendered {
        Some(rendered) => rendered,
        None if wanted.is_empty() => List::default(),
        None => return refuse("the template has no `services:`"),
    };
    let Some(list) = file.list("services", 0..file.lines.len(), 0)? else {
        if !existing.is_empty() {
            return refuse("its `services:` is written on one line");
        }
        // The key alone takes its entries below it; without it, it goes to the end with them.
        let key = file.lines.iter().position(|line| {
            line.split('#')
                .next()
                .is_some_and(|text| text.trim_end() == "services:")
        });
        let at = key.map_or(file.lines.len(), |at| at + 1);
        let from = if key.is_some() { rendered.key + 1 } else { rendered.key };
        let text = source.lines.get(from..).unwrap_or_default().concat();
        return Ok(if wanted.is_empty() {
            Vec::new()
        } else {
            vec![(at..at, text)]
        });
    };
    if list.items.len() != existing.len() || rendered.items.len() != wanted.len() {
        return refuse("its `services:` does not read as one entry a dash");
    }
    let mut edits = Vec::new();
    for (entry, from) in wanted.iter().zip(&rendered.items) {
        let mut items = list.items.iter().zip(existing);
        match items.find(|(_, there)| name_of(there) == name_of(entry)) {
            Some((item, there)) => edits.extend(update(file, item, there, source, from, entry)?),
            None => {
                let text = source.shifted(from.clone(), rendered.dash, list.dash);
                edits.push((list.end..list.end, text));
            }
        }
    }
    for (item, entry) in list.items.iter().zip(existing) {
        if name_of(entry).is_some_and(|name| drop.iter().any(|gone| gone == name)) {
            edits.push((item.clone(), String::new()));
        }
    }
    Ok(edits)
}

/// What brings one entry up to date.
fn update(
    file: &Lines<'_>,
    item: &Range<usize>,
    existing: &Value,
    source: &Lines<'_>,
    from: &Range<usize>,
    wanted: &Value,
) -> Result<Vec<Edit>, Refusal> {
    let (there, new) = (file.keys(item)?, source.keys(from)?);
    let place = |keys: &Keys, key: &str| {
        keys.blocks
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, at)| at.clone())
    };
    // A new key goes below everything that a key above it gets.
    let (mut edits, mut below) = (Vec::new(), Vec::new());
    for key in OWN_KEYS {
        match (existing.get(key), wanted.get(key)) {
            (Some(old), Some(fresh)) if does_as_well(key, old, fresh) => {}
            (None, None) => {}
            (None, Some(_)) => {
                let from = place(&new, key).ok_or_else(|| unreadable(key))?;
                below.push((item.end..item.end, source.shifted(from, new.column, there.column)));
            }
            (Some(old), Some(fresh)) if key == "envVars" => {
                let at = place(&there, key).ok_or_else(|| unreadable(key))?;
                edits.extend(update_variables(
                    file,
                    at,
                    there.column,
                    old,
                    source,
                    from,
                    new.column,
                    fresh,
                )?);
            }
            (Some(_), fresh) => {
                let at = place(&there, key).ok_or_else(|| unreadable(key))?;
                if at.start == item.start {
                    return refuse(format!("`{key}` opens an entry and has to change"));
                }
                let text = match fresh {
                    Some(_) => {
                        let from = place(&new, key).ok_or_else(|| unreadable(key))?;
                        source.shifted(from, new.column, there.column)
                    }
                    None => String::new(),
                };
                edits.push((at, text));
            }
        }
    }
    edits.extend(below);
    Ok(edits)
}

fn unreadable(key: &str) -> Refusal {
    Refusal(format!("`{key}` of an entry does not stand on a line of its own"))
}

#[expect(clippy::too_many_arguments, reason = "two places, each with its text and its value")]
fn update_variables(
    file: &Lines<'_>,
    at: Range<usize>,
    column: usize,
    existing: &Value,
    source: &Lines<'_>,
    from: &Range<usize>,
    from_column: usize,
    wanted: &Value,
) -> Result<Vec<Edit>, Refusal> {
    let one_line = || Refusal("`envVars` of an entry is written on one line".to_owned());
    let list = file.list("envVars", at, column)?.ok_or_else(one_line)?;
    let rendered = source
        .list("envVars", from.clone(), from_column)?
        .ok_or_else(one_line)?;
    let empty = Vec::new();
    let (existing, wanted) = (
        existing.as_array().unwrap_or(&empty),
        wanted.as_array().unwrap_or(&empty),
    );
    if list.items.len() != existing.len() || rendered.items.len() != wanted.len() {
        return refuse("`envVars` of an entry does not read as one variable a dash");
    }
    let mut edits = Vec::new();
    for (fresh, from) in wanted.iter().zip(&rendered.items) {
        let text = || source.shifted(from.clone(), rendered.dash, list.dash);
        let mut items = list.items.iter().zip(existing);
        match items.find(|(_, old)| old["key"] == fresh["key"]) {
            Some((_, old)) if variable_does(old, fresh) => {}
            Some((item, _)) => edits.push((item.clone(), text())),
            None => edits.push((list.end..list.end, text())),
        }
    }
    Ok(edits)
}
