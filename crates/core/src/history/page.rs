//! What deserves to wake somebody: rules over the checks of a lens, one after the other, judged by what single checks
//! count. Their rates stand in docs/src/gate.md; their limits hold for checks of about 21 requests.
//!
//! A check in which half or more of the requests had no answer is *dark*: it says nothing of the API, and counts for
//! [`PageRule::Dark`] alone. 429 is no error of the API.

use serde::{Deserialize, Serialize};

use super::gate::Counts;

/// A rule that pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageRule {
    /// Two of three checks with two errors, or with three answers over the limit of failure, or with a quarter of the
    /// answers over the target; or three errors over three checks, in two of them.
    XOfY,
    /// Errors that add up faster than a healthy lens makes them: a cumulative sum of likelihood ratios (Page, 1954),
    /// .05 % of requests against 3 %.
    Cusum,
    /// Three checks in a row without any answer, or four dark ones.
    Dark,
    /// The error budget burns 14.4 times as fast as it may over four checks, or six times over twenty-four.
    BurnRate,
}

/// A healthy lens's share of failed requests, and that of a lens that needs somebody.
const HEALTHY: f64 = 0.000_5;
const SICK: f64 = 0.03;

/// Where the cumulative sum pages.
const CUSUM_LIMIT: f64 = 7.5;

/// Slow answers of a check that are no accident.
const FEW: u32 = 5;

/// Burn rates, and the checks that each looks over: an hour and six hours at a quarter of an hour.
const BURNS: [(f64, usize); 2] = [(14.4, 4), (6.0, 24)];

/// Checks that a burn rate remembers.
const REMEMBERED: usize = 24;

/// How many quiet checks end what pages.
pub const QUIET: u32 = 4;

/// What one check counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// Requests that were answered, 429 left out.
    pub requests: u32,
    /// Errors of the API among them.
    pub errors: u32,
    /// Requests with a latency.
    pub timed: u32,
    /// Of these, over the target.
    pub over_target: u32,
    /// Of these, over the limit of failure.
    pub over_fail: u32,
    /// Whether half or more of its requests had no answer.
    pub is_dark: bool,
}

impl PageCounts {
    /// What a check counted; `None` where it sent nothing.
    #[must_use]
    pub fn of(counts: &Counts) -> Option<Self> {
        let is_dark = counts.is_dark();
        (counts.requests > 0).then(|| Self {
            requests: counts.answered(),
            errors: if is_dark { 0 } else { counts.errors() },
            timed: counts.timed,
            over_target: counts.over_target,
            over_fail: counts.over_fail,
            is_dark,
        })
    }

    /// Whether there is anything in it that a rule would remember.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.is_dark && self.errors == 0 && self.over_fail == 0 && !self.is_slow()
    }

    /// Whether a quarter of the answers or more are over the target, where a twentieth may be; half of them where they
    /// are few.
    fn is_slow(&self) -> bool {
        let over = self.over_target;
        self.timed > 0 && (2 * over >= self.timed || (4 * over >= self.timed && over >= FEW))
    }
}

/// What a rule remembers of the checks before. The default has seen nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageMemory {
    /// Errors and requests of the last checks, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recent: Vec<(u32, u32)>,
    /// Checks with two errors or three answers over the limit of failure, the newest in the lowest bit.
    broken: u8,
    /// Checks with a quarter of the answers over the target.
    slow: u8,
    /// Dark checks in a row.
    dark: u8,
    /// Checks without any answer in a row.
    silent: u8,
    /// The cumulative sum.
    sum: f64,
    /// Checks with an error, of the last eight.
    failed: u8,
}

