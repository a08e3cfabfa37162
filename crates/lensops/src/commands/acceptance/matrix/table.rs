//! Who may do what: the role matrix as a table, for a terminal and as a page.

use crate::commands::acceptance::report::{Report, html_escaped};

/// What stands in a cell of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    LetIn,
    Denied,
    Differs,
    Unjudged,
    NotRun,
}

impl Mark {
    fn symbol(self) -> &'static str {
        match self {
            Self::LetIn => "✓",
            Self::Denied => "·",
            Self::Differs => "✗",
            Self::Unjudged => "?",
            Self::NotRun => "-",
        }
    }
}

/// One row of the table: the action and its marks, roles first, then outsiders.
pub(super) struct Row {
    pub(super) action: String,
    pub(super) marks: Vec<Mark>,
}

/// Actions by roles.
pub(super) struct Table {
    /// What stands above the columns: roles, then outsiders.
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// What says who is let in.
    pub(super) held_to: &'static str,
}

impl Table {
    /// The table for a terminal.
    pub(super) fn text(&self) -> String {
        let width = self.rows.iter().map(|row| row.action.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (column, name) in self.columns.iter().enumerate() {
            text.push_str(&format!("{:width$}  {}{name}\n", "", "│ ".repeat(column)));
        }
        for row in &self.rows {
            let marks: Vec<&str> = row.marks.iter().map(|mark| mark.symbol()).collect();
            text.push_str(&format!("{:width$}  {}\n", row.action, marks.join(" ")));
        }
        let held_to = self.held_to;
        text.push_str(&format!(
            "✓ let in   · denied   ✗ differs from {held_to}   ? unjudged   - not run\n"
        ));
        text
    }

    /// The table as a page of its own, nothing fetched from elsewhere.
    pub(super) fn html(&self, report: &Report) -> String {
        let mut text = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>\n\
             body {{ font: 15px system-ui, sans-serif; margin: 2rem; color-scheme: light dark }}\n\
             table {{ border-collapse: collapse }}\nth, td {{ border: 1px solid #8888; padding: .25rem .5rem; text-align: center }}\n\
             tbody th {{ text-align: left; font-weight: normal; font-family: monospace }}\n\
             thead th {{ writing-mode: vertical-rl; transform: rotate(180deg); text-align: left }}\n\
             .differs {{ background: #c62828; color: #fff; font-weight: bold }}\n.unjudged {{ background: #f9a82566 }}\n.letin {{ background: #2e7d3233 }}\n\
             </style>\n<h1>{title}</h1>\n<p>{verdict}: {reason}</p>\n<table>\n<thead><tr><th>action</th>",
            title = html_escaped(&report.title),
            verdict = report.verdict.tell(),
            reason = html_escaped(&report.reason),
        );
        text.extend(
            self.columns
                .iter()
                .map(|name| format!("<th scope=\"col\">{}</th>", html_escaped(name))),
        );
        text.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            text.push_str(&format!("<tr><th scope=\"row\">{}</th>", html_escaped(&row.action)));
            text.extend(row.marks.iter().map(|mark| {
                let differs = format!("differs from {}", self.held_to);
                let (class, words) = match mark {
                    Mark::LetIn => ("letin", "let in"),
                    Mark::Denied => ("denied", "denied"),
                    Mark::Differs => ("differs", differs.as_str()),
                    Mark::Unjudged => ("unjudged", "unjudged"),
                    Mark::NotRun => ("notrun", "not run"),
                };
                format!("<td class=\"{class}\" title=\"{words}\">{}</td>", mark.symbol())
            }));
            text.push_str("</tr>\n");
        }
        text.push_str(&format!(
            "</tbody>\n</table>\n<p>✓ let in · denied ✗ differs from {} ? unjudged - not run</p>\n</html>\n",
            self.held_to
        ));
        text
    }
}
