//! `lensops doctor`: what would bite, found before it does. One file a group of questions.
//!
//! Each finding says what, where and how to mend it. What could not be looked at is a finding of a
//! kind of its own: it is neither good nor wrong. What was looked at and is good is named as well,
//! or nobody would know that it was looked at.

mod api;
mod clock;
mod files;
mod finding;
mod flags;
mod secrets;
mod store;
mod subject;

use crate::commands::exit::Exit;
use finding::Findings;
pub use subject::Subject;

/// Looks at everything and prints what was found, worst first.
pub async fn doctor(subject: &Subject<'_>, as_json: bool) -> Exit {
    let mut findings = Findings::new(subject.settings.redactor());
    secrets::look(subject, &mut findings);
    files::look(subject, &mut findings);
    api::look(subject, &mut findings).await;
    flags::look(subject, &mut findings).await;
    store::look(subject, &mut findings).await;
    clock::look(subject, &mut findings).await;
    findings.report(as_json)
}
