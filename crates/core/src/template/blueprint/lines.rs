//! A YAML file as lines: where its lists and mappings stand, and how lines of it are replaced.

use std::ops::Range;

use super::refusal::{Refusal, refuse};

/// A replacement of lines.
pub(super) type Edit = (Range<usize>, String);

/// A file as lines, each with its end.
pub(super) struct Lines<'a> {
    pub(super) lines: Vec<&'a str>,
    crlf: bool,
}

/// A list whose items stand on lines of their own.
#[derive(Default)]
pub(super) struct List {
    /// The line of its key.
    pub(super) key: usize,
    /// The column of the dashes.
    pub(super) dash: usize,
    pub(super) items: Vec<Range<usize>>,
    /// Where another item would go.
    pub(super) end: usize,
}

/// The keys of a mapping with the lines that each takes.
pub(super) struct Keys {
    pub(super) column: usize,
    pub(super) blocks: Vec<(String, Range<usize>)>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self {
            lines: text.split_inclusive('\n').collect(),
            crlf: text.contains("\r\n"),
        }
    }

    /// A line; an empty one beyond the end. That the whole reads as it should is proven afterwards.
    fn line(&self, at: usize) -> &'a str {
        self.lines.get(at).copied().unwrap_or_default()
    }

    /// The column of the first character of `line`; `None` for one that is blank or a comment.
    fn column(&self, line: usize) -> Option<usize> {
        let text = self.line(line).trim_end();
        let rest = text.trim_start_matches(' ');
        (!rest.is_empty() && !rest.starts_with('#')).then(|| text.len() - rest.len())
    }

    /// `range` without the blank lines and comments at its end that stand no deeper than `column`.
    fn trimmed(&self, range: Range<usize>, column: usize) -> Range<usize> {
        let mut end = range.end;
        while end > range.start + 1 && self.column(end - 1).is_none() {
            let text = self.line(end - 1);
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
    pub(super) fn list(&self, key: &str, within: Range<usize>, column: usize) -> Result<Option<List>, Refusal> {
        let opens = |line: &usize| {
            let text = self.line(*line).trim_start_matches('\u{feff}');
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
                Some(found) if found == column && !self.line(end).trim_start().starts_with('-') => break,
                _ => end += 1,
            }
        }
        let first = (at + 1..end).find(|line| self.column(*line).is_some());
        let Some((first, dash)) = first.and_then(|line| Some((line, self.column(line)?))) else {
            return Ok(None);
        };
        if !self.line(first).trim_start().starts_with('-') {
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
    pub(super) fn keys(&self, item: &Range<usize>) -> Result<Keys, Refusal> {
        let first = self.line(item.start);
        let rest = first.trim_start().trim_start_matches('-').trim_start_matches(' ');
        if rest.trim().is_empty() || rest.starts_with(['{', '*', '&']) {
            return refuse("an entry of lensops does not open with a key");
        }
        let column = first.len() - rest.len();
        let opens = |line: usize| {
            line == item.start || (self.column(line) == Some(column) && !self.line(line).trim_start().starts_with('-'))
        };
        let starts: Vec<usize> = item.clone().filter(|line| opens(*line)).collect();
        let ends = starts.iter().skip(1).copied().chain([item.end]);
        let blocks = starts.iter().copied().zip(ends).map(|(start, end)| {
            let text = self.line(start).get(column..).unwrap_or_default();
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
    pub(super) fn shifted(&self, range: Range<usize>, from: usize, to: usize) -> String {
        let mut text = String::new();
        for line in self.lines.get(range).unwrap_or_default() {
            let rest = line.get(from..).unwrap_or_else(|| line.trim_start());
            text.push_str(&" ".repeat(if rest.trim().is_empty() { 0 } else { to }));
            text.push_str(rest);
        }
        text
    }

    pub(super) fn apply(&self, mut edits: Vec<Edit>) -> String {
        // Several that go to one place stay in their order.
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = String::new();
        let mut at = 0;
        for (range, new) in edits {
            text.push_str(&self.lines.get(at..range.start).unwrap_or_default().concat());
            let new = if self.crlf { new.replace('\n', "\r\n") } else { new };
            if !new.is_empty() && !text.is_empty() && !text.ends_with('\n') {
                text.push_str(if self.crlf { "\r\n" } else { "\n" });
            }
            text.push_str(&new);
            at = range.end.max(at);
        }
        text.push_str(&self.lines.get(at..).unwrap_or_default().concat());
        text
    }
}
