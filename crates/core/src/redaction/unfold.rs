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
    /// Start and end; a text of 4 GiB is none that is searched.
    from: Vec<(u32, u32)>,
}

/// What an encoding says: how many bytes it takes, and what they stand for, at most a character.
struct Said {
    taken: usize,
    bytes: [u8; 4],
    len: usize,
}

impl Said {
    /// It takes `taken` bytes and says `said`.
    fn of(taken: usize, said: &[u8]) -> Option<Self> {
        let mut bytes = [0; 4];
        bytes.get_mut(..said.len())?.copy_from_slice(said);
        let len = said.len();
        Some(Self { taken, bytes, len })
    }

    /// It takes `taken` bytes and says the character `code`.
    fn character(taken: usize, code: u32) -> Option<Self> {
        Self::of(taken, char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes())
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Layer {
    fn of(text: &str) -> Self {
        Self {
            bytes: text.as_bytes().to_vec(),
            from: (0..u32::try_from(text.len()).unwrap_or(u32::MAX))
                .map(|at| (at, at + 1))
                .collect(),
        }
    }

    /// Where the bytes of `range` stood.
    pub(super) fn source(&self, range: Range<usize>) -> Option<Range<usize>> {
        let (_, end) = self.from.get(range.end.checked_sub(1)?)?;
        let (start, _) = self.from.get(range.start)?;
        Some(usize::try_from(*start).ok()?..usize::try_from(*end).ok()?)
    }

    /// Every byte, or what `decode` makes of the text from there; `None` where it makes nothing of any.
    fn decoded(&self, decode: impl Fn(&[u8]) -> Option<Said>) -> Option<Self> {
        let first = (0..self.bytes.len()).find(|at| self.bytes.get(*at..).and_then(&decode).is_some())?;
        let mut next = Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            from: Vec::with_capacity(self.bytes.len()),
        };
        next.bytes.extend_from_slice(self.bytes.get(..first)?);
        next.from.extend_from_slice(self.from.get(..first)?);
        let mut at = first;
        while let (Some(rest), Some(byte), Some(from)) = (self.bytes.get(at..), self.bytes.get(at), self.from.get(at)) {
            let Some(said) = decode(rest) else {
                next.bytes.push(*byte);
                next.from.push(*from);
                at += 1;
                continue;
            };
            let (_, end) = self.from.get(at + said.taken - 1)?;
            next.from.extend(said.bytes().iter().map(|_| (from.0, *end)));
            next.bytes.extend_from_slice(said.bytes());
            at += said.taken;
        }
        Some(next)
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
    if !is_encoded(text) {
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
    Layer::of(text).decoded(|rest| Said::of(gap(rest)?, &[]))
}

/// The bytes of [`packed`]; those of `text` where there is nothing to take out.
pub(super) fn packed_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, behind @ ..] = rest {
        match gap(rest) {
            Some(width) => rest = rest.get(width..).unwrap_or_default(),
            None => {
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
    bytes
}

/// How many bytes of white space, or of what separates pairs of digits, `rest` begins with.
fn gap(rest: &[u8]) -> Option<usize> {
    const ESCAPED: [&[u8]; 6] = [b"\\r", b"\\n", b"\\t", b"&#10;", b"&#13;", b"&#xA;"];
    match rest.first()? {
        byte if byte.is_ascii_whitespace() || matches!(byte, b':' | b'-' | b',') => Some(1),
        b'\\' | b'&' => Some(ESCAPED.iter().find(|form| rest.starts_with(form))?.len()),
        _ => None,
    }
}

/// Whether `text` may be something else than it seems: encoded.
pub(super) fn is_encoded(text: &str) -> bool {
    let encoding = |byte: &u8| matches!(byte, b'%' | b'&' | b'\\' | b'=' | b'+' | 0);
    text.as_bytes().iter().any(encoding)
}

fn once(rest: &[u8]) -> Option<Said> {
    match rest.first()? {
        b'%' => Said::of(3, &[hex_byte(rest.get(1..3)?)?]),
        b'\\' => json(rest),
        b'&' => entity(rest),
        // UTF-16 that was read as bytes.
        0 => Said::of(1, &[]),
        _ => None,
    }
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn json(rest: &[u8]) -> Option<Said> {
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
    Said::of(2, &[said])
}

/// `\u0026`, two of them for what is beyond, and `\u{26}`.
fn unicode(rest: &[u8]) -> Option<Said> {
    if rest.get(2) == Some(&b'{') {
        let end = rest.iter().take(12).position(|byte| *byte == b'}')?;
        return Said::character(end + 1, number(rest.get(3..end)?, 16)?);
    }
    let high = number(rest.get(2..6)?, 16)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Said::character(6, high);
    }
    let low = rest.get(6..12).filter(|next| next.starts_with(b"\\u"))?;
    let low = number(low.get(2..)?, 16)?.checked_sub(0xdc00)?;
    Said::character(12, 0x10000 + ((high - 0xd800) << 10) + low)
}

fn entity(rest: &[u8]) -> Option<Said> {
    let end = rest.iter().take(12).position(|byte| *byte == b';')?;
    let code = match rest.get(1..end)? {
        b"amp" => u32::from('&'),
        b"lt" => u32::from('<'),
        b"gt" => u32::from('>'),
        b"quot" => u32::from('"'),
        b"apos" => u32::from('\''),
        b"nbsp" => 0xa0,
        name => match name.strip_prefix(b"#")? {
            hex if hex.starts_with(b"x") || hex.starts_with(b"X") => number(hex.get(1..)?, 16)?,
            decimal => number(decimal, 10)?,
        },
    };
    Said::character(end + 1, code)
}

fn quoted_printable(rest: &[u8]) -> Option<Said> {
    if rest.first() != Some(&b'=') {
        return None;
    }
    if rest.starts_with(b"=\r\n") {
        return Said::of(3, &[]);
    }
    if rest.starts_with(b"=\n") {
        return Said::of(2, &[]);
    }
    Said::of(3, &[hex_byte(rest.get(1..3)?)?])
}

fn number(digits: &[u8], base: u32) -> Option<u32> {
    if digits.first() == Some(&b'+') {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, base).ok()
}
