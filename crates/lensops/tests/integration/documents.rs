//! Every command that README and docs show is run against the sandbox, in the order of the page.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lensops_sandbox::{Config, Dialect, serve};
use tokio::process::Command;

use crate::harness::Project;
use crate::pg::Database;

/// Lines that are run elsewhere: what builds and tests the product itself, and the sandbox, which
/// stands here already.
const ELSEWHERE: [&str; 6] = [
    "cargo ",
    "./scripts/test",
    "export ",
    "lensops sandbox",
    "lensops demo",
    "python3 bench/",
];

/// Commands that end only when they are told to: started, stopped, and their end looked at.
const SERVE: [&str; 2] = ["lensops worker", "lensops serve"];

/// A command of a page: its text and the exit code that its comment names.
#[derive(Debug)]
struct Shown {
    text: String,
    code: i32,
}

/// The commands of every block marked as `sh`, lines that go on joined.
fn commands(page: &str) -> Vec<Shown> {
    let mut found = Vec::new();
    let (mut inside, mut pending) = (false, String::new());
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
            continue;
        }
        if !inside || line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let (text, comment) = line.split_once(" # ").unwrap_or((line, ""));
        let code = comment
            .split("exit code ")
            .nth(1)
            .and_then(|rest| rest.chars().next()?.to_digit(10));
        if let Some(text) = text.trim_end().strip_suffix('\\') {
            pending.push_str(text);
            continue;
        }
        pending.push_str(text.trim_end());
        found.push(Shown {
            text: std::mem::take(&mut pending),
            code: code.map_or(0, |code| i32::try_from(code).unwrap_or(-1)),
        });
    }
    found
}

/// Runs the commands of `path` one after the other in a folder of their own.
async fn run_page(path: &Path, before: &[&str]) -> usize {
    let page = std::fs::read_to_string(path).unwrap();
    let sandbox = serve(Config::loopback(Dialect::Documented)).await.unwrap();
    let database = Database::empty().await;
    let folder = tempfile::tempdir().unwrap();
    let mut project = Project::empty();
    project.point_at(&sandbox);
    std::fs::create_dir(project.path("repo")).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_lensops"));
    let search = format!("{}:/usr/local/bin:/usr/bin:/bin", binary.parent().unwrap().display());
    project.env.insert("PATH".to_owned(), search);
    project
        .env
        .insert("HOME".to_owned(), folder.path().display().to_string());
    // A key of the stand-in's shop, as pages call it and as a lens that is made with it does.
    for name in ["KEY", "X_API_KEY"] {
        project
            .env
            .insert(name.to_owned(), sandbox.config().shop[0].key.clone());
    }
    let given = before.iter().map(|text| Shown {
        text: (*text).to_owned(),
        code: 0,
    });
    let mut ran = 0;
    for shown in given.chain(commands(&page)) {
        if shown.text.starts_with("export DATABASE_URL=") {
            project.env.insert("DATABASE_URL".to_owned(), database.url.clone());
        }
        if ELSEWHERE.iter().any(|start| shown.text.starts_with(start)) {
            continue;
        }
        let latest = latest_run(&project.path("repo"));
        let text = shown
            .text
            .replace("http://127.0.0.1:8085", &sandbox.url())
            .replace("https://api.example.com", &sandbox.url())
            .replace("http://127.0.0.1:8086", &sandbox.control_url())
            // Others may use the usual ports here.
            .replace("127.0.0.1:9464", "127.0.0.1:0")
            .replace("RUN_ID", &latest);
        let text = if text == "lensops serve" {
            format!("{text} --listen 127.0.0.1:0")
        } else {
            text
        };
        let text = if SERVE.iter().any(|start| text.starts_with(start)) {
            format!("timeout --signal=TERM --preserve-status 2 {text}")
        } else {
            text
        };
        let mut command = Command::new("bash");
        command
            .args(["-e", "-o", "pipefail", "-c", &text])
            .env_clear()
            .envs(&project.env)
            .current_dir(project.path("repo"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(120), command.output()).await;
        let output = output
            .unwrap_or_else(|_| panic!("{}: `{text}` does not end", path.display()))
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(shown.code),
            "{}: `{text}`\n{}{}",
            path.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        ran += 1;
    }
    ran
}

/// The newest run below `repo`, for commands that name one.
fn latest_run(repo: &Path) -> String {
    let runs = std::fs::read_dir(repo.join("verification_handoff/runs"));
    let names = runs
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.max().unwrap_or_default()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_readme_does_what_it_says() {
    let ran = run_page(&root().join("README.md"), &[]).await;
    assert!(ran >= 5, "only {ran} commands were found");
}

/// The text of the first block of `page` that is marked as `kind`.
fn block<'a>(page: &'a str, kind: &str) -> &'a str {
    let opened = format!("\n```{kind}\n");
    let start = page.find(&opened).unwrap_or_else(|| panic!("no block of {kind}")) + opened.len();
    page[start..].split("```").next().unwrap()
}

