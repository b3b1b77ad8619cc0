//! How are numbers written for people?

use std::time::Duration;

/// Groups digits by three: `12 345`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Writes a size in powers of 1000: `999 B`, `1.5 MB`.
pub(super) fn bytes(number: u64) -> String {
    let mut unit = 1_u64;
    for name in ["B", "kB", "MB", "GB", "TB"] {
        if number / unit < 1000 || name == "TB" {
            if name == "B" {
                return format!("{number} B");
            }
            let tenths = number / (unit / 10);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit *= 1000;
    }
    format!("{number} B")
}

/// Writes a span in its two largest units: `59 s`, `2 min 5 s`, `3 h 20 min`.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Writes a noun with its number: `1 row`, `2 rows`.
pub(super) fn plural(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {noun}{end}", count(number))
}

/// Writes a text of others so that it cannot steer the terminal: control characters as `\u{1b}`.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || BIDI.contains(&character) {
            plain.extend(character.escape_unicode());
        } else {
            plain.push(character);
        }
    }
    plain
}

/// Characters that reorder what is around them.
const BIDI: [char; 9] = [
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_others_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\n\u{202e}ü"), "a\\u{1b}[2Jb\\u{a}\\u{202e}ü");
    }

    #[test]
    fn numbers_are_grouped_and_sizes_have_one_digit_behind_the_point() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1 000", "1 234 567"]);
        assert_eq!(
            [0, 999, 1_000, 1_050, 999_999, 1_000_000, 2_500_000_000, 7_000_000_000_000_000]
                .map(bytes),
            ["0 B", "999 B", "1.0 kB", "1.0 kB", "999.9 kB", "1.0 MB", "2.5 GB", "7000.0 TB"]
        );
        assert_eq!(
            [0, 59, 125, 12_000].map(|s| span(Duration::from_secs(s))),
            ["0 s", "59 s", "2 min 5 s", "3 h 20 min"]
        );
        assert_eq!([plural(1, "row"), plural(2_000, "row")], ["1 row", "2 000 rows"]);
    }
}
