//! The manifest of a run: which files it left, their hashes, and a chain over them.
//!
//! Each link of the chain is the hash of the link before it, the file's name and the file's hash,
//! so that an entry cannot be changed, dropped, added or moved without changing the head.

use serde::{Deserialize, Serialize};

use crate::digest::sha256_hex;

/// The manifest's file name within a run's folder.
pub const FILE: &str = "manifest.json";

/// What a run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The run.
    pub run_id: String,
    /// `acceptance`, `stress`, …
    pub kind: String,
    /// The lens.
    pub lens: String,
    /// `pass`, `fail` or `could_not_judge`.
    pub verdict: String,
    /// SHA-256 of the plan that ran.
    pub plan_sha256: String,
    /// Whether that plan was as it was generated.
    pub plan_origin: String,
    /// When the run ended, RFC 3339.
    pub finished_at: String,
    /// The tool's version.
    pub lensops: String,
    /// The files, sorted by name.
    pub files: Vec<Entry>,
    /// The last link of the chain.
    pub head: String,
    /// `unsigned`: nobody vouches for the head.
    pub signature: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name within the run's folder.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its link of the chain.
    pub chain: String,
}

/// Chains `files` (name, bytes), sorted by name, from `seed`: entries and head.
#[must_use]
pub fn chain(seed: &str, mut files: Vec<(String, Vec<u8>)>) -> (Vec<Entry>, String) {
    files.sort();
    let mut head = sha256_hex(seed.as_bytes());
    let entries = files
        .into_iter()
        .map(|(name, bytes)| {
            let sha256 = sha256_hex(&bytes);
            head = sha256_hex(format!("{head}\n{name}\n{sha256}").as_bytes());
            Entry {
                name,
                sha256,
                chain: head.clone(),
            }
        })
        .collect();
    (entries, head)
}

impl Manifest {
    /// What the chain starts from: everything the manifest says besides its files.
    #[must_use]
    pub fn seed(&self) -> String {
        [
            &self.run_id,
            &self.kind,
            &self.lens,
            &self.verdict,
            &self.plan_sha256,
            &self.plan_origin,
            &self.finished_at,
            &self.lensops,
        ]
        .map(String::as_str)
        .join("\n")
    }

    /// Chains `files` into the manifest.
    #[must_use]
    pub fn seal(mut self, files: Vec<(String, Vec<u8>)>) -> Self {
        (self.files, self.head) = chain(&self.seed(), files);
        self
    }

    /// What differs between the manifest and the `files` that are there; empty when nothing does.
    #[must_use]
    pub fn differences(&self, files: Vec<(String, Vec<u8>)>) -> Vec<String> {
        let mut found = Vec::new();
        let (entries, head) = chain(&self.seed(), files);
        for entry in &entries {
            match self.files.iter().find(|known| known.name == entry.name) {
                None => found.push(format!("{} was added", entry.name)),
                Some(known) if known.sha256 != entry.sha256 => found.push(format!("{} was changed", entry.name)),
                Some(_) => {}
            }
        }
        for known in &self.files {
            if !entries.iter().any(|entry| entry.name == known.name) {
                found.push(format!("{} was removed", known.name));
            }
        }
        if found.is_empty() && (entries != self.files || head != self.head) {
            found.push(format!("{FILE} was changed"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<(String, Vec<u8>)> {
        vec![
            ("b.md".to_owned(), b"two".to_vec()),
            ("a.json".to_owned(), b"one".to_vec()),
        ]
    }

    fn manifest() -> Manifest {
        let text = |text: &str| text.to_owned();
        Manifest {
            run_id: text("r"),
            kind: text("acceptance"),
            lens: text("faults"),
            verdict: text("pass"),
            plan_sha256: text("p"),
            plan_origin: text("generated"),
            finished_at: text("t"),
            lensops: text("0"),
            files: Vec::new(),
            head: String::new(),
            signature: text("unsigned"),
        }
        .seal(files())
    }

    #[test]
    fn every_change_is_found_and_named() {
        assert!(manifest().differences(files()).is_empty());
        let mut changed = files();
        changed[0].1[0] ^= 1;
        assert_eq!(manifest().differences(changed), ["b.md was changed"]);
        assert_eq!(manifest().differences(files()[..1].to_vec()), ["a.json was removed"]);
        let mut added = files();
        added.push(("c".to_owned(), Vec::new()));
        assert_eq!(manifest().differences(added), ["c was added"]);
        let mut lied = manifest();
        lied.verdict = "fail".to_owned();
        assert_eq!(lied.differences(files()), ["manifest.json was changed"]);
    }
}
