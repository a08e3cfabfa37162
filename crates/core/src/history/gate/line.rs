//! A check as a line of `lensops export`: what is written, and how a history is read back from a file.
//!
//! Reading is lenient in what a line lacks (another tool may have written it) and strict in what it must say: lens,
//! tenant, status and a time.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::Uuid;

use super::slot::{RowFigures, Slot, State};
use crate::duration::Every;
use crate::ident::LensId;
use crate::lens::Slo;
use crate::lens::mute::{Muted, MutedWhy};
use crate::verdict::note_rows::StoredNotes;
use crate::verdict::record::Status;

/// One line of an export.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    /// The check's id; `None` in lines of others that have none.
    #[serde(default)]
    pub id: Option<Uuid>,
    /// The tenant.
    pub yacht_id: Uuid,
    /// The lens.
    pub lens_id: LensId,
    /// The status.
    pub status: Status,
    /// P95 in milliseconds.
    #[serde(default)]
    pub p95_latency_ms: Option<f64>,
    /// Failed samples in percent.
    #[serde(default)]
    pub error_rate_percent: Option<f64>,
    /// Samples taken.
    #[serde(default)]
    pub sample_size: i64,
    /// When it was due; `None` for a check outside the timetable.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// How often the lens was checked then.
    #[serde(default, deserialize_with = "known")]
    pub every: Option<Every>,
    /// What the lens promised then.
    #[serde(default, deserialize_with = "known")]
    pub slo: Option<Slo>,
    /// Its notes.
    #[serde(default, deserialize_with = "notes")]
    pub notes: StoredNotes,
}

fn known<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(from)?).ok())
}

fn notes<'de, D: Deserializer<'de>>(from: D) -> Result<StoredNotes, D::Error> {
    Ok(match Value::deserialize(from)? {
        // A text column holds them as text.
        Value::String(text) => StoredNotes::of_text(&text),
        value => value.into(),
    })
}

/// What a line does not say of itself.
#[derive(Debug, Clone)]
pub struct Otherwise {
    /// How often the lens is checked.
    pub every: Every,
    /// What it promises.
    pub slo: Slo,
}

/// The checks of one lens of one tenant, read from lines.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The tenant.
    pub tenant: Uuid,
    /// The slots that have a check, oldest first.
    pub slots: Vec<Slot>,
    /// The status of each of them; `None` where it is left out.
    pub statuses: Vec<(i64, Option<Status>)>,
    /// What the lens promised last.
    pub slo: Slo,
    /// The end of the last slot, in milliseconds since the epoch.
    pub end_ms: i64,
}

impl Line {
    /// The time of its slot: when it was due, else when it was observed. Never its id's.
    fn due_ms(&self) -> i64 {
        self.due_at.unwrap_or(self.observed_at).as_millisecond()
    }

    fn slo<'a>(&'a self, otherwise: &'a Otherwise) -> &'a Slo {
        let noted = self.notes.read().slo.as_ref();
        self.slo.as_ref().or(noted).unwrap_or(&otherwise.slo)
    }

    fn every_ms(&self, otherwise: &Otherwise) -> i64 {
        let noted = self.notes.read().every;
        self.every.or(noted).unwrap_or(otherwise.every).as_ms()
    }

    fn slot(&self, otherwise: &Otherwise) -> Slot {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a latency")]
        let row = RowFigures {
            status: self.status,
            sample_size: self.sample_size,
            error_rate_percent: self.error_rate_percent,
            p95_latency_ms: self
                .p95_latency_ms
                .filter(|ms| ms.is_finite())
                .map(|ms| ms.round() as i64),
        };
        Slot {
            due_ms: self.due_ms(),
            every_ms: self.every_ms(otherwise),
            fills: true,
            state: State::of(&row, self.notes.read(), self.slo(otherwise)),
        }
    }
}

/// Lines of one lens by tenant, in any order. A check that another line takes back is left out as one that is muted.
#[must_use]
pub fn recorded(lines: Vec<Line>, otherwise: &Otherwise) -> Vec<Recorded> {
    let mut annulled: HashMap<Uuid, Muted> = HashMap::new();
    let mut tenants: BTreeMap<Uuid, Vec<Line>> = BTreeMap::new();
    for line in lines {
        let notes = line.notes.read();
        match (notes.annuls(), &notes.muted) {
            (Some(check), Some(by)) => {
                annulled.insert(check, by.clone());
            }
            _ => tenants.entry(line.yacht_id).or_default().push(line),
        }
    }
    let of_tenant = |(tenant, mut lines): (Uuid, Vec<Line>)| {
        lines.sort_by_key(|line| (line.due_ms(), line.id));
        let mut recorded = Recorded {
            tenant,
            slots: Vec::with_capacity(lines.len()),
            statuses: Vec::with_capacity(lines.len()),
            slo: lines
                .last()
                .map_or_else(|| otherwise.slo.clone(), |line| line.slo(otherwise).clone()),
            end_ms: i64::MIN,
        };
        for line in &lines {
            let mut slot = line.slot(otherwise);
            if line.id.is_some_and(|id| annulled.contains_key(&id)) {
                slot.state = State::LeftOut(MutedWhy::Annulled);
            }
            let is_judged = matches!(slot.state, State::Checked(_));
            recorded.end_ms = recorded.end_ms.max(slot.due_ms + slot.every_ms);
            recorded.statuses.push((slot.due_ms, is_judged.then_some(line.status)));
            recorded.slots.push(slot);
        }
        recorded
    };
    tenants.into_iter().map(of_tenant).collect()
}
