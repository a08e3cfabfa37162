//! How text looks where it is printed: with colour at a terminal, and in ASCII at one that cannot show more.
//!
//! Whatever is no terminal gets every byte as it is: pipes, files and CI logs are read by programs. One look stands for
//! the process, as its streams do.

use std::borrow::Cow;
use std::io::IsTerminal as _;
use std::sync::OnceLock;

/// When text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Colour {
    /// At a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// How text is printed to one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Whether a person reads at a terminal.
    pub terminal: bool,
    colour: bool,
    ascii: bool,
}

/// Marks, their ASCII form (all of one width), and the colour of what follows them.
const MARKS: [(&str, &str, &str); 5] = [
    ("✅", "[ok]", "\u{1b}[32m"),
    ("❌", "[no]", "\u{1b}[31;1m"),
    ("⚠️", "[!!]", "\u{1b}[33m"),
    ("⚠", "[!!]", "\u{1b}[33m"),
    ("❔", "[??]", "\u{1b}[36m"),
];

/// Other characters of ours that ASCII lacks.
const ASCII: [(&str, &str); 14] = [
    ("·", "-"),
    ("…", "..."),
    ("→", "->"),
    ("×", "x"),
    ("–", "-"),
    ("—", "-"),
    ("≤", "<="),
    ("≥", ">="),
    ("✓", "+"),
    ("✗", "x"),
    ("‘", "'"),
    ("’", "'"),
    ("“", "\""),
    ("”", "\""),
];

const RESET: &str = "\u{1b}[0m";

/// The longest text after a mark that is coloured with it.
const PAINTED: usize = 40;

static OUTPUT: OnceLock<Look> = OnceLock::new();
static ERROR: OnceLock<Look> = OnceLock::new();

/// Sets the look of both streams, once: the first call stands.
pub fn start(colour: Colour, env: impl Fn(&str) -> Option<String>) {
    let look = |terminal| Look::of(colour, &env, terminal);
    OUTPUT.set(look(std::io::stdout().is_terminal())).ok();
    ERROR.set(look(std::io::stderr().is_terminal())).ok();
}

/// The look of standard output; plain where nothing was set.
#[must_use]
pub fn output() -> Look {
    OUTPUT.get().copied().unwrap_or_default()
}

/// The look of standard error; plain where nothing was set.
#[must_use]
pub fn error() -> Look {
    ERROR.get().copied().unwrap_or_default()
}

impl Look {
    fn of(colour: Colour, env: &impl Fn(&str) -> Option<String>, terminal: bool) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let dumb = env("TERM").is_some_and(|term| term == "dumb");
        // The first that is set decides, as in setlocale(3).
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(set)
            .unwrap_or_default();
        let utf8 = ["utf-8", "utf8"]
            .iter()
            .any(|name| locale.to_ascii_lowercase().contains(name));
        Self {
            terminal,
            colour: match colour {
                Colour::Always => true,
                Colour::Never => false,
                Colour::Auto => terminal && set("NO_COLOR").is_none() && !dumb,
            },
            ascii: terminal && !utf8,
        }
    }

    /// `text` as it is printed.
    #[must_use]
    pub fn dress<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = if self.colour {
            Cow::Owned(text.split('\n').map(paint).collect::<Vec<_>>().join("\n"))
        } else {
            Cow::Borrowed(text)
        };
        if !self.ascii || text.is_ascii() {
            return text;
        }
        let marks = MARKS.iter().map(|(mark, ascii, _)| (*mark, *ascii));
        let plain = marks
            .chain(ASCII)
            .fold(text.into_owned(), |text, (from, to)| text.replace(from, to));
        Cow::Owned(plain)
    }
}

/// A line whose mark, and the words right after it, are coloured. JSON, where a mark stands within quotes, is left alone.
fn paint(line: &str) -> String {
    let found = MARKS
        .iter()
        .filter_map(|(mark, _, colour)| Some((line.find(mark)?, mark, colour)));
    let Some((at, mark, colour)) = found.min_by_key(|(at, mark, _)| (*at, usize::MAX - mark.len())) else {
        return match line.strip_prefix("error:") {
            Some(rest) => format!("\u{1b}[31;1merror:{RESET}{rest}"),
            None => line.to_owned(),
        };
    };
    if line[..at].contains('"') {
        return line.to_owned();
    }
    let after = at + mark.len();
    let ends = [": ", "  ", " ("].iter().filter_map(|end| line[after..].find(end));
    let end = ends
        .min()
        .filter(|end| *end <= PAINTED)
        .map_or(after, |end| after + end);
    format!("{}{colour}{}{RESET}{}", &line[..at], &line[at..end], &line[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(colour: Colour, terminal: bool, set: &[(&str, &str)]) -> Look {
        let env = |name: &str| {
            set.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        Look::of(colour, &env, terminal)
    }

    #[test]
    fn colour_is_for_terminals_unless_somebody_says_otherwise() {
        use Colour::{Always, Auto, Never};
        for (colour, terminal, set, wanted) in [
            (Auto, true, vec![], true),
            (Auto, false, vec![], false),
            (Auto, true, vec![("NO_COLOR", "1")], false),
            (Auto, true, vec![("NO_COLOR", "")], true),
            (Auto, true, vec![("TERM", "dumb")], false),
            (Always, false, vec![("NO_COLOR", "1")], true),
            (Never, true, vec![], false),
        ] {
            assert_eq!(
                look(colour, terminal, &set).colour,
                wanted,
                "{colour:?} {terminal} {set:?}"
            );
        }
    }

    #[test]
    fn a_terminal_without_utf_8_gets_ascii_and_a_pipe_gets_every_byte() {
        let text = "❌ ROLL BACK: 3 × 5xx · P95 ≥ 2s → see “why”";
        for (terminal, set, ascii) in [
            (true, vec![("LANG", "C")], true),
            (true, vec![], true),
            (true, vec![("LANG", "de_DE.UTF-8")], false),
            (true, vec![("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")], true),
            (true, vec![("LC_CTYPE", "C.utf8")], false),
            (false, vec![("LANG", "C")], false),
        ] {
            let dressed = look(Colour::Never, terminal, &set).dress(text).into_owned();
            let wanted = if ascii {
                "[no] ROLL BACK: 3 x 5xx - P95 >= 2s -> see \"why\""
            } else {
                text
            };
            assert_eq!(dressed, wanted, "{terminal} {set:?}");
        }
    }

    #[test]
    fn the_mark_and_its_word_are_coloured_and_nothing_else() {
        let always = look(Colour::Always, false, &[]);
        for (line, wanted) in [
            (
                "❌ ROLL BACK: 1 unhealthy check",
                "<31;1m❌ ROLL BACK>: 1 unhealthy check",
            ),
            ("Faults ✅ Healthy     P95: 1ms", "Faults <32m✅ Healthy>     P95: 1ms"),
            ("[12:00] WARNING: ⚠️ List: slow", "[12:00] WARNING: <33m⚠️ List>: slow"),
            ("  ✅ a name without an end", "  <32m✅> a name without an end"),
            ("{\"line\": \"✅ OK: yes\"}", "{\"line\": \"✅ OK: yes\"}"),
            ("error: no such lens", "<31;1merror:> no such lens"),
            ("plain", "plain"),
        ] {
            let wanted = wanted.replace('<', "\u{1b}[").replace('>', RESET);
            assert_eq!(always.dress(line), wanted, "{line}");
        }
    }
}
