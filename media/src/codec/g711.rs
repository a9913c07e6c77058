//! ITU-T G.711: logarithmic companding of 14-bit (mu-law) and 13-bit (A-law) samples into 8 bits.
//!
//! Tables are computed at compile time from the definition, and work on 16-bit samples aligned to the top.

/// Added to a mu-law magnitude so that each segment starts at a power of two: 33 in 14-bit units, times 4.
const BIAS: i32 = 132;
/// The largest magnitude that mu-law can carry in 16-bit units.
const CLIP: i32 = 32_635;

static MU_DECODE: [i16; 256] = mu_decode_table();
static A_DECODE: [i16; 256] = a_decode_table();
static MU_ENCODE: [u8; 16_384] = mu_encode_table();
static A_ENCODE: [u8; 8_192] = a_encode_table();

/// The mu-law code of a sample.
pub fn encode_mu(sample: i16) -> u8 {
    // The two lowest bits never decide: every decision value is a multiple of four.
    MU_ENCODE[usize::from(sample.cast_unsigned() >> 2)]
}

/// The sample of a mu-law code.
pub fn decode_mu(code: u8) -> i16 {
    MU_DECODE[usize::from(code)]
}

/// The A-law code of a sample.
pub fn encode_a(sample: i16) -> u8 {
    A_ENCODE[usize::from(sample.cast_unsigned() >> 3)]
}

/// The sample of an A-law code.
pub fn decode_a(code: u8) -> i16 {
    A_DECODE[usize::from(code)]
}

const fn mu_code(sample: i32) -> u8 {
    let sign: u8 = if sample < 0 { 0x80 } else { 0 };
    // Negative values mirror around -1/2 in 14-bit units, hence the complement and not the negation.
    let magnitude = if sample < 0 { !sample } else { sample };
    let biased = (if magnitude > CLIP { CLIP } else { magnitude }) + BIAS;
    // The highest set bit is between 7 and 14: segment 0 to 7.
    let segment = 31 - biased.leading_zeros() - 7;
    let step = (biased >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4) as u8 | step as u8)
}

const fn mu_sample(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let magnitude = (((((code & 0x0f) as i32) << 3) + BIAS) << segment) - BIAS;
    (if code & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

const fn a_code(sample: i32) -> u8 {
    // The same one's complement, in 13-bit units.
    let sign: u8 = if sample < 0 { 0 } else { 0x80 };
    let magnitude = (if sample < 0 { !sample } else { sample }) >> 3;
    let (segment, step) = if magnitude < 32 {
        (0, magnitude >> 1)
    } else {
        let segment = 31 - magnitude.leading_zeros() - 4;
        (segment, (magnitude >> segment) & 0x0f)
    };
    (sign | (segment << 4) as u8 | step as u8) ^ 0x55
}

const fn a_sample(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0f) as i32;
    // The middle of the interval, in 16-bit units.
    let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

const fn mu_decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = mu_sample(code as u8);
        code += 1;
    }
    table
}

const fn a_decode_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = a_sample(code as u8);
        code += 1;
    }
    table
}

const fn mu_encode_table() -> [u8; 16_384] {
    let mut table = [0; 16_384];
    let mut index = 0;
    while index < 16_384 {
        table[index] = mu_code(((index as u16) << 2).cast_signed() as i32);
        index += 1;
    }
    table
}

const fn a_encode_table() -> [u8; 8_192] {
    let mut table = [0; 8_192];
    let mut index = 0;
    while index < 8_192 {
        table[index] = a_code(((index as u16) << 3).cast_signed() as i32);
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes() {
        // ITU-T G.711 tables 1a to 2b: zero, the smallest steps and both ends of the range.
        for (sample, mu, a) in
            [(0, 0xff, 0xd5), (-1, 0x7f, 0x55), (32_767, 0x80, 0xaa), (-32_768, 0x00, 0x2a), (1_000, 0xce, 0xfa)]
        {
            assert_eq!((encode_mu(sample), encode_a(sample)), (mu, a), "{sample}");
        }
        assert_eq!((decode_mu(0x80), decode_mu(0x00)), (32_124, -32_124));
        assert_eq!((decode_a(0xaa), decode_a(0x2a)), (32_256, -32_256));
        assert_eq!((decode_a(0xd5), decode_a(0x55)), (8, -8));
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for code in 0..=255u8 {
            assert_eq!(encode_a(decode_a(code)), code);
            // Mu-law has two zeros; the negative one comes back as the positive one.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(encode_mu(decode_mu(code)), expected);
        }
    }

    #[test]
    fn every_sample_is_off_by_at_most_half_a_step_and_order_is_kept() {
        let (mut last_mu, mut last_a) = (i16::MIN, i16::MIN);
        for sample in i16::MIN..=i16::MAX {
            let (mu, a) = (decode_mu(encode_mu(sample)), decode_a(encode_a(sample)));
            let magnitude = i32::from(sample).abs();
            // A step is a sixteenth of its segment, and a segment ends at twice its start.
            assert!(
                (i32::from(a) - i32::from(sample)).abs() <= (magnitude / 32).max(8) + 1,
                "A-law {sample} became {a}"
            );
            let clipped = i32::from(sample).clamp(-CLIP, CLIP);
            assert!((i32::from(mu) - clipped).abs() <= (magnitude + BIAS) / 32 + 1, "mu-law {sample} became {mu}");
            assert!(mu >= last_mu && a >= last_a);
            (last_mu, last_a) = (mu, a);
        }
    }
}
