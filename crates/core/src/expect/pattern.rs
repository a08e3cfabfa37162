//! A regular expression of a plan, compiled when the plan is read.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A regular expression in the syntax of the `regex` crate: linear time, no look-around. It matches
/// anywhere in a text unless it is anchored with `^` and `$`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(regex::Regex);

impl Pattern {
    /// The largest program that an expression may compile to, in bytes.
    const LARGEST: usize = 1 << 20;

    /// Whether it matches somewhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// What it matches of `text`: its first group, else all of the match; `None` where it matches nothing.
    #[must_use]
    pub fn part<'a>(&self, text: &'a str) -> Option<&'a str> {
        let found = self.0.captures(text)?;
        let part = found.get(1).or(found.get(0));
        part.map(|part| part.as_str())
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let built = regex::RegexBuilder::new(&text).size_limit(Self::LARGEST).build();
        built.map(Self).map_err(|error| {
            let said = error.to_string();
            // Of several lines with a caret the last says what is wrong.
            let why = said
                .rsplit_once('\n')
                .map_or(&*said, |(_, last)| last)
                .trim_start_matches("error: ");
            format!("{text:?} is not a regular expression: {why}")
        })
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

crate::text_form::text_form!(
    Pattern,
    "regular expression",
    "",
    "a regular expression, such as ^(open|done)$"
);
