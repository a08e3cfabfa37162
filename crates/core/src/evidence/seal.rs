//! Sealing a run's files and verifying them: a hash chain over every file, and the envelope's signature.

use std::collections::BTreeMap;

use super::envelope;
use super::finding::Finding;
use super::signature::{PREFIX, PublicKey, SigningKey};
use crate::crypto::digest::sha256_hex;
use crate::evidence::manifest::{Entry, FILE, Manifest};

/// What stands for a signature where there is none.
pub(crate) const UNSIGNED: &str = "unsigned";

/// The files of a run's folder, manifest and envelope among them: name → bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Who vouches for a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// Nobody.
    Unsigned,
    /// The owner of this key.
    By(PublicKey),
}

/// What verifying a bundle came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// The manifest; `None` when there is none that can be read.
    pub manifest: Option<Manifest>,
    /// Who vouches for it; meaningful only where nothing but line ends was found.
    pub signed: Signed,
    /// What is not as the run left it; empty when nothing is.
    pub findings: Vec<Finding>,
}

impl Verification {
    /// Whether every file holds what the run wrote. Line ends may differ: they say nothing.
    #[must_use]
    pub fn is_as_left(&self) -> bool {
        self.manifest.is_some() && self.findings.iter().all(Finding::is_line_ends)
    }
}

/// Files as they lie elsewhere: those of a run may be large.
pub(crate) type Borrowed<'a> = BTreeMap<&'a str, &'a [u8]>;

pub(crate) fn borrowed(files: &Files) -> Borrowed<'_> {
    let files = files.iter();
    files.map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}

pub(crate) fn chain(seed: &str, files: &Borrowed<'_>) -> (Vec<Entry>, String) {
    let mut head = sha256_hex(seed.as_bytes());
    let entries = files
        .iter()
        .map(|(name, bytes)| {
            let sha256 = sha256_hex(bytes);
            head = sha256_hex(format!("{head}\n{name}\n{sha256}").as_bytes());
            Entry {
                name: (*name).to_owned(),
                sha256,
                chain: head.clone(),
            }
        })
        .collect();
    (entries, head)
}

impl Manifest {
    /// Chains `files` into the manifest, adds it to them, and signs it where there is a `key`.
    #[must_use]
    pub fn seal(mut self, mut files: Files, key: Option<&SigningKey>) -> Files {
        self.signature = key.map_or_else(|| UNSIGNED.to_owned(), |key| format!("{PREFIX}{}", key.public()));
        (self.files, self.head) = chain(&self.seed(), &borrowed(&files));
        let text = self.text();
        if let Some(key) = key {
            files.insert(
                envelope::FILE.to_owned(),
                envelope::envelope(&self, &text, key).into_bytes(),
            );
        }
        files.insert(FILE.to_owned(), text.into_bytes());
        files
    }
}

/// Verifies the `files` of a run's folder.
#[must_use]
pub fn verify(files: &Files) -> Verification {
    let mut artefacts = borrowed(files);
    let failed = |finding: Finding| Verification {
        manifest: None,
        signed: Signed::Unsigned,
        findings: vec![finding],
    };
    let Some(bytes) = artefacts.remove(FILE) else {
        return failed(Finding::Removed(FILE.to_owned()));
    };
    let envelope_file = artefacts.remove(envelope::FILE);
    let changed = Finding::Changed(FILE.to_owned());
    let Some(lies) = std::str::from_utf8(bytes).ok() else {
        return failed(changed);
    };
    // lensops writes both files with single line feeds.
    let text = lies.replace("\r\n", "\n");
    let Ok(manifest) = serde_json::from_str::<Manifest>(&text) else {
        return failed(changed);
    };
    let mut findings = differences(&manifest, &artefacts);
    if !manifest.holds_together() {
        // What it says of a file is then no witness against the file.
        findings.retain(|finding| !matches!(finding, Finding::Changed(_) | Finding::LineEnds(_)));
        findings.insert(0, changed.clone());
    }
    // Byte for byte what was written: white space and the order of keys and files are no place to hide anything.
    let is_written = || manifest.text() == text && manifest.files.is_sorted_by(|a, b| a.name < b.name);
    if findings.iter().all(Finding::is_line_ends) && !is_written() {
        findings.push(changed);
    } else if text != lies {
        findings.push(Finding::LineEnds(FILE.to_owned()));
    }
    let signed = signer(&manifest, &text, envelope_file, &mut findings);
    Verification {
        manifest: Some(manifest),
        signed,
        findings,
    }
}

