//! "Did you mean".

/// Finds the candidate that a mistyped word most likely meant, if any is near.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let folded = word.to_lowercase();
    let limit = (folded.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Counts insertions, deletions and replacements between two words (Levenshtein). Long words are never near.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(LONGEST).collect();
    let b: Vec<char> = b.chars().take(LONGEST).collect();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (row, left) in a.iter().enumerate() {
        let mut above_left = row;
        let mut last = row + 1;
        let mut current = vec![last];
        for (right, above) in b.iter().zip(previous.iter().skip(1)) {
            last = (above_left + usize::from(left != right)).min(above + 1).min(last + 1);
            above_left = *above;
            current.push(last);
        }
        previous = current;
    }
    previous.last().copied().unwrap_or(usize::MAX)
}

const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["address", "insecure_http", "body_limit"];
        assert_eq!(nearest("adress", known), Some("address"));
        assert_eq!(nearest("Insecure-HTTP", known), Some("insecure_http"));
        assert_eq!(nearest("port", known), None);
    }
}
