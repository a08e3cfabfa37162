//! `render.yaml`, edited in place: entries of lensops are added, brought up to date and removed, and
//! every other byte stays.
//!
//! The file belongs to the people who host the API: other services, comments, anchors, odd
//! indentation. So lines are found, not rewritten, and the result is proved: it is parsed, and
//! everything but our entries must say what it said before. What cannot be proved is refused. A
//! library that edits YAML trees was not taken: it keeps comments, but promises nothing of the rest.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::yaml;

/// What an edit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole file.
    pub text: String,
    /// Services of lensops that no lens has any more, and that were left in.
    pub orphans: Vec<String>,
}

/// Why a file is not edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

fn refuse<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(why.into()))
}

/// Keys of an entry that lensops writes; any other key of it is the owner's and stays.
const OWN_KEYS: [&str; 9] = [
    "type",
    "name",
    "runtime",
    "buildCommand",
    "startCommand",
    "dockerfilePath",
    "dockerCommand",
    "disk",
    "envVars",
];

/// Variables whose value the owner may set otherwise.
const FREE_VARIABLES: [&str; 1] = ["LOG_LEVEL"];

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

fn parse(what: &str, text: &str) -> Result<Value, Refusal> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    yaml::read(what, text).map_err(|error| Refusal(error.to_string()))
}

/// The entries below `services`; none where there is nothing.
fn services(file: &Value) -> Result<Vec<Value>, Refusal> {
    match file.get("services") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => Ok(entries.clone()),
        Some(_) => refuse("its `services:` is no list"),
    }
}

fn name_of(entry: &Value) -> Option<&str> {
    entry["name"].as_str()
}

/// Whether an entry runs a worker of lensops.
fn is_ours(entry: &Value) -> bool {
    let runs = |key: &str| {
        let command = entry[key].as_str().unwrap_or_default();
        command.trim_start_matches("./bin/").starts_with("lensops worker")
    };
    entry["type"] == "worker" && (runs("dockerCommand") || runs("startCommand"))
}

/// Whether `there` does as well as `wanted`: what the owner may choose may differ.
fn does_as_well(key: &str, there: &Value, wanted: &Value) -> bool {
    match (key, there, wanted) {
        ("disk", ..) => there["mountPath"] == wanted["mountPath"],
        ("envVars", Value::Array(there), Value::Array(wanted)) => wanted.iter().all(|wanted| {
            let same = |other: &&Value| other["key"] == wanted["key"];
            there
                .iter()
                .find(same)
                .is_some_and(|there| variable_does(there, wanted))
        }),
        _ => there == wanted,
    }
}

fn variable_does(there: &Value, wanted: &Value) -> bool {
    let free = wanted["key"].as_str().is_some_and(|key| FREE_VARIABLES.contains(&key));
    // A secret may come from wherever the owner keeps it.
    free || wanted.get("value").is_none() || there.get("value") == wanted.get("value")
}

/// A replacement of lines.
type Edit = (Range<usize>, String);

