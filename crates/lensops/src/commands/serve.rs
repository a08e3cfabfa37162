//! `lensops serve`: the dashboard over the chosen store, and where it finds evidence.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::evidence::{Whose, manifest};
use lensops_core::ident::LensId;
use lensops_core::named::Named;
use lensops_core::plan::monitor::MonitorPlan;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::files;
use crate::commands::context::{known_tenants, monitor_plans, open_journal};
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::evidence::runs::{FOLDER, verified};
use crate::commands::evidence::trust::Trust;
use crate::commands::exit::Exit;
use crate::commands::signal::stop_on_signal;
use crate::config::{Settings, StoreChoice, Target};
use crate::store::{Board, Journal};
use crate::web::{self, Run, Runs, Setup};

/// Runs of a lens that are shown.
const SHOWN: usize = 20;

/// Evidence as the commands leave it.
struct Bundles {
    runs: PathBuf,
    trust: Trust,
}

impl Bundles {
    /// Only what a listing names is opened: nothing that is asked for becomes a path by itself.
    fn folder(&self, run: &str) -> Option<PathBuf> {
        let mut folders = files::list(&self.runs, "").ok()?.into_iter();
        folders.rfind(|path| path.file_name().is_some_and(|own| own == run))
    }

    /// The run `id` as it verifies now. One that cannot even be read is there all the same: what hides
    /// itself when it is altered worst would be no evidence.
    fn verified(&self, id: &str) -> Run {
        let wrecked = |told: String| Run {
            id: id.to_owned(),
            kind: Named::of("run"),
            verdict: Named::of("unknown"),
            tenants: None,
            finished_at: id.to_owned(),
            intact: false,
            counts: false,
            whose: "not known".to_owned(),
            told,
            files: Vec::new(),
        };
        let found = match verified(&self.runs.join(id)) {
            Ok((found, _)) => found,
            Err(error) => return wrecked(error.root().line()),
        };
        let findings: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
        let whose = self.trust.whose(&found);
        let Some(manifest) = found.manifest else {
            return wrecked(findings.join("; "));
        };
        if manifest.run_id != id {
            return wrecked(format!("{} was renamed to {id}", manifest.run_id));
        }
        let told = match &whose {
            None => findings.join("; "),
            Some(_) if !findings.is_empty() => "only line ends differ from what the run left".to_owned(),
            Some(Whose::Unsigned) => "every file is as the run left it; nobody vouches for it".to_owned(),
            Some(_) => "every file is as the run left it".to_owned(),
        };
        let mut files: Vec<String> = manifest.files.iter().map(|file| file.name.clone()).collect();
        files.push(manifest::FILE.to_owned());
        Run {
            id: id.to_owned(),
            kind: manifest.kind,
            verdict: manifest.verdict,
            tenants: manifest.tenants,
            finished_at: manifest.finished_at,
            intact: whose.is_some(),
            counts: whose.as_ref().is_some_and(Whose::counts),
            whose: whose.map_or_else(|| "not known".to_owned(), |whose| whose.to_string()),
            told,
            files,
        }
    }
}

impl Runs for Bundles {
    fn of(&self, lens: &LensId) -> Vec<Run> {
        // Folders are named by time, lens and kind; the names are enough to leave out other lenses.
        let folders = files::list(&self.runs, "").unwrap_or_default();
        let names = folders.iter().rev().filter_map(|path| path.file_name()?.to_str());
        let part = format!("-{lens}-");
        names
            .filter(|name| !name.starts_with('.') && name.contains(&part))
            .map(|name| self.verified(name))
            .take(SHOWN)
            .collect()
    }

    fn run(&self, id: &str) -> Option<Run> {
        let folder = self.folder(id)?;
        Some(self.verified(folder.file_name()?.to_str()?))
    }

    fn file(&self, run: &str, name: &str) -> Option<Vec<u8>> {
        let file = std::fs::read_dir(self.folder(run)?).ok()?.filter_map(Result::ok);
        let mut file =
            file.filter(|entry| entry.file_name() == name && entry.file_type().is_ok_and(|kind| kind.is_file()));
        std::fs::read(file.next()?.path()).ok()
    }
}

