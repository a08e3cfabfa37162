//! Decimal numbers with leading zeros, which the YAML library reads as floats.

use std::borrow::Cow;

use super::node::{Kind, Node};

/// `text` with the leading zeros of plain numbers as spaces: in the core schema of YAML 1.2 `017` is the
/// integer 17, and `017` of a library that knows octal numbers is 17.0. Every place keeps its column.
pub(super) fn decimal(text: &str) -> Cow<'_, str> {
    if !text.match_indices('0').any(|(at, _)| zeros(&text[at..]).is_some()) {
        return Cow::Borrowed(text);
    }
    let Some(node) = Node::read(text) else {
        return Cow::Borrowed(text);
    };
    let mut places = Vec::new();
    numbers(&node, &mut places);
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let mut out = text.to_owned();
    for (line, column) in places {
        let start = usize::try_from(line)
            .ok()
            .and_then(|line| starts.get(line.checked_sub(1)?));
        let Some(rest) = start.and_then(|start| text.get(*start..)) else {
            continue;
        };
        let column = usize::try_from(column).unwrap_or(1).saturating_sub(1);
        let Some((within, _)) = rest.char_indices().nth(column) else {
            continue;
        };
        let at = text.len() - rest.len() + within;
        let sign = text[at..].chars().next().filter(|c| matches!(c, '-' | '+'));
        let digits = at + sign.map_or(0, char::len_utf8);
        if let Some(zeros) = zeros(&text[digits..]) {
            let sign = sign.map_or_else(String::new, String::from);
            out.replace_range(at..digits + zeros, &format!("{}{sign}", " ".repeat(zeros)));
        }
    }
    Cow::Owned(out)
}

/// How many zeros stand before the last digit that is needed, where `text` begins with a decimal number
/// that has such zeros.
fn zeros(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let ends = !text[digits..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_'));
    let zeros = text[..digits].find(|c| c != '0').unwrap_or(digits.saturating_sub(1));
    (digits > 1 && zeros > 0 && ends).then_some(zeros)
}

/// The places of the numbers of a file.
fn numbers(node: &Node, found: &mut Vec<(u64, u64)>) {
    match &node.kind {
        Kind::Number(_) => found.push((node.line, node.column)),
        Kind::List(items) => items.iter().for_each(|item| numbers(item, found)),
        Kind::Map(fields) => fields.iter().for_each(|(_, value)| numbers(value, found)),
        Kind::Null | Kind::Bool | Kind::Text(_) => {}
    }
}
