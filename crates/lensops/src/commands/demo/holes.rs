//! The demo of the shop plants holes in its API, one after the other: acceptance and matrix must find each.

use std::path::Path;

use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::acceptance::{Case, CaseResult};
use lensops_sandbox::{Config, Dialect, Faults, Hole};
use tokio_util::sync::CancellationToken;

use super::api::Api;
use crate::commands::acceptance::Acceptance;
use crate::commands::error::{Error, Result};
use crate::commands::plans::{Which, load};
use crate::http::Client;

/// Tries each hole in a sandbox of its own; returns those that were not found.
pub(super) async fn find(folder: &Path, client: &Client) -> Result<Vec<String>> {
    let mut failed = Vec::new();
    for (hole, told) in [
        (Hole::ViewerCreates, "a viewer may create an order"),
        (Hole::ForeignRow, "an order is shown to another tenant"),
        (Hole::ErrorIn200, "the list answers 200 with an error in its body"),
    ] {
        let mut config = Config::loopback(Dialect::Documented);
        config.faults = Faults {
            holes: vec![hole],
            ..Faults::default()
        };
        let sandbox = lensops_sandbox::serve(config).await.map_err(Error::system)?;
        let settings = Api::Http.settings(folder, &sandbox)?;
        let loaded = load::<AcceptancePlan>(&settings, &Which::Lens(Api::Http.struck()))?;
        let run = Acceptance::new(&settings, loaded, &[], None, None)?;
        let accepted = run
            .run(client, fastrand::u64(..), &CancellationToken::new(), |_| {})
            .await;
        let found = accepted
            .cases
            .iter()
            .find(|case| matches!(case.result, CaseResult::Failed { .. }));
        match found.map(Case::line) {
            Some(line) if accepted.verdict == Verdict::Fail => {
                say!("   {told}: found");
                say!("      {}", run.redactor().text(&line));
            }
            _ => failed.push(format!("the hole was not found: {told}")),
        }
        sandbox.stop().await;
    }
    Ok(failed)
}
