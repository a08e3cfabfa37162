//! What people do wrong at the command line, in one table: exit code, what is wrong and where, and the way out.
//! No mistake shows a library's words, and none is told twice.

use crate::harness::{FAULTS, Project, Ran};

/// A mistake: what it is, what makes the project hold it, the command, its exit code, and what must be told.
type Row = (
    &'static str,
    fn(&mut Project),
    &'static str,
    i32,
    &'static [&'static str],
);

fn nothing(_: &mut Project) {}

fn lens(project: &mut Project, from: &str, to: &str) {
    let text = project.read("lenses/faults.yml");
    assert!(text.contains(from), "{text}");
    project.write("lenses/faults.yml", &text.replacen(from, to, 1));
}

fn set(project: &mut Project, name: &str, value: &str) {
    project.env.insert(name.to_owned(), value.to_owned());
}

fn api(project: &mut Project, address: &str) {
    set(project, "API_BASE_URL", address);
    set(
        project,
        "TENANT_SUPABASE_JWT_SECRET",
        "a made-up secret of thirty-two bytes",
    );
}

const TABLE: &[Row] = &[
    (
        "a command misspelt",
        nothing,
        "chek",
        2,
        &["'chek'", "\n  tip: ", "'check'"],
    ),
    ("an unknown option", nothing, "check --nope faults", 2, &["'--nope'"]),
    (
        "no lens named",
        nothing,
        "check",
        2,
        &["name a lens, or give --plan FILE: there are faults"],
    ),
    (
        "a lens misspelt",
        nothing,
        "check fautls",
        2,
        &["no monitor plan of lens fautls: did you mean \"faults\"?"],
    ),
    (
        "a lens that is far from any",
        nothing,
        "accept x",
        2,
        &["there are plans of faults"],
    ),
    (
        "a folder that is none of ours",
        |project| std::fs::create_dir(project.path("other")).unwrap(),
        "--root other status",
        2,
        &["this folder has no lens", "`lensops new`", "`--root DIR`"],
    ),
    (
        "a root that is not there",
        nothing,
        "--root /nope status",
        2,
        &["--root /nope is not there: name the repository's folder"],
    ),
    (
        "a root that is a file",
        nothing,
        "--root lenses/faults.yml status",
        2,
        &["is a file: name the folder that it lies in"],
    ),
    (
        "a window that is none",
        nothing,
        "gate faults --window 1x",
        2,
        &["\"1x\" is not a valid duration", "such as 15m"],
    ),
    (
        "a window of nothing",
        nothing,
        "gate faults --window 0h",
        2,
        &["\"0h\" is not a valid duration"],
    ),
    (
        "a time in words",
        nothing,
        "gate faults --at yesterday",
        2,
        &["--at", "a time is written as 2026-01-28T15:00:00Z"],
    ),
    (
        "a wrong letter in a UUID",
        nothing,
        "generate --lens-id x --domain x --roles crew --yacht-id 53fbdf09-b709-509d-aad0-3a6f50239a5g",
        2,
        &["--yacht-id", "a UUID is hexadecimal", "character 36 is 'g'"],
    ),
    (
        "a wrong UUID in a file",
        |project| lens(project, "7672d3d4-fe80-5fb8-80e2-58b12b95d5b6", "7672d3d4"),
        "generate",
        2,
        &["lenses/faults.yml:", "\"7672d3d4\" is no UUID"],
    ),
    (
        "no address",
        nothing,
        "check faults",
        2,
        &["API_BASE_URL is not set", "--api-url"],
    ),
    (
        "an address without a scheme",
        |project| api(project, "api.example.com"),
        "check faults",
        2,
        &["API_BASE_URL: \"api.example.com\" is not an API address: it needs http:// or https:// and a host"],
    ),
    (
        "a password in the address",
        |project| api(project, "https://made-up:hush@api.example.com"),
        "check faults",
        2,
        &["credentials do not belong into an address"],
    ),
    (
        "an address that refuses",
        |project| api(project, "http://127.0.0.1:9"),
        "check faults --no-record",
        1,
        &["connection refused by 127.0.0.1:9"],
    ),
    (
        "no signing secret",
        |project| set(project, "API_BASE_URL", "http://127.0.0.1:9"),
        "check faults",
        2,
        &["TENANT_SUPABASE_JWT_SECRET is not set", "whose tokens it signs"],
    ),
    (
        "a signing secret that is too short",
        |project| {
            api(project, "http://127.0.0.1:9");
            set(project, "TENANT_SUPABASE_JWT_SECRET", "short");
        },
        "doctor",
        1,
        &[
            "TENANT_SUPABASE_JWT_SECRET has 5 characters",
            "check that it was copied whole",
        ],
    ),
    (
        "a tab in YAML",
        |project| lens(project, "domain: faults", "domain:\n\tfaults"),
        "generate",
        2,
        &["lenses/faults.yml:", "a tab indents this line: YAML takes spaces"],
    ),
    (
        "an unknown key",
        |project| lens(project, "domain: faults", "domian: faults"),
        "generate",
        2,
        &["no key \"domian\": did you mean \"domain\"?"],
    ),
    (
        "a wrong type",
        |project| lens(project, "every: 15m", "every: [1]"),
        "generate",
        2,
        &["lenses/faults.yml:", "\"every\""],
    ),
    (
        "a map where text is wanted",
        |project| lens(project, "domain: faults", "domain: {a: 1}"),
        "generate",
        2,
        &["\"domain\" is text, not a map"],
    ),
    (
        "an empty file",
        |project| project.write("lenses/faults.yml", "# nothing\n"),
        "generate",
        2,
        &["lenses/faults.yml:1:1: the file is empty"],
    ),
    (
        "a file that is no UTF-8",
        |project| std::fs::write(project.path("lenses/faults.yml"), b"lens: \xff\xfe\n").unwrap(),
        "generate",
        2,
        &["lenses/faults.yml cannot be read: it is not text in UTF-8: save it as such"],
    ),
    (
        "a lens with another ending",
        |project| project.write("lenses/parts.yaml", "lens: parts\n"),
        "generate",
        2,
        &["lenses/parts.yaml would not be read: lens files end with .yml, rename it"],
    ),
    (
        "a signer misspelt",
        |project| lens(project, "signers: [captain", "signers: [capitan"),
        "generate",
        2,
        &["signer capitan is no user (did you mean \"captain\"?)"],
    ),
    (
        "f2: a role misspelt",
        |project| lens(project, "role: captain", "role: capitan"),
        "generate",
        2,
        &[
            "lenses/faults.yml:",
            "user captain has role capitan",
            "did you mean captain?",
        ],
    ),
    (
        "f2: a role misspelt as an option",
        nothing,
        "generate --lens-id y --domain faults --roles crew,captain --user x=capitan:7672d3d4-fe80-5fb8-80e2-58b12b95d5b6",
        2,
        &["user x has role capitan", "did you mean captain?"],
    ),
    (
        "a hand-edited plan",
        |project| {
            let plan = "tests/stress/faults_actions_endpoints.yml";
            project.write(plan, &project.read(plan).replace("burst: 50", "burst: 5"));
            lens(project, "domain: faults", "domain: parts");
        },
        "generate",
        2,
        &[
            "edited by hand: tests/stress/faults_actions_endpoints.yml",
            "`overrides`",
            "--force",
        ],
    ),
    (
        "a dialect misspelt",
        |project| api(project, "http://127.0.0.1:9"),
        "accept faults --dialect documneted",
        2,
        &["did you mean \"documented\"?"],
    ),
    (
        "a folder that cannot be written",
        |project| {
            std::fs::remove_dir_all(project.path("tests/stress")).unwrap();
            project.write("tests/stress", "a file\n");
        },
        "generate",
        2,
        &["tests/stress"],
    ),
    (
        "an evidence folder that is none",
        nothing,
        "evidence verify lenses",
        2,
        &["lenses holds no manifest.json: name the folder of a run"],
    ),
    (
        "an evidence key in the repository",
        nothing,
        "evidence keygen --out key.txt",
        2,
        &["key.txt"],
    ),
    (
        "a baseline that is not there",
        |project| api(project, "http://127.0.0.1:9"),
        "stress faults --baseline nope.json",
        2,
        &["nope.json cannot be read"],
    ),
];