/// Whether `line` is `shown`, in which `[..]` stands for any text.
fn fits(shown: &str, line: &str) -> bool {
    let mut parts = shown.split("[..]");
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        last = Some(part);
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    match last {
        None => rest.is_empty(),
        Some(end) => end.is_empty() || rest.is_empty() || line.ends_with(end),
    }
}

#[test]
fn what_a_page_shows_fits_what_is_printed_and_nothing_else() {
    for (shown, line, same) in [
        ("as it is", "as it is", true),
        ("as it is", "as it is not", false),
        ("took [..]ms", "took 0.4ms", true),
        ("took [..]ms", "took 0.4s", false),
        ("[[..]] INFO: a [..] b", "[12:00] INFO: a 1 b", true),
        ("[..]", "", true),
        ("end", "the end", false),
    ] {
        assert_eq!(fits(shown, line), same, "{shown:?} and {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_lens_gives_the_output_that_stands_beside_it() {
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    let sandbox = serve(Config::loopback(Dialect::Documented)).await.unwrap();
    let mut project = Project::empty();
    project.point_at(&sandbox);
    project.write("lenses/orders.yml", block(&page, "yaml"));
    for user in &sandbox.config().shop {
        let name = format!("{}_{}_KEY", user.tenant, user.role).to_uppercase();
        project.env.insert(name, user.key.clone());
    }
    project.run("generate").expect(0);
    let mut ran = 0;
    for shown in block(&page, "console").split("$ lensops ").skip(1) {
        let (command, expected) = shown.split_once('\n').unwrap();
        let output = project.run(command);
        let printed = format!("{}{}", output.out, output.err);
        let lines: Vec<&str> = printed.trim_end().lines().collect();
        let expected: Vec<&str> = expected.trim_end().lines().collect();
        let same = lines.len() == expected.len() && expected.iter().zip(&lines).all(|(shown, line)| fits(shown, line));
        assert!(
            same,
            "`{command}` prints\n{printed}\nand the page shows\n{}",
            expected.join("\n")
        );
        ran += 1;
    }
    assert_eq!(ran, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_docs_does_what_it_says() {
    let faults = crate::harness::FAULTS.split_whitespace().collect::<Vec<_>>().join(" ");
    let faults = format!("lensops {faults}");
    let before = [faults.as_str()];
    let mut ran = 0;
    for entry in std::fs::read_dir(root().join("docs/src")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let begins_itself = path.ends_with("production-guide.md");
            let before: &[&str] = if begins_itself { &[] } else { &before };
            ran += run_page(&path, before).await;
        }
    }
    assert!(ran >= 40, "only {ran} commands were found");
}

#[test]
fn a_page_names_only_files_and_anchors_that_are_there() {
    let mut looked_at = 0;
    let guides = std::fs::read_dir(root().join("docs/src"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(|page| root().join(page));
    for page in pages.into_iter().chain(guides.filter(|path| path.is_file())) {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.is_empty() || link.contains("://") || link.starts_with('#') {
                continue;
            }
            let target = page.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(
                target.exists(),
                "{} links to {link}, which is not there",
                page.display()
            );
            looked_at += 1;
        }
    }
    assert!(looked_at > 40, "{looked_at}");
}
