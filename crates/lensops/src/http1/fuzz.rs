//! Fuzzes the reader: whatever bytes come, it reads them the same way in whatever pieces and with
//! whatever head in its cache, keeps within them, and never panics.
//!
//! `BOLERO_RANDOM_ITERATIONS=10000000 cargo test --profile dist -p lensops --lib changed_answers` runs
//! longer. What was found stays in the corpus, and `BOLERO_RANDOM_SEED` of a failure repeats it.

use bolero::{TypeGenerator, check};

use super::{HeadCache, Reader};

/// What came of reading: status, body and bytes used, or that it was refused.
type Read = Option<(u16, Vec<u8>, usize)>;

/// One change of an answer. Positions are taken modulo its size.
#[derive(Debug, Clone, TypeGenerator)]
enum Change {
    Flip(u16, u8),
    Set(u16, u8),
    /// A byte that means something to the grammar.
    Insert(u16, u8),
    Remove(u16),
    Cut(u16),
    /// So many bytes of another answer of the corpus, from the second position on.
    Copy(u16, u8, u16, u8),
}

/// An answer of the corpus and how it is changed and cut into pieces.
#[derive(Debug, Clone, TypeGenerator)]
struct Changed {
    answer: u8,
    changes: [Option<Change>; 6],
    pieces: [u8; 4],
}

const MEANINGFUL: &[u8] = b"\r\n :;,0159afAF-x\0\xff";

impl Change {
    fn make(&self, data: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = |place: u16| usize::from(place) % data.len().max(1);
        match *self {
            Self::Insert(place, which) => {
                data.insert(
                    at(place).min(data.len()),
                    MEANINGFUL[usize::from(which) % MEANINGFUL.len()],
                );
            }
            Self::Copy(place, answer, from, size) => {
                let other = &corpus[usize::from(answer) % corpus.len()];
                let from = usize::from(from) % other.len();
                let end = other.len().min(from + usize::from(size) % 40);
                let at = at(place).min(data.len());
                data.splice(at..at, other[from..end].iter().copied());
            }
            _ if data.is_empty() => {}
            Self::Flip(place, bit) => {
                let at = at(place);
                data[at] ^= 1 << (bit % 8);
            }
            Self::Set(place, byte) => {
                let at = at(place);
                data[at] = byte;
            }
            Self::Remove(place) => drop(data.remove(at(place))),
            Self::Cut(place) => data.truncate(at(place)),
        }
    }
}

/// Reads `data` in pieces of the sizes given, again and again.
fn read(data: &[u8], cache: &mut HeadCache, pieces: &[usize]) -> Read {
    let mut reader = Reader::default();
    let (mut used, mut sizes) = (0, pieces.iter().cycle());
    while used < data.len() && !reader.is_done() {
        let size = sizes.next().map_or(1, |size| *size).clamp(1, data.len() - used);
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

/// All ways to read `data` agree; says whether it was an answer.
fn agree(data: &[u8], pieces: &[usize], stale: &mut HeadCache) -> bool {
    let whole = read(data, &mut HeadCache::default(), &[data.len()]);
    let cut = read(data, &mut HeadCache::default(), pieces);
    let cached = read(data, stale, &[data.len()]);
    assert_eq!(whole, cut, "in pieces: {:?}", String::from_utf8_lossy(data));
    assert_eq!(whole, cached, "with a cache: {:?}", String::from_utf8_lossy(data));
    whole.is_some()
}

fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http1/__fuzz__/http1/corpus");
    let files = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The corpus as it is, byte by byte; a coverage-led engine starts from here.
#[test]
fn any_bytes_are_read_the_same_way_in_whatever_pieces() {
    check!(name = "http1").with_iterations(2_000).for_each(|data: &[u8]| {
        agree(data, &[1], &mut HeadCache::default());
    });
}

#[test]
fn changed_answers_are_read_the_same_way_in_whatever_pieces_and_with_any_cache() {
    let corpus = corpus();
    // Heads that earlier answers left behind.
    let mut stale = HeadCache::default();
    let (mut read, mut refused) = (0_u64, 0_u64);
    check!(name = "changed")
        .with_iterations(20_000)
        .with_type::<Changed>()
        .for_each(|changed| {
            let mut data = corpus[usize::from(changed.answer) % corpus.len()].clone();
            for change in changed.changes.iter().flatten() {
                change.make(&mut data, &corpus);
            }
            let pieces = changed.pieces.map(|size| usize::from(size % 48));
            let is_answer = agree(&data, &pieces, &mut stale);
            *if is_answer { &mut read } else { &mut refused } += 1;
        });
    println!("{read} answers read, {refused} refused");
    assert!(read > 0 && refused > 0, "{read} answers read, {refused} refused");
}
