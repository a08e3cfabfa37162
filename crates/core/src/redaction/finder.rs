//! Finds every form of many secrets in one pass over a text.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memmem;

use super::forms::{forms, packed_forms};
use super::mark::{SHORTEST_SECRET, mark};
use super::unfold::{self, layers, packed, packed_bytes, unfolded};
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
    /// As they stand in a text.
    forms: Anchored,
    /// As they stand in what a text was before it was encoded.
    plain: Option<Anchored>,
    /// As they stand in runs of digits.
    packed: Option<Anchored>,
    /// What a text that was cut off may end with: the secrets' beginnings.
    whole: Vec<Vec<u8>>,
    /// The length of the shortest text that may hold any of it: most texts of an answer are shorter.
    least: usize,
}

/// How much of a secret's beginning gives it away at the end of a text that was cut off. Less is ordinary text: an
/// address begins as others do.
const CUT: usize = 9;

/// Some byte strings, found by their ends.
#[derive(Clone)]
struct Anchored {
    anchors: AhoCorasick,
    /// By anchor: the forms that end with it.
    forms: Vec<Vec<Vec<u8>>>,
    /// The length of the shortest form.
    shortest: usize,
}

impl Anchored {
    /// `None` when there is nothing to find.
    #[expect(
        clippy::indexing_slicing,
        reason = "it is within bounds, and without it secrets would be written"
    )]
    fn new(mut all: Vec<Vec<u8>>, speed: Speed) -> Option<Self> {
        all.sort_unstable_by(|a, b| a.iter().rev().cmp(b.iter().rev()));
        all.dedup();
        let mut anchors: Vec<Vec<u8>> = Vec::new();
        let mut forms: Vec<Vec<Vec<u8>>> = Vec::new();
        for form in all {
            let anchor = &form[form.len().saturating_sub(ANCHOR)..];
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
        let shortest = forms.iter().flatten().map(Vec::len).min()?;
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

    /// Where they stand in `text`.
    #[expect(
        clippy::indexing_slicing,
        reason = "offsets are those of matches, and a wrong one must not let a secret through"
    )]
    fn find(&self, text: &[u8], found: &mut Vec<Range<usize>>) {
        for anchor in self.anchors.find_overlapping_iter(text) {
            let before = &text[..anchor.end()];
            let forms = self.forms[anchor.pattern().as_usize()].iter();
            let whole = forms.filter(|form| before.ends_with(form));
            found.extend(whole.map(|form| anchor.end() - form.len()..anchor.end()));
        }
    }
}

impl Finder {
    /// A finder for `secrets`; `None` when there is nothing to find.
    pub(crate) fn new<'a>(secrets: impl Iterator<Item = &'a Secret>, speed: Speed) -> Option<Self> {
        let secrets: Vec<&str> = secrets
            .map(Secret::expose)
            .filter(|secret| secret.len() >= SHORTEST_SECRET)
            .collect();
        let bytes = |forms: Vec<String>| forms.into_iter().map(String::into_bytes);
        let plain = secrets
            .iter()
            .flat_map(|secret| [unfold::plain(secret), unfolded(secret)]);
        let plain = plain.filter(|form| form.len() >= SHORTEST_SECRET);
        let packed = secrets.iter().flat_map(|secret| bytes(packed_forms(secret)));
        let forms = Anchored::new(secrets.iter().flat_map(|secret| bytes(forms(secret))).collect(), speed)?;
        let plain = Anchored::new(plain.collect(), speed);
        let packed = Anchored::new(packed.collect(), speed);
        let others = plain.iter().chain(&packed).map(|anchored| anchored.shortest);
        Some(Self {
            least: others.chain([forms.shortest]).fold(CUT, usize::min),
            forms,
            plain,
            packed,
            whole: secrets
                .iter()
                .flat_map(|secret| [unfold::plain(secret), unfolded(secret)])
                .collect(),
        })
    }

    /// `text` with a mark wherever a form of a secret stands.
    pub(crate) fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if text.len() < self.least {
            return Cow::Borrowed(text);
        }
        let mut found: Vec<Range<usize>> = Vec::new();
        self.forms.find(text.as_bytes(), &mut found);
        found.extend(cut_off(self.whole.iter().map(Vec::as_slice), text.as_bytes()).map(|start| start..text.len()));
        let mut within = Vec::new();
        for layer in layers(text) {
            self.plain
                .iter()
                .for_each(|plain| plain.find(&layer.bytes, &mut within));
            within.extend(
                cut_off(self.whole.iter().map(Vec::as_slice), &layer.bytes).map(|start| start..layer.bytes.len()),
            );
            found.extend(within.drain(..).filter_map(|range| layer.source(range)));
        }
        if let Some(finder) = self.packed.as_ref().filter(|finder| finder.shortest <= text.len()) {
            // Where each digit stood is asked only where a secret was found among them.
            finder.find(&packed_bytes(text), &mut within);
            if !within.is_empty()
                && let Some(digits) = packed(text)
            {
                found.extend(within.drain(..).filter_map(|range| digits.source(range)));
            }
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
            let range = text.floor_char_boundary(range.start).max(done)..text.ceil_char_boundary(range.end);
            clean.push_str(&text[done..range.start]);
            clean.push_str(mark(&text[range.clone()]));
            done = range.end;
        }
        clean.push_str(&text[done..]);
        Cow::Owned(clean)
    }
}

/// Where the beginning of one of `secrets` stands at the end of `text`, which may have been cut off.
pub(super) fn cut_off<'s>(secrets: impl Iterator<Item = &'s [u8]>, text: &[u8]) -> Option<usize> {
    let starts = secrets.filter_map(|secret| {
        let from = text.len().saturating_sub(secret.len().saturating_sub(1));
        let tail = text.get(from..)?;
        let mut beginnings = memmem::find_iter(tail, secret.get(..CUT)?);
        let at = beginnings.find(|at| tail.get(*at..).is_some_and(|end| secret.starts_with(end)))?;
        Some(from + at)
    });
    starts.min()
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
