//! When a certificate expires.
//!
//! The one field that TLS does not hand out. A parser of whole certificates was not taken for it: the
//! certificate was checked before, and the field stands at a fixed place.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of validity (RFC 5280 §4.1.2.5) of a certificate in DER; `None` where it is not to be found.
pub(super) fn expires(der: &[u8]) -> Option<Timestamp> {
    let mut certificate = inside(der, SEQUENCE)?;
    let mut fields = inside(take(&mut certificate)?.2, SEQUENCE)?;
    if fields.first() == Some(&VERSION) {
        take(&mut fields)?;
    }
    let (_serial, _signature, _issuer) = (take(&mut fields)?, take(&mut fields)?, take(&mut fields)?);
    let (tag, mut validity, _) = take(&mut fields)?;
    let _not_before = take(&mut validity)?;
    let (kind, text, _) = take(&mut validity)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match kind {
        // Two digits, of 1950 to 2049.
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let at = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    let at = TimeZone::UTC.to_timestamp(at).ok()?;
    (tag == SEQUENCE).then_some(at)
}

/// What stands inside the element that `data` begins with, of kind `tag`.
fn inside(mut data: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, content, _) = take(&mut data)?;
    (found == tag).then_some(content)
}

/// Takes one element off `data`: its tag, its content, and all of it.
fn take<'a>(data: &mut &'a [u8]) -> Option<(u8, &'a [u8], &'a [u8])> {
    let whole = *data;
    let (tag, first) = (*whole.first()?, *whole.get(1)?);
    let (size, head) = if first < 0x80 {
        (usize::from(first), 2)
    } else {
        // So many bytes of a length follow; a certificate has fewer than 2^32.
        let count = usize::from(first & 0x7f);
        let digits = whole.get(2..2 + count).filter(|_| (1..=4).contains(&count))?;
        let size = digits.iter().fold(0, |size, digit| size << 8 | usize::from(*digit));
        (size, 2 + count)
    };
    let all = whole.get(..head.checked_add(size)?)?;
    *data = &whole[all.len()..];
    Some((tag, &all[head..], all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(year: i32, month: u8, day: u8) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(["api.test".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, month, day);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_either_form_of_a_date() {
        for (year, text) in [(2031, "2031-02-03T00:00:00Z"), (2060, "2060-02-03T00:00:00Z")] {
            assert_eq!(expires(&made(year, 2, 3)).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_certificate_has_no_end() {
        let whole = made(2031, 2, 3);
        for size in 0..120 {
            assert_eq!(expires(&whole[..size]), None, "{size}");
        }
        // Whatever byte is changed, nothing is read beyond the end.
        for at in 0..whole.len() {
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                expires(&changed);
            }
        }
    }
}
