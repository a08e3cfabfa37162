//! Settings of alerts: `alerts:` of `lensops.yml`, resolved against what each rule has by itself.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Rule, Urgency};
use crate::duration::Period;
use crate::history::page::QUIET;
use crate::ident::{EnvName, Ident};

/// The longest window of observations.
const LONGEST: u32 = 32;

/// How often what still fires is told again.
const REMINDER: SignedDuration = SignedDuration::from_hours(4);

/// `alerts:` of `lensops.yml`. Everything may be left out; there are no secrets in it, only the names
/// of variables that hold them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertsFile {
    /// What wakes somebody: `each_check`, an unhealthy check or two by itself, or `judged`, the rules over several checks.
    #[serde(skip_serializing_if = "AlertPolicy::is_default")]
    pub policy: AlertPolicy,
    /// How often what still fires is told again; 4h where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder: Option<Period>,
    /// The page that says what to do; `{lens}` and `{rule}` in it are filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// Who is told. Where none is named, those whose variables are set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub receivers: Vec<ReceiverFile>,
    /// What differs from a rule's own settings.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(schema_with = "rules_schema")]
    pub rules: IndexMap<Rule, RuleFile>,
}

/// A key a rule, so that editors know them and a wrong one is told with the nearest.
fn rules_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let rule = generator.subschema_for::<RuleFile>().to_value();
    let properties: serde_json::Map<_, _> = Rule::ALL
        .map(|name| (name.to_string(), rule.clone()))
        .into_iter()
        .collect();
    schemars::json_schema!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// What wakes somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertPolicy {
    /// Checks by themselves: `unhealthy`, `no_check`. The rules over several checks are off.
    #[default]
    EachCheck,
    /// The rules over several checks, `x_of_y`, `cusum`, `dark` and `burn_rate`; the others warn.
    Judged,
}

impl AlertPolicy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How much a rule matters, as a file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Wakes people: `critical`.
    Page,
    /// Worth a look today: `warning`.
    Warn,
    /// Worth knowing.
    Info,
    /// Worth a look today.
    Warning,
    /// Worth a look now.
    Error,
    /// Wakes people.
    Critical,
}

impl From<Severity> for Urgency {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warn | Severity::Warning => Self::Warning,
            Severity::Error => Self::Error,
            Severity::Page | Severity::Critical => Self::Critical,
        }
    }
}

/// The kinds of receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiverKind {
    /// An incoming webhook of Slack.
    Slack,
    /// The Events API v2 of PagerDuty.
    Pagerduty,
    /// Any address that takes signed JSON.
    Webhook,
}

impl ReceiverKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Slack, Self::Pagerduty, Self::Webhook];

    /// As in files: `slack`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }
}

/// A receiver, named by the variables that hold its address and key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiverFile {
    /// Its name in rules and in the trail.
    pub name: Ident,
    /// What it speaks.
    pub kind: ReceiverKind,
    /// The variable with its address; `SLACK_WEBHOOK_URL`, `PAGERDUTY_EVENTS_URL` or
    /// `LENSOPS_WEBHOOK_URL` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_env: Option<EnvName>,
    /// The variable with its key: `PAGERDUTY_ROUTING_KEY` or `LENSOPS_WEBHOOK_SECRET` where it is left
    /// out. Slack has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<EnvName>,
}

/// What differs from a rule's own settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RuleFile {
    /// Whether it is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How much it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// So many broken observations …
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub needed: Option<u32>,
    /// … of the last so many; as many as `for` where it is left out, which is in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
    /// The page that says what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// How often it is told again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder: Option<Period>,
    /// Who is told; every receiver where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receivers: Option<Vec<String>>,
}

/// A rule with everything settled.
#[derive(Debug, Clone, PartialEq)]
pub struct RulePlan {
    /// Whether it is looked at.
    pub enabled: bool,
    /// How much it matters.
    pub urgency: Urgency,
    /// So many broken observations …
    pub needed: u32,
    /// … of the last so many, at most 32.
    pub of: u32,
    /// The page that says what to do, with `{lens}` and `{rule}`.
    pub runbook: Option<String>,
    /// How often it is told again.
    pub reminder: SignedDuration,
    /// Names of who is told.
    pub receivers: Vec<String>,
}

