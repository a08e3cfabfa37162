//! Text as it was before somebody encoded it: HTML, JSON, percent and quoted-printable, one in another.
//!
//! To list every form in which a secret may come back has no end. So the text is decoded, and each byte
//! knows where it stood.

use std::ops::Range;

/// How many encodings may lie in one another.
const DEEPEST: usize = 4;

/// A text, decoded so many times, and where each of its bytes stood.
pub(super) struct Layer {
    pub(super) bytes: Vec<u8>,
    from: Vec<Range<usize>>,
}

impl Layer {
    fn of(text: &str) -> Self {
        Self {
            bytes: text.as_bytes().to_vec(),
            from: (0..text.len()).map(|at| at..at + 1).collect(),
        }
    }

    /// Where the bytes of `range` stood.
    pub(super) fn source(&self, range: Range<usize>) -> Option<Range<usize>> {
        let last = self.from.get(range.end.checked_sub(1)?)?;
        Some(self.from.get(range.start)?.start..last.end)
    }

    /// Every byte, or what `decode` makes of the text from there: how many bytes it takes, and what they say.
    fn decoded(&self, decode: impl Fn(&[u8]) -> Option<(usize, Vec<u8>)>) -> Option<Self> {
        let mut next = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            from: Vec::with_capacity(self.bytes.len()),
        };
        let (mut at, mut is_new) = (0, false);
        while let (Some(rest), Some(byte)) = (self.bytes.get(at..), self.bytes.get(at)) {
            let (taken, said) = match decode(rest) {
                Some(decoded) => {
                    is_new = true;
                    decoded
                }
                None => (1, vec![*byte]),
            };
            let from = self.source(at..at + taken)?;
            next.from.extend(said.iter().map(|_| from.clone()));
            next.bytes.extend(said);
            at += taken;
        }
        is_new.then_some(next)
    }

    /// The same with a space for each `+`, as forms write it.
    fn folded(mut self) -> Self {
        fold(&mut self.bytes);
        self
    }
}

fn fold(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte == b'+' {
            *byte = b' ';
        }
    }
}

/// `text` decoded once, twice, … for as long as there is something to decode, and as quoted-printable.
pub(super) fn layers(text: &str) -> Vec<Layer> {
    let mut layers = Vec::new();
    let is_encoded = |byte: &u8| matches!(byte, b'%' | b'&' | b'\\' | b'=' | b'+' | 0);
    if !text.as_bytes().iter().any(is_encoded) {
        return layers;
    }
    let whole = Layer::of(text);
    if let Some(printable) = whole.decoded(quoted_printable) {
        layers.push(printable.folded());
    }
    let mut next = Some(whole);
    for _ in 0..=DEEPEST {
        let Some(layer) = next else { break };
        next = layer.decoded(once);
        layers.push(layer.folded());
    }
    layers
}

/// `secret` decoded as far as it goes: what is left of it where a text is decoded further than it was encoded.
pub(super) fn unfolded(secret: &str) -> Vec<u8> {
    let mut layer = Layer::of(secret);
    for _ in 0..DEEPEST {
        let Some(next) = layer.decoded(once) else { break };
        layer = next;
    }
    layer.folded().bytes
}

/// `secret` as it stands in a layer.
pub(super) fn plain(secret: &str) -> Vec<u8> {
    let mut bytes = secret.as_bytes().to_vec();
    fold(&mut bytes);
    bytes
}

/// `text` without white space and what separates pairs of digits; `None` where there is none of it.
pub(super) fn packed(text: &str) -> Option<Layer> {
    let gap = |rest: &[u8]| {
        let escaped: [&[u8]; 6] = [b"\\r", b"\\n", b"\\t", b"&#10;", b"&#13;", b"&#xA;"];
        let width = match rest.first()? {
            byte if byte.is_ascii_whitespace() || matches!(byte, b':' | b'-' | b',') => 1,
            _ => escaped.iter().find(|form| rest.starts_with(form))?.len(),
        };
        Some((width, Vec::new()))
    };
    Layer::of(text).decoded(gap)
}

fn once(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    match rest.first()? {
        b'%' => Some((3, vec![hex_byte(rest.get(1..3)?)?])),
        b'\\' => json(rest),
        b'&' => entity(rest),
        // UTF-16 that was read as bytes.
        0 => Some((1, Vec::new())),
        _ => None,
    }
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn json(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    let said = match rest.get(1)? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        byte @ (b'"' | b'\\' | b'/' | b'\'') => *byte,
        b'u' => return unicode(rest),
        _ => return None,
    };
    Some((2, vec![said]))
}

/// `\u0026`, two of them for what is beyond, and `\u{26}`.
fn unicode(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    if rest.get(2) == Some(&b'{') {
        let end = rest.iter().take(12).position(|byte| *byte == b'}')?;
        return Some((end + 1, utf8(number(rest.get(3..end)?, 16)?)?));
    }
    let high = number(rest.get(2..6)?, 16)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((6, utf8(high)?));
    }
    let low = rest.get(6..12).filter(|next| next.starts_with(b"\\u"))?;
    let low = number(low.get(2..)?, 16)?.checked_sub(0xdc00)?;
    Some((12, utf8(0x10000 + ((high - 0xd800) << 10) + low)?))
}

fn entity(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    let end = rest.iter().take(12).position(|byte| *byte == b';')?;
    let said = match rest.get(1..end)? {
        b"amp" => vec![b'&'],
        b"lt" => vec![b'<'],
        b"gt" => vec![b'>'],
        b"quot" => vec![b'"'],
        b"apos" => vec![b'\''],
        b"nbsp" => utf8(0xa0)?,
        name => match name.strip_prefix(b"#")? {
            hex if hex.starts_with(b"x") || hex.starts_with(b"X") => utf8(number(hex.get(1..)?, 16)?)?,
            decimal => utf8(number(decimal, 10)?)?,
        },
    };
    Some((end + 1, said))
}

fn quoted_printable(rest: &[u8]) -> Option<(usize, Vec<u8>)> {
    if rest.first() != Some(&b'=') {
        return None;
    }
    if rest.starts_with(b"=\r\n") {
        return Some((3, Vec::new()));
    }
    if rest.starts_with(b"=\n") {
        return Some((2, Vec::new()));
    }
    Some((3, vec![hex_byte(rest.get(1..3)?)?]))
}

fn number(digits: &[u8], base: u32) -> Option<u32> {
    if digits.first() == Some(&b'+') {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, base).ok()
}

fn utf8(code: u32) -> Option<Vec<u8>> {
    char::from_u32(code).map(|c| c.to_string().into_bytes())
}
