//! What stands in a search box, read once: words, numbers of certificates, and when the device was used.

use super::time_hint::{self, TimeHint};
use super::{Search, is_letter};
use crate::Timestamp;
use crate::name::composed_narrow;

/// The most words that count: more than anybody says.
const MOST_WORDS: usize = 16;

/// The longest word that counts, in characters: longer than any name.
const LONGEST_WORD: usize = 128;

/// Serials and fingerprints have at least so many hexadecimal digits; fewer are a word like any other.
const LEAST_HEX: usize = 16;

/// What a caller says of a device.
#[derive(Clone, Debug, Default)]
pub struct SearchQuery {
    search: Search,
    time: Option<TimeHint>,
    /// The octets that a serial or a fingerprint stands for, where a word is one.
    certificates: Vec<Vec<u8>>,
}

impl SearchQuery {
    /// Reads what was typed. Words that say when (`今日の3時ごろ使った`, `used at about 3 today`) are taken out; whatever else is
    /// there has to fit.
    pub fn parse(text: &str, now: Timestamp) -> Self {
        let words: Vec<&str> = text.split_whitespace().take(MOST_WORDS).collect();
        let (time, words) = time_hint::take(&words, now);
        let words = words.into_iter().filter(|word| word.chars().count() <= LONGEST_WORD);
        let (hex, words): (Vec<_>, Vec<_>) = words.partition(|word| octets(word).is_some());
        let certificates = hex.iter().filter_map(|word| octets(word)).collect();
        Self { search: Search::new(&words), time, certificates }
    }

    /// The words that have to fit.
    pub fn words(&self) -> &Search {
        &self.search
    }

    /// When the device was used, as far as that was said.
    pub fn time(&self) -> Option<&TimeHint> {
        self.time.as_ref()
    }

    /// Serials and fingerprints of certificates.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.search.is_empty() && self.time.is_none() && self.certificates.is_empty()
    }

    /// Whether there is no word of more than one letter yet: a search box waits for the second.
    pub fn is_one_letter(&self) -> bool {
        let mut words = self.search.words.iter();
        words.next().is_some_and(|word| is_letter(&word.key)) && words.next().is_none()
    }
}

/// Of hexadecimal digits, with or without colons, as browsers and OpenSSL show them. What is as long as a device's identifier is
/// taken for one.
fn octets(word: &str) -> Option<Vec<u8>> {
    let narrow = composed_narrow(word);
    let digits: Vec<u32> =
        narrow.chars().filter(|c| *c != ':').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    if digits.len() < LEAST_HEX || !digits.len().is_multiple_of(2) || digits.len() == DEVICE_ID {
        return None;
    }
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect()
}

/// Characters of a device's identifier.
const DEVICE_ID: usize = 26;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    #[test]
    fn a_serial_is_read_as_browsers_show_it_and_a_time_is_no_word() {
        let query = SearchQuery::parse("0A:1b:2c:3d:4e:5f:60:71 受付 今日の3時ごろ使った", NOW);
        assert_eq!(query.certificates(), [vec![0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f, 0x60, 0x71]]);
        assert!(query.time().is_some() && query.words().words.len() == 1);
        let query = SearchQuery::parse("4wd8d86e0000000000000000zz d86e", NOW);
        assert!(query.certificates().is_empty() && query.words().numbers().count() == 2);
        assert!(SearchQuery::parse(" 　", NOW).is_empty());
    }

    #[test]
    fn what_is_too_long_for_a_name_or_too_much_to_say_costs_nothing() {
        let long = format!("{} {}", "あ".repeat(10_000), "い ".repeat(10_000));
        assert!(SearchQuery::parse(&long, NOW).words().words.len() < MOST_WORDS);
    }
}
