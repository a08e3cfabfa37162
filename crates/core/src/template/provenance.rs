//! Which templates a file is made of: its header hashes those and no others.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::manifest::{Output, Pin};
use crate::crypto::digest::sha256_hex;
use crate::plan::header::short_hash;

/// The short hash of everything in a set that decides what `output` renders.
pub(super) fn hash_of(output: &Output, files: &BTreeMap<String, String>, pins: &IndexMap<String, Pin>) -> String {
    let mut text = format!(
        "{}\n{:?}\n{} {}\n{:?}\n",
        output.path,
        output.plan.map(super::PlanKind::key),
        output.once,
        output.blueprint,
        output.when
    );
    let mut names_pins = false;
    for name in closure(&output.template, files) {
        let Some(template) = files.get(name) else { continue };
        names_pins |= template.contains("pins");
        text.push_str(&format!("{name} {}\n", sha256_hex(template.as_bytes())));
    }
    if names_pins {
        text.push_str(&serde_json::to_string(pins).unwrap_or_default());
    }
    short_hash(text.as_bytes())
}

/// A template and all that it takes in, by their names in quotes. One that is computed may be any.
fn closure<'a>(template: &'a str, files: &'a BTreeMap<String, String>) -> BTreeSet<&'a str> {
    let (mut found, mut waiting) = (BTreeSet::new(), vec![template]);
    while let Some(name) = waiting.pop() {
        let Some(text) = files.get(name).filter(|_| found.insert(name)) else {
            continue;
        };
        if computes(text) {
            return files.keys().map(String::as_str).collect();
        }
        let named = |other: &&String| text.contains(&format!("\"{other}\"")) || text.contains(&format!("'{other}'"));
        waiting.extend(files.keys().filter(named).map(String::as_str));
    }
    found
}

/// Whether a template takes another in whose name does not stand there.
fn computes(text: &str) -> bool {
    text.split("[%").skip(1).any(|block| {
        let block = block.trim_start_matches(['-', '+']).trim_start();
        let takes_in = ["include ", "import ", "from ", "extends "];
        let rest = takes_in.iter().find_map(|word| block.strip_prefix(word));
        rest.is_some_and(|rest| !rest.trim_start().starts_with(['"', '\'']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g7_a_file_is_made_of_its_template_and_what_that_takes_in() {
        let files = |shared: &str| {
            let texts = [
                ("a.yml", "[% include \"steps.yml\" %]"),
                ("b.yml", "[% include which %]"),
                ("c.yml", "plain"),
                ("steps.yml", shared),
            ];
            texts
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let output = |template: &str| Output {
            path: "x".to_owned(),
            template: template.to_owned(),
            plan: None,
            once: false,
            blueprint: false,
            when: None,
        };
        let hash = |template: &str, shared: &str| hash_of(&output(template), &files(shared), &IndexMap::new());
        for (template, changes) in [("a.yml", true), ("b.yml", true), ("c.yml", false), ("steps.yml", true)] {
            assert_eq!(hash(template, "one") != hash(template, "two"), changes, "{template}");
        }
    }
}
