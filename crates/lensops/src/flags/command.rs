//! Flags behind a command: `kubectl`, a cloud's own tool. No shell reads it; it has a time, and its output an end.

use std::process::Stdio;
use std::time::Duration;

use lensops_core::exchange::Sender;
use lensops_core::flags::{FlagState, Reading, Readings};
use lensops_core::ident::FlagName;
use lensops_core::redaction::{Redactor, one_line};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

use super::error::FlagError;
use super::provider::{Deploy, FlagProvider};

/// The most of an output that is read, in bytes.
const MOST_OUTPUT: u64 = 64 * 1024;

/// The most of it that an error shows, in characters.
const SHOWN: usize = 200;

/// What stands for the name of the flag in an argument.
const FLAG: &str = "{flag}";

/// A command that reads a flag, and commands that switch it.
#[derive(Debug, Clone)]
pub struct CommandProvider {
    /// The program and its arguments that read one: it prints `true`, `false`, `partly` or nothing.
    pub read: Vec<String>,
    /// Those that switch it on and off; `None` where it can only be read.
    pub set: Option<(Vec<String>, Vec<String>)>,
    /// What follows.
    pub follows: Deploy,
    /// How long one may take.
    pub timeout: Duration,
    /// Knows the secrets.
    pub redactor: Redactor,
}

impl FlagProvider for CommandProvider {
    async fn read<S: Sender>(&self, _sender: &S, asked: &[FlagName]) -> Result<Readings, FlagError> {
        let mut readings = Readings::new();
        for flag in asked {
            let printed = self.run(&self.read, flag).await?;
            let state = match printed.trim().to_ascii_lowercase().as_str() {
                "true" | "on" => FlagState::On,
                "false" | "off" => FlagState::Off,
                "partly" => FlagState::Partly,
                "" => FlagState::NotThere,
                _ => {
                    return Err(FlagError::Command(format!(
                        "{} prints {:?} for {flag}: it has to print true, false, partly, or nothing where the flag is \
                         not there",
                        self.program(),
                        self.shown(&printed)
                    )));
                }
            };
            readings.insert(flag.clone(), Reading::of_switch(state));
        }
        Ok(readings)
    }

    async fn set<S: Sender>(&self, _sender: &S, flag: &FlagName, value: &str) -> Result<(), FlagError> {
        let Some((on, off)) = &self.set else {
            return Err(FlagError::ReadOnly(self.told_read_only()));
        };
        let argv = if value == "true" { on } else { off };
        match self.run(argv, flag).await {
            Ok(_) => Ok(()),
            // It came to its end and says no.
            Err(FlagError::Command(why)) => Err(FlagError::Refused(why)),
            Err(error) => Err(error),
        }
    }

    async fn deploy<S: Sender>(&self, _sender: &S) -> Result<Deploy, FlagError> {
        Ok(self.follows)
    }

    fn follows(&self) -> Deploy {
        self.follows
    }

    fn read_only(&self) -> Option<String> {
        self.set.is_none().then(|| self.told_read_only())
    }

    fn makes_flags(&self) -> bool {
        false
    }

    fn target(&self) -> String {
        format!("command {}", self.program())
    }

    fn name(&self) -> String {
        self.target()
    }

    fn settings(&self) -> String {
        "`flags` of lensops.yml".to_owned()
    }
}

impl CommandProvider {
    fn program(&self) -> &str {
        self.read.first().map_or("", String::as_str)
    }

    fn told_read_only(&self) -> String {
        "`flags` of lensops.yml names no commands `on` and `off`: the flag can only be read".to_owned()
    }

    /// What a program printed, for people.
    fn shown(&self, printed: &str) -> String {
        let line = one_line(printed.trim());
        let line: String = self.redactor.text(&line).as_str().chars().take(SHOWN).collect();
        line
    }

    /// Runs `argv` for `flag`: what it printed.
    async fn run(&self, argv: &[String], flag: &FlagName) -> Result<String, FlagError> {
        let filled = argv.iter().map(|part| part.replace(FLAG, flag.as_str()));
        let mut filled = filled.collect::<Vec<_>>().into_iter();
        let program = filled.next().unwrap_or_default();
        let mut command = Command::new(&program);
        command
            .args(filled)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| FlagError::File(format!("the command {program} cannot be run: {error}")))?;
        let group = child.id();
        let Ok(ran) = tokio::time::timeout(self.timeout, outcome(&mut child)).await else {
            // Whatever it started ends with it.
            if let Some(group) = group.and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
                let _gone = kill_process_group(group, Signal::KILL);
            }
            return Err(FlagError::Silent(format!(
                "{program} did not end within {} s",
                self.timeout.as_secs()
            )));
        };
        let (status, out, err) = ran.map_err(|error| FlagError::Command(format!("{program}: {error}")))?;
        if !status.success() {
            return Err(FlagError::Command(format!(
                "{program} ended with {status}: {}",
                self.shown(&err)
            )));
        }
        Ok(out)
    }
}

/// How a program ended, and what it printed of each, as far as that is read.
async fn outcome(child: &mut Child) -> std::io::Result<(std::process::ExitStatus, String, String)> {
    async fn text(pipe: Option<impl tokio::io::AsyncRead + Unpin>) -> std::io::Result<String> {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            (&mut pipe).take(MOST_OUTPUT).read_to_end(&mut bytes).await?;
            // The rest is read and left, so that the program comes to its end.
            tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = tokio::try_join!(text(out), text(err))?;
    Ok((child.wait().await?, out, err))
}
