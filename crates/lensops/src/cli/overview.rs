//! The help of the program itself: commands in groups, by what somebody wants to do.

use clap::Command;

/// Commands in the order of `--help`.
const GROUPS: &[(&str, &[&str])] = &[
    ("Start", &["demo", "sandbox", "new", "generate"]),
    ("Run", &["check", "worker", "accept", "matrix", "stress"]),
    (
        "Decide",
        &["status", "gate", "phase", "annul", "note", "simulate", "serve"],
    ),
    (
        "Operate",
        &[
            "doctor",
            "config",
            "flags",
            "rollback",
            "restore",
            "alerts",
            "migrate",
            "fleet",
            "outbox",
            "retention",
            "export",
        ],
    ),
    ("Evidence", &["evidence"]),
    (
        "Files and shell",
        &["schema", "templates", "providers", "completions", "man", "help"],
    ),
];

/// `command` with its commands in groups. A build without the sandbox leaves out what it lacks.
pub(super) fn grouped(command: Command) -> Command {
    let about = |name: &str| match name {
        "help" => Some("Print this message, or the help of a command".to_owned()),
        name => Some(command.find_subcommand(name)?.get_about()?.to_string()),
    };
    let mut text = String::new();
    for (title, names) in GROUPS {
        let lines: Vec<String> = names
            .iter()
            .filter_map(|name| Some(format!("  {name:<12} {}", about(name)?)))
            .collect();
        if !lines.is_empty() {
            text.push_str(&format!("{title}:\n{}\n\n", lines.join("\n")));
        }
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{text}Options:\n{{options}}{{after-help}}"
    ))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_stands_in_one_group_and_fits_on_a_line_of_80_columns() {
        let mut command = Cli::command();
        command.build();
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        for sub in command.get_subcommands() {
            let times = grouped.iter().filter(|name| **name == sub.get_name()).count();
            assert_eq!(times, 1, "{}", sub.get_name());
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.chars().count() <= 65, "{}: {about}", sub.get_name());
        }
        assert_eq!(grouped.len(), command.get_subcommands().count());
    }
}
