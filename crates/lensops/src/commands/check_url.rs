//! `lensops check --url`: a first check of an address, with no files: nothing is read of lenses and nothing is written.

use jiff::Timestamp;
use lensops_core::verdict::check_table::check_table;
use lensops_core::verdict::record::Level;
use serde_json::{Value, json};

use crate::commands::check::{Form, check_json};
use crate::commands::context::monitor;
use crate::commands::error::{Error, Result};
use crate::commands::exit::{Exit, exit_of_checks};
use crate::commands::generate::{FirstAsked, FirstLens};
use crate::commands::worker::{overall, tell};
use crate::config::Settings;

/// Checks the address as the lens of it would, and prints that lens.
///
/// # Errors
/// An address or a header that is none.
pub async fn run(settings: &Settings, asked: &FirstAsked, form: Form) -> Result<Exit> {
    let mut first = FirstLens::of(asked)?;
    // How the machine reaches the network is of the folder; all else is of the address.
    let settings = settings.alone_at(&first.base.to_string(), first.credential.iter());
    let client = settings.client()?.for_probes();
    // What comes of it is the check's to say.
    drop(first.try_once(&client).await?);
    let monitor = monitor(&settings, first.monitor()?)?;
    let tenant = *monitor.plan.tenants.first().ok_or_else(|| Error::usage("no tenant"))?;
    let now = Timestamp::now();
    let id = monitor.schedule(tenant).ad_hoc_id(now, fastrand::u64(..));
    let line = |level, line: &str| {
        if form == Form::Lines {
            tell(level, line);
        }
    };
    line(Level::Info, &format!("Starting check of {}", first.base));
    let report = monitor
        .check(&client, tenant, id, now, now, Default::default(), &line)
        .await;
    let (level, closing) = overall(&report);
    match form {
        Form::Json => {
            let row = check_json(&report, &json!("not recorded"));
            say!("{:#}", Value::Array(vec![row]));
        }
        Form::Table => say!("{}\n", check_table(&report, &monitor.lens().title()).join("\n")),
        Form::Lines => line(level, &closing),
    }
    if form != Form::Json {
        let id = &first.lens.lens;
        say!(
            "Nothing was recorded. To go on from here: `lensops new {id} --url …` writes these files, or write them yourself"
        );
        if let Some((variable, _)) = &first.credential {
            say!("and set {variable} to what --header holds.");
        }
        say!("\n{}", monitor.redactor.text(&first.files()?));
    }
    Ok(exit_of_checks(&[(report.status, report.judged)]))
}
