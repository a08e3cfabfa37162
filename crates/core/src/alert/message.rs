//! What is told, and the bytes in which Slack, PagerDuty and any webhook take it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::rule::{Rule, Subject, Urgency, key};
use super::together::Together;
use super::{Notice, RulePlan, State};
use crate::crypto::digest::uuid_v8;
use crate::ident::LensId;

/// The most of an answer that a message carries, in characters.
const EXCERPT: usize = 600;

/// The most of a reason that a message carries, in characters.
const REASON: usize = 400;

/// The most alerts that a message to Slack lists.
const SLACK_LISTED: usize = 15;

/// One message about an alert, for every receiver of its rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Made from key, notice and cause: the same message has the same id however often it is made.
    pub id: Uuid,
    /// What is told.
    pub notice: Notice,
    /// The rule.
    pub rule: Rule,
    /// How much it matters.
    pub severity: Urgency,
    /// The same in every message of one alert.
    pub dedup_key: String,
    /// The lens; none where it is about the store.
    pub lens: Option<LensId>,
    /// The tenant.
    pub tenant: Option<Uuid>,
    /// Why, one line.
    pub reason: String,
    /// The redacted answer that shows it, cut.
    pub response: Option<String>,
    /// What to do.
    pub runbook: Option<String>,
    /// When it began.
    pub since: Timestamp,
    /// How often it was seen.
    pub times: u32,
    /// When this was told.
    pub at: Timestamp,
    /// What else it tells; `None` for one alert alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

impl Notification {
    /// The message of `notice` about `state`: the new one, or for a resolved alert the one before.
    /// `cause` is what was observed, such as the id of a check.
    #[must_use]
    pub fn of(
        rule: Rule,
        plan: &RulePlan,
        subject: &Subject,
        notice: Notice,
        state: &State,
        cause: Uuid,
        at: Timestamp,
    ) -> Self {
        let key = key(rule, subject);
        let at_ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
        let finding = state.finding.as_ref();
        let lens = subject.lens().map_or("store", LensId::as_str);
        Self {
            id: uuid_v8(at_ms, &[key.as_bytes(), notice.as_str().as_bytes(), cause.as_bytes()]),
            notice,
            rule,
            severity: state.urgency(plan),
            dedup_key: key,
            lens: subject.lens().cloned(),
            tenant: subject.tenant(),
            reason: finding.map_or_else(
                || rule.title().to_owned(),
                |finding| cut(&one_line(&finding.reason), REASON),
            ),
            response: finding
                .and_then(|finding| finding.response.as_deref())
                .map(|text| cut(text, EXCERPT)),
            runbook: plan
                .runbook
                .as_ref()
                .map(|page| page.replace("{lens}", lens).replace("{rule}", rule.as_str())),
            since: state.since.unwrap_or(at),
            times: state.times,
            at,
            together: None,
        }
    }

    /// One line: `FIRING critical faults unhealthy: List: 500`.
    #[must_use]
    pub fn summary(&self) -> String {
        format!(
            "{} {} {} {}{}: {}",
            self.mark(),
            self.severity.as_str(),
            self.about("store"),
            self.titles(),
            self.still(),
            self.reason
        )
    }

    /// `FIRING`, `REMINDER`, `RESOLVED`, or `PARTLY OVER` of an incident.
    fn mark(&self) -> String {
        match &self.together {
            Some(together) if together.partly_over => "PARTLY OVER".to_owned(),
            _ => self.notice.as_str().to_uppercase(),
        }
    }

    fn about(&self, without: &str) -> String {
        let lens = self.lens.as_ref().map_or(without, LensId::as_str);
        let together = self.together.as_ref();
        together.map_or_else(|| lens.to_owned(), |together| together.subject(lens))
    }

    fn titles(&self) -> String {
        let together = self.together.as_ref();
        together.map_or_else(|| self.rule.title().to_owned(), Together::titles)
    }

    fn still(&self) -> String {
        match &self.together {
            Some(together) if together.partly_over => format!("; {} of its pairs still fire", together.still),
            _ => String::new(),
        }
    }