/// A setting that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lensops.yml: {place}: {why}")]
pub struct BookError {
    /// Its place within `lensops.yml`, key by key: `alerts.rules.unhealthy.for`.
    pub place: String,
    /// What is wrong with it, one line.
    pub why: String,
}

/// Every setting that makes no sense, never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct BookErrors(pub Vec<BookError>);

/// Every rule with everything settled.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleBook {
    plans: BTreeMap<Rule, RulePlan>,
}

impl RuleBook {
    /// Settles `file`; `receivers` are the names of those who can be told.
    ///
    /// # Errors
    /// A window that cannot be, a runbook that is no address, a receiver that is none.
    pub fn of(file: &AlertsFile, receivers: &[String]) -> Result<Self, BookErrors> {
        let (mut plans, mut errors) = (BTreeMap::new(), Vec::new());
        for rule in Rule::ALL {
            let own = file.rules.get(&rule).cloned().unwrap_or_default();
            match settle(rule, own, file, receivers) {
                Ok(plan) => drop(plans.insert(rule, plan)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(Self { plans })
        } else {
            Err(BookErrors(errors))
        }
    }

    /// The plan of `rule`.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "every rule has a plan: `of` makes one of each")]
    pub fn plan(&self, rule: Rule) -> &RulePlan {
        &self.plans[&rule]
    }
}

/// What a rule has by itself.
struct Usual {
    enabled: bool,
    urgency: Urgency,
    needed: u32,
    of: u32,
}

fn usual(rule: Rule, policy: AlertPolicy) -> Usual {
    let judged = policy == AlertPolicy::Judged;
    let (urgency, times) = match rule {
        Rule::Unhealthy if judged => (Urgency::Warning, 2),
        Rule::ServerError if judged => (Urgency::Warning, 1),
        Rule::NoCheck if judged => (Urgency::Error, 1),
        Rule::Unhealthy => (Urgency::Critical, 2),
        Rule::P95AboveSlo | Rule::ErrorRateAboveSlo => (Urgency::Warning, 2),
        Rule::ServerError => (Urgency::Error, 1),
        Rule::FlagToggled => (Urgency::Info, 1),
        // Looked at every 15 s: one failed try is what a back-off is for.
        Rule::StoreFailing => (Urgency::Error, 2),
        Rule::NoCheck => (Urgency::Critical, 1),
        Rule::CertificateExpires => (Urgency::Warning, 1),
        // A lens that nobody watches, for as long as nobody mends its monitor.
        Rule::CannotJudge => (Urgency::Error, 2),
        Rule::XOfY | Rule::Cusum | Rule::Dark | Rule::BurnRate => (Urgency::Critical, 1),
    };
    let over_checks = rule.over_checks().is_some();
    Usual {
        enabled: judged || !over_checks,
        urgency,
        needed: times,
        // An episode ends after so many quiet checks.
        of: if over_checks { QUIET } else { times },
    }
}

/// How often a rule is told again where no file says so.
fn remind_after(rule: Rule) -> SignedDuration {
    match rule {
        // It fires for days by its nature.
        Rule::CertificateExpires => SignedDuration::from_hours(24),
        _ => REMINDER,
    }
}

fn settle(rule: Rule, own: RuleFile, file: &AlertsFile, receivers: &[String]) -> Result<RulePlan, BookError> {
    let refuse = |field: &str, why: String| BookError {
        place: format!("alerts.rules.{rule}.{field}"),
        why,
    };
    let usual = usual(rule, file.policy);
    let needed = own.needed.unwrap_or(usual.needed);
    let of = own.of.unwrap_or(if own.needed.is_some() { needed } else { usual.of });
    if needed == 0 || needed > of || of > LONGEST {
        return Err(refuse(
            "for",
            format!("{needed} of {of} cannot be: write 1 ≤ for ≤ of ≤ {LONGEST}"),
        ));
    }
    let runbook = own.runbook.or_else(|| file.runbook.clone());
    if let Some(page) = runbook.as_deref().filter(|page| !is_page(page)) {
        return Err(refuse("runbook", format!("{page:?} is no http:// or https:// address")));
    }
    let named = own.receivers.unwrap_or_else(|| receivers.to_vec());
    if let Some(stranger) = named.iter().find(|name| !receivers.contains(name)) {
        let known = if receivers.is_empty() {
            "none".to_owned()
        } else {
            receivers.join(", ")
        };
        return Err(refuse(
            "receivers",
            format!("{stranger:?} is no receiver; there is {known}"),
        ));
    }
    Ok(RulePlan {
        enabled: own.enabled.unwrap_or(usual.enabled),
        urgency: own.severity.map_or(usual.urgency, Urgency::from),
        needed,
        of,
        runbook,
        reminder: own.reminder.or(file.reminder).map_or(remind_after(rule), Period::get),
        receivers: named,
    })
}

fn is_page(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.chars().any(|c| c.is_whitespace() || c.is_control()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(yaml: &str) -> Result<RuleBook, String> {
        let file: AlertsFile = crate::yaml::read("lensops.yml", yaml).map_err(|error| error.to_string())?;
        RuleBook::of(&file, &["ops".to_owned(), "night".to_owned()]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_rule_has_settings_of_its_own_and_a_file_overrides_them() {
        let book = book(
            "reminder: 2h\nrunbook: https://runbooks.example/{lens}\nrules:\n  unhealthy: {for: 2, of: 3, severity: error, receivers: [night]}\n  flag_toggled: {enabled: false}\n",
        )
        .unwrap();
        let plan = book.plan(Rule::Unhealthy);
        assert_eq!((plan.needed, plan.of, plan.urgency), (2, 3, Urgency::Error));
        assert_eq!(plan.receivers, ["night"]);
        assert_eq!(plan.reminder, SignedDuration::from_hours(2));
        assert!(!book.plan(Rule::FlagToggled).enabled);
        let other = book.plan(Rule::NoCheck);
        assert_eq!((other.needed, other.of, other.urgency), (1, 1, Urgency::Critical));
        assert_eq!(other.receivers, ["ops", "night"]);
        assert_eq!(other.runbook.as_deref(), Some("https://runbooks.example/{lens}"));
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_and_the_place_is_named() {
        for (case, yaml, told) in [
            (
                "none needed",
                "rules: {unhealthy: {for: 0}}",
                "alerts.rules.unhealthy.for",
            ),
            (
                "more than there are",
                "rules: {unhealthy: {for: 3, of: 2}}",
                "3 of 2 cannot be",
            ),
            (
                "too long",
                "rules: {no_check: {for: 1, of: 33}}",
                "alerts.rules.no_check.for",
            ),
            ("no page", "runbook: wiki", "is no http:// or https:// address"),
            (
                "stranger",
                "rules: {no_check: {receivers: [boss]}}",
                "\"boss\" is no receiver; there is ops, night",
            ),
            ("no rule", "rules: {sunny: {}}", "sunny"),
            ("no such key", "rules: {no_check: {often: 1}}", "often"),
            ("no span", "reminder: soon", "soon"),
        ] {
            let error = book(yaml).unwrap_err();
            assert!(error.contains(told), "{case}: {error}");
        }
    }

    /// Pages that deserve to wake somebody: the rules over several checks alone, where a project says so.
    #[test]
    fn of_a_judged_project_only_the_rules_over_several_checks_page() {
        let urgent = |yaml: &str| -> Vec<&'static str> {
            let book = book(yaml).unwrap();
            let pages = Rule::ALL.into_iter().filter(|rule| {
                let plan = book.plan(*rule);
                plan.enabled && plan.urgency == Urgency::Critical
            });
            pages.map(Rule::as_str).collect()
        };
        assert_eq!(urgent(""), ["unhealthy", "no_check"], "as ever");
        assert_eq!(urgent("policy: judged"), ["x_of_y", "cusum", "dark", "burn_rate"]);
        let own =
            "policy: judged\nrules: {cusum: {severity: warn}, no_check: {severity: page}, dark: {enabled: false}}";
        assert_eq!(urgent(own), ["no_check", "x_of_y", "burn_rate"]);
    }
}
