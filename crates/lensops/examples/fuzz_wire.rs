//! Fuzzes the reader of HTTP answers:
//! `cargo run --release -p lensops --example fuzz_wire -- [EXECUTIONS] [SEED]`.
//!
//! Each execution changes an answer of the corpus (bytes flipped, inserted, removed, copied from
//! another) and reads it three times: at once, in random pieces, and at once with a cache that has
//! seen another head. All three must agree, keep within the data, and never panic. A coverage-led
//! fuzzer needs a nightly toolchain or a harness built from source; this needs neither.
#![allow(clippy::unwrap_used, reason = "a fuzzer says by panicking what it found")]

use lensops::load::wire::{HeadCache, Reader};

/// What came of reading: status, body and bytes used, or that it was refused.
type Read = Option<(u16, Vec<u8>, usize)>;

fn read(data: &[u8], cache: &mut HeadCache, mut piece: impl FnMut(usize) -> usize) -> Read {
    let mut reader = Reader::default();
    let mut used = 0;
    while used < data.len() && !reader.is_done() {
        let size = piece(data.len() - used).clamp(1, data.len() - used);
        let taken = reader.feed(&data[used..used + size], cache, &|_| true).ok()?;
        assert!(taken <= size, "more used than given");
        assert!(taken == size || reader.is_done(), "stopped before the end of an answer");
        used += taken;
    }
    reader.end().ok()?;
    let response = reader.take_response()?;
    assert_eq!(Some(response.status), reader.head().map(|head| head.status));
    Some((response.status, response.body, used))
}

fn change(random: &mut fastrand::Rng, data: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..=data.len());
        match random.u8(..6) {
            0 if at < data.len() => data[at] ^= 1 << random.u8(..8),
            1 => data.insert(at, *random.choice(b"\r\n :;,0159afAF-x\0\xff").unwrap()),
            2 if at < data.len() => drop(data.remove(at)),
            3 => data.truncate(at),
            4 => {
                let from = random.usize(..other.len());
                let piece = &other[from..random.usize(from..=other.len()).min(from + 40)];
                data.splice(at..at, piece.iter().copied());
            }
            _ if at < data.len() => data[at] = random.u8(..),
            _ => {}
        }
        data.truncate(4096);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let executions: u64 = arguments.next().map_or(10_000_000, |text| text.parse().unwrap());
    let seed: u64 = arguments
        .next()
        .map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/wire");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let corpus: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    println!("{} answers in the corpus, seed {seed}", corpus.len());
    let mut random = fastrand::Rng::with_seed(seed);
    let mut stale = HeadCache::default();
    let (mut answers, mut refused) = (0_u64, 0_u64);
    for _ in 0..executions {
        let mut data = random.choice(&corpus).unwrap().clone();
        let other = random.choice(&corpus).unwrap();
        change(&mut random, &mut data, other);
        let whole = read(&data, &mut HeadCache::default(), |left| left);
        let pieces = read(&data, &mut HeadCache::default(), |_| random.usize(1..48));
        let cached = read(&data, &mut stale, |left| left);
        assert_eq!(whole, pieces, "in pieces: {:?}", String::from_utf8_lossy(&data));
        assert_eq!(whole, cached, "with a cache: {:?}", String::from_utf8_lossy(&data));
        *if whole.is_some() { &mut answers } else { &mut refused } += 1;
    }
    println!("{executions} executions without a finding: {answers} answers read, {refused} refused");
}
