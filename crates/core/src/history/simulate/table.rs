//! The table of error rates: histories of a kind, the gate asked every hour of the second week.

use serde::Serialize;

use super::generate::{EVERY_MS, Shapes, simulate};
use super::incident::Kind;
use super::rivals::{Rival, decide, marks};
use super::world::DAY;
use crate::history::gate::{Answer, Decision, History, Question, Slot, State, judge};
use crate::history::page::{PageCounts, Pager};
use crate::lens::Slo;

/// The window of the gate, in slots.
const WEEK: usize = 7 * DAY;

const WEEK_MS: i64 = 7 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// When simulated histories begin: a Monday.
const START_MS: i64 = 1_767_571_200_000;

/// How often a policy said what over the histories of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Roll back in any hour.
    pub rolled_back: u64,
    /// Investigate in any hour.
    pub investigated: u64,
    /// At the close, decision by decision.
    pub close_roll_back: u64,
    #[expect(missing_docs, reason = "as above")]
    pub close_investigate: u64,
    #[expect(missing_docs, reason = "as above")]
    pub close_not_enough: u64,
    #[expect(missing_docs, reason = "as above")]
    pub close_proceed: u64,
    /// Hours that answered not enough data.
    pub hours_not_enough: u64,
    /// Hours asked.
    pub hours: u64,
}

