//! What is wrong now, in sentences: what the person on call reads first. Pure.
//!
//! Monitoring that has stopped comes before all else, since then nothing else is known. A lens that fails for
//! many tenants is one sentence, and so are many lenses that nobody has checked.

use std::cmp::Reverse;

use jiff::Timestamp;
use lensops_core::history::status::{Standing, age_at, tell_age};
use uuid::Uuid;

use super::format::Moment;
use super::row::Row;
use super::status_icon::shape;

/// The most sentences; the rows say the rest.
const MOST: usize = 8;

/// Lenses without a check that have a sentence each; more of them share one.
const APART: usize = 2;

/// One thing that is wrong, or not as usual.
#[derive(Debug, Clone, Default)]
pub(super) struct Sentence {
    /// A class of the style sheet.
    pub(super) class: String,
    pub(super) shape: &'static str,
    /// What it is about; empty where it is about the monitoring itself.
    pub(super) title: String,
    /// The page that says more; empty where there is none.
    pub(super) href: String,
    /// What is wrong.
    pub(super) why: String,
    /// Since when.
    pub(super) since: Option<Moment>,
    /// Whether it was so before that, too.
    pub(super) is_longer: bool,
    /// What else is known: how many checks, which tenants, whether the flag is on.
    pub(super) facts: Vec<String>,
    /// The gate's word and its class.
    pub(super) gate: Option<(&'static str, String)>,
    /// The check that shows it.
    pub(super) check: Option<Uuid>,
}

/// What is wrong with `rows`, which are worst first, at `now`; empty where all is well.
pub(super) fn sentences(rows: &[Row], now: Timestamp) -> Vec<Sentence> {
    let mut told: Vec<Sentence> = stale(rows, now).into_iter().collect();
    let is_stale = !told.is_empty();
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    for row in rows.iter().filter(|row| row.standing != Standing::Healthy) {
        let same = |group: &&mut Vec<&Row>| {
            let first = group.first();
            first.is_some_and(|first| first.lens == row.lens && first.standing == row.standing)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    // What hits most tenants comes first among what is as bad.
    groups.sort_by_key(|group| (group.first().map(|row| row.standing), Reverse(group.len())));
    let is_unknown = |group: &&Vec<&Row>| group.first().is_some_and(|row| row.standing == Standing::Unknown);
    let unknown = groups.iter().filter(is_unknown).count();
    let mut are_together = false;
    for group in &groups {
        let of_unknown = is_unknown(&group);
        if of_unknown && is_stale {
            continue;
        }
        if of_unknown && unknown > APART {
            if !are_together {
                told.push(unchecked(&groups, unknown));
            }
            are_together = true;
            continue;
        }
        let of_lens = |row: &&Row| group.first().is_some_and(|first| first.lens == row.lens);
        told.extend(sentence(group, rows.iter().filter(of_lens).count()));
    }
    let more = told.len().saturating_sub(MOST);
    told.truncate(MOST);
    if more > 0 {
        told.push(Sentence {
            class: "more".to_owned(),
            why: format!("and {more} more, below"),
            ..Sentence::default()
        });
    }
    told
}

/// That nothing at all was checked in time.
fn stale(rows: &[Row], now: Timestamp) -> Option<Sentence> {
    if rows.is_empty() || rows.iter().any(|row| row.standing != Standing::Unknown) {
        return None;
    }
    let newest = rows.iter().filter_map(|row| row.observed_at).max();
    let why = match newest {
        None => "Nothing was checked yet. Checks are made by `lensops worker`: see whether it runs.".to_owned(),
        Some(newest) => {
            let age = tell_age(age_at(now, newest));
            let age = age.trim_end_matches(" ago");
            format!(
                "No worker has reported for {age}. How the lenses stand now is not known: see whether `lensops worker` runs \
                 and reaches its store."
            )
        }
    };
    Some(Sentence {
        class: "unknown stale".to_owned(),
        shape: shape(Standing::Unknown),
        why,
        since: newest.map(|newest| Moment::of(newest, now)),
        ..Sentence::default()
    })
}

/// Many lenses that were not checked in time.
fn unchecked(groups: &[Vec<&Row>], count: usize) -> Sentence {
    let first = groups.iter().filter_map(|group| group.first());
    let names = first
        .filter(|row| row.standing == Standing::Unknown)
        .map(|row| row.title.as_str());
    let names: Vec<&str> = names.take(3).collect();
    let rest = count.saturating_sub(names.len());
    let rest = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    Sentence {
        class: "unknown".to_owned(),
        shape: shape(Standing::Unknown),
        title: format!("{count} lenses"),
        href: "/?status=unknown".to_owned(),
        why: format!("were not checked in time: {}{rest}", names.join(", ")),
        ..Sentence::default()
    }
}

/// The sentence of a lens that stands alike for the tenants of `group`, of `all` that there are.
fn sentence(group: &[&Row], all: usize) -> Option<Sentence> {
    // The one that has been so for longest tells the story.
    let row = group.iter().max_by_key(|row| row.shown.streak)?;
    let is_broken = matches!(row.standing, Standing::Unhealthy | Standing::Degraded);
    let mut facts = Vec::new();
    if is_broken && row.shown.streak > 0 {
        let plural = if row.shown.streak == 1 { "" } else { "s" };
        facts.push(format!("{} check{plural}", row.shown.streak));
    }
    if all > 1 {
        facts.push(match group.len() {
            1 if !row.shown.tenant_name.is_empty() => format!("tenant {}", row.shown.tenant_name),
            some if some == all => format!("all {all} tenants"),
            some => format!("{some} of {all} tenants"),
        });
    }
    if is_broken && !row.flags.is_empty() {
        facts.push(match row.flags_off() {
            0 => "flag on".to_owned(),
            off => format!("{off} of {} flags off", row.flags.len()),
        });
    }
    let word = row.word();
    let why = match row.standing {
        Standing::Paused | Standing::Maintenance | Standing::CannotJudge if row.shown.why.is_empty() => {
            word.to_lowercase()
        }
        Standing::Paused | Standing::Maintenance | Standing::CannotJudge => {
            format!("{}: {}", word.to_lowercase(), row.shown.why)
        }
        _ => row.shown.why.clone(),
    };
    Some(Sentence {
        class: row.class(),
        shape: row.shape(),
        title: row.title.clone(),
        href: format!("/lens/{}?tenant={}", row.lens, row.tenant),
        why,
        since: row
            .shown
            .since
            .clone()
            .filter(|_| is_broken || row.standing == Standing::Paused),
        is_longer: row.shown.is_longer,
        facts,
        gate: (is_broken && row.gate.is_some()).then(|| (row.gate_class(), row.gate_word())),
        check: row.shown.check.filter(|_| is_broken),
    })
}

#[cfg(test)]
mod tests {
    use lensops_core::history::schedule::from_ms;

    use super::super::row::{Flag, Shown};
    use super::*;

    fn row(lens: &str, tenant: u128, standing: Standing, why: &str) -> Row {
        let at = from_ms(14 * 3_600_000 + 32 * 60_000);
        Row {
            lens: lens.to_owned(),
            title: lens.to_owned(),
            tenant: Uuid::from_u128(tenant),
            standing,
            status: None,
            p95_latency_ms: None,
            sample_size: 0,
            error_rate_percent: None,
            observed_at: (why != "never checked").then_some(at),
            flags: vec![Flag {
                name: "A".to_owned(),
                on: true,
            }],
            gate: None,
            firing: Vec::new(),
            virtual_clock: false,
            decided_elsewhere: false,
            shown: Shown {
                why: why.to_owned(),
                since: Some(Moment::of(at, at)),
                streak: 6,
                check: Some(Uuid::from_u128(9)),
                ..Shown::default()
            },
        }
    }

    fn told(rows: &[Row]) -> Vec<String> {
        let now = from_ms(15 * 3_600_000 + 12 * 60_000);
        let line = |said: &Sentence| format!("{}|{}|{}", said.title, said.why, said.facts.join(" · "));
        sentences(rows, now).iter().map(line).collect()
    }

    #[test]
    fn a_lens_that_fails_for_all_tenants_is_one_sentence_with_what_is_known() {
        let rows = [
            row("crew", 2, Standing::Unhealthy, "read answers 500"),
            row("faults", 1, Standing::Unhealthy, "list answers 500"),
            row("faults", 2, Standing::Unhealthy, "list answers 500"),
            row("parts", 1, Standing::Paused, "too slow"),
            row("crew", 1, Standing::Healthy, ""),
        ];
        assert_eq!(
            told(&rows),
            [
                "faults|list answers 500|6 checks · all 2 tenants · flag on",
                "crew|read answers 500|6 checks · 1 of 2 tenants · flag on",
                "parts|paused: too slow|"
            ]
        );
        assert!(told(&rows[4..]).is_empty());
    }

    #[test]
    fn monitoring_that_has_stopped_comes_first_and_alone() {
        let rows = [
            row("faults", 1, Standing::Unknown, "no check since 14:32"),
            row("parts", 1, Standing::Unknown, "never checked"),
        ];
        let stopped = told(&rows);
        assert_eq!(stopped.len(), 1);
        assert!(
            stopped[0].starts_with("|No worker has reported for 40 min."),
            "{stopped:?}"
        );
        assert!(told(&rows[1..])[0].starts_with("|Nothing was checked yet."));
        assert!(told(&[]).is_empty());
    }

    #[test]
    fn many_lenses_without_a_check_are_one_sentence_and_a_list_has_an_end() {
        let mut rows: Vec<Row> = ["a", "b", "c", "d"]
            .map(|lens| row(lens, 1, Standing::Unknown, "never checked"))
            .into();
        rows.push(row("e", 1, Standing::Healthy, ""));
        assert_eq!(told(&rows), ["4 lenses|were not checked in time: a, b, c and 1 more|"]);
        let names: Vec<String> = (0..20).map(|n| format!("lens{n}")).collect();
        let many: Vec<Row> = names
            .iter()
            .map(|lens| row(lens, 1, Standing::Unhealthy, "500"))
            .collect();
        let many = told(&many);
        assert_eq!((many.len(), many[MOST].as_str()), (MOST + 1, "|and 12 more, below|"));
    }
}
