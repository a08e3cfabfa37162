//! The demo, as a newcomer runs it.

use crate::harness::Project;

#[test]
fn the_demo_runs_everything_and_says_that_its_clock_is_virtual() {
    let project = Project::empty();
    let ran = project.run("demo --once").expect(0);
    for told in [
        "4704 checks:",
        "24h before the incident    ✅ PROCEED",
        "24h during the incident    ❌ ROLL BACK: 3 unhealthy",
        "24h more than 24 h after   ✅ PROCEED",
        "7d at the end of the week ❌ ROLL BACK: 3 unhealthy",
        "virtual clock",
    ] {
        assert!(ran.out.contains(told), "{told}: {}", ran.out);
    }
    let status = project.run("--root lensops-demo status").expect(0);
    assert!(status.out.contains("virtual clock"), "{}", status.out);
    let gate = project.run("--root lensops-demo gate faults --window 7d").expect(1);
    assert!(
        gate.out.contains("virtual clock") && gate.out.contains("ROLL BACK"),
        "{}",
        gate.out
    );
    project.run("--root lensops-demo generate --check").expect(0);
    // It may be run again: the folder is its own.
    assert!(project.path("lensops-demo/.lensops-demo").is_file());
}

#[test]
fn the_demo_of_any_http_api_runs_the_same_story_and_finds_every_hole() {
    let project = Project::empty();
    let ran = project.run("demo --once --api http").expect(0);
    for told in [
        "1344 checks:",
        "a viewer may create an order: found",
        "an order is shown to another tenant: found",
        "the list answers 200 with an error in its body: found",
        "24h before the incident    ✅ PROCEED",
        "24h during the incident    ❌ ROLL BACK: 3 unhealthy",
        "24h more than 24 h after   ✅ PROCEED",
    ] {
        assert!(ran.out.contains(told), "{told}: {}", ran.out);
    }
    project.run("--root lensops-demo generate --check").expect(0);
    for (demo, example) in [("lensops.yml", "lensops.yml"), ("lens.yml", "lenses/orders.yml")] {
        let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("demo/orders")
            .join(demo);
        let same = std::fs::read(&demo).unwrap() == std::fs::read(crate::orders::example().join(example)).unwrap();
        assert!(same, "{} is not what examples/orders/{example} is", demo.display());
    }
}
