//! `lensops new --openapi`: lens files from an OpenAPI document, and nothing besides.

use std::path::{Path, PathBuf};

use lensops_core::ident::LensId;
use lensops_core::lens::Lens;
use lensops_core::openapi::{Document, lens_text};
use lensops_core::yaml;

use crate::commands::error::{Context as _, Error, Result};
use crate::commands::exit::Exit;
use crate::commands::files;
use crate::config::Settings;

/// The tenant of a lens where nobody names one.
const TENANT: &str = "main";

/// Writes the lens `id` from the operations of `tags` in the document at `path`: all of them where none is named, a lens
/// each where several are.
///
/// # Errors
/// A document that makes no lens, or a lens file that is there and says something else.
pub fn from_openapi(settings: &Settings, id: &str, path: &Path, tags: &[String]) -> Result<Exit> {
    let document = Document::read(&path.display().to_string(), &files::read(path)?).map_err(Error::invalid)?;
    let tenants = if settings.project.tenants.names().next().is_none() {
        vec![TENANT.to_owned()]
    } else {
        Vec::new()
    };
    let mut written: Vec<(PathBuf, String)> = Vec::new();
    for (id, tag) in lenses(id, tags)? {
        let text = lens_text(&document, &id, tag, &tenants).map_err(Error::invalid)?;
        let place = format!("lenses/{id}.yml");
        yaml::read_all::<Lens>(&place, &text).context("what the document becomes is no lens")?;
        let file = settings.root.join(&place);
        if files::read_if_there(&file)?.is_some_and(|there| there != text) {
            return Err(Error::usage(format!(
                "{place} is there and says something else: remove it, or take another name"
            )));
        }
        written.push((file, text));
    }
    files::replace_all(&written)?;
    for (file, text) in &written {
        let lines = |begins: &str| text.lines().filter(|line| line.starts_with(begins)).count();
        let left_out = text
            .lines()
            .skip_while(|line| !line.starts_with("# Left out"))
            .skip(1)
            .count();
        say!(
            "✅ Created: {} ({} endpoints; {left_out} operations are comments, with the reason)",
            file.display(),
            lines("  - {name: ")
        );
    }
    if written.iter().any(|(_, text)| text.contains("\nendpoints: []\n")) {
        say!("⚠️ A lens without endpoints cannot be generated: write at least one of its comments as an endpoint");
    }
    say!("Next: read the file, set the variables that `auth` names, then `lensops generate` and `lensops check {id}`");
    Ok(Exit::Good)
}

/// The ids of the lenses, each with its tag.
fn lenses<'a>(id: &str, tags: &'a [String]) -> Result<Vec<(LensId, Option<&'a str>)>> {
    match tags {
        [] => Ok(vec![(LensId::from_human(id)?, None)]),
        [tag] => Ok(vec![(LensId::from_human(id)?, Some(tag))]),
        several => several
            .iter()
            .map(|tag| {
                let words: String = tag
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                    .collect();
                let of_tag = LensId::from_human(&format!("{id}_{}", words.trim_matches('_')))?;
                Ok((of_tag, Some(tag.as_str())))
            })
            .collect(),
    }
}