/// Serves the dashboard of every lens at `listen` until it is told to stop.
///
/// # Errors
/// A plan or a setting that is not valid, or an address that may not or cannot be listened at.
pub async fn run(settings: &Settings, listen: SocketAddr) -> Result<Exit> {
    let written = monitor_plans(settings)?;
    let mut plans = known_tenants(settings, written.clone()).await?;
    // A rollback that is in force now may be over while this serves: it is looked up with each page.
    plans
        .iter_mut()
        .zip(written)
        .for_each(|(plan, written)| plan.paused = written.paused);
    let setup = setup(settings, open_journal(settings).await?, plans)?;
    serve(setup, listen, stop_on_signal()).await
}

/// Listens where the dashboard is wanted: anywhere with a sign-in, on loopback alone without.
///
/// # Errors
/// An address that may not or cannot be listened at.
pub async fn listener(at: SocketAddr, signs_in: bool) -> Result<TcpListener> {
    if !signs_in && !at.ip().is_loopback() {
        return Err(Error::usage(format!(
            "--listen {at} is not on this machine, and the journal has no sign-in: listen on 127.0.0.1, or serve from \
             PostgreSQL (--store postgres)"
        )));
    }
    TcpListener::bind(at)
        .await
        .map_err(Error::invalid)
        .with_context(|| format!("--listen {at} cannot be listened at"))
}

/// What the dashboard is made of, over the store of `settings`.
///
/// # Errors
/// A store that is not for a dashboard, or a missing secret.
pub fn setup(settings: &Settings, journal: Journal, plans: Vec<MonitorPlan>) -> Result<Setup> {
    let (board, jwt_secret) = match settings.store()? {
        StoreChoice::Sqlite => (Board::Embedded(journal.clone()), None),
        StoreChoice::Postgres(url) => {
            let Some(secret) = settings.jwt_secret(Target::Production) else {
                return Err(Error::usage(format!(
                    "{} is not set: it signs the tokens that users sign in with",
                    Settings::jwt_secret_names(Target::Production)
                )));
            };
            (Board::database(&url)?, Some(secret))
        }
        StoreChoice::Rest(..) => {
            return Err(Error::usage(
                "the dashboard reads PostgreSQL or the journal: set DATABASE_URL and --store postgres, or give --store sqlite",
            ));
        }
    };
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key)
        .map_err(|error| Error::Unanswered(format!("the system gives no random bytes: {error}")))?;
    Ok(Setup {
        board,
        journal,
        plans,
        runs: Arc::new(Bundles {
            trust: Trust::of(settings.project.evidence.as_ref(), None, &settings.root)?,
            runs: settings.root.join(FOLDER).join("runs"),
        }),
        jwt_secret,
        form_key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
        runbook: settings
            .project
            .alerts
            .as_ref()
            .and_then(|alerts| alerts.runbook.clone()),
        redactor: settings.redactor(),
        now: Timestamp::now,
    })
}

/// Serves the dashboard until `stop` is cancelled.
///
/// # Errors
/// When the address may not or cannot be listened at.
pub async fn serve(setup: Setup, at: SocketAddr, stop: CancellationToken) -> Result<Exit> {
    let listener = listener(at, setup.jwt_secret.is_some()).await?;
    say!(
        "Dashboard: http://{}/ (Ctrl-C ends it)",
        listener.local_addr().map_err(Error::system)?
    );
    let journal = setup.journal.clone();
    web::serve(listener, setup, stop).await;
    journal.close().await;
    Ok(Exit::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_manifest_is_wrecked_or_gone_is_listed_as_altered() {
        let folder = tempfile::tempdir().unwrap();
        let bundles = Bundles {
            runs: folder.path().to_owned(),
            trust: Trust::default(),
        };
        for (name, manifest) in [("1-faults-stress-a", Some("{")), ("2-faults-stress-b", None)] {
            let run = folder.path().join(name);
            std::fs::create_dir(&run).unwrap();
            std::fs::write(run.join("plan.yml"), "stress: faults\n").unwrap();
            if let Some(text) = manifest {
                std::fs::write(run.join(manifest::FILE), text).unwrap();
            }
        }
        let runs = bundles.of(&"faults".parse().unwrap());
        assert_eq!(runs.len(), 2, "{runs:?}");
        for run in runs {
            assert!(!run.intact && run.files.is_empty() && !run.told.is_empty(), "{run:?}");
        }
    }
}
