//! What `--help` shows last: how a command is called. Each stands in the test as it stands here, so
//! that an option cannot change its name behind the back of an example.

use clap::{Command, CommandFactory as _};

use super::Cli;
use super::overview::grouped;

/// Commands by their words, each with calls and what they do.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "generate",
        &[
            ("lensops generate", "everything anew, for every lens file"),
            ("lensops generate --check", "in CI: a diff and exit code 1 on any drift"),
            (
                "lensops generate --lens-id parts --domain parts --roles crew,captain --read-action view_part_detail --entity-id-key part_id",
                "a new lens; tenants and users come from lensops.yml",
            ),
        ],
    ),
    (
        "check",
        &[
            ("lensops check faults", "one round of probes, printed and recorded"),
            ("lensops check faults --json", "the same for a program"),
            (
                "lensops check --url https://api.example.com/orders --header \"X-Api-Key: $KEY\"",
                "a first check of any API, without a file",
            ),
        ],
    ),
    (
        "phase status",
        &[("lensops phase status", "every lens, its phase, and what it still needs")],
    ),
    (
        "phase promote",
        &[
            (
                "lensops phase promote faults",
                "on to the next phase, if the needs of this one hold",
            ),
            (
                "lensops phase promote faults --override --reason hotfix",
                "all the same; it stays marked",
            ),
        ],
    ),
    (
        "phase hold",
        &[(
            "lensops phase hold faults --reason audit",
            "nobody promotes it before it is released",
        )],
    ),
    (
        "phase release",
        &[("lensops phase release faults --reason done", "the hold is over")],
    ),
    (
        "annul",
        &[(
            "lensops annul 019c1a2b-0000-8000-8000-000000000000 --reason wrong-address",
            "that check counts for nothing; it is kept",
        )],
    ),
    (
        "worker",
        &[
            ("lensops worker", "every lens, at its slots"),
            (
                "lensops worker faults parts --listen 127.0.0.1:9464",
                "two of them, with /metrics",
            ),
            ("lensops worker --fleet", "share the timetable with other workers"),
        ],
    ),
    (
        "accept",
        &[
            ("lensops accept faults", "the acceptance plan, with evidence"),
            (
                "lensops accept faults --junit junit.xml --dialect deployed_a",
                "in CI, against a deployed API",
            ),
            ("lensops accept faults --flag-proof", "and prove that off is 503"),
        ],
    ),
    (
        "matrix",
        &[
            ("lensops matrix faults", "every action of the lens, as every role"),
            ("lensops matrix --registry actions.json", "every action of a registry"),
        ],
    ),
    (
        "stress",
        &[
            ("lensops stress faults", "the stress plan, with results"),
            (
                "lensops stress faults --baseline last-night.json",
                "and what changed since an earlier run",
            ),
        ],
    ),
    (
        "gate",
        &[
            ("lensops gate faults", "over the last 7 days"),
            (
                "lensops gate faults --window 24h --at 2026-01-28T15:00:00Z",
                "as it stood then",
            ),
            (
                "lensops gate faults --explain",
                "every criterion with its value and its bound",
            ),
            (
                "lensops gate faults --history exported.jsonl --json",
                "over a file of lensops export",
            ),
            (
                "lensops gate faults --backtest",
                "what it would have said at every hour",
            ),
        ],
    ),
    (
        "simulate",
        &[
            (
                "lensops simulate healthy errors_2 --count 3 --seed 7",
                "histories as files, for gate --history",
            ),
            (
                "lensops simulate --table",
                "the table of error rates, in half an hour or so",
            ),
        ],
    ),
    ("status", &[("lensops status", "every lens, worst first")]),
    (
        "serve",
        &[
            ("lensops serve", "the journal's dashboard on http://127.0.0.1:8090/"),
            ("lensops --store postgres serve", "each user's own tenant, with sign-in"),
        ],
    ),
    (
        "flags",
        &[("lensops flags faults", "the provider's word beside the API's")],
    ),
    (
        "rollback",
        &[
            ("lensops rollback faults --reason slow --dry-run", "what it would do"),
            (
                "lensops rollback faults --reason slow",
                "master flag off, and see that the API follows",
            ),
        ],
    ),
    (
        "restore",
        &[("lensops restore faults --reason mended", "master flag on again")],
    ),
    (
        "note",
        &[(
            "lensops note faults deployed-2.4.1",
            "what a deploy hook writes down, shown beside the lens",
        )],
    ),
    (
        "doctor",
        &[("lensops doctor --json", "every finding with its place and its fix")],
    ),
    (
        "config",
        &[("lensops config", "every setting with its origin, secrets masked")],
    ),
    (
        "migrate",
        &[
            ("lensops migrate", "the schema at DATABASE_URL, brought up to date"),
            ("lensops migrate --check", "what is missing, altered or too wide"),
            ("lensops migrate --print", "as SQL, for psql"),
        ],
    ),
    (
        "fleet status",
        &[("lensops fleet status", "machines, pairs, lateness, parked pairs")],
    ),
    (
        "fleet publish",
        &[("lensops fleet publish", "these plans and tenants, for all machines")],
    ),
    (
        "fleet unpark",
        &[("lensops fleet unpark", "check all parked pairs again")],
    ),
    (
        "outbox status",
        &[("lensops outbox status", "what waits, and what was refused")],
    ),
    (
        "outbox flush",
        &[("lensops outbox flush --parked", "deliver now, what was refused too")],
    ),
    (
        "outbox export",
        &[("lensops outbox export", "what no store has taken, as JSON Lines")],
    ),
    (
        "export",
        &[
            ("lensops export", "checks with their events, as JSON Lines"),
            (
                "lensops export systemd --listen 127.0.0.1:9464",
                "a unit for the worker",
            ),
        ],
    ),
    (
        "export systemd",
        &[(
            "lensops export systemd",
            "to /etc/systemd/system/lensops-worker.service",
        )],
    ),
    (
        "export prometheus-rules",
        &[("lensops export prometheus-rules", "alerting rules over /metrics")],
    ),
    (
        "export grafana",
        &[("lensops export grafana", "a dashboard over /metrics")],
    ),
    (
        "alerts list",
        &[(
            "lensops alerts list --trail 50",
            "what fires, and every attempt to tell",
        )],
    ),
    (
        "alerts test",
        &[("lensops alerts test --receiver slack", "a message and its end")],
    ),
    (
        "alerts silence",
        &[(
            "lensops alerts silence faults --for 2h --reason upgrade",
            "nothing is told of the lens for two hours",
        )],
    ),
    (
        "alerts unsilence",
        &[(
            "lensops alerts unsilence 7f0c5a34-6b1d-4f9e-9d53-0d2f3b8b61aa",
            "by its id, as `alerts list` shows it",
        )],
    ),
    (
        "retention",
        &[(
            "lensops retention --keep 400d --dry-run",
            "what would be rolled up and dropped",
        )],
    ),
    (
        "new",
        &[
            (
                "lensops new parts",
                "asks for what no option says; without a terminal, options have to",
            ),
            (
                "lensops new orders --url https://api.example.com/orders --header \"X-Api-Key: $KEY\"",
                "of any HTTP API, from an address that answers",
            ),
            (
                "lensops new orders --openapi openapi.yml --tag Orders",
                "the lens file alone, from the operations of a tag",
            ),
        ],
    ),
    (
        "completions",
        &[("lensops completions bash", "to /etc/bash_completion.d/lensops")],
    ),
    ("man", &[("lensops man --out man", "a page a command")]),
    (
        "schema",
        &[
            ("lensops schema lens", "the shape of a lens file"),
            ("lensops schema --out schemas", "every schema"),
        ],
    ),
    (
        "providers list",
        &[(
            "lensops providers list",
            "the flag services that need no definition of yours",
        )],
    ),
    (
        "providers show",
        &[(
            "lensops providers show unleash",
            "how Unleash is asked; a copy of it goes with `provider: http`",
        )],
    ),
    (
        "templates eject",
        &[(
            "lensops templates eject set",
            "then change it, and write `template_set: set` into lensops.yml",
        )],
    ),
    (
        "evidence verify",
        &[(
            "lensops evidence verify verification_handoff/runs/20260128T150000Z-acceptance-faults",
            "whether it is as the run left it",
        )],
    ),
    (
        "evidence list",
        &[("lensops evidence list", "every run, whose it is, and what it came to")],
    ),
    (
        "evidence show",
        &[(
            "lensops evidence show verification_handoff/runs/20260128T150000Z-acceptance-faults",
            "what the run says of itself",
        )],
    ),
    (
        "evidence package",
        &[(
            "lensops evidence package faults",
            "one document from the runs that exist",
        )],
    ),
    (
        "evidence keygen",
        &[(
            "lensops evidence keygen --out ../lensops-evidence.key",
            "outside the repository",
        )],
    ),
    #[cfg(feature = "sandbox")]
    (
        "sandbox",
        &[
            ("lensops sandbox", "the stand-in API on http://127.0.0.1:8085"),
            (
                "lensops sandbox --dialect deployed_a --port 0",
                "as deployed, on a free port",
            ),
        ],
    ),
    #[cfg(feature = "sandbox")]
    (
        "demo",
        &[
            ("lensops demo", "everything at once, and the dashboard open"),
            ("lensops demo --once", "ends after the summary"),
            ("lensops demo --api http", "the same story on any HTTP API"),
        ],
    ),
];

