//! Series become the numbers and path data of a chart: where points lie, where a line breaks, which
//! stretches had which status. Pure geometry; markup is made elsewhere.
//!
//! A stretch without data is a gap and never a line drawn through it: two points are joined only
//! where no more than the longest allowed gap lies between them. A charting crate was not taken: what
//! is needed is a few dozen lines, and the crates bring fonts and back-ends.

use std::fmt::Write as _;

/// The area that is drawn into. Time runs to the right, values up from zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// The left end, in milliseconds since the epoch.
    pub from_ms: i64,
    /// The right end.
    pub until_ms: i64,
    /// Its width in units of the drawing.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// The value at the upper edge; above zero.
    pub top: f64,
}

/// A value at a time; `None` where there was a check and no value.
pub type Point = (i64, Option<f64>);

/// A stretch of the time axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Band<T> {
    /// Its left edge.
    pub x: f64,
    /// Its width, above zero.
    pub width: f64,
    /// What it stands for.
    pub what: T,
}

impl Frame {
    /// Where `at_ms` lies, kept within the frame.
    #[must_use]
    pub fn x(&self, at_ms: i64) -> f64 {
        let span = as_f64((self.until_ms - self.from_ms).max(1));
        (as_f64(at_ms - self.from_ms) / span * self.width).clamp(0.0, self.width)
    }

    /// Where `value` lies, counted from the upper edge as SVG does, kept within the frame.
    #[must_use]
    pub fn y(&self, value: f64) -> f64 {
        let top = if self.top > 0.0 { self.top } else { 1.0 };
        (self.height - value / top * self.height).clamp(0.0, self.height)
    }

