//! Files: lenses that hold together, plans that follow from them, and a disk that outlives the worker.

use lensops_core::alert::AlertPolicy;
use std::path::Path;

use serde_json::Value;

use super::finding::Findings;
use super::subject::Subject;
use crate::commands::files;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings) {
    let alerts = subject.settings.project.alerts.as_ref();
    if alerts.is_none_or(|alerts| alerts.policy == AlertPolicy::EachCheck) {
        findings.good(
            "each check wakes somebody by itself; `alerts: {policy: judged}` in lensops.yml judges several together, and \
             wakes nobody for one that failed",
        );
    }
    for lens in &subject.lenses {
        match lens {
            Ok(lens) => findings.good(format!("lenses/{}.yml holds together", lens.lens)),
            Err(why) => findings.error(why, "lenses", "mend the lens file, then `lensops generate`"),
        }
    }
    if subject.lenses.is_empty() {
        findings.warning(
            "there is no lens file",
            "lenses",
            "`lensops generate --lens-id …` writes one",
        );
    }
    plans(subject, findings);
    disk(subject, findings);
}

fn plans(subject: &Subject<'_>, findings: &mut Findings) {
    for plan in &subject.plans {
        match plan {
            Ok(loaded) => match loaded.warning() {
                None => findings.good(format!(
                    "the monitor plan of lens {} is as generated",
                    loaded.plan.monitor
                )),
                Some(warning) => findings.warning(
                    warning,
                    loaded.path.display().to_string(),
                    "`lensops generate --check` shows the difference, `lensops generate` mends it",
                ),
            },
            Err(why) => findings.error(why, "tools/ops/monitors", "`lensops generate`"),
        }
    }
    for lens in subject.lenses.iter().flatten() {
        if !subject
            .plans
            .iter()
            .flatten()
            .any(|loaded| loaded.plan.monitor == lens.lens)
        {
            findings.error(
                format!("lens {} has no monitor plan: nobody checks it", lens.lens),
                format!("lenses/{}.yml", lens.lens),
                "`lensops generate`",
            );
        }
    }
}

fn disk(subject: &Subject<'_>, findings: &mut Findings) {
    let settings = subject.settings;
    let state = settings.state_dir();
    if let Some(kind) = file_system(&state).filter(|kind| matches!(kind.as_str(), "tmpfs" | "ramfs")) {
        findings.warning(
            format!("the outbox lies on {kind}: it is gone with the machine"),
            state.display().to_string(),
            "set LENSOPS_STATE_DIR to a folder on a lasting disk",
        );
    }
    let path = settings.root.join("render.yaml");
    let Ok(Some(text)) = files::read_if_there(&path) else {
        return;
    };
    let Ok(render) = lensops_core::yaml::read::<Value>("render.yaml", &text) else {
        return findings.error(
            "render.yaml is no YAML",
            "render.yaml",
            "mend it, or `lensops generate`",
        );
    };
    for service in render["services"].as_array().into_iter().flatten() {
        let command = ["dockerCommand", "startCommand"]
            .into_iter()
            .filter_map(|key| service[key].as_str());
        if command.into_iter().any(|command| command.contains("lensops worker")) && service["disk"].is_null() {
            findings.warning(
                format!(
                    "the outbox of {} has no lasting disk: what was not delivered is lost with a deploy",
                    service["name"]
                ),
                "render.yaml",
                "give the service a `disk`, as `lensops generate` does",
            );
        }
    }
}

/// The kind of file system that holds `path`, where the system tells.
fn file_system(path: &Path) -> Option<String> {
    let whole = std::path::absolute(path).ok()?;
    let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (_, folder, kind) = (words.next()?, words.next()?, words.next()?);
        whole.starts_with(folder).then(|| (folder.len(), kind.to_owned()))
    });
    mounts.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}
