//! What must hold of every history.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::history::simulate::{Kind, Random, Shapes, lines, simulate};
use crate::lens::Slo;
use crate::lens::mute::MutedWhy;

const EVERY_MS: i64 = 900_000;
const START_MS: i64 = 1_767_571_200_000;
const WEEK_MS: i64 = 7 * 86_400_000;

static SHAPES: LazyLock<Shapes> = LazyLock::new(Shapes::new);

fn slot(index: i64, state: State) -> Slot {
    Slot {
        due_ms: START_MS + index * EVERY_MS,
        every_ms: EVERY_MS,
        fills: true,
        state,
    }
}

fn good() -> Counts {
    Counts {
        requests: 21,
        timed: 21,
        median_ln: Some(5.0),
        ..Counts::default()
    }
}

fn week(state: impl Fn(i64) -> State) -> Vec<Slot> {
    (1..=672).map(|index| slot(index, state(index))).collect()
}

fn ask(slots: Vec<Slot>) -> Answer {
    ask_at(slots, &Slo::default(), START_MS + WEEK_MS)
}

fn ask_at(slots: Vec<Slot>, slo: &Slo, at_ms: i64) -> Answer {
    let question = Question {
        slo,
        window_ms: WEEK_MS,
        at_ms,
    };
    judge(&History::new(slots), &question)
}

#[test]
fn every_history_has_an_answer_and_without_data_it_is_never_proceed() {
    use Decision::{Investigate, NotEnoughData, Proceed, RollBack};
    let checked = |counts: Counts| State::Checked(counts);
    let all_failed = Counts {
        failed: 21,
        server_errors: 21,
        ..good()
    };
    let unanswered = Counts {
        failed: 21,
        unanswered: 21,
        timed: 0,
        median_ln: None,
        ..good()
    };
    let limited = Counts {
        limited: 21,
        timed: 0,
        median_ln: None,
        ..good()
    };
    let table: Vec<(&str, Vec<Slot>, Decision)> = vec![
        ("all good", week(|_| checked(good())), Proceed),
        ("nothing", Vec::new(), NotEnoughData),
        ("one check", vec![slot(300, checked(good()))], NotEnoughData),
        ("one failed check", vec![slot(300, checked(all_failed))], NotEnoughData),
        ("all missing", week(|_| State::Missing), NotEnoughData),
        ("all unjudged", week(|_| State::Unjudged), NotEnoughData),
        ("all paused", week(|_| State::LeftOut(MutedWhy::Paused)), NotEnoughData),
        (
            "all annulled",
            week(|_| State::LeftOut(MutedWhy::Annulled)),
            NotEnoughData,
        ),
        ("all failed", week(|_| checked(all_failed)), RollBack),
        ("no answer at all", week(|_| checked(unanswered)), NotEnoughData),
        ("nobody let in", week(|_| checked(limited)), NotEnoughData),
        ("no request at all", week(|_| checked(Counts::default())), NotEnoughData),
        (
            "a day alone",
            (600..=672).map(|index| slot(index, checked(good()))).collect(),
            NotEnoughData,
        ),
        (
            "most of it left out",
            week(|index| {
                if index < 400 {
                    State::LeftOut(MutedWhy::Paused)
                } else {
                    checked(good())
                }
            }),
            NotEnoughData,
        ),
        (
            "nine in ten checked",
            week(|index| {
                if index % 12 == 0 {
                    State::Missing
                } else {
                    checked(good())
                }
            }),
            Proceed,
        ),
        (
            "13 hours without a check",
            week(|index| {
                if (300..352).contains(&index) {
                    State::Missing
                } else {
                    checked(good())
                }
            }),
            NotEnoughData,
        ),
        (
            "an afternoon without answers",
            week(|index| {
                checked(if (300..310).contains(&index) {
                    unanswered
                } else {
                    good()
                })
            }),
            Investigate,
        ),
        (
            "one bad check",
            week(|index| checked(if index == 300 { all_failed } else { good() })),
            Proceed,
        ),
        (
            "the master flag was off",
            week(|index| {
                checked(Counts {
                    flag_off: index == 300,
                    ..good()
                })
            }),
            Investigate,
        ),
        (
            "no latency at all",
            week(|_| {
                checked(Counts {
                    timed: 0,
                    median_ln: None,
                    ..good()
                })
            }),
            Proceed,
        ),
    ];
    for (what, slots, expected) in table {
        let answer = ask(slots);
        assert_eq!(answer.decision, expected, "{what}: {}", answer.reason);
        assert!(
            answer
                .criteria
                .iter()
                .all(|found| found.value.is_none_or(f64::is_finite)),
            "{what}"
        );
    }
}