/// The words of libraries: none may be shown.
const LIBRARIES: [&str; 8] = [
    "while scanning",
    "invalid digit",
    "relative URL",
    "stream did not contain",
    ": expected a",
    "failed to lookup",
    "panicked",
    "failed to parse",
];

fn told(ran: &Ran) -> String {
    format!("{}{}", ran.out, ran.err)
}

#[test]
fn each_mistake_is_told_with_what_where_and_the_way_out() {
    let mut wrong = Vec::new();
    for (what, make, command, code, words) in TABLE {
        let mut project = Project::empty();
        project.run(FAULTS).expect(0);
        make(&mut project);
        let ran = project.run(command);
        let said = told(&ran);
        let errors = ran.err.lines().filter(|line| line.starts_with("error: ")).count();
        let lacks: Vec<&&str> = words.iter().filter(|word| !said.contains(**word)).collect();
        let libraries: Vec<&str> = LIBRARIES.into_iter().filter(|words| said.contains(words)).collect();
        if ran.code != *code || errors > 1 || !lacks.is_empty() || !libraries.is_empty() {
            wrong.push(format!(
                "{what}: exit code {}, {errors} errors, lacks {lacks:?}, has {libraries:?}:\n{said}",
                ran.code
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn generating_again_with_another_option_names_the_difference() {
    let project = Project::empty();
    project.run(FAULTS).expect(0);
    let said = project
        .run(&FAULTS.replace("--domain faults", "--domain parts"))
        .expect(2)
        .err;
    assert!(
        said.contains("lenses/faults.yml is there and says something else (domain: \"faults\" there, \"parts\" given)"),
        "{said}"
    );
}

/// Today: `error: standard output: Broken pipe (os error 32)`.
#[cfg(unix)]
#[test]
fn f6_a_reader_that_has_enough_is_no_error() {
    let mut project = Project::empty();
    project.run(FAULTS).expect(0);
    api(&mut project, "http://127.0.0.1:9");
    project.run("check faults").expect(1);
    for command in [
        "export",
        "config",
        "schema lens",
        "generate",
        "check faults --json",
        "status",
        "doctor",
    ] {
        let mut child = project
            .command(command)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !said.contains("Broken pipe") && !said.contains("standard output") && !said.contains("panicked"),
            "{command}: {said}"
        );
    }
}