    /// The path through `points` (oldest first), broken wherever a value is missing or more than
    /// `longest_gap_ms` lies between two. A point alone becomes a short dash. Empty without values.
    #[must_use]
    pub fn line(&self, points: &[Point], longest_gap_ms: i64) -> String {
        let mut path = String::new();
        let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
        let mut before: Option<i64> = None;
        for (at, value) in points
            .iter()
            .filter(|(at, _)| (self.from_ms..=self.until_ms).contains(at))
        {
            let Some(value) = value.filter(|value| value.is_finite()) else {
                before = None;
                continue;
            };
            let place = (self.x(*at), self.y(value));
            match runs
                .last_mut()
                .filter(|_| before.is_some_and(|before| at - before <= longest_gap_ms))
            {
                Some(run) => run.push(place),
                None => runs.push(vec![place]),
            }
            before = Some(*at);
        }
        for run in runs {
            for (index, (x, y)) in run.iter().enumerate() {
                // Writing to a String cannot fail.
                write!(path, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" }).ok();
            }
            if let [(x, _)] = run[..] {
                // At the right edge it goes back, so that the newest check is seen.
                path.push_str(if x + 1.5 > self.width { "h-1.5" } else { "h1.5" });
            }
        }
        path
    }

    /// Stretches of equal `what`: each of `points` (oldest first) stands until the next one, for
    /// `lasts_ms` at most. What lies between stretches is not known.
    #[must_use]
    pub fn bands<T: PartialEq + Clone>(&self, points: &[(i64, T)], lasts_ms: i64) -> Vec<Band<T>> {
        let mut stretches: Vec<(i64, i64, T)> = Vec::new();
        for (index, (at, what)) in points.iter().enumerate() {
            let next = points.get(index + 1).map_or(i64::MAX, |(next, _)| *next);
            let end = next.min(at + lasts_ms);
            match stretches
                .last_mut()
                .filter(|(_, until, same)| *until >= *at && same == what)
            {
                Some((_, until, _)) => *until = end,
                None => stretches.push((*at, end, what.clone())),
            }
        }
        stretches
            .into_iter()
            .map(|(from, until, what)| Band {
                x: self.x(from),
                width: (self.x(until) - self.x(from)).max(0.5),
                what,
            })
            .filter(|band| band.x < self.width)
            .collect()
    }

    /// Stretches of which nothing is known: where none of the checks at `at_ms` (oldest first) stands,
    /// each of which stands for `lasts_ms`. What comes before the first of them is one only where it is
    /// longer than that: a check from before the frame may stand in it. One stretch, the whole frame,
    /// where there is none.
    #[must_use]
    pub fn gaps(&self, at_ms: &[i64], lasts_ms: i64) -> Vec<Band<()>> {
        let first = at_ms.first().map_or(i64::MAX, |first| first - self.from_ms);
        let mut known_until = if (0..=lasts_ms).contains(&first) {
            self.from_ms + first
        } else {
            self.from_ms
        };
        let mut gaps = Vec::new();
        for at in at_ms.iter().copied().chain([self.until_ms]) {
            if at > known_until {
                let x = self.x(known_until);
                gaps.push(Band {
                    x,
                    width: self.x(at) - x,
                    what: (),
                });
            }
            known_until = known_until.max(at + lasts_ms);
        }
        gaps
    }
}

/// A round number at or above `highest` for the upper edge: 1, 2 or 5 times a power of ten. 1 where
/// there is nothing to show.
#[must_use]
pub fn round_top(highest: f64) -> f64 {
    if !highest.is_finite() || highest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= highest)
        .unwrap_or(10.0 * power)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of an epoch lie far below 2^52")]
fn as_f64(ms: i64) -> f64 {
    ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame {
        from_ms: 0,
        until_ms: 100,
        width: 100.0,
        height: 10.0,
        top: 10.0,
    };

    #[test]
    fn a_line_breaks_at_gaps_and_at_missing_values() {
        let points = [
            (0, Some(0.0)),
            (10, Some(10.0)),
            (50, Some(5.0)),
            (60, None),
            (70, Some(f64::NAN)),
            (80, Some(5.0)),
            (90, Some(20.0)),
            (900, Some(5.0)),
        ];
        assert_eq!(
            FRAME.line(&points, 20),
            "M0.0 10.0L10.0 0.0M50.0 5.0h1.5M80.0 5.0L90.0 0.0"
        );
        assert_eq!(FRAME.line(&[], 20), "");
    }

    #[test]
    fn a_status_stands_until_the_next_check_and_no_longer_than_it_may() {
        let bands = FRAME.bands(&[(0, 'h'), (10, 'h'), (20, 'u'), (60, 'h')], 20);
        let told: Vec<(f64, f64, char)> = bands.iter().map(|band| (band.x, band.width, band.what)).collect();
        assert_eq!(told, [(0.0, 20.0, 'h'), (20.0, 20.0, 'u'), (60.0, 20.0, 'h')]);
        assert!(FRAME.bands::<char>(&[], 20).is_empty());
    }

    #[test]
    fn what_no_check_stands_for_is_a_gap() {
        let gaps = |at: &[i64]| -> Vec<(f64, f64)> {
            let gaps = FRAME.gaps(at, 20);
            gaps.iter().map(|gap| (gap.x, gap.width)).collect()
        };
        assert_eq!(gaps(&[]), [(0.0, 100.0)]);
        assert_eq!(gaps(&[0, 10, 50, 60, 80]), [(30.0, 20.0)]);
        assert_eq!(gaps(&[-10, 50]), [(10.0, 40.0), (70.0, 30.0)]);
        assert_eq!(gaps(&[20, 40, 60, 80]), []);
        assert_eq!(gaps(&[30]), [(0.0, 30.0), (50.0, 50.0)]);
    }

    #[test]
    fn the_upper_edge_is_a_round_number_that_nothing_exceeds() {
        for (highest, top) in [
            (0.0, 1.0),
            (f64::NAN, 1.0),
            (0.07, 0.1),
            (1.0, 1.0),
            (867.0, 1000.0),
            (130.0, 200.0),
        ] {
            assert!((round_top(highest) - top).abs() < 1e-9, "{highest}");
        }
    }
}
