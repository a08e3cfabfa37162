//! What decides the generated files is in the repository: options that do, and what git tells, are written
//! into `lensops.yml` once and only read from then on.

use std::path::Path;

use lensops_core::repository::{Branch, RepoFolder};
use lensops_core::yaml;
use serde_json::Value;

use super::first_lens::FirstLens;
use super::options::{Mode, Options};
use super::planned::{Planned, Standing};
use crate::commands::error::Result;
use crate::commands::files;
use crate::commands::git::{self, Checkout};
use crate::config::{PROJECT_FILE, Runtime, Settings};

/// The settings of a run with what it found, and the keys that say so.
pub(super) struct Found {
    pub(super) settings: Settings,
    keys: Vec<Key>,
    pub(super) notes: Vec<String>,
}

/// A key of `lensops.yml` and where its value comes from.
struct Key {
    name: &'static str,
    value: String,
    from: String,
}

/// Takes options and git into account. Nothing is asked of git where `lensops.yml` says it, or where there is
/// nothing to be written.
pub(super) fn find(settings: &Settings, options: &Options) -> Found {
    let mut found = Found {
        settings: settings.clone(),
        keys: Vec::new(),
        notes: Vec::new(),
    };
    found.template_set(options);
    found.worker(options);
    if !matches!(options.mode, Mode::Check { .. }) {
        found.repository(options);
    }
    found
}

impl Found {
    fn key(&mut self, name: &'static str, value: String, from: impl Into<String>) {
        let from = from.into();
        self.keys.push(Key { name, value, from });
    }

    fn template_set(&mut self, options: &Options) {
        let Some(folder) = &options.template_dir else { return };
        let told = relative(&self.settings.root, folder);
        match (&self.settings.project.template_set, told) {
            (Some(named), Some(told)) if *named == told => {}
            (Some(named), _) => self.notes.push(format!(
                "⚠️ --template-dir is for this run alone: {PROJECT_FILE} says `template_set: {named}`"
            )),
            (None, Some(told)) => self.key("template_set", scalar(&told), "--template-dir"),
            (None, None) => self.notes.push(format!(
                "⚠️ the template set {} lies outside of the repository: CI cannot compare with it. Copy it into the repository and name it as `template_set` of {PROJECT_FILE}",
                folder.display()
            )),
        }
    }

    /// The API's address, where a new lens was made of one and nothing says it.
    pub(super) fn api(&mut self, first: Option<&FirstLens>) {
        if let (Some(first), None) = (first, &self.settings.project.api_base_url) {
            let base = first.base.to_string();
            self.settings.project.api_base_url = Some(base.clone());
            self.key("api_base_url", scalar(&base), "--url");
        }
    }

    fn worker(&mut self, options: &Options) {
        if options.single_worker && !self.settings.project.single_worker {
            self.settings.project.single_worker = true;
            self.key("single_worker", "true".to_owned(), "--single-worker");
        }
        let Some(runtime) = options.runtime else { return };
        match self.settings.project.runtime {
            Some(named) if named == runtime => {}
            Some(named) => self.notes.push(format!(
                "⚠️ --runtime is for this run alone: {PROJECT_FILE} says `runtime: {}`",
                word(named)
            )),
            None => self.key("runtime", word(runtime).to_owned(), "--runtime"),
        }
        self.settings.project.runtime = Some(runtime);
    }

    /// The default branch, where the folder is the root of a repository or somebody agreed that workflows go to
    /// the root. Unasked, nothing is written outside of the folder: it may lie in somebody else's checkout.
    fn repository(&mut self, options: &Options) {
        let named = &self.settings.project.repository;
        if named.branch.is_some() || named.root.is_some() {
            return;
        }
        let Some(Checkout { top, folder }) = git::checkout(&self.settings.root) else {
            return;
        };
        let branch = git::default_branch(&top);
        let parsed = folder.as_deref().and_then(|folder| folder.parse::<RepoFolder>().ok());
        match (folder, parsed) {
            (Some(_), Some(folder)) if options.workflows_to_root => {
                let branch = branch.unwrap_or_default();
                self.key("repository", inline(&branch, Some(&folder)), "git");
                self.settings.project.repository.branch = Some(branch);
                self.settings.project.repository.root = Some(folder);
            }
            (Some(_), Some(folder)) => self.notes.push(format!(
                "⚠️ this folder is {folder} of a git repository, whose workflows are run from its root alone: `repository: {}` in {PROJECT_FILE} writes them there",
                inline(&branch.unwrap_or_default(), Some(&folder))
            )),
            (Some(folder), None) => self.notes.push(format!(
                "⚠️ this folder is {folder:?} of a git repository, whose workflows are run from its root alone: rename it, and say `repository` in {PROJECT_FILE}"
            )),
            (None, _) => match branch {
                Some(branch) if branch != Branch::default() => {
                    self.key("repository", inline(&branch, None), "git");
                    self.settings.project.repository.branch = Some(branch);
                }
                Some(_) => {}
                None => self.notes.push(format!(
                    "⚠️ git does not tell the default branch: workflows name main; say `repository: {{branch: NAME}}` in {PROJECT_FILE}"
                )),
            },
        }
    }