#[test]
fn a_check_that_could_not_judge_counts_as_missing_and_never_as_bad() {
    let with = |state: State| {
        ask(week(
            |index| if index % 5 == 0 { state } else { State::Checked(good()) },
        ))
    };
    assert_eq!(with(State::Unjudged), with(State::Missing));
    assert_eq!(with(State::Unjudged).decision, Decision::NotEnoughData);
}

/// A history of any kind, with its service level.
fn history(kind: usize, index: u64) -> (Vec<Slot>, Slo) {
    let kind = Kind::ALL[kind % Kind::ALL.len()];
    let simulated = simulate(kind, 77, index, START_MS, &SHAPES);
    (simulated.slots(), simulated.slo)
}

/// Every slot of the window, with a chance of `share` each, as `change` makes it.
fn changed(
    slots: &[Slot],
    from_ms: i64,
    share: f64,
    seed: u64,
    change: &dyn Fn(&mut Counts, &mut Random),
) -> Vec<Slot> {
    let mut random = Random::new(seed, 1);
    let mut slots = slots.to_vec();
    for slot in slots.iter_mut().filter(|slot| slot.due_ms > from_ms) {
        if let State::Checked(counts) = &mut slot.state
            && random.chance(share)
        {
            change(counts, &mut random);
        }
    }
    slots
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    /// Turning requests that passed into failed ones, or checks into ones in which all failed, never brings proceed.
    #[test]
    fn what_fails_more_never_proceeds_sooner(kind in 0_usize..28, index in 0_u64..1_000, hour in 1_i64..=168, share in prop_oneof![Just(0.002), Just(0.02), Just(0.3)], all in any::<bool>(), seed in any::<u64>()) {
        let (slots, slo) = history(kind, index);
        let at_ms = START_MS + WEEK_MS + hour * 3_600_000;
        let before = ask_at(slots.clone(), &slo, at_ms);
        let worse = changed(&slots, at_ms - WEEK_MS, share, seed, &|counts, random| {
            let passed = counts.requests - counts.failed;
            let more = if all { passed } else { u32::try_from(random.below(passed as usize + 1)).unwrap() };
            counts.failed += more;
            counts.server_errors = (counts.server_errors + more).min(counts.failed);
        });
        let after = ask_at(worse, &slo, at_ms);
        prop_assert!(
            before.decision == Decision::Proceed || after.decision != Decision::Proceed,
            "{:?}: {} became proceed", Kind::ALL[kind], before.reason
        );
    }

    #[test]
    fn the_order_in_which_slots_of_one_time_are_given_changes_nothing(kind in 0_usize..28, index in 0_u64..1_000, seed in any::<u64>()) {
        let (mut slots, slo) = history(kind, index);
        // Checks made by hand at the times of slots.
        let by_hand: Vec<Slot> = slots.iter().skip(1_000).step_by(7).map(|slot| Slot { fills: false, ..*slot }).collect();
        slots.extend(by_hand);
        let at_ms = START_MS + 2 * WEEK_MS;
        let before = ask_at(slots.clone(), &slo, at_ms);
        let mut random = Random::new(seed, 2);
        for last in (1..slots.len()).rev() {
            slots.swap(last, random.below(last + 1));
        }
        prop_assert_eq!(ask_at(slots, &slo, at_ms), before);
    }

    #[test]
    fn annulling_and_muting_are_equal(kind in 0_usize..28, index in 0_u64..1_000, share in 0.0_f64..0.3, seed in any::<u64>()) {
        let (slots, slo) = history(kind, index);
        let with = |why: MutedWhy| {
            let mut random = Random::new(seed, 3);
            let mut slots = slots.clone();
            for slot in &mut slots {
                if random.chance(share) {
                    slot.state = State::LeftOut(why);
                }
            }
            ask_at(slots, &slo, START_MS + 2 * WEEK_MS)
        };
        prop_assert_eq!(with(MutedWhy::Annulled), with(MutedWhy::Paused));
        prop_assert_eq!(with(MutedWhy::Annulled), with(MutedWhy::Maintenance));
    }

    /// What is asked at an hour of a long history is what is asked of the history that ends there.
    #[test]
    fn what_comes_later_changes_no_earlier_answer(kind in 0_usize..28, index in 0_u64..1_000, hour in 1_i64..=168) {
        let (slots, slo) = history(kind, index);
        let at_ms = START_MS + WEEK_MS + hour * 3_600_000;
        let until: Vec<Slot> = slots.iter().filter(|slot| slot.due_ms <= at_ms).copied().collect();
        prop_assert_eq!(ask_at(until, &slo, at_ms), ask_at(slots, &slo, at_ms));
    }
}

