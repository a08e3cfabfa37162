//! Crates that stand in the tree in two versions: each is named here with who brings the older one.

use std::collections::BTreeSet;
use std::process::Command;

/// Crates in two versions, and why the second stays.
const DOUBLED: [(&str, &[&str]); 6] = [
    (
        "sqlx 0.9 stands on sha2 0.10 and hashbrown 0.16",
        &[
            "block-buffer",
            "cpufeatures",
            "crypto-common",
            "digest",
            "hashbrown",
            "sha2",
        ],
    ),
    ("serde_json_path stands on nom 7", &["nom"]),
    ("hdrhistogram and jsonwebtoken stand on base64 0.22", &["base64"]),
    ("aws-lc-rs stands on untrusted 0.7", &["untrusted"]),
    (
        "derive macros that have not moved to syn 3, at build time only",
        &["syn"],
    ),
    (
        "tests only: fantoccini's webdriver, cookie, bolero, jsonschema and insta stand on older crates",
        &[
            "cookie",
            "getrandom",
            "http",
            "icu_collections",
            "icu_provider",
            "litemap",
            "rand",
            "rand_core",
            "similar",
            "synstructure",
            "thiserror",
            "thiserror-impl",
            "tinystr",
            "winnow",
            "writeable",
            "yoke",
            "yoke-derive",
            "zerovec",
            "zerovec-derive",
        ],
    ),
];

/// Names that `cargo tree` prints in more than one version, for this platform.
fn doubled() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--duplicates",
            "--depth",
            "0",
            "--locked",
            "--offline",
            "--prefix",
            "none",
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let versions: BTreeSet<(String, String)> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .collect();
    let names: Vec<&String> = versions.iter().map(|(name, _)| name).collect();
    // One version that is built with two sets of features is listed too, and is one crate.
    names
        .iter()
        .zip(names.iter().skip(1))
        .filter(|(one, next)| one == next)
        .map(|(one, _)| (*one).clone())
        .collect()
}

#[test]
fn a_crate_stands_in_two_versions_only_for_a_reason_that_is_named() {
    let reasoned: BTreeSet<String> = DOUBLED
        .iter()
        .flat_map(|(_, names)| names.iter().map(|name| (*name).to_owned()))
        .collect();
    let found = doubled();
    let new: Vec<_> = found.difference(&reasoned).collect();
    let gone: Vec<_> = reasoned.difference(&found).collect();
    assert!(
        new.is_empty(),
        "in two versions without a reason: {new:?}; `cargo tree -d` shows who brings them"
    );
    assert!(
        gone.is_empty(),
        "these have one version now, so their reason can go: {gone:?}"
    );
}
