//! Whom to ask what no option says, and how an answer is read.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::commands::error::{Error, Result};

/// What leaves an action out.
pub(super) const NONE: &str = "none";

/// Whom to ask what no option says.
pub trait Ask {
    /// The answer to `question`; an empty one means `usual`, where there is one. `option` is what
    /// would have answered it.
    ///
    /// # Errors
    /// When there is nobody to ask and no usual answer.
    fn ask(&mut self, question: &str, usual: Option<&str>, option: &str) -> Result<String>;

    /// Whether an answer that is none may be given again.
    fn may_ask_again(&self) -> bool {
        false
    }
}

/// Asks at the terminal, where there is one.
#[derive(Debug)]
pub struct Terminal;

impl Ask for Terminal {
    fn ask(&mut self, question: &str, usual: Option<&str>, option: &str) -> Result<String> {
        if !std::io::stdin().is_terminal() {
            return match usual {
                Some(usual) => Ok(usual.to_owned()),
                None => {
                    return Err(Error::usage(format!(
                        "{question}? Give {option}: there is no terminal to ask at"
                    )));
                }
            };
        }
        let hint = usual.map_or_else(String::new, |usual| format!(" [{usual}]"));
        eprint!("{question}{hint}: ");
        std::io::stderr().flush().map_err(Error::system)?;
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line).map_err(Error::system)? == 0 {
            return Err(Error::usage(format!(
                "the answer to {question:?} is missing: give it, or {option}"
            )));
        }
        match (line.trim(), usual) {
            ("", Some(usual)) => Ok(usual.to_owned()),
            (answer, _) => Ok(answer.to_owned()),
        }
    }

    fn may_ask_again(&self) -> bool {
        std::io::stdin().is_terminal()
    }
}

/// A question: its text, the usual answer where there is one, and the option that answers it.
pub(super) type Question<'a> = (&'a str, Option<&'a str>, &'a str);

/// The answer to `question` as `read` takes it. What it does not take is asked again where somebody
/// can answer again.
///
/// # Errors
/// When there is nobody to ask, or nobody who could answer again.
pub(super) fn answer<T>(
    ask: &mut impl Ask,
    (text, usual, option): Question<'_>,
    read: impl Fn(&str) -> Result<T>,
) -> Result<T> {
    loop {
        match read(&ask.ask(text, usual, option)?) {
            Err(error) if ask.may_ask_again() => complain!("⚠️ {}", error.line()),
            read => return read,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use crate::commands::error::Context as _;

    use super::*;

    /// Answers in order, as a person who may be asked again; what was asked is kept.
    pub(crate) struct Scripted(Vec<&'static str>, pub(crate) Vec<String>);

    impl Scripted {
        pub(crate) fn of(answers: &[&'static str]) -> Self {
            Self(answers.to_vec(), Vec::new())
        }

        pub(crate) fn asked(&self) -> usize {
            self.1.len()
        }
    }

    impl Ask for Scripted {
        fn may_ask_again(&self) -> bool {
            !self.0.is_empty()
        }

        fn ask(&mut self, question: &str, usual: Option<&str>, option: &str) -> Result<String> {
            self.1.push(format!("{question} ({option})"));
            Ok(match self.0.remove(0) {
                "" => usual.context("no usual answer")?.to_owned(),
                answer => answer.to_owned(),
            })
        }
    }
}