/// Who signed `manifest`, whose file reads `text`. What is wrong with the signature joins `findings`.
fn signer(manifest: &Manifest, text: &str, envelope_file: Option<&[u8]>, findings: &mut Vec<Finding>) -> Signed {
    let name = || envelope::FILE.to_owned();
    let finding = match (manifest.signature.strip_prefix(PREFIX), envelope_file) {
        (Some(key), Some(bytes)) => {
            let lies = String::from_utf8_lossy(bytes);
            let envelope = lies.replace("\r\n", "\n");
            match envelope::check(&envelope, manifest, text) {
                Ok(found) if found.to_string() == key => {
                    if envelope != lies {
                        findings.push(Finding::LineEnds(name()));
                    }
                    return Signed::By(found);
                }
                Ok(_) => Finding::OtherSigner,
                // Where files were changed the signature cannot fit, and they are named already.
                Err(Finding::SignsAnother) if !findings.iter().all(Finding::is_line_ends) => return Signed::Unsigned,
                Err(finding) => finding,
            }
        }
        (Some(_), None) => Finding::Removed(name()),
        (None, Some(_)) => Finding::Added(name()),
        (None, None) => return Signed::Unsigned,
    };
    findings.push(finding);
    Signed::Unsigned
}

/// Files that were changed, added, removed or renamed since the manifest was made.
pub(crate) fn differences(manifest: &Manifest, files: &Borrowed<'_>) -> Vec<Finding> {
    let known = |name: &str| manifest.files.iter().find(|entry| entry.name == name);
    let mut found = Vec::new();
    let mut gone: Vec<&Entry> = manifest
        .files
        .iter()
        .filter(|entry| !files.contains_key(entry.name.as_str()))
        .collect();
    for (name, bytes) in files {
        let (sha256, name) = (sha256_hex(bytes), (*name).to_owned());
        match known(&name) {
            Some(entry) if entry.sha256 == sha256 => {}
            Some(entry) if entry.sha256 == sha256_hex(&line_feeds(bytes)) => found.push(Finding::LineEnds(name)),
            Some(_) => found.push(Finding::Changed(name)),
            None => match gone.iter().position(|entry| entry.sha256 == sha256) {
                Some(at) => found.push(Finding::Renamed {
                    from: gone.remove(at).name.clone(),
                    to: name,
                }),
                None => found.push(Finding::Added(name)),
            },
        }
    }
    found.extend(gone.iter().map(|entry| Finding::Removed(entry.name.clone())));
    found
}