/// The command line with an example or more at the end of each command's help.
#[must_use]
pub fn command() -> Command {
    EXAMPLES
        .iter()
        .fold(grouped(Cli::command()), |command, (words, calls)| {
            let words: Vec<&str> = words.split(' ').collect();
            with_help(command, &words, &text(calls))
        })
}

fn with_help(command: Command, words: &[&str], help: &str) -> Command {
    match words {
        [] => command.after_help(help.to_owned()),
        [word, rest @ ..] => command.mut_subcommand(word, |sub| with_help(sub, rest, help)),
    }
}

fn text(calls: &[(&str, &str)]) -> String {
    let lines = calls.iter().map(|(call, what)| format!("  {call}\n      {what}"));
    format!("Examples:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command that does something, by its words.
    fn leaves(command: &Command, words: &str, found: &mut Vec<String>) {
        for sub in command.get_subcommands() {
            let words = format!("{words} {}", sub.get_name()).trim().to_owned();
            if sub.has_subcommands() {
                leaves(sub, &words, found);
            } else {
                found.push(words);
            }
        }
    }

    /// The words of a call as a shell takes them, its double quotes alone.
    fn words_of(call: &str) -> Vec<String> {
        let mut quoted = false;
        let parts = call.split(|c: char| {
            quoted ^= c == '"';
            c == ' ' && !quoted
        });
        parts.map(|word| word.replace('"', "")).collect()
    }

    #[test]
    fn every_command_has_an_example_and_every_example_is_a_call_of_its_command() {
        let mut commands = Vec::new();
        leaves(&Cli::command(), "", &mut commands);
        for words in &commands {
            assert!(EXAMPLES.iter().any(|(with, _)| with == words), "{words} has no example");
        }
        for (words, calls) in EXAMPLES {
            for (call, _) in *calls {
                let read = command().try_get_matches_from(words_of(call));
                let matches = read.unwrap_or_else(|error| panic!("{call}: {error}"));
                let (mut named, mut at) = (Vec::new(), matches.subcommand());
                while let Some((name, inner)) = at {
                    named.push(name.to_owned());
                    at = inner.subcommand();
                }
                assert!(named.join(" ").starts_with(words), "{call} is no call of {words}");
            }
        }
    }
}
