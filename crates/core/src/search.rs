//! Finding a device by what a caller says of it: "the tablet at the reception, the main store of Aoba".
//!
//! Everything is compared without regard to width, case, spaces, the kind of kana and the kind of dash. Each word must
//! fit; their order does not matter. A word fits where it is part of the tenant's name, the site's, the label, the name of
//! a person who uses the device, or where the device's number begins with it. People also run names together and shorten
//! them (`あおば薬局本店` for the site 本店 of あおば薬局グループ): a word fits as well when it can be cut into pieces that are parts
//! of different names.
//!
//! [`grams`] says what an index has to keep of names so that nothing this rule finds is missed, [`SearchQuery`] reads
//! whatever stands in a search box.

pub mod grams;
mod query;
mod time_hint;

pub use query::SearchQuery;
pub use time_hint::TimeHint;

use crate::id::DeviceId;
use crate::name::comparison_key;

/// Fewer characters of a number say nothing: numbers are random letters, and any two are in one of forty.
const LEAST_OF_NUMBER: usize = 4;

/// A number is read out in groups of four (`4WD8-D86E`), and people also say the second group alone.
const GROUP: usize = 4;

/// Fewer characters are no piece of a name, unless they are the whole of it.
const LEAST_PIECE: usize = 2;

/// What stands between the pieces in running speech, as in `本店の受付`.
const PARTICLE: &str = "の";

/// The words of a search.
#[derive(Clone, Debug, Default)]
pub struct Search {
    words: Vec<Word>,
    /// Whether no word has more than one character. Such words are in names everywhere, so they find whole names.
    of_letters: bool,
}

#[derive(Clone, Debug)]
struct Word {
    key: String,
    /// The word as it would stand in an identifier: its digits and letters alone.
    number: Option<String>,
}

/// Tenant and site as they are searched; made once for all devices there.
#[derive(Clone, Debug)]
pub struct SearchedPlace {
    tenant: String,
    site: String,
    /// The words that the place alone does not satisfy, by their position.
    open: Vec<usize>,
}

impl Search {
    /// Words as they were typed; one text may hold several, with any spaces between them.
    pub fn new<T: AsRef<str>>(texts: &[T]) -> Self {
        let words = texts.iter().flat_map(|text| text.as_ref().split_whitespace());
        let mut words: Vec<_> = words.map(Word::new).filter(|word| !word.key.is_empty()).collect();
        // Letters with spaces between are a name that is written so: 森 学, 本 店.
        if words.len() > 1 && words.iter().all(|word| is_letter(&word.key)) {
            words = vec![Word::new(&words.iter().map(|word| word.key.as_str()).collect::<String>())];
        }
        let of_letters = words.iter().all(|word| is_letter(&word.key));
        Self { words, of_letters }
    }

    /// Whether nothing is looked for, so that everything is found.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words that may be a device's number, as they would stand in its identifier.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.words.iter().filter_map(|word| word.number.as_deref())
    }

    /// Prepares the names of a tenant and site to be searched in many devices.
    pub fn at(&self, tenant: &str, site: &str) -> SearchedPlace {
        let (tenant, site) = (search_key(tenant), search_key(site));
        let names = [tenant.as_str(), site.as_str()];
        let open = self.words.iter().enumerate().filter(|(_, word)| !self.fits(&word.key, &names));
        let open = open.map(|(position, _)| position).collect();
        SearchedPlace { tenant, site, open }
    }

    /// Whether this device is meant. Of the people who use it a caller names one.
    pub fn finds<P: AsRef<str>>(
        &self,
        place: &SearchedPlace,
        label: &str,
        people: &[P],
        id: &DeviceId,
    ) -> bool {
        if place.open.is_empty() {
            return true;
        }
        let label = search_key(label);
        let names = [place.tenant.as_str(), place.site.as_str(), label.as_str()];
        let open = place.open.iter().map(|&position| &self.words[position]);
        let open: Vec<_> =
            open.filter(|word| !word.is_number_of(id) && !self.fits(&word.key, &names)).collect();
        open.is_empty()
            || people.iter().any(|person| {
                let person = search_key(person.as_ref());
                let [tenant, site, label] = names;
                open.iter().all(|word| self.fits(&word.key, &[tenant, site, label, &person]))
            })
    }

    /// Whether every word may be the number of this device.
    pub fn numbers_all(&self, id: &DeviceId) -> bool {
        !self.words.is_empty() && self.words.iter().all(|word| word.is_number_of(id))
    }

    fn fits(&self, word: &str, names: &[&str]) -> bool {
        if self.of_letters { names.contains(&word) } else { runs_through(word, names) }
    }
}

impl Word {
    fn new(text: &str) -> Self {
        let key = search_key(text);
        let number: String = key.chars().filter(|character| *character != '-').map(digit_meant).collect();
        let may_be =
            number.len() >= LEAST_OF_NUMBER && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self { key, number: may_be.then_some(number) }
    }

    fn is_number_of(&self, id: &DeviceId) -> bool {
        let id = id.as_str();
        self.number.as_deref().is_some_and(|number| {
            id.starts_with(number) || id.get(GROUP..).is_some_and(|later| later.starts_with(number))
        })
    }
}

/// Identifiers have no `o`, `i` and `l`, which people read for the digits they look like.
const fn digit_meant(character: char) -> char {
    match character {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    }
}

fn is_letter(key: &str) -> bool {
    key.chars().nth(1).is_none()
}

/// Whether a word is cut into pieces that are parts of different names; of one name, where it is not cut.
fn runs_through(word: &str, names: &[&str]) -> bool {
    names.iter().any(|name| name.contains(word)) || pieces_fit(word, names)
}

fn pieces_fit(rest: &str, names: &[&str]) -> bool {
    if rest.is_empty() {
        return true;
    }
    names.iter().enumerate().any(|(position, name)| {
        let others: Vec<_> = names.iter().enumerate().filter(|(other, _)| *other != position).collect();
        let others: Vec<_> = others.into_iter().map(|(_, name)| *name).collect();
        pieces(rest, name).any(|piece| {
            let rest = &rest[piece.len()..];
            let after_particle = rest.strip_prefix(PARTICLE).filter(|rest| !rest.is_empty());
            pieces_fit(rest, &others) || after_particle.is_some_and(|rest| pieces_fit(rest, &others))
        })
    })
}

/// The beginnings of a word that are pieces of a name.
fn pieces<'a>(word: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let ends = word.char_indices().map(|(start, character)| start + character.len_utf8());
    let beginnings = ends.enumerate().map(|(before, end)| (before + 1, &word[..end]));
    let known = beginnings.take_while(move |(_, piece)| name.contains(piece));
    known.filter(move |(length, piece)| *length >= LEAST_PIECE || *piece == name).map(|(_, piece)| piece)
}

/// What is compared: the key of names, with one kind of kana and one kind of dash.
pub fn search_key(text: &str) -> String {
    comparison_key(text).chars().map(plain).collect()
}

/// Katakana as the hiragana of the same sound; a dash as a hyphen.
fn plain(character: char) -> char {
    /// From small ァ to small ヶ, and the iteration marks ヽヾ.
    const KATAKANA: [std::ops::RangeInclusive<char>; 2] = ['\u{30a1}'..='\u{30f6}', '\u{30fd}'..='\u{30fe}'];
    const TO_HIRAGANA: u32 = 0x60;
    match character {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        _ if KATAKANA.iter().any(|range| range.contains(&character)) => {
            char::from_u32(u32::from(character) - TO_HIRAGANA).unwrap_or(character)
        }
        _ => character,
    }
}

#[cfg(test)]
mod tests;
