//! Changes to bytes, and the numbers that decide which.

/// A generator of numbers: small, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `SplitMix64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    pub(crate) fn one_of<'o, T>(&mut self, options: &'o [T]) -> &'o T {
        &options[self.below(options.len())]
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Numbers at which code that counts goes wrong.
pub(crate) const EDGES: [u64; 12] =
    [0, 1, 2, 127, 128, 255, 256, 32_767, 65_535, 65_536, 0xffff_ffff, u64::MAX];

/// Longest piece that is taken out or doubled.
const PIECE: usize = 64;

/// One change.
pub(crate) fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&[u8]], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let piece = at..(at + 1 + random.below(PIECE)).min(input.len());
    match random.below(9) {
        0 if !input.is_empty() => {
            let at = random.below(input.len());
            input[at] ^= 1 << random.below(8);
        }
        1 if !input.is_empty() => {
            let at = random.below(input.len());
            input[at] = random.byte();
        }
        2 if piece.start < piece.end => drop(input.drain(piece)),
        3 if piece.start < piece.end => {
            let doubled = input[piece].to_vec();
            insert(input, at, &doubled);
        }
        4 => {
            // What another input has from some place on.
            let other = random.one_of(corpus);
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        5 => {
            let other = random.one_of(corpus);
            let from = random.below(other.len() + 1);
            let piece = other[from..(from + random.below(PIECE)).min(other.len())].to_vec();
            insert(input, at, &piece);
        }
        6 => number(input, at, random),
        _ if !words.is_empty() => {
            let word = random.one_of(words).to_vec();
            insert(input, at, &word);
        }
        _ => {}
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    drop(input.splice(at..at, piece.iter().copied()));
}

/// Puts an edge where a number stands: in digits if there are digits, else in bytes.
fn number(input: &mut Vec<u8>, at: usize, random: &mut Random) {
    let edge = *random.one_of(&EDGES);
    let digits = input[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 {
        drop(input.splice(at..at + digits, edge.to_string().into_bytes()));
        return;
    }
    let size = *random.one_of(&[1, 2, 4, 8]);
    if let Some(place) = input.get_mut(at..at + size) {
        place.copy_from_slice(&edge.to_le_bytes()[..size]);
    }
}
