//! `lensops note`: writes down beside a lens what was deployed, changed or tried, so that whoever looks at the lens
//! later sees it at its time. Made for deploy hooks: one line, no question.

use jiff::Timestamp;
use lensops_core::ident::{LensId, nearest};
use serde_json::json;
use uuid::Uuid;

use crate::commands::context::open_journal;
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::plans::lens_paths;
use crate::config::Settings;
use crate::store::Note;

/// What is written down.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The lens.
    pub lens: &'a str,
    /// What happened, one line.
    pub text: &'a str,
    /// The tenant; every tenant where none is named.
    pub tenant: Option<Uuid>,
    /// Who; the user of this shell where nobody is named.
    pub by: Option<&'a str>,
}

/// Records a note at `now` and prints it.
///
/// # Errors
/// A lens that is not there, an empty text, or a journal that refuses.
pub async fn run(settings: &Settings, asked: &Asked<'_>, now: Timestamp, as_json: bool) -> Result<Exit> {
    let lens: LensId = asked.lens.parse().map_err(Error::invalid)?;
    let paths = lens_paths(settings)?;
    let known: Vec<&str> = paths.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    if !known.contains(&lens.as_str()) {
        let hint = nearest(lens.as_str(), &known).map_or_else(
            || format!("there are {}", known.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        return Err(Error::usage(format!("there is no lens {lens}: {hint}")));
    }
    let text = asked.text.trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Error::usage("the text of a note is one line that says what happened"));
    }
    let redactor = settings.redactor();
    let who = asked.by.map_or_else(|| settings.who(), str::to_owned);
    let note = Note {
        id: Uuid::new_v4(),
        lens,
        tenant: asked.tenant,
        at: now,
        who: redactor.text(&who).as_str().to_owned(),
        text: redactor.text(text).as_str().to_owned(),
    };
    open_journal(settings).await?.put_note(note.clone()).await?;
    if as_json {
        say!("{:#}", json!(note));
    } else {
        say!("✅ Noted beside {}, by {}: {}", note.lens, note.who, note.text);
    }
    Ok(Exit::Good)
}