    /// `lensops.yml` with the keys that were found; `None` where there are none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn planned(&mut self, options: &Options) -> Result<Option<Planned>> {
        if self.keys.is_empty() || matches!(options.mode, Mode::Check { .. }) {
            return Ok(None);
        }
        let path = self.settings.root.join(PROJECT_FILE);
        let before = files::read_if_there(&path)?;
        let keys = &self.keys;
        let Some(text) = appended(before.as_deref().unwrap_or_default(), keys) else {
            let lines = keys.iter().map(|key| format!("`{}: {}`", key.name, key.value));
            let lines: Vec<String> = lines.collect();
            self.notes
                .push(format!("⚠️ enter into {PROJECT_FILE} by hand: {}", lines.join(", ")));
            return Ok(None);
        };
        let told = keys.iter().map(|key| {
            let Key { name, value, from } = key;
            format!("{PROJECT_FILE} now says `{name}: {value}` (from {from}): from here on it is read there")
        });
        self.notes.extend(told);
        Ok(Some(Planned {
            path,
            shown: PROJECT_FILE.to_owned(),
            text,
            standing: if before.is_some() {
                Standing::Changed
            } else {
                Standing::New
            },
            before,
            why: None,
        }))
    }
}

/// `before` and the keys below it; `None` where that would not say the same and the keys.
fn appended(before: &str, keys: &[Key]) -> Option<String> {
    let end = if before.contains("\r\n") { "\r\n" } else { "\n" };
    let mut text = before.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str(end);
    }
    for key in keys {
        text.push_str(&format!("{}: {}{end}", key.name, key.value));
    }
    let read = |text: &str| yaml::read::<Option<Value>>(PROJECT_FILE, text).ok();
    let (was, is) = (read(before).flatten(), read(&text).flatten()?);
    let mut rest = is.as_object()?.clone();
    for key in keys {
        rest.shift_remove(key.name)?;
    }
    let was = was.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    (was == Value::Object(rest)).then_some(text)
}

fn inline(branch: &Branch, folder: Option<&RepoFolder>) -> String {
    let branch = format!("branch: {}", scalar(branch.as_str()));
    match folder {
        Some(folder) => format!("{{{branch}, root: {}}}", scalar(folder.as_str())),
        None => format!("{{{branch}}}"),
    }
}

fn word(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Docker => "docker",
        Runtime::Rust => "rust",
    }
}

/// Text as YAML writes it: plain where that is safe, else quoted.
fn scalar(text: &str) -> String {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.');
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    if first && !word && text.chars().all(plain) {
        text.to_owned()
    } else {
        Value::String(text.to_owned()).to_string()
    }
}

/// `folder` from `root` on, where both lie in one repository, or one below the other.
fn relative(root: &Path, folder: &Path) -> Option<String> {
    let (root, folder) = (root.canonicalize().ok()?, folder.canonicalize().ok()?);
    let within = git::checkout(&root).map_or_else(|| root.clone(), |checkout| checkout.top);
    if !folder.starts_with(&within) {
        return None;
    }
    let shared = root.iter().zip(folder.iter()).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", root.iter().count() - shared);
    let down: Vec<&str> = folder
        .iter()
        .skip(shared)
        .map(|part| part.to_str())
        .collect::<Option<_>>()?;
    let parts: Vec<&str> = up.chain(down).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_appended_only_where_everything_else_says_the_same() {
        let key = || {
            vec![Key {
                name: "template_set",
                value: "set".to_owned(),
                from: "x".to_owned(),
            }]
        };
        for (before, after) in [
            ("", Some("template_set: set\n")),
            ("# ours\n", Some("# ours\ntemplate_set: set\n")),
            ("dialect: documented", Some("dialect: documented\ntemplate_set: set\n")),
            ("a: 1\r\n", Some("a: 1\r\ntemplate_set: set\r\n")),
            ("{a: 1}\n", None),
            ("template_set: other\n", None),
            ("a: |\n  text\n", Some("a: |\n  text\ntemplate_set: set\n")),
        ] {
            assert_eq!(appended(before, &key()).as_deref(), after, "{before:?}");
        }
    }
}