/// `bytes` with a line feed for each CR LF, as a checkout that rewrites line ends had them before.
fn line_feeds(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\r' || rest.peek() != Some(&b'\n') {
            out.push(byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::manifest::Previous;
    use super::super::trust::Standing;
    use super::*;
    use crate::plan::header::PlanOrigin;
    use crate::secret::Secret;
    use crate::verdict::{RunKind, Verdict};

    fn manifest() -> Manifest {
        let text = |text: &str| text.to_owned();
        Manifest {
            run_id: text("r2"),
            kind: RunKind::Acceptance.into(),
            lens: text("faults"),
            tenants: Some(vec![Uuid::nil()]),
            verdict: Verdict::Pass.into(),
            plan_sha256: text("p"),
            plan_origin: PlanOrigin::Generated.into(),
            finished_at: text("2026-01-28T15:00:00Z"),
            lensops: text("0"),
            previous: Some(Previous {
                run_id: text("r1"),
                head: text("h1"),
            }),
            files: Vec::new(),
            head: String::new(),
            signature: String::new(),
        }
    }

    fn key(digit: &str) -> SigningKey {
        SigningKey::from_hex(&Secret::new(digit.repeat(64))).unwrap()
    }

    fn bundle(key: Option<&SigningKey>) -> Files {
        let files = [("a.json", "{\"one\": 1}"), ("b.md", "# two\n"), ("c.xml", "<three/>")];
        manifest().seal(files.map(|(name, text)| (name.to_owned(), text.into())).into(), key)
    }

    fn findings(files: Files) -> Vec<String> {
        verify(&files).findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn e8_a_checkout_that_rewrote_line_ends_is_told_from_one_that_was_changed() {
        for signer in [None, Some(key("7"))] {
            let rewritten = |mut files: Files| {
                for bytes in files.values_mut() {
                    *bytes = String::from_utf8(bytes.clone())
                        .unwrap()
                        .replace('\n', "\r\n")
                        .into_bytes();
                }
                files
            };
            let found = verify(&rewritten(bundle(signer.as_ref())));
            assert!(found.is_as_left() && !found.findings.is_empty(), "{:?}", found.findings);
            assert_eq!(found.signed, verify(&bundle(signer.as_ref())).signed);
            // A change on top of it is a change.
            for name in bundle(signer.as_ref()).keys() {
                let mut changed = rewritten(bundle(signer.as_ref()));
                changed.get_mut(name).unwrap().push(b' ');
                let found = verify(&changed);
                assert!(!found.is_as_left(), "{name}: {:?}", found.findings);
            }
        }
    }

    #[test]
    fn e11_a_kept_head_tells_a_tail_that_was_removed() {
        let run = |id: &str, before: Option<&Manifest>| -> Manifest {
            let mut run = manifest();
            run.run_id = id.to_owned();
            run.previous = before.map(|run| Previous {
                run_id: run.run_id.clone(),
                head: run.head.clone(),
            });
            serde_json::from_slice(&run.seal(Files::new(), None)[FILE]).unwrap()
        };
        let first = run("a", None);
        let second = run("b", Some(&first));
        let third = run("c", Some(&second));
        let standing = |run: &Manifest, head: &Manifest, there: &[&Manifest]| {
            let there: Vec<Manifest> = there.iter().map(|run| (*run).clone()).collect();
            Standing::of(run, &head.head, &there)
        };
        let all = [&third, &first, &second];
        assert_eq!(standing(&first, &third, &all), Standing::UpTo);
        assert_eq!(standing(&third, &third, &all), Standing::UpTo);
        assert_eq!(standing(&third, &first, &all), Standing::After);
        // The tail is gone, or a link between.
        assert_eq!(standing(&first, &third, &[&first, &second]), Standing::NotInChain);
        assert_eq!(standing(&first, &third, &[&first, &third]), Standing::NotInChain);
        // A run that was written later says what it likes of its head.
        let mut forged = run("d", Some(&first));
        forged.head.clone_from(&third.head);
        assert_eq!(standing(&first, &third, &[&first, &forged]), Standing::NotInChain);
    }

    #[test]
    fn an_untouched_bundle_verifies_and_says_who_signed_it() {
        assert_eq!(verify(&bundle(None)).signed, Signed::Unsigned);
        assert!(findings(bundle(None)).is_empty());
        let signed = verify(&bundle(Some(&key("7"))));
        assert_eq!(
            (signed.signed, signed.findings.len()),
            (Signed::By(key("7").public()), 0)
        );
    }

    #[test]
    fn each_flipped_byte_of_each_file_is_found_and_its_file_named() {
        for signer in [None, Some(key("7"))] {
            let whole = bundle(signer.as_ref());
            for (name, bytes) in &whole {
                for (at, bit) in (0..bytes.len()).flat_map(|at| [0x01, 0x20, 0x80].map(|bit| (at, bit))) {
                    let mut tampered = whole.clone();
                    tampered.get_mut(name).unwrap()[at] ^= bit;
                    let found = findings(tampered);
                    // A name or hash flipped in the manifest makes the manifest and the files disagree.
                    let named = found.iter().any(|finding| finding.contains(name.as_str()))
                        || (name == FILE && !found.is_empty());
                    assert!(named, "{name} byte {at} ^ {bit:#x}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn each_truncation_removal_addition_rename_and_swap_is_found_and_named() {
        for signer in [None, Some(key("7"))] {
            let whole = bundle(signer.as_ref());
            for (name, bytes) in &whole {
                for length in 0..bytes.len() {
                    let mut cut = whole.clone();
                    cut.get_mut(name).unwrap().truncate(length);
                    assert!(
                        findings(cut).iter().any(|finding| finding.contains(name.as_str())),
                        "{name} cut to {length}"
                    );
                }
                let mut removed = whole.clone();
                removed.remove(name);
                assert!(findings(removed).contains(&format!("{name} was removed")), "{name}");
            }
            let mut added = whole.clone();
            added.insert("d.txt".to_owned(), Vec::new());
            assert_eq!(findings(added), ["d.txt was added"]);
            let mut renamed = whole.clone();
            let bytes = renamed.remove("b.md").unwrap();
            renamed.insert("z.md".to_owned(), bytes);
            assert_eq!(findings(renamed), ["b.md was renamed to z.md"]);
            let mut swapped = whole.clone();
            swapped.insert("a.json".to_owned(), whole["b.md"].clone());
            swapped.insert("b.md".to_owned(), whole["a.json"].clone());
            assert_eq!(findings(swapped), ["a.json was changed", "b.md was changed"]);
        }
    }

    #[test]
    fn reordered_entries_and_a_changed_story_are_found() {
        let whole = bundle(Some(&key("7")));
        let mut manifest: Manifest = serde_json::from_slice(&whole[FILE]).unwrap();
        manifest.files.swap(0, 1);
        let mut reordered = whole.clone();
        reordered.insert(FILE.to_owned(), manifest.text().into_bytes());
        assert!(findings(reordered)[0].contains("manifest.json was changed"));
        // Nor are entries that stand in another order, or twice, and are chained as they stand.
        let mut twice = manifest.clone();
        twice.files.push(manifest.files[0].clone());
        for mut story in [manifest, twice] {
            "unsigned".clone_into(&mut story.signature);
            let mut head = sha256_hex(story.seed().as_bytes());
            for entry in &mut story.files {
                head = sha256_hex(format!("{head}\n{}\n{}", entry.name, entry.sha256).as_bytes());
                entry.chain.clone_from(&head);
            }
            story.head = head;
            assert!(story.holds_together());
            let mut files = bundle(None);
            files.insert(FILE.to_owned(), story.text().into_bytes());
            assert_eq!(findings(files), ["manifest.json was changed"]);
        }
        // Whoever rewrites the story and chains it anew still lacks the key.
        let mut story: Manifest = serde_json::from_slice(&whole[FILE]).unwrap();
        story.verdict = Verdict::Fail.into();
        let artefacts: Files = whole
            .iter()
            .filter(|(name, _)| !name.starts_with("manifest"))
            .map(|(n, b)| (n.clone(), b.clone()))
            .collect();
        (story.files, story.head) = chain(&story.seed(), &borrowed(&artefacts));
        let mut forged = whole.clone();
        forged.insert(FILE.to_owned(), story.text().into_bytes());
        assert_eq!(findings(forged), ["manifest.dsse.json signs another manifest.json"]);
        // And signed with a key of one's own it says so.
        let other = verify(&bundle(Some(&key("8"))));
        assert_ne!(other.signed, Signed::By(key("7").public()));
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_showing_it() {
        for bad in ["", "zz", &"g".repeat(64), &"a".repeat(63)] {
            let error = SigningKey::from_hex(&Secret::new(bad)).unwrap_err().to_string();
            assert!(bad.is_empty() || !error.contains(bad), "{error}");
        }
    }
}
