//! `examples/`: what the generator writes, kept equal to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::harness::Project;
use crate::orders;

/// The command that makes the example, from an empty folder.
const PARTS: &str = "generate --lens-id parts --domain parts \
    --feature-flags PARTS_LENS_V2_ENABLED,PARTS_LENS_SUGGESTIONS_ENABLED,PARTS_LENS_SIGNED_ACTIONS_ENABLED \
    --roles crew,chief_engineer,chief_officer,captain,purser,manager \
    --yacht-id 53fbdf09-b709-509d-aad0-3a6f50239a5d --hod-user-id 11c093fe-0652-50b4-bb47-559c1c185f8a \
    --crew-user-id eb3fdfe4-81e3-53a5-b423-fd13884b12e8 --captain-user-id 7672d3d4-fe80-5fb8-80e2-58b12b95d5b6 \
    --user manager=manager:e1da62c0-e82d-5772-8a08-a3762ed5c8b4 --read-action view_part_details --entity-id-key part_id \
    --signed-action adjust_stock_quantity --entity-type stock_adjustment --signers captain,manager \
    --signed-payload new_quantity=7 --signed-payload reason=count \
    --test-entity-id f4bb930a-4af9-5dd9-bbdb-dd3ecc085bb5,cda32b38-8e6a-55e2-979e-03f417fa24c3";

#[test]
fn the_example_is_what_the_generator_writes() {
    let project = Project::empty();
    project.run(PARTS).expect(0);
    hold("parts", &project, &[]);
}

/// The lens and `lensops.yml` are a person's, and all else is generated of them.
#[test]
fn the_example_of_any_http_api_is_what_the_generator_writes() {
    let project = Project::empty();
    for file in orders::WRITTEN {
        project.write(file, &std::fs::read_to_string(orders::example().join(file)).unwrap());
    }
    project.run("generate").expect(0);
    hold("orders", &project, &orders::WRITTEN);
}

/// Holds what lies in `project` beside the example; `written` are files that nothing generates.
fn hold(example: &str, project: &Project, written: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(example);
    let found = project.files();
    let named: BTreeMap<PathBuf, &Vec<u8>> = found
        .iter()
        .map(|(path, bytes)| (path.strip_prefix(project.root()).unwrap().to_owned(), bytes))
        .collect();
    if std::env::var_os("LENSOPS_UPDATE_EXAMPLES").is_some() {
        if written.is_empty() {
            std::fs::remove_dir_all(&folder).ok();
        }
        for (path, bytes) in &named {
            std::fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            std::fs::write(folder.join(path), bytes).unwrap();
        }
    }
    for (path, bytes) in &named {
        let there = std::fs::read(folder.join(path)).unwrap_or_default();
        assert!(
            there == **bytes,
            "examples/{example}/{} is not what the generator writes: run this test with LENSOPS_UPDATE_EXAMPLES=1",
            path.display()
        );
    }
    let mut kept = Vec::new();
    list(&folder, &mut kept);
    assert_eq!(
        kept.len(),
        named.len(),
        "examples/{example} holds what the generator does not write: {kept:#?}"
    );
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, found);
        } else {
            found.push(path);
        }
    }
}
