//! A small body that inflates to a large one.

/// What it inflates to: zeros.
const INFLATED: usize = 64 << 20;
/// The longest match of deflate.
const MATCH: usize = 258;

/// 64 MiB of zeros in zlib's format (RFC 1950), the `deflate` of HTTP, in some 400 kB. No crate is needed for it: after
/// the first zero, everything is the same repetition.
pub(super) fn deflate_bomb() -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block, with the fixed Huffman codes of RFC 1951, 3.2.6; numbers go out from their lowest bit.
    bits.number(0b1, 1);
    bits.number(0b01, 2);
    bits.code(0b0011_0000, 8); // the literal 0
    let (matches, rest) = ((INFLATED - 1) / MATCH, (INFLATED - 1) % MATCH);
    for _ in 0..matches {
        bits.code(0b1100_0101, 8); // length 258
        bits.code(0, 5); // distance 1
    }
    for _ in 0..rest {
        bits.code(0b0011_0000, 8);
    }
    bits.code(0, 7); // end of block
    let mut body = vec![0x78, 0x01];
    body.extend(bits.finish());
    // Adler-32 of zeros: the low half stays 1, the high half counts them.
    let high = u32::try_from(INFLATED % 65_521).expect("less than 65,521");
    body.extend((high << 16 | 1).to_be_bytes());
    body
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    /// A number, its lowest bit first.
    fn number(&mut self, number: u32, bits: u32) {
        self.pending |= number << self.count;
        self.count += bits;
        while self.count >= 8 {
            self.bytes.push(self.pending.to_le_bytes()[0]);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// Huffman codes go out from their highest bit.
    fn code(&mut self, code: u32, bits: u32) {
        self.number(code.reverse_bits() >> (32 - bits), bits);
    }

    fn finish(mut self) -> Vec<u8> {
        self.number(0, (8 - self.count) % 8);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use solme_sync_protocol::Digest;

    use super::*;

    /// zlib inflates the body with this digest to 67,108,864 zeros, and finds its checksum right.
    #[test]
    fn the_bomb_is_the_one_that_zlib_inflates() {
        let bomb = deflate_bomb();
        assert_eq!(bomb.len(), 422_914);
        let digest = "33CePeq02IL6X1bCYtLcD9zVM4pGtocj9yGOgmphb1hSe82o5RTj0DQpstCmaryx";
        assert_eq!(Digest::of(bomb).to_string(), digest);
    }
}
