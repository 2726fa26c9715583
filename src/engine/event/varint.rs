//! Reads postcard's numbers a word at a time.
//!
//! postcard writes seven bits a byte, low ones first, and reads them byte by
//! byte, with a check before each. A header is nine such numbers and most of what
//! a small event is; read here, eight bytes at once where there are eight, it takes a
//! third of the time. What is read and what is refused is postcard's, held to it below.

/// The most bytes that a number of 64 bits takes.
const BYTES_MAX: usize = 10;

/// Takes a number of up to 64 bits off the front; `None` when there is none.
#[inline]
pub(super) fn take_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, behind) = bytes.split_first()?;
    if first < 0x80 {
        return Some((u64::from(first), behind));
    }
    let Some(word) = bytes.first_chunk().map(|word| u64::from_le_bytes(*word)) else {
        return take_slowly(bytes);
    };
    let ends = !word & 0x8080_8080_8080_8080;
    if ends == 0 {
        return take_slowly(bytes);
    }
    // All bits up to the top one of the last byte; then without the top ones, groups move together.
    let last = ends.trailing_zeros();
    let groups = word & (u64::MAX >> (63 - last)) & 0x7f7f_7f7f_7f7f_7f7f;
    let pairs = (groups & 0x007f_007f_007f_007f) | (groups & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = (pairs & 0x0000_3fff_0000_3fff) | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    let number = (fours & 0x0fff_ffff) | (fours & 0x0fff_ffff_0000_0000) >> 4;
    Some((number, &bytes[last as usize / 8 + 1..]))
}

/// Takes a number of up to 32 bits off the front; `None` when there is none, or more than that.
#[inline]
pub(super) fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    // Not more than five bytes, even where they would say less: postcard reads no further.
    let (number, rest) = take_u64(bytes)?;
    let is_short = bytes.len() - rest.len() <= 5;
    Some((u32::try_from(number).ok().filter(|_| is_short)?, rest))
}

#[cold]
fn take_slowly(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, &byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            // Of the tenth only one bit is left.
            let fits = place + 1 < BYTES_MAX || byte <= 1;
            return fits.then(|| (number, &bytes[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes as varints have them: mostly ones that say "there is more".
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..14),
            (
                prop::collection::vec(0x80..=0xffu8, 0..12),
                prop::collection::vec(any::<u8>(), 0..12)
            )
                .prop_map(|(more, rest)| [more, rest].concat()),
        ]
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_postcard_reads_them(bytes in bytes()) {
            prop_assert_eq!(take_u64(&bytes), postcard::take_from_bytes::<u64>(&bytes).ok());
            prop_assert_eq!(take_u32(&bytes), postcard::take_from_bytes::<u32>(&bytes).ok());
        }

        #[test]
        fn numbers_of_every_length_read_back(bits in 0..=64u32, number: u64, behind in prop::collection::vec(any::<u8>(), 0..9)) {
            let number = number & u64::MAX.checked_shr(64 - bits).unwrap_or(0);
            let mut bytes = postcard::to_stdvec(&number).unwrap();
            bytes.extend(&behind);
            prop_assert_eq!(take_u64(&bytes), Some((number, behind.as_slice())));
        }
    }
}
