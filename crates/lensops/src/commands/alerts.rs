//! `lensops alerts`: what fires, whom it was told, whether receivers take messages, and quiet.

use jiff::{SignedDuration, Timestamp};
use lensops_core::alert::{AlertsFile, Finding, Notice, Notification, Rule, RuleBook, State, Subject, Urgency};
use lensops_core::exchange::Sender;
use lensops_core::ident::{LensId, nearest};
use lensops_core::redaction::Redactor;
use serde_json::json;
use uuid::Uuid;

use crate::alert::Receiver;
use crate::commands::context::open_journal;
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::fleet;
use crate::commands::plans::lens_paths;
use crate::config::Settings;
use crate::http::{Client, TIMEOUT};
use crate::store::{Alert, Journal, Silence, Trail};

/// Prints what fires, the silences, and the latest `trail` messages with every attempt at them.
/// Exit: bad where something of severity error or critical fires, degraded where anything less
/// fires or a message has not arrived.
///
/// # Errors
/// When the journal cannot be read.
pub async fn list(journal: &Journal, now: Timestamp, trail: u32, as_json: bool) -> Result<Exit> {
    let found = Found {
        alerts: journal.alerts().await?,
        silences: journal.silences(now).await?,
        backlog: journal.alert_backlog().await?,
        trail: journal.alert_trail(trail).await?,
    };
    Ok(show(found, as_json))
}

/// As [`list`], of the settings' journal; in a fleet that which all machines share comes first.
///
/// # Errors
/// When the journal or the database cannot be read.
pub async fn list_known(settings: &Settings, now: Timestamp, trail: u32, as_json: bool) -> Result<Exit> {
    let journal = open_journal(settings).await?;
    let Some(fleet) = fleet::shared_by(settings)? else {
        return list(&journal, now, trail, as_json).await;
    };
    let mut found = Found {
        alerts: fleet.alerts().await?,
        silences: fleet.silences(now).await?,
        backlog: fleet.alert_backlog().await?,
        trail: fleet.alert_trail(trail).await?,
    };
    // What this machine saw while it was cut off, and its store.
    found.alerts.extend(journal.alerts().await?);
    found.backlog.extend(journal.alert_backlog().await?);
    found.trail.extend(journal.alert_trail(trail).await?);
    Ok(show(found, as_json))
}

/// What there is to be listed.
struct Found {
    alerts: Vec<Alert>,
    silences: Vec<Silence>,
    backlog: Vec<(String, i64, i64)>,
    trail: Vec<Trail>,
}

fn show(found: Found, as_json: bool) -> Exit {
    let Found {
        alerts,
        silences,
        backlog,
        trail,
    } = found;
    if as_json {
        let backlog = backlog
            .iter()
            .map(|(receiver, waiting, refused)| json!({"receiver": receiver, "waiting": waiting, "refused": refused}));
        let backlog = backlog.collect::<Vec<_>>();
        say!(
            "{:#}",
            json!({"alerts": alerts, "silences": silences, "backlog": backlog, "trail": trail})
        );
    } else {
        print_alerts(&alerts);
        for silence in &silences {
            say!("🔕 {}", told(silence));
        }
        for (receiver, waiting, refused) in &backlog {
            say!("⚠️ {receiver}: {waiting} messages wait, {refused} were refused for good");
        }
        trail.iter().rev().for_each(print_trail);
    }
    let firing = |grave: bool| {
        alerts.iter().any(|alert| {
            alert.firing && matches!(alert.severity.known(), Some(Urgency::Critical | Urgency::Error)) == grave
        })
    };
    match () {
        () if firing(true) => Exit::Bad,
        () if firing(false) || !backlog.is_empty() => Exit::Degraded,
        () => Exit::Good,
    }
}

fn print_alerts(alerts: &[Alert]) {
    let firing: Vec<&Alert> = alerts.iter().filter(|alert| alert.firing).collect();
    if firing.is_empty() {
        say!("✅ nothing fires");
    }
    for alert in firing {
        let about = alert
            .lens
            .as_ref()
            .map_or_else(|| "store".to_owned(), ToString::to_string);
        let tenant = alert.tenant.map_or_else(String::new, |tenant| format!(" {tenant}"));
        let since = alert
            .state
            .since
            .map_or_else(String::new, |at| at.strftime(" since %Y-%m-%dT%H:%M:%SZ").to_string());
        let untold = alert.state.firing.as_ref().is_some_and(|firing| firing.told.is_none());
        let reason = alert
            .state
            .finding
            .as_ref()
            .map_or("", |finding| finding.reason.as_str());
        say!(
            "🔔 {} {about}{tenant} {}{since}, seen {} times{}: {reason}",
            alert.severity,
            alert.rule,
            alert.state.times,
            if untold { " (silenced)" } else { "" }
        );
    }
}

