//! What an index keeps of names: the pairs of letters that stand side by side, and a name of one letter as a whole.
//!
//! A word that fits begins in one name and ends in one, perhaps another: whatever way it is cut, its first piece has the
//! word's first two letters, or is a whole name of one letter, and its last piece likewise. These two are the word's
//! [`Demand`]s. What meets all demands of a search holds everything that the search finds, and more, which the rule itself
//! then sorts out.

use super::{Search, Word, search_key};
use std::collections::BTreeSet;

/// Two letters side by side, or one that is a whole name, as a number: letters have 21 bits.
pub type Gram = i64;

/// The most demands that are made: whoever types more words has named the device long before.
pub const MOST_DEMANDS: usize = 32;

/// One of these grams has to be in one of the names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Demand(pub [Gram; 2]);

/// The grams of a name.
pub fn of_name(name: &str) -> BTreeSet<Gram> {
    of_key(&search_key(name))
}

/// The grams of a name's key.
pub fn of_key(key: &str) -> BTreeSet<Gram> {
    let letters: Vec<char> = key.chars().collect();
    match letters[..] {
        [only] => BTreeSet::from([whole(only)]),
        _ => letters.windows(2).map(|pair| gram(pair[0], pair[1])).collect(),
    }
}

impl Search {
    /// What the names of a device have to hold for all words to fit by names. A device that a word fits by its number is
    /// looked up by [`Search::numbers`].
    pub fn demands(&self) -> Vec<Demand> {
        let demands = self.words.iter().flat_map(|word| self.demands_of(word)).collect::<BTreeSet<_>>();
        demands.into_iter().take(MOST_DEMANDS).collect()
    }

    /// Whatever a name has in common with one of the words, if it is more than one letter of a longer name.
    pub fn grams(&self) -> BTreeSet<Gram> {
        let words = self.words.iter();
        words
            .flat_map(|word| {
                let letters = word.key.chars().map(whole);
                of_key(&word.key).into_iter().chain(letters).collect::<Vec<_>>()
            })
            .collect()
    }

    fn demands_of(&self, word: &Word) -> Vec<Demand> {
        let letters: Vec<char> = word.key.chars().collect();
        match letters[..] {
            // One letter is in names everywhere; where there are only such, whole names are looked for.
            [only] if self.of_letters => vec![Demand([whole(only); 2])],
            [_] | [] => Vec::new(),
            [first, second, ..] => {
                let (before, last) = (letters[letters.len() - 2], letters[letters.len() - 1]);
                let beginning = Demand([gram(first, second), whole(first)]);
                let end = Demand([gram(before, last), whole(last)]);
                vec![beginning, end]
            }
        }
    }
}

fn gram(first: char, second: char) -> Gram {
    /// Bits of a letter.
    const LETTER: u32 = 21;
    (i64::from(u32::from(first)) << LETTER) | i64::from(u32::from(second))
}

/// No name holds the letter U+0000.
fn whole(letter: char) -> Gram {
    gram(letter, '\0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceId;
    use proptest::prelude::*;

    fn meets(demands: &[Demand], names: &[&str]) -> bool {
        let grams: BTreeSet<_> = names.iter().flat_map(|name| of_name(name)).collect();
        demands.iter().all(|Demand(either)| either.iter().any(|gram| grams.contains(gram)))
    }

    proptest! {
        #[test]
        fn whatever_names_a_search_finds_meet_its_demands(
            tenant in "[あ-うアA]{1,4}", site in "[あ-うB]{1,3}", label in "[い-えc]{1,4}", person in "[あえお]{1,3}",
            words in proptest::collection::vec("[あ-おアaBcの]{1,6}", 1..4),
        ) {
            let search = Search::new(&words);
            let id = DeviceId::parse("0000000000000000000000zzzz").unwrap();
            if search.finds(&search.at(&tenant, &site), &label, &[&person], &id) {
                prop_assert!(meets(&search.demands(), &[&tenant, &site, &label, &person]), "{words:?}");
            }
        }
    }

    #[test]
    fn kana_width_and_case_make_one_gram() {
        assert_eq!(of_name("ﾚｼﾞ PC"), of_name("れじｐｃ"));
        assert_eq!(of_name("A").len(), 1);
        assert!(of_name("").is_empty());
    }
}
