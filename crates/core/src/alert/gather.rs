//! Gathers what is told together into messages. Pure: notices that wait for one receiver and the incidents that it knows become
//! the messages that it is sent.
//!
//! One cause is one incident: the rules of a lens that break together, and the lenses and tenants that fail within some
//! minutes of one another. An incident has the key of the alert that it began with, so that one alert alone is told as
//! ever, and a receiver that knows keys puts beginning, reminders and end together. What is over before it was told is
//! dropped with its end. An incident ends when its last alert does; alerts that end before are told as progress.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::incident::{Incident, brief, class, line, pair};
use super::message::Notification;
use super::rule::Rule;
use super::state::Notice;
use super::together::Together;
use crate::crypto::digest::uuid_v8;

/// What begins so soon after the last beginning belongs to the same incident.
const TOGETHER: SignedDuration = SignedDuration::from_secs(180);

/// A reminder is dropped while the incident was told within this time.
const REMINDED: SignedDuration = SignedDuration::from_mins(10);

/// Alerts listed in a message.
const LISTED: usize = 100;

/// What queued notices come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gathered {
    /// Messages, the most severe first, each with the numbers of the notices in it.
    pub messages: Vec<(Vec<i64>, Notification)>,
    /// The numbers of notices that no message tells.
    pub silent: Vec<i64>,
    /// The incidents from now on; one without alerts is over and not among them.
    pub incidents: Vec<Incident>,
}

/// What happened to one alert while it waited.
#[derive(Default)]
struct Turn {
    numbers: Vec<i64>,
    last: Option<Notification>,
    /// The latest notice that says that it fires.
    firing: Option<Notification>,
    /// It fired, or ended and fired again.
    news: bool,
}

