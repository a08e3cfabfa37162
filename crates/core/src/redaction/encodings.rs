//! The encodings in which a server may echo a secret, each whole and cut off anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::Redactor;
use crate::secret::Secret;

fn escaped(text: &str) -> String {
    let text = json!(text).to_string();
    text[1..text.len() - 1].to_owned()
}

fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn html(text: &str, special: impl Fn(char) -> String) -> String {
    let one = |c: char| match c {
        '&' | '<' | '>' | '"' | '\'' => special(c),
        c => c.to_string(),
    };
    text.chars().map(one).collect()
}

fn lines(text: &str, width: usize) -> String {
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(width)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    lines.join("\r\n")
}

fn hex(text: &str, gap: &str) -> String {
    let pairs: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(gap)
}

/// What a server may make of `secret`, by name.
fn echoes(secret: &str) -> Vec<(&'static str, String)> {
    let named = |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        _ => "&apos;".to_owned(),
    };
    // A soft line break stands between two characters, wherever that is.
    let printable = |at: usize, byte: u8| {
        let soft = if at % 5 == 4 { "=\r\n" } else { "" };
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => format!("{}{soft}", char::from(byte)),
            byte => format!("={byte:02X}{soft}"),
        }
    };
    let printable: String = secret
        .bytes()
        .enumerate()
        .map(|(at, byte)| printable(at, byte))
        .collect();
    let long = STANDARD.encode(format!("{}{secret}{}", "x".repeat(41), "y".repeat(70)));
    vec![
        ("raw", secret.to_owned()),
        ("json", escaped(secret)),
        ("json, slashes", escaped(secret).replace('/', "\\/")),
        (
            "json, unicode",
            html(&escaped(secret), |c| {
                if c == '"' {
                    c.to_string()
                } else {
                    format!("\\u{:04x}", u32::from(c))
                }
            }),
        ),
        ("json twice", escaped(&escaped(secret))),
        ("percent", percent(secret)),
        ("percent twice", percent(&percent(secret))),
        ("percent three times", percent(&percent(&percent(secret)))),
        ("form", percent(secret).replace("%20", "+")),
        ("html named", html(secret, named)),
        ("html decimal", html(secret, |c| format!("&#{};", u32::from(c)))),
        ("html hexadecimal", html(secret, |c| format!("&#x{:X};", u32::from(c)))),
        ("base64", STANDARD.encode(secret)),
        ("base64 at 1", URL_SAFE_NO_PAD.encode(format!("a{secret}"))),
        ("base64 at 2", STANDARD.encode(format!("ab{secret}yz"))),
        ("base64, lines of 64", lines(&long, 64)),
        ("base64, lines of 76", lines(&long, 76)),
        ("hex", hex(secret, "")),
        ("hex in pairs", hex(secret, ":").to_uppercase()),
        ("quoted-printable", printable),
    ]
}

proptest::proptest! {
    #[test]
    fn e3_no_encoding_of_a_secret_survives(secret in "[!-~][ -~\u{e9}\u{20ac}]{14,38}[!-~]", before in "[a-z <&]{0,9}") {
        let known = Secret::new(secret.clone());
        let ways = [Redactor::new([&known]), Redactor::default().for_exchange(std::slice::from_ref(&known))];
        for (name, echo) in echoes(&secret) {
            let text = format!("<p>{before}: {echo}.</p>");
            for redactor in &ways {
                let clean = redactor.text(&text);
                proptest::prop_assert!(clean.as_str().contains("[redacted]"), "{name}: {clean}");
                proptest::prop_assert!(!clean.as_str().contains(&secret), "{name}: {clean}");
                // Half of it is too much.
                let middle: String = echo.chars().skip(echo.chars().count() / 3).take(9).collect();
                if !name.contains("lines") && !name.contains("quoted") {
                    proptest::prop_assert!(!clean.as_str().contains(&middle), "{name}: {middle} in {clean}");
                }
            }
        }
        for little in [true, false] {
            let units = format!("<p>{secret}</p>").encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect::<Vec<u8>>();
            let clean = ways[0].body(&units);
            proptest::prop_assert_eq!(clean.as_str(), "<p>[redacted]</p>");
        }
    }

    #[test]
    fn e3_a_secret_that_was_cut_off_goes_too(secret in "[!-$&-\\[\\]-~]{16,40}", cut in 12_usize..16) {
        let redactor = Redactor::new([&Secret::new(secret.clone())]);
        let beginning: String = secret.chars().take(cut).collect();
        for (name, echo) in echoes(&beginning).into_iter().take(12) {
            let clean = redactor.text(&format!("{{\"error\": \"it is {echo}"));
            proptest::prop_assert!(clean.as_str().ends_with("it is [redacted]"), "{name}: {clean}");
        }
    }
}

#[test]
fn e2_every_scalar_below_a_secrets_place_is_one() {
    let value = json!({"a": [12345, "text", true, null], "b": {"c": 1.5}});
    let found: Vec<String> = super::scalars(&value)
        .iter()
        .map(|secret| secret.expose().to_owned())
        .collect();
    assert_eq!(found, ["12345", "text", "1.5"]);
    let clean = Redactor::default()
        .json(json!({"password": 12, "secret": ["ab", {"x": true}], "access_token": {"value": "v", "n": null}}));
    assert_eq!(
        clean.as_str(),
        r#"{"password":"[redacted]","secret":["[redacted]",{"x":"[redacted]"}],"access_token":{"value":"[redacted]","n":null}}"#
    );
}