fn plan(
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
    for (index, entry) in wanted.iter().enumerate() {
        let from = &rendered.items[index];
        let at = existing.iter().position(|there| name_of(there) == name_of(entry));
        match at {
            Some(at) => edits.extend(update(file, &list.items[at], &existing[at], source, from, entry)?),
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
        match existing.iter().position(|old| old["key"] == fresh["key"]) {
            Some(index) if variable_does(&existing[index], fresh) => {}
            Some(index) => edits.push((list.items[index].clone(), text())),
            None => edits.push((list.end..list.end, text())),
        }
    }
    Ok(edits)
}

/// Everything but our entries says what it said, and our entries say what they should.
fn prove(before: &Value, text: &str, wanted: &[Value], dropped: &[String]) -> Result<(), Refusal> {
    let doubt = || Refusal("an edit of it could not be proved to leave the rest as it was".to_owned());
    let after = parse("the edited render.yaml", text).map_err(|_| doubt())?;
    let others = |file: &Value| {
        let mut file = file.as_object().cloned().unwrap_or_default();
        file.shift_remove("services");
        file
    };
    let is_named = |entry: &Value, names: &[&str]| name_of(entry).is_some_and(|name| names.contains(&name));
    let names: Vec<&str> = wanted.iter().filter_map(name_of).collect();
    let gone: Vec<&str> = dropped.iter().map(String::as_str).collect();
    let (old, new) = (services(before)?, services(&after)?);
    let strangers = |entries: &[Value]| -> Vec<Value> {
        let stays = |entry: &&Value| !is_named(entry, &names) && !is_named(entry, &gone);
        entries.iter().filter(stays).cloned().collect()
    };
    let ours_hold = wanted.iter().all(|wanted| {
        let mut same = new.iter().filter(|entry| name_of(entry) == name_of(wanted));
        let (Some(entry), None) = (same.next(), same.next()) else {
            return false;
        };
        let was = old.iter().find(|entry| name_of(entry) == name_of(wanted));
        holds(entry, wanted, was)
    });
    let none_left = !new.iter().any(|entry| is_named(entry, &gone));
    if others(before) == others(&after) && strangers(&old) == strangers(&new) && ours_hold && none_left {
        Ok(())
    } else {
        Err(doubt())
    }
}

fn holds(entry: &Value, wanted: &Value, was: Option<&Value>) -> bool {
    let own = OWN_KEYS.iter().all(|key| match (entry.get(key), wanted.get(key)) {
        (Some(there), Some(wanted)) => does_as_well(key, there, wanted),
        (None, None) => true,
        _ => false,
    });
    let extra = |entry: &Value| -> Map<String, Value> {
        let fields = entry.as_object().into_iter().flatten();
        let fields = fields.filter(|(key, _)| !OWN_KEYS.contains(&key.as_str()));
        fields.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    own && was.is_none_or(|was| extra(was) == extra(entry))
}

/// A file as lines, each with its end.
struct Lines<'a> {
    lines: Vec<&'a str>,
    crlf: bool,
}

/// A list whose items stand on lines of their own.
#[derive(Default)]
struct List {
    /// The line of its key.
    key: usize,
    /// The column of the dashes.
    dash: usize,
    items: Vec<Range<usize>>,
    /// Where another item would go.
    end: usize,
}

/// The keys of a mapping with the lines that each takes.
struct Keys {
    column: usize,
    blocks: Vec<(String, Range<usize>)>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            lines: text.split_inclusive('\n').collect(),
            crlf: text.contains("\r\n"),
        }
    }

    /// The column of the first character of `line`; `None` for one that is blank or a comment.
    fn column(&self, line: usize) -> Option<usize> {
        let text = self.lines[line].trim_end();
        let rest = text.trim_start_matches(' ');
        (!rest.is_empty() && !rest.starts_with('#')).then(|| text.len() - rest.len())
    }

    /// `range` without the blank lines and comments at its end that stand no deeper than `column`.
    fn trimmed(&self, range: Range<usize>, column: usize) -> Range<usize> {
        let mut end = range.end;
        while end > range.start + 1 && self.column(end - 1).is_none() {
            let text = self.lines[end - 1];
            let deeper = text.trim_start().starts_with('#') && text.len() - text.trim_start().len() > column;
            if deeper {
                break;
            }
            end -= 1;
        }
        range.start..end
    }

    /// The list below `key:`, which stands in column `column` of the lines `within`. `None` where
    /// there is no such key, or its value stands on the same line.
    fn list(&self, key: &str, within: Range<usize>, column: usize) -> Result<Option<List>, Refusal> {
        let opens = |line: &usize| {
            let text = self.lines[*line].trim_start_matches('\u{feff}');
            // A key may open an item: the dash and the spaces after it belong to its column.
            let text = text.get(column..).unwrap_or_default();
            let rest = text.strip_prefix(key).and_then(|rest| rest.strip_prefix(':'));
            rest.is_some_and(|rest| rest.trim().is_empty() || rest.trim_start().starts_with('#'))
        };
        let Some(at) = within.clone().find(opens) else {
            return Ok(None);
        };
        let mut end = at + 1;
        while end < within.end {
            match self.column(end) {
                Some(found) if found < column => break,
                Some(found) if found == column && !self.lines[end].trim_start().starts_with('-') => break,
                _ => end += 1,
            }
        }
        let first = (at + 1..end).find(|line| self.column(*line).is_some());
        let Some((first, dash)) = first.and_then(|line| Some((line, self.column(line)?))) else {
            return Ok(None);
        };
        if !self.lines[first].trim_start().starts_with('-') {
            return refuse(format!("`{key}:` is no list of dashes"));
        }
        let starts: Vec<usize> = (first..end).filter(|line| self.column(*line) == Some(dash)).collect();
        let ends = starts.iter().skip(1).copied().chain([end]);
        let items: Vec<Range<usize>> = starts
            .iter()
            .copied()
            .zip(ends)
            .map(|(start, end)| self.trimmed(start..end, dash))
            .collect();
        let end = items.last().map_or(end, |item| item.end);
        Ok(Some(List {
            key: at,
            dash,
            items,
            end,
        }))
    }

    /// The keys of the mapping that an item of a list is.
    fn keys(&self, item: &Range<usize>) -> Result<Keys, Refusal> {
        let first = self.lines[item.start];
        let rest = first.trim_start().trim_start_matches('-').trim_start_matches(' ');
        if rest.trim().is_empty() || rest.starts_with(['{', '*', '&']) {
            return refuse("an entry of lensops does not open with a key");
        }
        let column = first.len() - rest.len();
        let opens = |line: usize| {
            line == item.start || (self.column(line) == Some(column) && !self.lines[line].trim_start().starts_with('-'))
        };
        let starts: Vec<usize> = item.clone().filter(|line| opens(*line)).collect();
        let ends = starts.iter().skip(1).copied().chain([item.end]);
        let blocks = starts.iter().copied().zip(ends).map(|(start, end)| {
            let text = self.lines[start].get(column..).unwrap_or_default();
            let name = text.split(':').next().unwrap_or_default();
            (
                name.trim().trim_matches(['"', '\'']).to_owned(),
                self.trimmed(start..end, column),
            )
        });
        Ok(Keys {
            column,
            blocks: blocks.collect(),
        })
    }

    /// The lines of `range`, moved from column `from` to column `to`.
    fn shifted(&self, range: Range<usize>, from: usize, to: usize) -> String {
        let mut text = String::new();
        for line in &self.lines[range] {
            let rest = line.get(from..).unwrap_or_else(|| line.trim_start());
            text.push_str(&" ".repeat(if rest.trim().is_empty() { 0 } else { to }));
            text.push_str(rest);
        }
        text
    }

    fn apply(&self, mut edits: Vec<Edit>) -> String {
        // Several that go to one place stay in their order.
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = String::new();
        let mut at = 0;
        for (range, new) in edits {
            text.push_str(&self.lines[at..range.start].concat());
            let new = if self.crlf { new.replace('\n', "\r\n") } else { new };
            if !new.is_empty() && !text.is_empty() && !text.ends_with('\n') {
                text.push_str(if self.crlf { "\r\n" } else { "\n" });
            }
            text.push_str(&new);
            at = range.end.max(at);
        }
        text.push_str(&self.lines[at..].concat());
        text
    }
}

#[cfg(test)]
#[path = "blueprint_tests.rs"]
mod tests;
