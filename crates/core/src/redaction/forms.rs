//! The forms in which a server may echo a secret: raw, percent-encoded, JSON-escaped, hex, base64.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::mark::SHORTEST_SECRET;

/// The forms in which `secret` may come back, in no order and some of them twice. None for one of
/// less than 4 bytes. The signature of a token is a secret of its own: header and claims, which are
/// shown, make the token whole again.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let mut forms = forms_of(secret);
    if let Some(signature) = signature_of(secret) {
        forms.extend(forms_of(signature));
        if let Ok(bytes) = URL_SAFE_NO_PAD.decode(signature) {
            forms.push(STANDARD_NO_PAD.encode(&bytes));
            forms.extend([true, false].map(|upper| hex(&bytes, upper)));
        }
    }
    forms
}

/// The last of the three parts of a token; `None` where `secret` is none.
fn signature_of(secret: &str) -> Option<&str> {
    let mut parts = secret.strip_prefix("eyJ")?.split('.');
    let (_, _, signature) = (parts.next()?, parts.next()?, parts.next()?);
    (parts.next().is_none() && signature.len() >= 16).then_some(signature)
}

fn hex(bytes: &[u8], upper: bool) -> String {
    let digits = |byte: &u8| {
        [
            hex_digit(u16::from(byte >> 4), upper),
            hex_digit(u16::from(byte & 0xf), upper),
        ]
    };
    bytes.iter().flat_map(digits).collect()
}

fn forms_of(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST_SECRET {
        return Vec::new();
    }
    let mut forms = percent_forms(secret);
    forms.push(secret.to_owned());
    if let Ok(quoted) = serde_json::to_string(secret) {
        let quoted = &quoted[1..quoted.len() - 1];
        forms.push(quoted.to_owned());
        // JSON within JSON.
        if let Ok(twice) = serde_json::to_string(quoted) {
            forms.push(twice[1..twice.len() - 1].to_owned());
        }
    }
    let units: Vec<u16> = secret.encode_utf16().collect();
    for upper in [false, true] {
        let mut all = String::with_capacity(units.len() * 6);
        let mut some = String::with_capacity(secret.len());
        for unit in &units {
            let escaped = |into: &mut String| {
                into.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    into.push(hex_digit((unit >> shift) & 0xf, upper));
                }
            };
            escaped(&mut all);
            // Some writers escape what is not ASCII, some everything.
            match u8::try_from(*unit) {
                Ok(byte) if byte.is_ascii() && !byte.is_ascii_control() => some.push(char::from(byte)),
                _ => escaped(&mut some),
            }
        }
        forms.extend([all, some, hex(secret.as_bytes(), upper)]);
    }
    forms.extend(base64_forms(secret));
    forms
}

/// What stands in runs of digits, which may be broken into lines or pairs: base64 and hexadecimal.
pub(crate) fn packed_forms(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST_SECRET {
        return Vec::new();
    }
    let mut forms = base64_forms(secret);
    forms.extend([true, false].map(|upper| hex(secret.as_bytes(), upper)));
    // Lines end in the middle of a form too, and `-` is one of its letters: it was taken out of the text.
    for form in &mut forms {
        form.retain(|c| c != '-');
    }
    forms.retain(|form| form.len() >= 8);
    forms
}

fn base64_forms(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for offset in 0..3_usize {
        // A secret inside a longer base64 text stands at one of three alignments; only the
        // characters that it alone decides are looked for.
        let mut padded = vec![0_u8; offset];
        padded.extend_from_slice(secret.as_bytes());
        let (first, whole) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
        for engine in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            if let Some(core) = engine.get(first..whole).filter(|core| core.len() >= 8) {
                // As it stands in a query string.
                if core.contains(['+', '/']) {
                    forms.extend([true, false].map(|upper| percent_encoded(core, b"-_", upper, false)));
                }
                forms.push(core.to_owned());
            }
        }
    }
    forms
}

fn hex_digit(value: u16, upper: bool) -> char {
    let digit = char::from_digit(u32::from(value & 0xf), 16).unwrap_or('0');
    if upper { digit.to_ascii_uppercase() } else { digit }
}

/// The characters besides letters and digits that encoders of URLs and forms leave as they are.
const LEFT: [&[u8]; 6] = [b"", b"-_.~", b"-_.~/", b"-_.*", b"-_.!~*'()", b"-_.~!$&'()*+,;=:@/"];

/// What encoders of URLs and forms make of `secret`: with more or fewer characters left as they are,
/// either case of the digits, `+` for a space, and all of it twice. Encoders that do not differ on
/// the characters of this secret are one: a token has three that matter.
fn percent_forms(secret: &str) -> Vec<String> {
    let mut special: Vec<u8> = secret.bytes().filter(|byte| !byte.is_ascii_alphanumeric()).collect();
    special.sort_unstable();
    special.dedup();
    let left = |kept: &&[u8]| {
        special
            .iter()
            .copied()
            .filter(|byte| kept.contains(byte))
            .collect::<Vec<u8>>()
    };
    let mut encoders: Vec<Vec<u8>> = LEFT.iter().map(left).collect();
    encoders.sort_unstable();
    encoders.dedup();
    // Some encode every character, letters too.
    let mut forms: Vec<String> = [true, false].map(|upper| percent_encoded_whole(secret, upper)).to_vec();
    for kept in encoders.iter().filter(|kept| kept.len() < special.len()) {
        for plus in [false, true] {
            // Without a space in it a `+` for one changes nothing.
            if plus && !special.contains(&b' ') {
                continue;
            }
            for upper in [true, false] {
                let once = percent_encoded(secret, kept, upper, plus);
                forms.push(once.replace('%', "%25"));
                forms.push(once);
            }
        }
    }
    forms
}

fn percent_encoded_whole(secret: &str, upper: bool) -> String {
    let mut text = String::with_capacity(secret.len() * 3);
    for byte in secret.bytes() {
        text.push('%');
        text.push(hex_digit(u16::from(byte >> 4), upper));
        text.push(hex_digit(u16::from(byte & 0xf), upper));
    }
    text
}

fn percent_encoded(secret: &str, kept: &[u8], upper: bool, plus: bool) -> String {
    let mut text = String::with_capacity(secret.len() * 2);
    for byte in secret.bytes() {
        if byte == b' ' && plus {
            text.push('+');
        } else if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(hex_digit(u16::from(byte >> 4), upper));
            text.push(hex_digit(u16::from(byte & 0xf), upper));
        }
    }
    text
}
