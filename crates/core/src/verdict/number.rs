//! Numbers of JSON compared as what they count, exactly.
//!
//! Comparing through `f64` was rejected: ids beyond 2^53 would be equal to their neighbours.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// How `a` stands to `b`, exact over all integers of 64 bits and all floats.
pub(super) fn order(a: &Number, b: &Number) -> Ordering {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => with_float(a, float(b)),
        (None, Some(b)) => with_float(b, float(a)).reverse(),
        (None, None) => float(a).total_cmp(&float(b)),
    }
}

/// Whether two values are the same; of numbers what they count matters, not how they are written, at
/// any depth.
pub(super) fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        _ => a == b,
    }
}

/// The number as an integer, where it is written as one or holds nothing behind its point.
fn integer(number: &Number) -> Option<i128> {
    let whole = number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from));
    whole.or_else(|| {
        let value = float(number);
        // Beyond 2^126 every float is whole, and no integer of a plan is there to compare it with.
        #[expect(clippy::cast_possible_truncation, reason = "its fraction is zero and it is in range")]
        (value.fract() == 0.0 && value.abs() < 2f64.powi(126)).then_some(value as i128)
    })
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

/// How an integer stands to a float that is not whole, or is larger than any integer here.
fn with_float(whole: i128, value: f64) -> Ordering {
    if value.abs() >= 2f64.powi(126) {
        return if value > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is in range and rounded down")]
    let floor = value.floor() as i128;
    if whole <= floor {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_compare_exactly_up_to_64_bits_and_across_their_spellings() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, stands) in [
            ("9007199254740992", "9007199254740993", Less),
            ("18446744073709551615", "18446744073709551614", Greater),
            ("-9223372036854775808", "-9223372036854775807", Less),
            ("9007199254740993", "9007199254740992.0", Greater),
            ("5", "5.0", Equal),
            ("5", "5.5", Less),
            ("-5", "-5.5", Greater),
            ("0.1", "0.2", Less),
            ("1e300", "18446744073709551615", Greater),
            ("-1e300", "-9223372036854775808", Less),
            ("0", "-0.0", Equal),
        ] {
            let number = |text| serde_json::from_str::<Number>(text).unwrap();
            assert_eq!(order(&number(a), &number(b)), stands, "{a} to {b}");
            assert_eq!(order(&number(b), &number(a)), stands.reverse(), "{b} to {a}");
        }
    }

    #[test]
    fn values_are_the_same_at_any_depth() {
        assert!(is_same(&json!({"a": [1, 2.0]}), &json!({"a": [1.0, 2]})));
        assert!(!is_same(
            &json!([9_007_199_254_740_993_u64]),
            &json!([9_007_199_254_740_992_u64])
        ));
        assert!(!is_same(&json!({"a": 1}), &json!({"a": 1, "b": 2})));
        assert!(!is_same(&json!("5"), &json!(5)));
    }
}