impl Tally {
    fn add(&mut self, decisions: &[Decision]) {
        let any = |what: Decision| u64::from(decisions.contains(&what));
        self.rolled_back += any(Decision::RollBack);
        self.investigated += any(Decision::Investigate);
        self.hours += decisions.len() as u64;
        self.hours_not_enough += decisions
            .iter()
            .filter(|said| **said == Decision::NotEnoughData)
            .count() as u64;
        match decisions.last() {
            Some(Decision::RollBack) => self.close_roll_back += 1,
            Some(Decision::Investigate) => self.close_investigate += 1,
            Some(Decision::Proceed) => self.close_proceed += 1,
            _ => self.close_not_enough += 1,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.rolled_back += other.rolled_back;
        self.investigated += other.investigated;
        self.close_roll_back += other.close_roll_back;
        self.close_investigate += other.close_investigate;
        self.close_not_enough += other.close_not_enough;
        self.close_proceed += other.close_proceed;
        self.hours_not_enough += other.hours_not_enough;
        self.hours += other.hours;
    }
}

/// What was counted of a kind.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// How many histories.
    pub histories: u64,
    /// The statistical policy.
    pub gate: Tally,
    /// The others: strict, two in a row, burn rates.
    pub rivals: [Tally; 3],
    /// Hours from the onset until the first roll back or investigate, of each history where there was one.
    #[serde(skip)]
    pub delays: Vec<u32>,
    /// Pages over the whole of each history.
    pub pages: u64,
    /// Weeks that were looked at for pages.
    pub weeks: u64,
    /// Checks from the onset until somebody was woken, that one included, of each history where somebody was.
    #[serde(skip)]
    pub page_delays: Vec<u32>,
    /// How often each criterion did not hold in any hour.
    pub broken: Vec<(&'static str, u64)>,
}

impl Row {
    /// A row of nothing.
    #[must_use]
    pub fn empty(kind: Kind) -> Self {
        Self {
            kind,
            histories: 0,
            gate: Tally::default(),
            rivals: [Tally::default(); 3],
            delays: Vec::new(),
            pages: 0,
            weeks: 0,
            page_delays: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Both together.
    pub fn merge(&mut self, other: Self) {
        self.histories += other.histories;
        self.gate.merge(&other.gate);
        for (held, new) in self.rivals.iter_mut().zip(&other.rivals) {
            held.merge(new);
        }
        self.delays.extend(other.delays);
        self.pages += other.pages;
        self.weeks += other.weeks;
        self.page_delays.extend(other.page_delays);
        for (id, count) in other.broken {
            self.count(id, count);
        }
    }

    /// Puts what was merged into one order, whatever the order of its parts.
    pub fn settle(&mut self) {
        self.broken.sort_unstable_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
        self.delays.sort_unstable();
        self.page_delays.sort_unstable();
    }

    fn count(&mut self, id: &'static str, count: u64) {
        match self.broken.iter_mut().find(|(held, _)| *held == id) {
            Some((_, held)) => *held += count,
            None => self.broken.push((id, count)),
        }
    }

    /// The median delay in hours; histories that were never told count as the longest.
    #[must_use]
    pub fn median_delay(&self) -> Option<u32> {
        self.median(&self.delays)
    }

    /// The median of checks until a page; histories in which nobody was woken count as the longest.
    #[must_use]
    pub fn median_page_delay(&self) -> Option<u32> {
        self.median(&self.page_delays)
    }

    fn median(&self, delays: &[u32]) -> Option<u32> {
        let mut delays = delays.to_vec();
        delays.sort_unstable();
        let middle = usize::try_from(self.histories / 2).ok()?;
        delays.get(middle).copied()
    }

    /// Pages that a lens makes in a year.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub fn pages_a_year(&self) -> Option<f64> {
        (self.weeks > 0).then(|| self.pages as f64 * 52.18 / self.weeks as f64)
    }

    /// Counts the pages of a history's checks.
    fn page(&mut self, slots: &[Slot], slo: &Slo, onset_ms: Option<i64>) {
        let (mut pager, mut since) = (Pager::default(), 0);
        let mut delay = None;
        for slot in slots {
            let State::Checked(counts) = &slot.state else { continue };
            let Some(counts) = PageCounts::of(counts) else { continue };
            let is_after = onset_ms.is_some_and(|onset| slot.due_ms >= onset);
            // What flaps may begin with a good check.
            let has_begun = is_after && (since > 0 || self.kind != Kind::Flap || !counts.is_quiet());
            since += u32::from(has_begun);
            if pager.take(&counts, slo.error_rate_percent.warn / 100.0) {
                self.pages += 1;
                delay = delay.or_else(|| is_after.then_some(since));
            }
        }
        self.page_delays.extend(delay);
        self.weeks += slots.len() as u64 / WEEK as u64;
    }
}

/// Histories `from..until` of `kind` of `seed`, each asked every hour of its second week.
#[must_use]
pub fn run_kind(kind: Kind, seed: u64, from: u64, until: u64, shapes: &Shapes) -> Row {
    let mut row = Row::empty(kind);
    for index in from..until {
        one(&mut row, seed, index, shapes);
    }
    row
}

fn one(row: &mut Row, seed: u64, index: u64, shapes: &Shapes) {
    let simulated = simulate(row.kind, seed, index, START_MS, shapes);
    let slots = simulated.slots();
    let marks = marks(&slots);
    row.page(&slots, &simulated.slo, simulated.onset_ms);
    let history = History::new(slots);
    let ask = |hour: i64| {
        judge(
            &history,
            &Question {
                slo: &simulated.slo,
                window_ms: WEEK_MS,
                // A quarter of an hour before the hour's own slot: what is due is there.
                at_ms: START_MS + WEEK_MS + hour * HOUR_MS - EVERY_MS,
            },
        )
    };
    let answers: Vec<Answer> = (1..=168).map(ask).collect();
    let decisions: Vec<Decision> = answers.iter().map(|answer| answer.decision).collect();
    row.histories += 1;
    row.gate.add(&decisions);
    if let Some(onset_ms) = simulated.onset_ms {
        let hour_of = |hour: usize| START_MS + WEEK_MS + (i64::try_from(hour).unwrap_or(0) + 1) * HOUR_MS - EVERY_MS;
        let told = decisions.iter().enumerate().find(|(hour, said)| {
            hour_of(*hour) >= onset_ms && matches!(said, Decision::RollBack | Decision::Investigate)
        });
        if let Some((hour, _)) = told {
            let ms = hour_of(hour) - onset_ms;
            row.delays
                .push(u32::try_from((ms + HOUR_MS - 1) / HOUR_MS).unwrap_or(u32::MAX));
        }
    }
    let mut broken: Vec<&'static str> = Vec::new();
    for criterion in answers
        .iter()
        .flat_map(|answer| &answer.criteria)
        .filter(|found| !found.met)
    {
        if !broken.contains(&criterion.id) {
            broken.push(criterion.id);
        }
    }
    for id in broken {
        row.count(id, 1);
    }
    for (rival, tally) in Rival::ALL.into_iter().zip(&mut row.rivals) {
        let said: Vec<Decision> = (1..=168_usize)
            .map(|hour| {
                let until = WEEK + hour * 4;
                decide(rival, marks.get(until - WEEK..until).unwrap_or_default())
            })
            .collect();
        tally.add(&said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table in small, on a seed of its own: the large one is in docs/src/gate.md.
    #[test]
    fn the_table_in_small_holds() {
        let shapes = Shapes::new();
        let of = |kind: Kind, count: u64| run_kind(kind, 20_261_126, 0, count, &shapes);
        let healthy = of(Kind::Healthy, 12).gate;
        assert_eq!(
            (healthy.rolled_back, healthy.investigated, healthy.close_proceed),
            (0, 0, 12)
        );
        assert_eq!((healthy.hours, healthy.hours_not_enough), (12 * 168, 0));
        for kind in [
            Kind::Errors20,
            Kind::Errors2,
            Kind::LatencyX4,
            Kind::Flap,
            Kind::SwitchedOff,
            Kind::Latency110Day,
        ] {
            let row = of(kind, 3);
            assert_eq!(row.gate.close_proceed, 0, "{kind:?}");
            assert!(
                row.median_delay().is_some_and(|hours| hours <= 24),
                "{kind:?}: {:?}",
                row.delays
            );
        }
        for kind in [Kind::NetworkPersists, Kind::NoAnswers, Kind::RateLimited] {
            assert_eq!(of(kind, 3).gate.rolled_back, 0, "{kind:?}");
        }
        assert_eq!(of(Kind::Missing30, 2).gate.close_not_enough, 2);
    }

    /// The bars for pages: who is woken, how soon, and how seldom for nothing.
    #[test]
    fn pages_in_small_are_as_soon_as_they_should_be() {
        let shapes = Shapes::new();
        let of = |kind: Kind| {
            let mut row = Row::empty(kind);
            for index in 0..12 {
                let simulated = simulate(kind, 20_261_127, index, START_MS, &shapes);
                row.histories += 1;
                row.page(&simulated.slots(), &simulated.slo, simulated.onset_ms);
            }
            row
        };
        for (kind, most) in [
            (Kind::Errors20, 2),
            (Kind::LatencyX4, 2),
            (Kind::Flap, 3),
            (Kind::Errors5, 4),
            (Kind::Errors2, 8),
        ] {
            let delay = of(kind).median_page_delay();
            assert!(delay.is_some_and(|checks| checks <= most), "{kind:?}: {delay:?}");
        }
        assert_eq!(of(Kind::Healthy).pages, 0);
    }

    #[test]
    fn the_same_seed_makes_the_same_table_however_it_is_cut() {
        let shapes = Shapes::new();
        let whole = run_kind(Kind::WeakSpike, 9, 0, 4, &shapes);
        let mut parts = run_kind(Kind::WeakSpike, 9, 2, 4, &shapes);
        parts.merge(run_kind(Kind::WeakSpike, 9, 0, 2, &shapes));
        assert_eq!((whole.gate, whole.rivals), (parts.gate, parts.rivals));
    }
}
