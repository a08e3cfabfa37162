//! Puts back what a flag proof found, its own or one that was cut off.

use lensops_core::exchange::Sender;
use lensops_core::ident::FlagName;

use super::intent::{Intent, intent_path, is_pending};
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::files::{self, FileError};
use crate::config::Settings;
use crate::flags::{FlagProvider as _, Provider};

/// Keeps two proofs of one repository apart, for as long as it lives.
///
/// # Errors
/// When a proof runs, or one that was cut off is being undone, and this run wants the same.
pub(crate) fn alone(settings: &Settings, proves: bool) -> Result<Option<std::fs::File>> {
    if !proves && !is_pending(settings) {
        return Ok(None);
    }
    let path = settings.state_dir().join("flag-proof.lock");
    std::fs::create_dir_all(settings.state_dir()).map_err(FileError::write(&path))?;
    let lock = std::fs::File::create(&path).map_err(FileError::write(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(_) => Err(Error::usage(
            "a flag proof is running in another process: wait for its end",
        )),
    }
}

/// The provider whose flag a proof switches.
pub(super) fn provider(settings: &Settings) -> Result<Provider> {
    settings
        .provider()?
        .map_err(|why| Error::usage(format!("the flag proof switches a flag at the provider: {why}")))
}

/// Undoes what a killed run left switched.
///
/// # Errors
/// When there is something to undo and the provider does not do it: nothing else may run then.
pub(crate) async fn undo<S: Sender>(settings: &Settings, sender: &S) -> Result<()> {
    let path = intent_path(settings);
    let Some(text) = files::read_if_there(&path)? else {
        return Ok(());
    };
    let intent: Intent =
        serde_json::from_str(&text).with_context(|| format!("{} is no record of a flag proof", path.display()))?;
    let provider = provider(settings).context("an earlier flag proof was cut off and must be undone first")?;
    if provider.target() != intent.service {
        return Err(Error::usage(format!(
            "an earlier flag proof left {} of service {} switched: run against that service first",
            intent.flag, intent.service
        )));
    }
    let put_back = restore(&provider, sender, &intent)
        .await
        .context("an earlier flag proof was cut off and cannot be undone")?;
    files::remove_if_there(&path)?;
    match put_back {
        None => complain!(
            "⚠️ an earlier flag proof was cut off: {} is {:?} again",
            intent.flag,
            intent.found.as_deref().unwrap_or("false")
        ),
        Some(other) => complain!(
            "⚠️ an earlier flag proof was cut off; {} was set to {other:?} by somebody since, and stays so",
            intent.flag
        ),
    }
    Ok(())
}

/// Puts back what was found. Where somebody else has set the flag meanwhile it is left alone, and
/// what it is is returned.
pub(super) async fn restore<S: Sender>(provider: &Provider, sender: &S, intent: &Intent) -> Result<Option<String>> {
    let found = intent.found.as_deref().unwrap_or("false");
    let flag: FlagName = intent.flag.parse().map_err(Error::invalid)?;
    let readings = provider.read(sender, std::slice::from_ref(&flag)).await?;
    let there = readings.get(&flag).and_then(|reading| reading.value.clone());
    let ours = |there: &String| there == found || intent.wrote.contains(there);
    if let Some(other) = there.clone().filter(|there| !ours(there)) {
        return Ok(Some(other));
    }
    let as_found = there.as_ref().is_none_or(|there| there == found);
    // Switching to what it is already may still be what the service has not started with.
    match provider.switch(sender, &flag, found).await {
        // A provider that may be read and not written, and shows what was found: nothing is left to undo.
        Err(error) if error.is_refusal() && as_found => Ok(None),
        switched => switched.map(|_| None).map_err(|error| {
            let way_out = format!("set {} to {found:?} there by hand, then run this again", intent.flag);
            Error::not_switched(way_out, error)
        }),
    }
}
