//! Random characters that nobody can guess.
//!
//! Invariant: each character of an alphabet is as likely as any other.

/// So many characters of an alphabet, which has at most 256.
///
/// # Errors
/// If the operating system has no random numbers.
pub(super) fn random_text(alphabet: &[u8], length: usize) -> Result<String, getrandom::Error> {
    // Bytes from here on are drawn again: with them some characters would be likelier than others.
    let fair = 256 / alphabet.len() * alphabet.len();
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes)?;
        let bytes = bytes.iter().map(|byte| usize::from(*byte));
        let characters = bytes
            .filter(|byte| *byte < fair)
            .map(|byte| char::from(alphabet[byte % alphabet.len()]));
        text.extend(characters.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_character_is_as_likely_as_any_other() {
        // With a remainder that was taken, the first 56 of 100 would come half again as often as the others.
        let alphabet: Vec<u8> = (20..120).collect();
        let text = random_text(&alphabet, 200_000).unwrap();
        assert_eq!(text.len(), 200_000);
        let mut counts = BTreeMap::<char, i32>::new();
        text.chars()
            .for_each(|it| *counts.entry(it).or_default() += 1);
        assert_eq!(counts.len(), alphabet.len());
        // 2,000 each: a scatter of seven standard deviations.
        for (character, count) in counts {
            assert!((count - 2_000).abs() < 313, "{character:?}: {count}");
        }
    }
}