impl PageMemory {
    /// Whether forgetting it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.broken == 0
            && self.slow == 0
            && self.dark == 0
            && self.sum == 0.0
            && self.failed == 0
            && self.recent.iter().all(|(errors, _)| *errors == 0)
    }

    /// Takes `counts` in, and says whether `rule` holds now, in words; `budget` is the share of requests that may fail.
    /// `None` where the check says nothing to it.
    pub fn take(&mut self, rule: PageRule, counts: &PageCounts, budget: f64) -> Option<Option<String>> {
        if rule == PageRule::Dark {
            let grown = |held: u8, grows: bool| if grows { held.saturating_add(1) } else { 0 };
            self.dark = grown(self.dark, counts.is_dark);
            self.silent = grown(self.silent, counts.is_dark && counts.requests == 0);
            return Some(match (self.silent, self.dark) {
                (3.., _) => Some(format!("{} checks in a row got no answer at all", self.silent)),
                (_, 4..) => Some(format!(
                    "{} checks in a row got no answer to half of their requests or more",
                    self.dark
                )),
                _ => None,
            });
        }
        if counts.is_dark {
            return None;
        }
        self.recent.push((counts.errors, counts.requests));
        let beyond = self.recent.len().saturating_sub(REMEMBERED);
        self.recent.drain(..beyond);
        let found = match rule {
            PageRule::XOfY => self.x_of_y(counts),
            PageRule::Cusum => self.cusum(counts),
            PageRule::BurnRate => self.burn_rate(counts, budget),
            PageRule::Dark => None,
        };
        Some(found)
    }

    fn x_of_y(&mut self, counts: &PageCounts) -> Option<String> {
        self.recent.drain(..self.recent.len().saturating_sub(3));
        let is_broken = counts.errors >= 2 || counts.over_fail >= 3;
        self.broken = (self.broken << 1 | u8::from(is_broken)) & 0b111;
        self.slow = (self.slow << 1 | u8::from(counts.is_slow())) & 0b111;
        let errors: u32 = self.recent.iter().map(|(errors, _)| (*errors).min(3)).sum();
        let with_errors = self.recent.iter().filter(|(errors, _)| *errors > 0).count();
        let twice = |bits: u8| bits.count_ones() >= 2;
        if is_broken && twice(self.broken) {
            return Some(format!(
                "{} of the last 3 checks had two errors or more, or three answers over the limit of failure",
                self.broken.count_ones()
            ));
        }
        if counts.errors > 0 && errors >= 3 && with_errors >= 2 {
            return Some(format!("{errors} errors in {with_errors} of the last 3 checks"));
        }
        (counts.is_slow() && twice(self.slow)).then(|| {
            format!(
                "a quarter of the answers or more were over the P95 target in {} of the last 3 checks",
                self.slow.count_ones()
            )
        })
    }

    fn cusum(&mut self, counts: &PageCounts) -> Option<String> {
        self.recent.clear();
        let failed = counts.errors.min(2);
        let good = counts.requests.saturating_sub(failed);
        let step = f64::from(failed) * (SICK / HEALTHY).ln() + f64::from(good) * ((1.0 - SICK) / (1.0 - HEALTHY)).ln();
        self.sum = (self.sum + step).max(0.0);
        self.failed = self.failed << 1 | u8::from(counts.errors > 0);
        let is_over = self.sum > CUSUM_LIMIT && counts.errors > 0 && self.failed.count_ones() >= 2;
        is_over.then(|| {
            format!(
                "errors add up faster than a healthy lens makes them: {} of the last 8 checks had some",
                self.failed.count_ones()
            )
        })
    }

    fn burn_rate(&mut self, counts: &PageCounts, budget: f64) -> Option<String> {
        let over = |checks: usize| {
            let from = self.recent.len().saturating_sub(checks);
            let last = self.recent.get(from..).unwrap_or_default();
            let failing = last.iter().filter(|(errors, _)| *errors > 0).count();
            let sum = |of: fn(&(u32, u32)) -> u32| last.iter().map(|pair| f64::from(of(pair))).sum::<f64>();
            let share = sum(|pair| pair.0) / sum(|pair| pair.1).max(1.0);
            (failing >= 2).then_some(share / budget)
        };
        if counts.errors == 0 {
            return None;
        }
        BURNS.into_iter().find_map(|(limit, checks)| {
            let rate = over(checks).filter(|rate| *rate >= limit)?;
            // A window that is over takes the short one with it: what has ended does not page.
            over(4).filter(|short| *short >= limit)?;
            Some(format!(
                "the error budget burns {rate:.0} times as fast as it may, over {checks} checks"
            ))
        })
    }
}

/// Pages over the checks of a lens, as people count them: what begins while another one is open is part of it.
#[derive(Debug, Clone, Default)]
pub struct Pager {
    memories: [PageMemory; 4],
    quiet: u32,
    is_open: bool,
}

impl Pager {
    /// Takes a check in; whether somebody is woken by it.
    pub fn take(&mut self, counts: &PageCounts, budget: f64) -> bool {
        let rules = [PageRule::XOfY, PageRule::Cusum, PageRule::Dark, PageRule::BurnRate];
        let mut holds = false;
        for (memory, rule) in self.memories.iter_mut().zip(rules) {
            holds |= memory.take(rule, counts, budget).flatten().is_some();
        }
        self.quiet = if holds { 0 } else { self.quiet.saturating_add(1) };
        let pages = holds && !self.is_open;
        self.is_open = holds || (self.is_open && self.quiet < QUIET);
        pages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a check: digits are errors of 21 requests, `D`ark without an answer and `d`ark with some, `S`low, `F`: three answers over the limit.
    fn pages(letters: &str) -> String {
        let mut pager = Pager::default();
        let told = letters.chars().map(|letter| {
            let counts = PageCounts {
                requests: if letter == 'D' { 0 } else { 21 },
                errors: letter.to_digit(10).unwrap_or(0),
                timed: 21,
                over_target: if letter == 'S' { 6 } else { 0 },
                over_fail: if letter == 'F' { 3 } else { 0 },
                is_dark: matches!(letter, 'D' | 'd'),
            };
            if pager.take(&counts, 0.01) { 'P' } else { '.' }
        });
        told.collect()
    }

    #[test]
    fn what_deserves_to_wake_somebody_does_and_nothing_else() {
        for (letters, told) in [
            ("000000000000", "............"),
            ("000100000000", "............"),
            ("000300000000", "............"),
            // 20 % and more: the second check.
            ("0005500000000", "....P........"),
            // Three errors over three checks, in two of them.
            ("0001020000000", ".....P......."),
            // ×4 latency: the second check; so are answers over the limit of failure.
            ("00SS0000", "...P...."),
            ("00F0F000", "....P..."),
            ("00S00S00", "........"),
            // 2 %: the cumulative sum has it, within eight checks.
            ("001001001000", "........P..."),
            // The network: three in a row without any answer, four with few.
            ("00DD0DDD0000", ".......P...."),
            ("00ddd0dddd00", ".........P.."),
            // One page an episode, which ends after four quiet checks.
            ("055505000055", "..P.......P."),
        ] {
            assert_eq!(pages(letters), told, "{letters}");
        }
    }

    #[test]
    fn a_memory_of_quiet_checks_is_empty_again() {
        for rule in [PageRule::XOfY, PageRule::Cusum, PageRule::Dark, PageRule::BurnRate] {
            let mut memory = PageMemory::default();
            let mut take = |errors: u32| {
                let counts = PageCounts {
                    requests: 21,
                    errors,
                    ..PageCounts::default()
                };
                memory.take(rule, &counts, 0.01);
                memory.is_empty()
            };
            assert!(take(0), "{rule:?}");
            take(2);
            assert!((0..30).map(|_| take(0)).last().unwrap(), "{rule:?}");
        }
    }
}
