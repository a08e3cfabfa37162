//! The exit codes of every command: what asked wrongly, what could not be judged, what was refused.
//!
//! Verdicts (1 and 4 of `check`, `accept`, `gate` …) have tests of their own beside what they judge; here
//! stands what is common to all commands, and that none is forgotten.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::Stdio;

use lensops::cli;
use lensops_sandbox::{Dialect, Sandbox};

use crate::harness::{Project, sandbox};

/// Where a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A folder without a file.
    Empty,
    /// The faults lens and a sandbox that answers.
    Works,
    /// The faults lens and an address that refuses connections.
    Refused,
    /// The faults lens, and a journal that cannot be opened.
    NoJournal,
    /// The faults lens, and a PostgreSQL that refuses connections.
    NoStore,
    /// The faults lens, and output folders that cannot be made.
    NoOutput,
    /// The faults lens, and a flag provider that refuses the key.
    NoRights,
}

use Place::{Empty, NoJournal, NoOutput, NoRights, NoStore, Refused, Works};

const TABLE: &[(Place, &str, i32)] = &[
    (Works, "check faults", 0),
    (Empty, "check faults", 2),
    (Works, "check nobody", 2),
    (Empty, "check --url http://127.0.0.1:9/orders", 1),
    (Empty, "check --url nowhere", 2),
    (Refused, "check faults", 1),
    (NoJournal, "check faults", 3),
    (Empty, "worker", 2),
    (Works, "worker --fleet", 2),
    (Works, "fleet status", 2),
    (NoStore, "fleet status", 3),
    (Works, "fleet publish", 2),
    (NoStore, "fleet publish", 3),
    (NoStore, "fleet unpark", 3),
    (NoJournal, "worker", 3),
    (Works, "accept faults", 0),
    (Empty, "accept faults", 2),
    (Refused, "accept faults", 3),
    (NoOutput, "accept faults", 3),
    (Works, "matrix faults", 0),
    (Empty, "matrix faults", 2),
    (Refused, "matrix faults", 3),
    (Works, "stress faults", 0),
    (Empty, "stress faults", 2),
    (Refused, "stress faults", 1),
    (NoOutput, "stress faults", 3),
    (Works, "gate faults", 3),
    (Empty, "gate faults", 2),
    (Works, "gate faults --window 1x", 2),
    (Works, "gate faults --explain", 3),
    (Works, "gate faults --markdown", 3),
    (Works, "gate faults --backtest --window 1h", 0),
    (Empty, "gate faults --history nowhere.jsonl", 2),
    (Empty, "gate faults --history .", 2),
    (Empty, "simulate healthy --count 1", 0),
    (Empty, "simulate nobody", 2),
    (Empty, "simulate healthy --table --count 1", 0),
    (NoJournal, "gate faults", 3),
    (NoStore, "gate faults", 3),
    (Works, "status", 0),
    (Empty, "status", 2),
    (NoJournal, "status", 3),
    (NoStore, "status", 3),
    (NoJournal, "serve", 3),
    (Works, "serve --listen 192.0.2.1:80", 2),
    (Works, "flags faults", 3),
    (Empty, "flags faults", 2),
    (Works, "rollback faults --reason slow", 2),
    (NoRights, "rollback faults --reason slow", 1),
    (NoJournal, "rollback faults --reason slow", 3),
    (Works, "phase status", 0),
    (Works, "phase status nobody", 2),
    (Empty, "phase status faults", 2),
    (NoJournal, "phase status", 3),
    (Works, "phase promote faults", 1),
    (Works, "phase promote faults --override", 2),
    (NoJournal, "phase promote faults", 3),
    (Works, "phase hold faults --reason audit", 0),
    (NoJournal, "phase hold faults --reason audit", 3),
    (Works, "phase release faults --reason over", 2),
    (NoJournal, "phase release faults --reason over", 3),
    (Works, "annul 00000000-0000-8000-8000-000000000001 --reason x", 2),
    (Works, "note faults deployed", 0),
    (Works, "note fautls deployed", 2),
    (NoJournal, "note faults deployed", 3),
    (Empty, "annul nobody --reason x", 2),
    (NoJournal, "annul 00000000-0000-8000-8000-000000000001 --reason x", 3),
    (NoStore, "annul 00000000-0000-8000-8000-000000000001 --reason x", 3),
    (Works, "restore faults --reason quick", 2),
    (NoRights, "restore faults --reason quick", 1),
    (Empty, "doctor", 1),
    (Works, "config", 0),
    (Empty, "config", 0),
    (Empty, "migrate", 2),
    (NoStore, "migrate", 3),
    (NoStore, "migrate --check", 3),
    (Works, "migrate --print", 0),
    (Works, "outbox status", 0),
    (NoJournal, "outbox status", 3),
    (NoJournal, "outbox flush", 3),
    (Empty, "outbox flush", 2),
    (Works, "outbox export", 0),
    (NoJournal, "outbox export", 3),
    (Works, "export systemd", 0),
    (Empty, "export systemd --root nowhere", 2),
    (Works, "export prometheus-rules", 0),
    (Works, "export grafana", 0),
    (Works, "alerts list", 0),
    (NoJournal, "alerts list", 3),
    (Works, "alerts test", 2),
    (Works, "alerts silence faults --for 1h --reason work", 0),
    (Works, "alerts silence nobody --for 1h --reason work", 2),
    (NoJournal, "alerts silence faults --for 1h --reason work", 3),
    (Works, "alerts unsilence 00000000-0000-0000-0000-000000000001", 2),
    (NoJournal, "alerts unsilence 00000000-0000-0000-0000-000000000001", 3),
    (Works, "retention --dry-run", 0),
    (NoJournal, "retention", 3),
    (NoStore, "retention", 3),
    (Works, "generate", 0),
    (Empty, "generate", 2),
    (Works, "generate --check", 0),
    (Empty, "new faults", 2),
    (Empty, "new orders --openapi nowhere.yml", 2),
    (Refused, "new parts --domain faults", 3),
    (Empty, "completions bash", 0),
    (Empty, "completions dash", 2),
    (Empty, "man --out man", 0),
    (NoOutput, "man --out tools/man", 3),
    (Empty, "schema lens", 0),
    (Empty, "schema nothing", 2),
    (Empty, "providers list", 0),
    (Empty, "providers show unleash", 0),
    (Empty, "providers show unleesh", 2),
    (Empty, "templates eject set", 0),
    (NoOutput, "templates eject tools/set", 3),
    (Empty, "evidence verify .", 2),
    (Empty, "evidence list", 0),
    (Empty, "evidence show .", 2),
    (Empty, "evidence package faults", 2),
    (NoOutput, "evidence keygen --out /dev/null/key", 3),
    (Works, "evidence keygen --out key", 2),
    (Empty, "sandbox", 2),
    (NoOutput, "demo --dir tools/demo --once", 3),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_command_ends_with_the_exit_code_of_its_table() {
    let sandbox = sandbox(Dialect::Documented).await;
    let mut wrong = Vec::new();
    for &(place, line, code) in TABLE {
        let project = match place {
            Empty => Project::empty(),
            _ => Project::with_faults(&sandbox),
        };
        let ran = at(project, place, &sandbox).run(line);
        if ran.code != code {
            wrong.push(format!(
                "{place:?} {line}: {} instead of {code}\n{}{}",
                ran.code, ran.out, ran.err
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `project` as it is in `place`.
fn at(mut project: Project, place: Place, sandbox: &Sandbox) -> Project {
    let set = |project: &mut Project, name: &str, value: &str| project.env.insert(name.to_owned(), value.to_owned());
    match place {
        Empty | Works => {}
        Refused => {
            set(&mut project, "API_BASE_URL", "http://127.0.0.1:9");
        }
        NoJournal => {
            project.switch_at(sandbox);
            project.write(".lensops/journal.db/is-a-folder", "");
        }
        NoStore => {
            set(&mut project, "DATABASE_URL", "postgres://nobody@127.0.0.1:9/none");
        }
        NoOutput => {
            // A file stands where a folder is wanted: that holds for root as well.
            for folder in ["verification_handoff", "tools"] {
                std::fs::rename(project.path(folder), project.path(&format!("{folder}.old"))).ok();
            }
            for folder in ["verification_handoff", "tools"] {
                project.write(folder, "");
            }
        }
        NoRights => {
            project.switch_at(sandbox);
            set(&mut project, "RENDER_API_KEY", "not-the-key");
        }
    }
    project
}

/// The command lines of all commands, without those that only hold others.
fn leaves(command: &clap::Command, above: &str, found: &mut BTreeSet<String>) {
    let below: Vec<&clap::Command> = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
        .collect();
    if below.is_empty() {
        found.insert(above.to_owned());
    }
    for sub in below {
        leaves(sub, format!("{above} {}", sub.get_name()).trim_start(), found);
    }
}

#[test]
fn no_command_is_missing_in_the_table_and_each_refuses_what_it_does_not_know_with_2() {
    let mut all = BTreeSet::new();
    leaves(&cli::command(), "", &mut all);
    let project = Project::empty();
    for command in &all {
        assert!(
            TABLE.iter().any(|(_, line, _)| line.starts_with(command.as_str())),
            "{command} has no row"
        );
        project.run(&format!("{command} --no-such-option")).expect(2);
    }
}

/// A warning that nobody can read ended the run with a panic, and without evidence.
#[test]
fn standard_error_that_is_full_changes_no_exit_code() {
    let project = Project::empty();
    project.write("plan.yml", "monitor: hand\nevery: 15m\nsamples: 7\ntenants: [acme]\nprobes: [{name: Health, request: {get: /}, expect: {status: 200}}]\n");
    for (line, code) in [
        ("check --plan plan.yml --api-url http://127.0.0.1:9", 1),
        ("gate nobody", 2),
        ("chek", 2),
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = project.command(line).stderr(Stdio::from(full)).output().unwrap();
        assert_eq!(
            ran.status.code(),
            Some(code),
            "{line}: {}",
            String::from_utf8_lossy(&ran.stdout)
        );
    }
}

#[test]
fn standard_output_that_cannot_be_written_is_3() {
    let project = Project::empty();
    for line in ["schema lens", "config", "migrate --print", "completions bash"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = project.command(line).stdout(Stdio::from(full)).output().unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(3), "{line}: {told}");
        assert!(told.contains("standard output cannot be written"), "{line}: {told}");
    }
}
