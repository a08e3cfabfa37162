//! Generating: everything is rendered, then written, compared or listed.

use super::drift;
use super::lens_options::NewLens;
use super::options::{Mode, Options};
use super::planned::Standing;
use super::render::plan;
use super::write::{dry_run, report, write};
use crate::commands::error::Result;
use crate::commands::exit::Exit;
use crate::commands::plans::lens_paths;
use crate::config::Settings;

/// Generates the files of one new lens, or of all lenses.
///
/// # Errors
/// Bad options, a lens that does not hold together, a template that does not render, hand edits
/// without `force`, or a file that cannot be written. Nothing is written then.
pub fn generate(settings: &Settings, new: Option<NewLens>, options: &Options) -> Result<Exit> {
    let (planned, notes) = plan(settings, new, options)?;
    for note in notes {
        complain!("{note}");
    }
    match options.mode {
        Mode::Write => {
            write(&planned, options)?;
            report(&planned, options);
            // Something is left for a person to do.
            let refused = planned.iter().any(|file| file.standing == Standing::Refused);
            Ok(if refused { Exit::Degraded } else { Exit::Good })
        }
        Mode::Check { json } => Ok(drift::check(&planned, json)),
        Mode::DryRun => {
            dry_run(&planned);
            Ok(Exit::Good)
        }
    }
}

/// Writes what [`generate`] would, says nothing, and returns how many files there are.
///
/// # Errors
/// As [`generate`].
pub fn generate_quietly(settings: &Settings, new: Option<NewLens>, options: &Options) -> Result<usize> {
    let (planned, _) = plan(settings, new, options)?;
    write(&planned, options)?;
    Ok(planned.len())
}

/// What the files of `new` would hold: path below the output folder and text.
///
/// # Errors
/// As [`generate`].
pub fn preview(settings: &Settings, new: NewLens, options: &Options) -> Result<Vec<(String, String)>> {
    let (planned, _) = plan(settings, Some(new), options)?;
    Ok(planned.into_iter().map(|file| (file.shown, file.text)).collect())
}

/// The files that are not as they would be generated; `None` where there is no lens to generate any.
///
/// # Errors
/// As [`generate`].
pub fn drifted(settings: &Settings) -> Result<Option<Vec<String>>> {
    if lens_paths(settings)?.is_empty() {
        return Ok(None);
    }
    let options = Options {
        mode: Mode::Check { json: true },
        allow_placeholders: true,
        ..Options::default()
    };
    let (planned, _) = plan(settings, None, &options)?;
    let drifted = planned.into_iter().filter(|file| file.standing != Standing::Same);
    Ok(Some(drifted.map(|file| file.shown).collect()))
}