fn print_trail(trail: &Trail) {
    let at = trail.told.at.strftime("%Y-%m-%dT%H:%M:%SZ");
    say!("{at} {} → {}: {}", trail.told.summary(), trail.receiver, trail.state);
    for (begun, said) in &trail.attempts {
        say!(
            "    {begun} {}",
            said.as_deref().unwrap_or("cut off: nobody knows whether it arrived")
        );
    }
}

fn told(silence: &Silence) -> String {
    let part = |name: &str, value: Option<String>| value.map_or_else(String::new, |value| format!(" {name} {value}"));
    format!(
        "silence {}:{}{}{} until {}, by {}: {}",
        silence.id,
        part("rule", silence.rule.map(|rule| rule.to_string())),
        part("lens", silence.lens.as_ref().map(ToString::to_string)),
        part("tenant", silence.tenant.map(|tenant| tenant.to_string())),
        silence.until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        silence.who,
        silence.reason
    )
}

/// Sends a message that says it is a test to each of `receivers`, and its end after it, so that no
/// incident stays open.
///
/// # Errors
/// When there is none.
pub async fn test<S: Sender>(
    sender: &S,
    receivers: &[Receiver],
    redactor: &Redactor,
    now: Timestamp,
    as_json: bool,
) -> Result<Exit> {
    if receivers.is_empty() {
        return Err(Error::usage(
            "there is no receiver: set SLACK_WEBHOOK_URL, PAGERDUTY_ROUTING_KEY or LENSOPS_WEBHOOK_URL with \
             LENSOPS_WEBHOOK_SECRET, or name receivers in lensops.yml"
                .to_string(),
        ));
    }
    let book = RuleBook::of(&AlertsFile::default(), &[])?;
    let reason = "this is a test of `lensops alerts test`: nothing is wrong".to_owned();
    let state = State {
        since: Some(now),
        times: 1,
        finding: Some(Finding {
            reason,
            response: None,
            urgency: None,
        }),
        ..State::default()
    };
    let cause = Uuid::new_v4();
    let mut rows = Vec::new();
    for receiver in receivers {
        let mut result = Ok(());
        for notice in [Notice::Firing, Notice::Resolved] {
            let rule = Rule::FlagToggled;
            let mut told = Notification::of(rule, book.plan(rule), &Subject::Store, notice, &state, cause, now);
            told.dedup_key = format!("lensops/test/{cause}");
            if result.is_ok() {
                result = receiver.send(sender, &told, false, now).await;
            }
        }
        let said = result.as_ref().err().map(|refusal| redactor.text(&refusal.to_string()));
        if !as_json {
            match &said {
                None => say!("✅ {} takes messages", receiver.name),
                Some(said) => say!("❌ {}: {said}", receiver.name),
            }
        }
        rows.push(json!({"receiver": receiver.name, "taken": result.is_ok(), "said": said}));
    }
    if as_json {
        say!("{:#}", json!(rows));
    }
    Ok(if rows.iter().all(|row| row["taken"] == true) {
        Exit::Good
    } else {
        Exit::Bad
    })
}

/// What is to be quiet, why, and for how long.
#[derive(Debug)]
pub struct Quiet {
    /// The rule; all where none is named.
    pub rule: Option<Rule>,
    /// The tenant; all where none is named.
    pub tenant: Option<Uuid>,
    /// The lens; all where none is named.
    pub lens: Option<LensId>,
    /// How long.
    pub lasts: SignedDuration,
    /// Who wants it.
    pub who: String,
    /// Why.
    pub reason: String,
}

/// Sends a test to the receiver `name` of the settings, to every one where none is named.
///
/// # Errors
/// No such receiver, or one whose address is not valid.
pub async fn test_named(settings: &Settings, name: Option<&str>, now: Timestamp, as_json: bool) -> Result<Exit> {
    let mut receivers = settings.receivers()?;
    if let Some(name) = name {
        receivers.retain(|receiver| receiver.name == name);
        if receivers.is_empty() {
            return Err(Error::usage(format!("there is no receiver {name:?}")));
        }
    }
    test(&Client::new(TIMEOUT), &receivers, &settings.redactor(), now, as_json).await
}

