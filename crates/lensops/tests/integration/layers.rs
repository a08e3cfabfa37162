//! The walls that the layout promises, kept by reading the sources.

use std::path::Path;

/// Rim modules: none imports another one or `run`.
const RIM: [&str; 7] = ["alert", "flags", "http", "listen", "load", "store", "web"];

/// The ground that they stand on.
const GROUND: [&str; 2] = ["connect", "log"];

fn sources(module: &str) -> Vec<(String, String)> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = base.join(format!("{module}.rs"));
    let mut paths = if file.exists() { vec![file] } else { Vec::new() };
    if let Ok(entries) = std::fs::read_dir(base.join(module)) {
        paths.extend(
            entries
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|e| e == "rs")),
        );
    }
    assert!(!paths.is_empty(), "no source of {module}");
    paths
        .into_iter()
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn rim_modules_do_not_import_one_another_or_the_commands() {
    for module in RIM {
        for (path, text) in sources(module) {
            for line in text.lines().filter(|line| line.trim_start().starts_with("use crate::")) {
                let target = line
                    .trim_start()
                    .trim_start_matches("use crate::")
                    .split([':', ';'])
                    .next()
                    .unwrap();
                // The pages read history; that is the one door.
                if (module, target) != ("web", "store") && !GROUND.contains(&target) {
                    assert_eq!(target, module, "{path}: {line}");
                }
            }
        }
    }
}