    fn history(&self) -> String {
        let since = self.since.strftime("%Y-%m-%d %H:%M:%SZ");
        let times = if self.times == 1 {
            "once".to_owned()
        } else {
            format!("{} times", self.times)
        };
        match self.notice {
            Notice::Resolved => format!(
                "began {since}, seen {times}, over {}",
                self.at.strftime("%Y-%m-%d %H:%M:%SZ")
            ),
            _ => format!("since {since}, seen {times}"),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Text of strangers within Slack's markup: its three special characters are spelled out, so that
/// nobody can be mentioned and no link be made.
fn slack_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The body for an incoming webhook of Slack, in Block Kit. Slack knows no key by which it could put
/// a repeated message aside, so one that may have arrived before says so (`perhaps_again`).
#[must_use]
pub fn slack_body(told: &Notification, perhaps_again: bool) -> Value {
    let mark = match (told.notice, told.severity) {
        (Notice::Resolved, _) => "✅",
        (_, Urgency::Critical | Urgency::Error) => "🔴",
        (_, Urgency::Warning) => "⚠️",
        (_, Urgency::Info) => "ℹ️",
    };
    let about = match (&told.together, &told.lens) {
        (Some(_), _) => told.about("store").trim_end_matches(',').to_owned(),
        (None, lens) => lens.as_ref().map_or_else(|| "Store".to_owned(), LensId::title),
    };
    let head = format!("{mark} {}: {about}, {}", told.mark(), told.titles());
    let field = |name: &str, value: &str| json!({"type": "mrkdwn", "text": format!("*{name}*\n{}", slack_text(value))});
    let mut fields = vec![
        field("Severity", told.severity.as_str()),
        field("Rule", told.rule.as_str()),
    ];
    if let (Some(lens), Some(tenant)) = (&told.lens, told.tenant) {
        fields.extend([field("Lens", lens.as_str()), field("Tenant", &tenant.to_string())]);
    }
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": cut(&head, 140)}}),
        json!({"type": "section", "text": {"type": "mrkdwn", "text": slack_text(&told.reason)}}),
        json!({"type": "section", "fields": fields}),
    ];
    if let (Some(response), true) = (&told.response, told.notice != Notice::Resolved) {
        // Three backticks would end the block that holds it.
        let text = format!("```{}```", slack_text(&response.replace("```", "'''")));
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text}}));
    }
    if let Some(together) = told.together.as_ref().filter(|together| together.alerts > 1) {
        let more = together.alerts.saturating_sub(SLACK_LISTED);
        let mut list: Vec<String> = together
            .list
            .iter()
            .take(SLACK_LISTED)
            .map(|line| cut(line, 200))
            .collect();
        if more > 0 {
            list.push(format!("and {more} more: lensops alerts list"));
        }
        let text = cut(&slack_text(&list.join("\n")), 2_900);
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text}}));
    }
    let mut foot = told.history();
    if let Some(page) = &told.runbook {
        foot = format!("{foot} · <{}|Runbook>", slack_text(page).replace('|', "%7C"));
    }
    if perhaps_again {
        foot.push_str(" · may have been sent before");
    }
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": foot}]}));
    json!({"text": slack_text(&told.summary()), "blocks": blocks})
}

/// The body for PagerDuty's Events API v2. The deduplication key makes a repeated event harmless.
#[must_use]
pub fn pagerduty_body(told: &Notification, routing_key: &str) -> Value {
    let about = told.lens.as_ref().map_or("store", LensId::as_str);
    if told.notice == Notice::Resolved {
        return json!({"routing_key": routing_key, "event_action": "resolve", "dedup_key": told.dedup_key});
    }
    let mut body = json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": told.dedup_key,
        "client": "lensops",
        "payload": {
            "summary": cut(&told.summary(), 1000),
            "source": told.tenant.map_or_else(|| "lensops".to_owned(), |tenant| tenant.to_string()),
            "severity": told.severity.as_str(),
            "timestamp": told.at,
            "component": about,
            "class": told.rule.as_str(),
            "custom_details": {
                "lens": told.lens, "tenant": told.tenant, "reason": told.reason, "response": told.response,
                "since": told.since, "times": told.times, "notice": told.notice.as_str(), "id": told.id,
            },
        },
    });
    let details = body
        .pointer_mut("/payload/custom_details")
        .and_then(Value::as_object_mut);
    if let (Some(together), Some(details)) = (&told.together, details) {
        details.insert("together".to_owned(), json!(together));
    }
    if let (Some(page), Some(body)) = (&told.runbook, body.as_object_mut()) {
        body.insert("links".to_owned(), json!([{"href": page, "text": "Runbook"}]));
    }
    body
}