/// The histories of the table and the files that `lensops simulate` writes are the same.
#[test]
fn a_history_as_lines_is_read_back_as_it_was() {
    for kind in Kind::ALL {
        let simulated = simulate(kind, 5, 3, START_MS, &SHAPES);
        let lens = "faults".parse().unwrap();
        let read: Vec<Line> = lines(&simulated, &lens, uuid::Uuid::nil())
            .into_iter()
            .map(|line| serde_json::from_value(line).unwrap())
            .collect();
        let otherwise = Otherwise {
            every: crate::duration::Every::QUARTER_HOUR,
            slo: Slo::default(),
        };
        let recorded = recorded(read, &otherwise).swap_remove(0);
        assert_eq!(recorded.slo, simulated.slo);
        let direct = simulated.slots();
        let last_ms = direct.iter().rfind(|slot| slot.state != State::Missing).unwrap().due_ms;
        let filled = fill(recorded.slots, START_MS - 1, last_ms);
        let direct: Vec<&Slot> = direct.iter().filter(|slot| slot.due_ms <= last_ms).collect();
        assert_eq!(filled.len(), direct.len(), "{kind:?}");
        for (read, direct) in filled.iter().zip(direct) {
            // A latency is rounded to microseconds on its way through a file.
            let plain = |state: State| match state {
                State::Checked(counts) => State::Checked(Counts {
                    median_ln: counts.median_ln.map(|ln| (ln * 1e3).round() / 1e3),
                    tail: [0; TAIL_STEPS.len()],
                    ..counts
                }),
                state => state,
            };
            let (State::Checked(a), State::Checked(b)) = (plain(read.state), plain(direct.state)) else {
                assert_eq!((read.due_ms, read.state), (direct.due_ms, direct.state), "{kind:?}");
                continue;
            };
            let counts = |c: Counts| {
                [
                    c.requests,
                    c.failed,
                    c.unanswered,
                    c.limited,
                    c.server_errors,
                    c.timed,
                    c.over_fail,
                ]
            };
            assert_eq!((read.due_ms, counts(a)), (direct.due_ms, counts(b)), "{kind:?}");
            assert!(
                a.over_target.abs_diff(b.over_target) <= 1 && a.near_target.abs_diff(b.near_target) <= 1,
                "{kind:?}"
            );
            assert!(
                (a.median_ln.unwrap_or(0.0) - b.median_ln.unwrap_or(0.0)).abs() < 0.01,
                "{kind:?}"
            );
        }
    }
}

/// The monitor's own faults are never the API's: rate limits count as no failure, whoever wrote the row.
#[test]
fn a_429_is_no_error_whether_it_was_counted_as_failed_or_not() {
    for failed in [0, 10] {
        let counts = Counts {
            failed,
            limited: 10,
            ..good()
        };
        assert_eq!(counts.errors(), 0, "{failed}");
    }
    let mixed = Counts {
        failed: 3,
        limited: 10,
        server_errors: 3,
        ..good()
    };
    assert_eq!(mixed.errors(), 3);
}

#[test]
fn a_gap_of_a_file_is_filled_with_missing_slots_by_the_interval_of_its_time() {
    let minute = 60_000;
    let at = |due_min: i64, every_min: i64| Slot {
        due_ms: due_min * minute,
        every_ms: every_min * minute,
        fills: true,
        state: State::Checked(good()),
    };
    // Observed a little late, and the interval changes from 15 to 5 minutes after an hour without a check.
    let slots = vec![at(15, 15), at(31, 15), at(45, 15), at(105, 5), at(110, 5)];
    let filled = fill(slots, 0, 120 * minute);
    let due: Vec<(i64, bool)> = filled
        .iter()
        .map(|slot| (slot.due_ms / minute, slot.state == State::Missing))
        .collect();
    assert_eq!(
        due,
        [
            (15, false),
            (31, false),
            (45, false),
            (60, true),
            (75, true),
            (90, true),
            (105, false),
            (110, false),
            (115, true)
        ]
    );
    assert!(fill(Vec::new(), 0, minute).is_empty());
}