/// Gathers the notices `queued` for a receiver, in order, with the `incidents` that it knows, into messages at `at`.
#[must_use]
pub fn gather(queued: Vec<(i64, Notification)>, incidents: Vec<Incident>, at: Timestamp) -> Gathered {
    let mut turns: BTreeMap<String, Turn> = BTreeMap::new();
    for (number, told) in queued {
        let turn = turns.entry(told.dedup_key.clone()).or_default();
        turn.numbers.push(number);
        turn.news |= told.notice == Notice::Firing;
        if told.notice != Notice::Resolved {
            turn.firing = Some(told.clone());
        }
        turn.last = Some(told);
    }
    let mut work = Work {
        incidents,
        at,
        gathered: Gathered::default(),
    };
    let (mut begun, mut reminded, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for (key, turn) in turns {
        let Some(last) = turn.last else { continue };
        let known = work
            .incidents
            .iter()
            .any(|incident| incident.members.contains_key(&key));
        match (last.notice, known) {
            (Notice::Resolved, true) => ended.push((turn.numbers, last)),
            // A flag that was switched is news also when the next check found it as before.
            (Notice::Resolved, false) if last.rule == Rule::FlagToggled => {
                work.tell_toggle(turn.numbers, turn.firing, last)
            }
            // Over before it was told.
            (Notice::Resolved, false) => work.gathered.silent.extend(turn.numbers),
            (_, true) if !turn.news => reminded.push((turn.numbers, last)),
            _ => begun.push((turn.numbers, turn.firing.unwrap_or(last))),
        }
    }
    work.begin(begun);
    work.remind(reminded);
    work.end(ended);
    work.finish()
}

type Numbered = (Vec<i64>, Notification);

struct Work {
    incidents: Vec<Incident>,
    at: Timestamp,
    gathered: Gathered,
}

impl Work {
    /// Enters what begins into the incident of its pair, else into one that has just begun, else into a new one.
    fn begin(&mut self, begun: Vec<Numbered>) {
        let mut of: BTreeMap<usize, Vec<Numbered>> = BTreeMap::new();
        let mut begun = begun;
        begun.sort_by_key(|(_, told)| (Reverse(told.severity), told.dedup_key.clone()));
        for (numbers, told) in begun {
            let place = self.place(&told);
            // A rule more of a pair that was told already, and no worse: one cause, one message.
            let is_told = self.incidents.get(place).is_some_and(|incident| {
                let same = incident.members.values().filter(|member| pair(member) == pair(&told));
                same.filter(|member| member.rule != told.rule)
                    .any(|member| member.severity >= told.severity)
            }) && !of
                .get(&place)
                .is_some_and(|new| new.iter().any(|(_, other)| pair(other) == pair(&told)));
            if let Some(incident) = self.incidents.get_mut(place) {
                incident.begun_at = self.at;
                incident.members.insert(told.dedup_key.clone(), brief(&told));
            }
            if is_told {
                self.gathered.silent.extend(numbers);
            } else {
                of.entry(place).or_default().push((numbers, told));
            }
        }
        for (place, new) in of {
            self.tell(place, Notice::Firing, new, false);
        }
    }

    fn place(&mut self, told: &Notification) -> usize {
        let of = |incident: &Incident| incident.members.values().next().map(|member| class(member.rule));
        let alike = |incident: &Incident| of(incident) == Some(class(told.rule));
        let same = |incident: &Incident| incident.members.values().any(|member| pair(member) == pair(told));
        let near = |incident: &Incident| self.at.duration_since(incident.begun_at) < TOGETHER;
        let mut incidents = self.incidents.iter();
        let found = incidents
            .position(|incident| incident.members.contains_key(&told.dedup_key))
            .or_else(|| {
                self.incidents
                    .iter()
                    .position(|incident| alike(incident) && same(incident))
            })
            .or_else(|| {
                self.incidents
                    .iter()
                    .position(|incident| alike(incident) && near(incident))
            });
        found.unwrap_or_else(|| {
            self.incidents.push(Incident {
                key: told.dedup_key.clone(),
                begun_at: self.at,
                told_at: self.at,
                members: BTreeMap::new(),
            });
            self.incidents.len() - 1
        })
    }

    /// Reminds of the incidents of what still fires, unless they were told just now.
    fn remind(&mut self, reminded: Vec<Numbered>) {
        let mut of: BTreeMap<usize, Vec<Numbered>> = BTreeMap::new();
        for (numbers, told) in reminded {
            let Some(place) = self.holding(&told.dedup_key) else {
                continue;
            };
            if let Some(incident) = self.incidents.get_mut(place) {
                incident.members.insert(told.dedup_key.clone(), brief(&told));
            }
            of.entry(place).or_default().push((numbers, told));
        }
        for (place, again) in of {
            let told_at = self.incidents.get(place).map(|incident| incident.told_at);
            if told_at.is_some_and(|told_at| self.at.duration_since(told_at) < REMINDED) {
                let numbers = again.into_iter().flat_map(|(numbers, _)| numbers);
                self.gathered.silent.extend(numbers);
                continue;
            }
            self.tell(place, Notice::Reminder, again, false);
        }
    }

    /// Ends alerts: an incident without any more is over; of others it is told which pairs are.
    fn end(&mut self, ended: Vec<Numbered>) {
        let mut of: BTreeMap<usize, Vec<Numbered>> = BTreeMap::new();
        for (numbers, told) in ended {
            let Some(place) = self.holding(&told.dedup_key) else {
                continue;
            };
            if let Some(incident) = self.incidents.get_mut(place) {
                incident.members.remove(&told.dedup_key);
            }
            of.entry(place).or_default().push((numbers, told));
        }
        for (place, over) in of {
            let Some(incident) = self.incidents.get(place) else {
                continue;
            };
            if incident.members.is_empty() {
                self.tell(place, Notice::Resolved, over, false);
                continue;
            }
            let still: BTreeSet<_> = incident.members.values().map(pair).collect();
            let (left, silent): (Vec<_>, Vec<_>) = over.into_iter().partition(|(_, told)| !still.contains(&pair(told)));
            self.gathered
                .silent
                .extend(silent.into_iter().flat_map(|(numbers, _)| numbers));
            if !left.is_empty() {
                self.tell(place, Notice::Reminder, left, true);
            }
        }
    }

    fn holding(&self, key: &str) -> Option<usize> {
        self.incidents
            .iter()
            .position(|incident| incident.members.contains_key(key))
    }

    /// The switch of a flag and its end, each by itself.
    fn tell_toggle(&mut self, mut numbers: Vec<i64>, firing: Option<Notification>, end: Notification) {
        let last = numbers.split_off(numbers.len().saturating_sub(1));
        match firing {
            Some(firing) => self.gathered.messages.extend([(numbers, firing), (last, end)]),
            None => self.gathered.silent.extend([numbers, last].concat()),
        }
    }

    /// One message of an incident about `about`, which is not empty.
    fn tell(&mut self, place: usize, notice: Notice, about: Vec<Numbered>, partly_over: bool) {
        let Some(incident) = self.incidents.get_mut(place) else {
            return;
        };
        incident.told_at = self.at;
        let (numbers, mut told): (Vec<Vec<i64>>, Vec<Notification>) = about.into_iter().unzip();
        told.sort_by_key(|told| (Reverse(told.severity), told.dedup_key != incident.key));
        let Some(mut head) = told.first().cloned() else { return };
        let still: BTreeSet<_> = incident.members.values().map(pair).collect();
        let others = told.len() > 1 || partly_over || (notice != Notice::Resolved && still.len() > 1);
        if others || head.dedup_key != incident.key {
            let ids: Vec<&[u8]> = told.iter().map(|told| told.id.as_bytes().as_slice()).collect();
            let parts = [&[incident.key.as_bytes(), notice.as_str().as_bytes()], ids.as_slice()].concat();
            head.id = uuid_v8(u64::try_from(self.at.as_millisecond()).unwrap_or(0), &parts);
            head.at = told.iter().map(|told| told.at).max().unwrap_or(head.at);
            head.since = told.iter().map(|told| told.since).min().unwrap_or(head.since);
        }
        (head.notice, head.dedup_key) = (notice, incident.key.clone());
        if others {
            head.together = Some(Together {
                alerts: told.len(),
                lenses: told
                    .iter()
                    .filter_map(|told| told.lens.as_ref())
                    .collect::<BTreeSet<_>>()
                    .len(),
                tenants: told
                    .iter()
                    .filter_map(|told| told.tenant)
                    .collect::<BTreeSet<_>>()
                    .len(),
                rules: told
                    .iter()
                    .map(|told| told.rule)
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
                still: still.len(),
                partly_over,
                list: told.iter().take(LISTED).map(line).collect(),
            });
        }
        self.gathered.messages.push((numbers.concat(), head));
    }

    fn finish(mut self) -> Gathered {
        self.incidents.retain(|incident| !incident.members.is_empty());
        self.gathered.incidents = self.incidents;
        let rank = |told: &Notification| (told.notice == Notice::Resolved, Reverse(told.severity));
        self.gathered.messages.sort_by_key(|(_, told)| rank(told));
        self.gathered
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