/// The body for any webhook: the notification itself, with its one-line summary.
#[must_use]
pub fn webhook_body(told: &Notification) -> Value {
    let mut body = json!(told);
    if let Some(body) = body.as_object_mut() {
        body.insert("summary".to_owned(), json!(told.summary()));
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{AlertsFile, Finding, RuleBook};

    fn told(notice: Notice, reason: &str, response: &str) -> Notification {
        let file: AlertsFile = crate::yaml::read("x", "runbook: https://runbooks.example/{lens}/{rule}").unwrap();
        let book = RuleBook::of(&file, &[]).unwrap();
        let subject = Subject::Lens(Uuid::from_u128(7), "faults".parse().unwrap());
        let state = State {
            window: 3,
            since: Some("2026-01-28T15:00:00Z".parse().unwrap()),
            times: 2,
            finding: Some(Finding {
                reason: reason.to_owned(),
                response: Some(response.to_owned()),
                urgency: None,
            }),
            ..State::default()
        };
        let at = "2026-01-28T15:15:00Z".parse().unwrap();
        Notification::of(
            Rule::Unhealthy,
            book.plan(Rule::Unhealthy),
            &subject,
            notice,
            &state,
            Uuid::from_u128(9),
            at,
        )
    }

    #[test]
    fn a_message_holds_what_somebody_woken_by_it_needs() {
        let told = told(Notice::Firing, "List: 500", "HTTP/1.1 500\n\n{\"error\": 1}");
        for body in [
            slack_body(&told, false),
            pagerduty_body(&told, "made-up-key"),
            webhook_body(&told),
        ] {
            let text = body.to_string();
            for part in [
                "critical",
                "faults",
                "00000000-0000-0000-0000-000000000007",
                "List: 500",
                "HTTP/1.1 500",
                "https://runbooks.example/faults/unhealthy",
                "2026-01-28",
                "FIRING",
            ] {
                assert!(text.contains(part), "{part} is not in {text}");
            }
        }
    }

    #[test]
    fn text_of_strangers_cannot_mention_link_or_leave_its_block() {
        let body = slack_body(
            &told(Notice::Firing, "<!channel> a & b", "``` <https://evil.example|x>"),
            false,
        )
        .to_string();
        assert!(
            !body.contains("<!channel>") && !body.contains("<https://evil"),
            "{body}"
        );
        assert_eq!(body.matches("```").count(), 2, "{body}");
    }

    #[test]
    fn long_texts_are_cut_at_characters_and_slack_takes_every_block() {
        let body = slack_body(&told(Notice::Reminder, &"ä<".repeat(5_000), &"ö&".repeat(5_000)), true);
        for block in body["blocks"].as_array().unwrap() {
            let length = block["text"]["text"].as_str().unwrap_or("").chars().count();
            assert!(length <= 3_000, "{length}");
        }
        assert!(body.to_string().contains("may have been sent before"));
    }

    #[test]
    fn firing_and_resolved_share_a_key_and_not_an_id() {
        let (firing, resolved) = (told(Notice::Firing, "a", "b"), told(Notice::Resolved, "a", "b"));
        assert_eq!(firing.dedup_key, resolved.dedup_key);
        assert_ne!(firing.id, resolved.id);
        assert_eq!(
            firing.id,
            told(Notice::Firing, "a", "b").id,
            "made again, it is the same message"
        );
        assert_eq!(pagerduty_body(&resolved, "k")["event_action"], "resolve");
    }
}
