//! Alerts: what of a check is worth waking somebody for, and when it was told.
//!
//! A check becomes observations (`observe`), an observation and a state become the next state and
//! perhaps a notice (`fold`), and a notice becomes the text and the bytes of a receiver (`message`).
//! All of it is data in, data out; keeping the state and sending the bytes is done elsewhere. What
//! could not be judged is an observation of its own: it neither fires nor resolves.

mod gather;
mod incident;
mod message;
mod observe;
mod rule;
mod rules;
mod state;
mod together;

pub use gather::{Gathered, gather};
pub use incident::Incident;
pub use message::{Notification, pagerduty_body, slack_body, webhook_body};
pub use observe::{Finding, Seen, is_muted, observe};
pub use rules::{
    AlertPolicy, AlertsFile, BookError, BookErrors, ReceiverFile, ReceiverKind, RuleBook, RuleFile, RulePlan,
};
pub use state::{Firing, Notice, State, Step, fold};
pub use together::Together;

pub use rule::{Rule, Subject, Urgency, key};
