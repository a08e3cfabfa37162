//! `lensops providers`: the flag services that lensops knows, as definitions to read and copy.

use lensops_core::flags::FlagService;
use lensops_core::ident::nearest;

use crate::commands::error::{Error, Result};
use crate::config::{PRESETS, preset};

/// Names every definition, with what `flags` of `lensops.yml` gives it.
pub fn list() {
    let width = PRESETS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, text) in PRESETS {
        let Ok(service) = lensops_core::yaml::read::<FlagService>(name, text) else {
            continue;
        };
        let values = service.values.iter().map(|(name, value)| {
            let default = value.default.as_ref().map_or("", |_| "?");
            format!("{name}{default}")
        });
        let values: Vec<String> = values.collect();
        let switches = if service.set.is_some() { "" } else { " · read only" };
        say!("{name:width$}  {}{switches}", values.join(", "));
    }
    say!(
        "{:width$}  RENDER_API_KEY and RENDER_SERVICE_ID of the environment",
        "render"
    );
    say!("{:width$}  path", "env_file");
    say!("{:width$}  read, on?, off?, then?, timeout?", "command");
    say!("{:width$}  definition, values: a definition of your own", "http");
    say!("`flags: {{provider: NAME, …}}` in lensops.yml; what has a ? may be left out");
}

/// Prints the definition of the service `name`.
///
/// # Errors
/// When there is none.
pub fn show(name: &str) -> Result<()> {
    let Some(text) = preset(name) else {
        let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
        let meant = nearest(name, &known).map_or_else(String::new, |near| format!("did you mean {near}? "));
        return Err(Error::usage(format!(
            "there is no definition {name:?}: {meant}There are {}",
            known.join(", ")
        )));
    };
    say!("{}", text.trim_end());
    Ok(())
}
