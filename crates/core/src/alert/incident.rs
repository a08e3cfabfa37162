//! An incident: the alerts that a receiver was told together and that still fire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::Notification;
use super::rule::Rule;
use crate::ident::LensId;

/// What a receiver was told of one incident, alert by alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The deduplication key of its messages: that of its first, most severe alert.
    pub key: String,
    /// When an alert last joined it.
    pub begun_at: Timestamp,
    /// When it was last told.
    pub told_at: Timestamp,
    /// Its alerts that still fire, by their own key.
    pub members: BTreeMap<String, Notification>,
}

/// Rules that may have one cause. What is about the store says nothing of lenses, a certificate that expires is no
/// outage, a switched flag is news of its own, and a monitor that cannot ask says nothing about the API.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Outage,
    Certificate,
    Flag,
    Store,
    Monitor,
}

pub(super) fn class(rule: Rule) -> Class {
    match rule {
        Rule::Unhealthy
        | Rule::P95AboveSlo
        | Rule::ErrorRateAboveSlo
        | Rule::ServerError
        | Rule::NoCheck
        | Rule::XOfY
        | Rule::Cusum
        | Rule::Dark
        | Rule::BurnRate => Class::Outage,
        Rule::CertificateExpires => Class::Certificate,
        Rule::FlagToggled => Class::Flag,
        Rule::StoreFailing => Class::Store,
        Rule::CannotJudge => Class::Monitor,
    }
}

/// What an alert is about.
pub(super) fn pair(told: &Notification) -> (Option<&LensId>, Option<Uuid>) {
    (told.lens.as_ref(), told.tenant)
}

/// What is remembered of an alert: its answer is in the message already.
pub(super) fn brief(told: &Notification) -> Notification {
    Notification {
        response: None,
        ..told.clone()
    }
}

/// An alert of a list.
pub(super) fn line(told: &Notification) -> String {
    let (lens, tenant) = pair(told);
    let tenant = tenant.map_or_else(String::new, |tenant| format!(" {tenant}"));
    format!(
        "{} {}{tenant} {}: {}",
        told.severity.as_str(),
        lens.map_or("store", LensId::as_str),
        told.rule.title(),
        told.reason
    )
}
