//! Which pictures did they upload? Small valid PNG files, drawn from the seed.

use rusqlite::{Transaction, params};

use super::create::{BUSIEST, PEOPLE};
use super::random::Random;

/// Writes `images`: for one person in ten, and a dozen for the busiest.
pub(super) fn write(shop: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut insert = shop.prepare("insert into images values (?, ?, ?, ?)")?;
    let mut random = Random::of_table("images");
    let mut id = 0_u32;
    for customer in 1..=PEOPLE {
        let many = match customer {
            _ if customer == BUSIEST.id => 12,
            _ if random.chance(1, 10) => random.between(1, 3),
            _ => 0,
        };
        for _ in 0..many {
            id += 1;
            let caption = random.pick(&[None, Some(""), Some("my sundial ☀"), Some("影")]);
            insert.execute(params![id, customer, caption, picture(&mut random)])?;
        }
    }
    Ok(())
}

/// Draws a square of 18 to 114 pixels, between 1 and 40 KB.
fn picture(random: &mut Random) -> Vec<u8> {
    let side = random.between(18, 115);
    let tint = random.below(256);
    let mut rows = Vec::new();
    for y in 0..side {
        rows.push(0); // no filter
        for x in 0..side {
            rows.extend([low_byte(x * 4 + tint), low_byte(y * 4), low_byte((x ^ y) + tint)]);
        }
    }
    png(side, &rows)
}

/// Wraps rows of 8-bit RGB in a PNG (<https://www.w3.org/TR/png-3/>) without compressing them.
fn png(side: u32, rows: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(side.to_be_bytes());
    header.extend(side.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]); // depth, RGB, deflate, adaptive filters, not interlaced

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &zlib_stored(rows));
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let length = u32::try_from(data.len()).expect("a picture of 114 pixels square has 40 KB");
    file.extend(length.to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let sum = crc32(file.iter().skip(start).copied());
    file.extend(sum.to_be_bytes());
}

/// RFC 1950 around stored blocks of RFC 1951.
fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("chunks of at most 65535 bytes");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend(((b << 16) | a).to_be_bytes());
    out
}

/// The CRC of PNG and zip, bit by bit: pictures are small.
fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

fn low_byte(number: u32) -> u8 {
    let [.., low] = number.to_be_bytes();
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_has_its_check_value() {
        assert_eq!(crc32(b"123456789".iter().copied()), 0xcbf4_3926);
    }

    #[test]
    fn smallest_picture_is_byte_for_byte_a_png() {
        // Made by Python: zlib level 0 of one black pixel.
        let file = png(1, &[0, 0, 0, 0]);
        let expected = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\
            \0\0\0\x0fIDAT\x78\x01\x01\x04\0\xfb\xff\0\0\0\0\0\x04\0\x01eI\xc3`\
            \0\0\0\0IEND\xaeB`\x82";
        assert_eq!(file, expected);
    }

    #[test]
    fn pictures_have_the_promised_size() {
        let mut random = Random::of_table("test");
        for _ in 0..200 {
            assert!((1_000..=41_000).contains(&picture(&mut random).len()));
        }
    }
}
