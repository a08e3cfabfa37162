//! The repository that lensops generates files into: its branch, the folder of the lenses in it, and the
//! paths of the API's code.
//!
//! These texts are written into workflows, so each type takes only what is safe there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::crypto::digest::sha256_hex;

/// Why a branch, folder or path was refused. The text says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not valid: {rule}")]
pub struct RepositoryError {
    what: &'static str,
    given: String,
    rule: &'static str,
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// As it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = RepositoryError;
            fn from_str(text: &str) -> Result<Self, RepositoryError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    return Ok(Self(text.to_owned()));
                }
                Err(RepositoryError { what: $what, given: text.chars().take(80).collect(), rule: $rule })
            }
        }

        impl TryFrom<String> for $name {
            type Error = RepositoryError;
            fn try_from(text: String) -> Result<Self, RepositoryError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> String {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        crate::text_form::text_form!($name, $what, "", $rule);
    };
}

text_type!(
    /// The branch whose pushes start acceptance and drift.
    Branch,
    "branch",
    "a branch as git names it, such as main or release/2",
    |text| {
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
        !text.starts_with('-')
            && !text.ends_with('.')
            && !text.contains("..")
            && !text.contains("@{")
            && text.split('/').all(part)
            && !text.chars().any(|c| c.is_control() || " ~^:?*[\\\"'`$".contains(c))
    }
);

text_type!(
    /// The folder of `lensops.yml` below the repository's root, such as `services/api`.
    RepoFolder,
    "folder",
    "the folder of lensops.yml below the repository's root, with `/` and without `.` and `..`, such as services/api",
    |text| text.split('/').all(is_part) && !text.contains('·')
);

text_type!(
    /// Paths that start acceptance when they change: a pattern as GitHub's `paths` takes it. It begins at
    /// the folder of `lensops.yml`, or with `/` at the repository's root; `!` in front takes paths out.
    PathPattern,
    "path pattern",
    "a pattern such as src/handlers/**, /shared/** from the repository's root, or !docs/**",
    |text| {
        let text = text.strip_prefix('!').unwrap_or(text);
        text.strip_prefix('/').unwrap_or(text).split('/').all(is_part) && text.trim() == text
    }
);

/// Whether a text is a part of a path that stays where it is.
fn is_part(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && !part.chars().any(|c| c.is_control() || c == '\\')
}

impl Default for Branch {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl RepoFolder {
    /// How many folders it lies below the root.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.split('/').count()
    }

    /// What the names of its files at the repository's root begin with: `services-api-`. Names of workflows
    /// hold no other characters; a folder that has some is told apart by a hash.
    #[must_use]
    pub fn slug(&self) -> String {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let name: String = self.0.chars().map(|c| if safe(c) { c } else { '-' }).collect();
        let name = name.trim_matches(['.', '-']);
        if self.0.chars().all(|c| safe(c) || c == '/') && !name.is_empty() {
            return format!("{name}-");
        }
        let hash = sha256_hex(self.0.as_bytes());
        let hash = hash.get(..6).unwrap_or_default();
        format!("{name}-{hash}-").trim_start_matches('-').to_owned()
    }
}

impl PathPattern {
    /// The pattern from the repository's root, for lenses in `folder`.
    #[must_use]
    pub fn rooted(&self, folder: Option<&RepoFolder>) -> String {
        let (not, path) = match self.0.strip_prefix('!') {
            Some(path) => ("!", path),
            None => ("", self.0.as_str()),
        };
        match (path.strip_prefix('/'), folder) {
            (Some(path), _) => format!("{not}{path}"),
            (None, Some(folder)) => format!("{not}{}/{path}", literal(folder.as_str())),
            (None, None) => format!("{not}{path}"),
        }
    }
}

/// `path` as a pattern that stands for itself.
#[must_use]
pub fn literal(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        if "*?+[]!".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_safe_in_a_workflow_is_taken() {
        for (text, good) in [
            ("main", true),
            ("release/2.x", true),
            ("trunk", true),
            ("", false),
            ("a b", false),
            ("-x", false),
            ("${{ x }}", false),
            ("a..b", false),
            ("x.lock", false),
        ] {
            assert_eq!(text.parse::<Branch>().is_ok(), good, "{text}");
        }
        for (text, good) in [
            ("services/api", true),
            ("dienste/α pi", true),
            ("..", false),
            ("/abs", false),
            ("a//b", false),
            ("a/./b", false),
            ("a\nb", false),
        ] {
            assert_eq!(text.parse::<RepoFolder>().is_ok(), good, "{text}");
        }
        for (text, good) in [
            ("src/**", true),
            ("/shared/**", true),
            ("!docs/**", true),
            ("../x", false),
            ("", false),
            (" x", false),
        ] {
            assert_eq!(text.parse::<PathPattern>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_pattern_begins_at_its_folder_or_at_the_root() {
        let folder: RepoFolder = "services/a[1]".parse().unwrap();
        for (pattern, rooted, told) in [
            ("src/**", "src/**", r"services/a\[1\]/src/**"),
            ("/shared/*.py", "shared/*.py", "shared/*.py"),
            ("!docs/**", "!docs/**", r"!services/a\[1\]/docs/**"),
        ] {
            let pattern: PathPattern = pattern.parse().unwrap();
            assert_eq!(pattern.rooted(None), rooted);
            assert_eq!(pattern.rooted(Some(&folder)), told);
        }
        assert_eq!(folder.depth(), 2);
        let slug = |folder: &str| folder.parse::<RepoFolder>().unwrap().slug();
        assert_eq!(slug("services/api"), "services-api-");
        assert!(slug("α").len() == 7 && slug("α") != slug("β"), "{}", slug("α"));
        assert!(slug("dienste/α pi").starts_with("dienste"), "{}", slug("dienste/α pi"));
    }
}
