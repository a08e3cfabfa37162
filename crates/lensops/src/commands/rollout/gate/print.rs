//! The gate's answer as text, as JSON, and as Markdown for a pull request.

use lensops_core::history::gate::{Answer, Criterion, GateOutput, GateReport, StoreAnswer, TenantAnswer};
use lensops_core::lens::Policy;
use lensops_core::plan::monitor::MonitorPlan;

use super::asked::Form;
use super::judged::Gated;
use crate::commands::exit::Exit;

/// Checks that count neither way, and those that fill no slot; nothing is said where there are none.
fn left_out(report: &GateReport) -> String {
    let mut told = match (report.paused, report.maintenance) {
        (0, 0) => String::new(),
        (paused, maintenance) => format!(" · left out: paused {paused}, maintenance {maintenance}"),
    };
    if report.annulled > 0 {
        told.push_str(&format!(" · annulled: {}", report.annulled));
    }
    if report.could_not_judge > 0 {
        told.push_str(&format!(
            " · could not judge, so covering none: {}",
            report.could_not_judge
        ));
    }
    if report.without_slot > 0 {
        told.push_str(&format!(
            " · without a slot's id, so filling none: {}",
            report.without_slot
        ));
    }
    told
}

/// Prints the gate's answer.
pub fn print(plan: &MonitorPlan, gated: &Gated, window: &str, form: Form) -> Exit {
    match form {
        Form::Json => say!("{:#}", serde_json::json!(output(plan, gated, window))),
        Form::Markdown => {
            for (report, answer) in gated.reports.iter().zip(&gated.statistical) {
                let title = format!("{} · tenant {}", plan.monitor.title(), plan.tenants.name(report.tenant));
                let until = format!("{window} until {}", report.until.strftime("%Y-%m-%dT%H:%M:%SZ"));
                let decided = (report.decision, report.reason.as_str());
                say!("{}", markdown(&title, &until, gated.policy, decided, answer));
            }
        }
        Form::Text | Form::Explain => text(plan, gated, window, form),
    }
    gated.decision.into()
}

fn output(plan: &MonitorPlan, gated: &Gated, window: &str) -> GateOutput {
    let answers = gated.strict.iter().zip(&gated.statistical);
    let tenant = |(report, (strict, statistical)): (&GateReport, (&_, &Answer))| TenantAnswer {
        report: report.clone(),
        strict: *strict,
        statistical: statistical.clone(),
    };
    GateOutput::Store(StoreAnswer {
        lens: plan.monitor.clone(),
        window: window.to_owned(),
        policy: gated.policy,
        decision: gated.decision,
        virtual_clock: gated.virtual_clock,
        tenants: gated.reports.iter().zip(answers).map(tenant).collect(),
    })
}

fn text(plan: &MonitorPlan, gated: &Gated, window: &str, form: Form) {
    for (report, answer) in gated.reports.iter().zip(&gated.statistical) {
        say!(
            "{} · tenant {} · {window} until {}",
            plan.monitor.title(),
            plan.tenants.name(report.tenant),
            report.until.strftime("%Y-%m-%dT%H:%M:%SZ")
        );
        say!("{}: {}", report.decision.tell(), report.reason);
        say!(
            "  slots {} · covered {} · longest gap {} · healthy {} · degraded {} · unhealthy {}{}",
            report.slots,
            report.covered,
            report.longest_gap,
            report.healthy,
            report.degraded,
            report.unhealthy,
            left_out(report)
        );
        if gated.policy == Policy::Strict {
            say!("  {}", would_say(answer));
        }
        if form == Form::Explain {
            explain(answer);
        }
    }
    if gated.reports.len() > 1 {
        say!("Over {} tenants: {}", gated.reports.len(), gated.decision.tell());
    }
    if gated.virtual_clock {
        say!("  (checks of this window were made under a virtual clock)");
    }
}

/// What the statistical policy would say, in one line.
pub(super) fn would_say(answer: &Answer) -> String {
    format!("statistical would say {}: {}", answer.decision.word(), answer.reason)
}

/// Every criterion in one line.
pub(super) fn explain(answer: &Answer) {
    for criterion in &answer.criteria {
        say!("  {} {:<13} {}", mark(criterion), criterion.id, criterion.sentence);
    }
    say!(
        "  · background of failed requests: {:.3} %, by which sums are judged",
        answer.background * 100.0
    );
}

fn mark(criterion: &Criterion) -> &'static str {
    if criterion.met { "✅" } else { "❌" }
}

/// The answer for a pull request.
pub(super) fn markdown(
    title: &str,
    until: &str,
    policy: Policy,
    (decision, reason): (lensops_core::history::gate::Decision, &str),
    answer: &Answer,
) -> String {
    let mut text = format!(
        "### {}: {title}\n\n{until} · policy {}\n\n{}\n",
        decision.tell(),
        policy.as_str(),
        cell(reason)
    );
    if policy == Policy::Strict {
        text.push_str(&format!("\n{}\n", cell(&would_say(answer))));
    }
    text.push_str("\n| | criterion | value | bound | sample | |\n| --- | --- | --- | --- | --- | --- |\n");
    for criterion in &answer.criteria {
        let value = criterion.value.map_or_else(|| "–".to_owned(), figure);
        text.push_str(&format!(
            "| {} | `{}` | {value} | {} | {} | {} |\n",
            mark(criterion),
            criterion.id,
            figure(criterion.bound),
            criterion.sample,
            cell(&criterion.sentence)
        ));
    }
    text
}

fn figure(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) {
        format!("{value:.1e}")
    } else {
        format!("{:.4}", value)
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
