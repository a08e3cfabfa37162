//! The document as Markdown and as HTML.

use std::fmt::Write as _;

use super::section::Section;
use crate::commands::acceptance::report::{cell, html_escaped};

pub(crate) fn markdown(title: &str, made: &str, sections: &[Section]) -> String {
    let mut out = format!("# {title}\n\n{made}\n");
    for section in sections {
        // Writing to a String cannot fail, here and below.
        let _infallible = write!(out, "\n## {}\n\n", section.title);
        for text in &section.text {
            let _infallible = writeln!(out, "{}\n", text.replace('\n', " "));
        }
        if !section.rows.is_empty() {
            let _infallible = writeln!(
                out,
                "| {} |\n|{}",
                section.head.join(" | "),
                " --- |".repeat(section.head.len())
            );
            for row in &section.rows {
                let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
                let _infallible = writeln!(out, "| {} |", cells.join(" | "));
            }
        }
    }
    out
}

/// Text of the document as HTML; what stands in backticks is code.
pub(crate) fn coded(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| match index % 2 {
        0 => html_escaped(part),
        _ => format!("<code>{}</code>", html_escaped(part)),
    });
    parts.collect()
}

pub(crate) fn html(title: &str, made: &str, sections: &[Section]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n<style>\n\
         body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }}\n\
         table {{ border-collapse: collapse; width: 100% }}\nth, td {{ border-bottom: 1px solid #8886; padding: .3rem .6rem; text-align: left; vertical-align: top }}\n\
         th {{ white-space: nowrap }}\ntd:last-child {{ overflow-wrap: anywhere }}\ncode {{ font-family: monospace; white-space: nowrap }}\n\
         </style>\n<h1>{0}</h1>\n<p>{1}</p>\n",
        html_escaped(title),
        html_escaped(made),
    );
    for section in sections {
        // Writing to a String cannot fail, here and below.
        let _infallible = writeln!(out, "<h2>{}</h2>", html_escaped(section.title));
        for text in &section.text {
            let _infallible = writeln!(out, "<p>{}</p>", coded(text));
        }
        if !section.rows.is_empty() {
            let cells = |tag: &str, row: Vec<&str>| {
                row.iter()
                    .map(|text| format!("<{tag}>{}</{tag}>", coded(text)))
                    .collect::<String>()
            };
            let _infallible = writeln!(out, "<table>\n<tr>{}</tr>", cells("th", section.head.clone()));
            for row in &section.rows {
                let _infallible = writeln!(
                    out,
                    "<tr>{}</tr>",
                    cells("td", row.iter().map(String::as_str).collect())
                );
            }
            out.push_str("</table>\n");
        }
    }
    out.push_str("</html>\n");
    out
}
