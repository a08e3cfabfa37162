//! Flags in a file of `KEY=VALUE` lines, as services that are not hosted read them at their start.
//!
//! Setting one changes its line and no other byte; the file is replaced whole. Values may stand in
//! quotes. What a shell would make of the rest (`$NAME`, several lines) is not made of it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lensops_core::exchange::Sender;
use lensops_core::flags::{Reading, Readings};
use lensops_core::ident::{EnvName, FlagName};

use super::error::FlagError;
use super::provider::{Deploy, FlagProvider};

/// The variables of a file by name.
type Variables = BTreeMap<String, String>;

/// An environment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    path: PathBuf,
}

impl EnvFile {
    /// The file at `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn text(&self) -> Result<String, FlagError> {
        std::fs::read_to_string(&self.path).map_err(|error| {
            FlagError::File(format!(
                "the environment file {} cannot be read: {error}",
                self.path.display()
            ))
        })
    }

    fn parsed(&self, text: &str) -> Result<Variables, FlagError> {
        let mut variables = Variables::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            // The line is not repeated: it may hold a secret.
            let (name, value) = entry(line).ok_or_else(|| {
                FlagError::File(format!("{}:{}: not a KEY=VALUE line", self.path.display(), index + 1))
            })?;
            variables.insert(name.to_owned(), unquoted(value).to_owned());
        }
        Ok(variables)
    }
}

impl FlagProvider for EnvFile {
    async fn read<S: Sender>(&self, _sender: &S, asked: &[FlagName]) -> Result<Readings, FlagError> {
        let variables = self.parsed(&self.text()?)?;
        let read = |flag: &FlagName| {
            let value = variables.get(flag.as_str());
            let reading = value.map_or(Reading::NOT_THERE, |value| Reading::of_variable(value));
            (flag.clone(), reading)
        };
        Ok(asked.iter().map(read).collect())
    }

    async fn set<S: Sender>(&self, _sender: &S, flag: &FlagName, value: &str) -> Result<(), FlagError> {
        let text = self.text()?;
        self.parsed(&text)?;
        if flag.as_str().parse::<EnvName>().is_err() {
            return Err(FlagError::NoFlag(format!("{flag}, which is no name of a variable")));
        }
        replace(&self.path, &with(&text, flag.as_str(), value)).map_err(|error| {
            FlagError::File(format!(
                "the environment file {} cannot be written: {error}",
                self.path.display()
            ))
        })
    }

    async fn deploy<S: Sender>(&self, _sender: &S) -> Result<Deploy, FlagError> {
        Ok(Deploy::ByHand)
    }

    fn follows(&self) -> Deploy {
        Deploy::ByHand
    }

    fn read_only(&self) -> Option<String> {
        None
    }

    fn makes_flags(&self) -> bool {
        true
    }

    fn target(&self) -> String {
        self.path.display().to_string()
    }

    fn name(&self) -> String {
        format!("environment file {}", self.path.display())
    }

    fn settings(&self) -> String {
        "`flags` of lensops.yml".to_owned()
    }
}

/// Name and value of a line; `export` before it is passed over.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim().split_once('=')?;
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    good.then_some((name, value.trim()))
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

/// `text` with the last line of `name` changed, or one added: the last one is what counts.
fn with(text: &str, name: &str, value: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_it =
        |line: &&str| !line.trim_start().starts_with('#') && entry(line).is_some_and(|(found, _)| found == name);
    let Some(at) = lines.iter().rposition(is_it) else {
        let gap = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        return format!("{text}{gap}{name}={value}\n");
    };
    let line = lines.get(at).copied().unwrap_or_default();
    let export = if line.trim_start().starts_with("export ") {
        "export "
    } else {
        ""
    };
    let end = &line[line.trim_end_matches(['\r', '\n']).len()..];
    let changed = format!("{export}{name}={value}{end}");
    lines
        .iter()
        .enumerate()
        .map(|(index, line)| if index == at { changed.as_str() } else { line })
        .collect()
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // Whoever may read the file may read what takes its place, and nobody else.
    let permissions = std::fs::metadata(path)?.permissions();
    let mut file = tempfile::Builder::new().prefix(".lensops-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# flags of the API\nexport LENS_A=true\nLENS_B=\"True\"\n\nOTHER=a=b # c\n";

    #[test]
    fn a_file_is_read_as_services_read_it() {
        let read = EnvFile::new("x.env".into()).parsed(TEXT).unwrap();
        let read: Vec<_> = read
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(read, [("LENS_A", "true"), ("LENS_B", "True"), ("OTHER", "a=b # c")]);
    }

    #[test]
    fn a_line_that_is_none_is_named_and_not_repeated() {
        let error = EnvFile::new("x.env".into())
            .parsed("A=1\nhunter22\n")
            .unwrap_err()
            .to_string();
        assert_eq!(error, "x.env:2: not a KEY=VALUE line");
    }

    #[test]
    fn setting_one_changes_its_line_and_no_other_byte() {
        assert_eq!(
            with(TEXT, "LENS_A", "false"),
            TEXT.replace("LENS_A=true", "LENS_A=false")
        );
        assert_eq!(with(TEXT, "LENS_B", "false"), TEXT.replace("\"True\"", "false"));
        assert_eq!(with(TEXT, "LENS_C", "false"), format!("{TEXT}LENS_C=false\n"));
        assert_eq!(with("A=1\nA=2", "A", "3"), "A=1\nA=3");
        assert_eq!(with("", "A", "3"), "A=3\n");
    }
}
