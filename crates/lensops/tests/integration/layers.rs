//! The walls that the layout promises, kept by reading the sources: no circle between files, no arrow up a
//! storey, no rim to rim. `ARCHITECTURE.md` draws the storeys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::module_graph::{Edge, Tree};

/// The rooms of `lensops-core`, each storey using only those above it. Rooms of one storey may use one
/// another, but for those of `APART`.
const CORE: [&[&str]; 14] = [
    &["ident", "duration", "text_form", "named", "secret"],
    &["crypto", "stats", "yaml", "repository"],
    &["exchange"],
    &["redaction"],
    &["request"],
    &["expect"],
    &["auth"],
    &["lens"],
    &["plan"],
    &["verdict"],
    &["flags"],
    &["history"],
    &["alert", "evidence", "template"],
    &["openapi", "schema"],
];

/// The rooms of `lensops`, the ground first.
const LENSOPS: [&[&str]; 8] = [
    &["http1", "terminal"],
    &["log"],
    &["connect"],
    &["store", "load", "http", "auth", "flags", "alert", "listen"],
    &["web", "config"],
    &["commands"],
    &["cli"],
    &["main"],
];

/// Rooms that use none of their own storey.
const APART: [&str; 12] = [
    "alert", "evidence", "template", "store", "load", "http", "auth", "flags", "listen", "web", "config", "connect",
];

/// What `web` may use besides itself: the pages read stores, and nothing else of the rim.
const BELOW_WEB: [&str; 2] = ["store", "log"];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn tree() -> Tree {
    let mut tree = Tree::default();
    for (name, folder) in [
        ("lensops_core", "core"),
        ("lensops_sandbox", "sandbox"),
        ("lensops", "lensops"),
    ] {
        tree.read(name, &crates().join(folder).join("src/lib.rs"));
    }
    tree.read("lensops_main", &crates().join("lensops/src/main.rs"));
    tree
}

/// Every circle: the files that reach one another, and what each names of the next.
fn circles(edges: &BTreeSet<Edge>) -> Vec<String> {
    let mut next: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for edge in edges {
        next.entry(&edge.from).or_default().insert(&edge.to);
    }
    let reached = |from: &Path| {
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![from]);
        while let Some(file) = waiting.pop() {
            for &to in next.get(file).into_iter().flatten() {
                if seen.insert(to) {
                    waiting.push(to);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&Path, BTreeSet<&Path>> = next.keys().map(|file| (*file, reached(file))).collect();
    let comes_back = |edge: &&Edge| {
        reach
            .get(edge.to.as_path())
            .is_some_and(|seen| seen.contains(edge.from.as_path()))
    };
    let told = |edge: &Edge| format!("{} names {} of {}", edge.from.display(), edge.what, edge.to.display());
    edges.iter().filter(comes_back).map(told).collect()
}

/// The room of a file below `folder`: its first folder, or the file itself. `None` for the crate's root.
fn room<'a>(folder: &Path, file: &'a Path) -> Option<&'a str> {
    let first = file.strip_prefix(folder).ok()?.iter().next()?.to_str()?;
    Some(first.trim_end_matches(".rs")).filter(|room| *room != "lib")
}

/// Every arrow below `folder` that goes up a storey, or from one room to another that stands apart.
fn wrong_arrows(edges: &BTreeSet<Edge>, folder: &Path, storeys: &[&[&str]]) -> Vec<String> {
    let storey = |room: &str| {
        let found = storeys.iter().position(|rooms| rooms.contains(&room));
        found.unwrap_or_else(|| panic!("{room} stands in no storey: enter it into this test and ARCHITECTURE.md"))
    };
    let wrong = |edge: &&Edge| {
        let (Some(from), Some(to)) = (room(folder, &edge.from), room(folder, &edge.to)) else {
            return false;
        };
        let (here, there) = (storey(from), storey(to));
        let past_the_door = from == "web" && !BELOW_WEB.contains(&to);
        from != to && (there > here || (there == here && APART.contains(&from)) || past_the_door)
    };
    let told = |edge: &Edge| format!("{} names {} of {}", edge.from.display(), edge.what, edge.to.display());
    edges.iter().filter(wrong).map(told).collect()
}

#[test]
fn files_name_one_another_in_no_circle() {
    let edges = tree().edges();
    assert!(edges.len() > 1000, "only {} edges were read", edges.len());
    let circles = circles(&edges);
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn no_room_names_one_above_it_and_no_rim_another() {
    let edges = tree().edges();
    for (folder, storeys) in [("core/src", &CORE[..]), ("lensops/src", &LENSOPS[..])] {
        let wrong = wrong_arrows(&edges, &crates().join(folder), storeys);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn the_stand_in_names_nothing_of_the_other_two_nor_the_core_of_anybody() {
    for edge in tree().edges() {
        let of = |file: &Path| {
            let below = file.strip_prefix(crates()).unwrap();
            below.iter().next().unwrap().to_str().unwrap().to_owned()
        };
        let (from, to) = (of(&edge.from), of(&edge.to));
        assert!(from == to || from == "lensops", "{edge:?}");
    }
}

/// A small crate with every kind of arrow that the walls forbid; each is found.
#[test]
fn a_circle_an_arrow_up_and_one_across_are_found_however_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "pub mod base;\npub mod left;\npub mod right;\npub mod top;\n");
    // An inline path within a macro call, up a storey.
    write(
        "base.rs",
        "pub fn f() { println!(\"{}\", crate::top::VALUE); }\npub struct Ground;\n",
    );
    // A re-export, followed to the file that defines it; parent and child in a circle.
    write("left/mod.rs", "mod child;\npub use child::Child;\npub struct Parent;\n");
    write("left/child.rs", "use super::Parent;\npub struct Child(pub Parent);\n");
    // From one room of a storey to another, by way of a nested import.
    write(
        "right.rs",
        "use crate::{base::Ground, left::{self, Child}};\npub fn g(_: Child, _: left::Parent, _: Ground) {}\n",
    );
    // Tests may name what they like.
    write(
        "top.rs",
        "pub const VALUE: u8 = 1;\n#[cfg(test)]\nmod tests {\n    use crate::right::g;\n}\n",
    );
    let mut tree = Tree::default();
    tree.read("small", &folder.path().join("lib.rs"));
    let edges = tree.edges();
    let short = |lines: Vec<String>| -> Vec<String> {
        let root = format!("{}/", folder.path().display());
        lines.iter().map(|line| line.replace(&root, "")).collect()
    };
    assert_eq!(
        short(circles(&edges)),
        [
            "left/child.rs names Parent of left/mod.rs",
            "left/mod.rs names Child of left/child.rs",
        ]
    );
    let mut storeys: Vec<&[&str]> = vec![&["base"], &["left", "right"], &["top"]];
    assert_eq!(
        short(wrong_arrows(&edges, folder.path(), &storeys)),
        ["base.rs names VALUE of top.rs"]
    );
    storeys = vec![&["base"], &["right"], &["left"], &["top"]];
    let wrong = short(wrong_arrows(&edges, folder.path(), &storeys));
    assert_eq!(wrong.len(), 4, "{wrong:#?}");
    assert!(
        wrong.contains(&"right.rs names Child of left/child.rs".to_owned()),
        "{wrong:#?}"
    );
}
