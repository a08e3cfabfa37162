//! Finds every form of many secrets in one pass over a text.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::forms::forms;
use super::mark::mark;
use crate::secret::Secret;

/// How many of a form's last bytes are looked for. An automaton for whole forms of tokens would have
/// hundreds of thousands of states; tokens differ at their end, and what is found is compared whole.
const ANCHOR: usize = 16;

/// What a finder is to be good at. With the secrets of an environment the small one takes 40 kB and
/// the fast one 0.6 MB, for twice the speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speed {
    /// For a program that is there for months and writes a few lines.
    Small,
    /// For a run that writes megabytes.
    Fast,
}

/// Knows some secrets in all their forms.
#[derive(Clone)]
pub(crate) struct Finder {
    anchors: AhoCorasick,
    /// By anchor: the forms that end with it.
    forms: Vec<Vec<String>>,
    /// The length of the shortest form: most texts of an answer are shorter than any secret.
    shortest: usize,
}

impl Finder {
    /// A finder for `secrets`; `None` when there is nothing to find.
    #[expect(
        clippy::indexing_slicing,
        reason = "it is within bounds, and without it secrets would be written"
    )]
    pub(crate) fn new<'a>(secrets: impl Iterator<Item = &'a Secret>, speed: Speed) -> Option<Self> {
        let mut all: Vec<String> = secrets.flat_map(|secret| forms(secret.expose())).collect();
        all.sort_unstable_by(|a, b| a.bytes().rev().cmp(b.bytes().rev()));
        all.dedup();
        let mut anchors: Vec<Vec<u8>> = Vec::new();
        let mut forms: Vec<Vec<String>> = Vec::new();
        for form in all {
            let anchor = &form.as_bytes()[form.len().saturating_sub(ANCHOR)..];
            match forms
                .last_mut()
                .filter(|_| anchors.last().is_some_and(|last| last == anchor))
            {
                Some(same) => same.push(form),
                None => {
                    anchors.push(anchor.to_vec());
                    forms.push(vec![form]);
                }
            }
        }
        let shortest = forms.iter().flatten().map(String::len).min()?;
        #[expect(clippy::expect_used, reason = "without it secrets would be written")]
        let anchors = AhoCorasick::builder()
            .kind(Some(match speed {
                Speed::Small => AhoCorasickKind::ContiguousNFA,
                Speed::Fast => AhoCorasickKind::DFA,
            }))
            .build(&anchors)
            .expect("fewer than 2^31 states, for an environment is smaller");
        Some(Self {
            anchors,
            forms,
            shortest,
        })
    }

    /// `text` with a mark wherever a form of a secret stands.
    #[expect(
        clippy::indexing_slicing,
        reason = "offsets are those of matches, and a wrong one must not let a secret through"
    )]
    pub(crate) fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.len() < self.shortest {
            return Cow::Borrowed(text);
        }
        let mut found: Vec<Range<usize>> = Vec::new();
        for anchor in self.anchors.find_overlapping_iter(text) {
            let before = &text.as_bytes()[..anchor.end()];
            let forms = self.forms[anchor.pattern().as_usize()].iter();
            let whole = forms.filter(|form| before.ends_with(form.as_bytes()));
            found.extend(whole.map(|form| anchor.end() - form.len()..anchor.end()));
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable_by_key(|range| (range.start, range.end));
        let mut clean = String::with_capacity(text.len());
        let mut done = 0;
        let mut ranges = found.into_iter().peekable();
        while let Some(mut range) = ranges.next() {
            // Forms that overlap go together.
            while let Some(next) = ranges.next_if(|next| next.start < range.end) {
                range.end = range.end.max(next.end);
            }
            clean.push_str(&text[done..range.start]);
            clean.push_str(mark(&text[range.clone()]));
            done = range.end;
        }
        clean.push_str(&text[done..]);
        Cow::Owned(clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(secrets: &[&str], text: &str) -> String {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        let clean = |speed| {
            let finder = Finder::new(secrets.iter(), speed);
            finder.map_or_else(|| text.to_owned(), |finder| finder.clean(text).into_owned())
        };
        assert_eq!(clean(Speed::Small), clean(Speed::Fast));
        clean(Speed::Small)
    }

    #[test]
    fn secrets_with_one_ending_are_told_apart_by_their_beginning() {
        let (one, two) = ("first-of-them-0123456789abcdef", "other-of-them-0123456789abcdef");
        let text = format!("{one}, {two}, third-of-them-0123456789abcdef");
        let expected = "[redacted], [redacted], third-of-them-0123456789abcdef";
        assert_eq!(cleaned(&[one, two], &text), expected);
    }

    #[test]
    fn secrets_that_overlap_or_hold_each_other_go_together() {
        assert_eq!(
            cleaned(&["made-up-one", "one-made-up"], "<made-up-one-made-up>"),
            "<[redacted]>"
        );
        assert_eq!(
            cleaned(&["made-up", "very-made-up-one"], "very-made-up-one made-up"),
            "[redacted] [redacted]"
        );
        assert_eq!(cleaned(&["made-up"], "made-upmade-up"), "[redacted][redacted]");
    }

    #[test]
    fn short_texts_and_short_secrets_stay() {
        assert_eq!(cleaned(&["made-up"], "made-u"), "made-u");
        assert_eq!(cleaned(&["abc"], "abc"), "abc");
        assert_eq!(cleaned(&[], "made-up"), "made-up");
    }
}