/// Records `quiet` in the settings' journal, or for the fleet, and prints it.
///
/// # Errors
/// A lens that is not there, an empty reason, or a journal or database that refuses.
pub async fn silence_known(settings: &Settings, quiet: Quiet, now: Timestamp, as_json: bool) -> Result<Exit> {
    if let Some(lens) = &quiet.lens {
        known_lens(settings, lens)?;
    }
    let silence = silence_of(quiet, &settings.redactor(), now)?;
    match fleet::shared_by(settings)? {
        Some(fleet) => fleet.silence(&silence).await?,
        None => open_journal(settings).await?.silence(silence.clone()).await?,
    }
    print_silence(&silence, as_json);
    Ok(Exit::Good)
}

/// A silence of a lens that is not there would keep nothing quiet.
fn known_lens(settings: &Settings, lens: &LensId) -> Result<()> {
    let paths = lens_paths(settings)?;
    let known: Vec<&str> = paths.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    if known.contains(&lens.as_str()) || known.is_empty() {
        return Ok(());
    }
    let hint = nearest(lens.as_str(), &known).map_or_else(
        || format!("there are {}", known.join(", ")),
        |near| format!("did you mean {near:?}?"),
    );
    Err(Error::usage(format!("there is no lens {lens}: {hint}")))
}

fn silence_of(quiet: Quiet, redactor: &Redactor, now: Timestamp) -> Result<Silence> {
    if quiet.reason.trim().is_empty() {
        return Err(Error::usage(
            "--reason is empty: say why, for whoever looks for the alert",
        ));
    }
    Ok(Silence {
        id: Uuid::new_v4(),
        rule: quiet.rule,
        tenant: quiet.tenant,
        lens: quiet.lens,
        made_at: now,
        until: now + quiet.lasts,
        who: redactor.text(&quiet.who).as_str().to_owned(),
        reason: redactor.text(quiet.reason.trim()).as_str().to_owned(),
    })
}

fn print_silence(silence: &Silence, as_json: bool) {
    if as_json {
        say!("{:#}", json!(silence));
    } else {
        say!("🔕 {}", told(silence));
    }
}

/// Records a silence and prints it.
///
/// # Errors
/// When the reason is empty or the journal refuses.
pub async fn silence(
    journal: &Journal,
    quiet: Quiet,
    redactor: &Redactor,
    now: Timestamp,
    as_json: bool,
) -> Result<Exit> {
    let silence = silence_of(quiet, redactor, now)?;
    journal.silence(silence.clone()).await?;
    print_silence(&silence, as_json);
    Ok(Exit::Good)
}

/// Ends a silence of the settings' journal, or of the fleet.
///
/// # Errors
/// When there is none of that id in force, or the journal or database refuses.
pub async fn unsilence_known(settings: &Settings, id: Uuid, who: &str, now: Timestamp, as_json: bool) -> Result<Exit> {
    let Some(fleet) = fleet::shared_by(settings)? else {
        return unsilence(&open_journal(settings).await?, id, who, now, as_json).await;
    };
    if !fleet.end_silence(id, now, who).await? {
        return Err(Error::usage(format!(
            "there is no silence {id} in force: see lensops alerts list"
        )));
    }
    print_ended(id, who, as_json);
    Ok(Exit::Good)
}

fn print_ended(id: Uuid, who: &str, as_json: bool) {
    if as_json {
        say!("{:#}", json!({"ended": id, "by": who}));
    } else {
        say!("🔔 silence {id} ended by {who}");
    }
}

/// Ends a silence.
///
/// # Errors
/// When there is none of that id in force, or the journal refuses.
pub async fn unsilence(journal: &Journal, id: Uuid, who: &str, now: Timestamp, as_json: bool) -> Result<Exit> {
    if !journal.silences(now).await?.iter().any(|silence| silence.id == id) {
        return Err(Error::usage(format!(
            "there is no silence {id} in force: see lensops alerts list"
        )));
    }
    journal.unsilence(id, now, who).await?;
    print_ended(id, who, as_json);
    Ok(Exit::Good)
}
