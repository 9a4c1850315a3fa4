//! Finding a device by what a caller says of it: "the tablet at the reception, the main store of Aoba".
//!
//! Everything is compared without regard to width, case, spaces, the kind of kana and the kind of dash. Each word must
//! fit; their order does not matter. A word fits where it is part of the tenant's name, the site's, the label or the
//! device's number. People also run names together and shorten them (`あおば薬局本店` for the site 本店 of あおば薬局グループ): a word
//! fits as well when it can be cut into pieces that are parts of different names.

use crate::id::DeviceId;
use crate::name::comparison_key;

/// Fewer characters of a number say nothing: numbers are random letters, and any two are in one of forty.
const LEAST_OF_NUMBER: usize = 4;

/// Fewer characters are no piece of a name, unless they are the whole of it.
const LEAST_PIECE: usize = 2;

/// What stands between the pieces in running speech, as in `本店の受付`.
const PARTICLE: &str = "の";

/// The words of a search.
#[derive(Clone, Debug)]
pub struct Search {
    words: Vec<Word>,
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
        Self { words: words.map(Word::new).filter(|word| !word.key.is_empty()).collect() }
    }

    /// Whether nothing is looked for, so that everything is found.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Prepares the names of a tenant and site to be searched in many devices.
    pub fn at(&self, tenant: &str, site: &str) -> SearchedPlace {
        let (tenant, site) = (search_key(tenant), search_key(site));
        let names = [tenant.as_str(), site.as_str()];
        let open = self.words.iter().enumerate().filter(|(_, word)| !runs_through(&word.key, &names));
        let open = open.map(|(position, _)| position).collect();
        SearchedPlace { tenant, site, open }
    }

    /// Whether this device is meant.
    pub fn finds(&self, place: &SearchedPlace, label: &str, id: &DeviceId) -> bool {
        if place.open.is_empty() {
            return true;
        }
        let label = search_key(label);
        let names = [place.tenant.as_str(), place.site.as_str(), label.as_str()];
        place.open.iter().all(|&position| {
            let word = &self.words[position];
            let is_number = word.number.as_deref().is_some_and(|number| id.as_str().contains(number));
            is_number || runs_through(&word.key, &names)
        })
    }
}

impl Word {
    fn new(text: &str) -> Self {
        let key = search_key(text);
        let number: String = key.chars().filter(|character| *character != '-').collect();
        let may_be =
            number.len() >= LEAST_OF_NUMBER && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self { key, number: may_be.then_some(number) }
    }
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
fn search_key(text: &str) -> String {
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
mod tests {
    use super::*;

    const TENANT: &str = "あおば薬局グループ";
    const ID: &str = "4wd8d86e0000000000000000zz";

    fn finds(words: &[&str], tenant: &str, site: &str, label: &str) -> bool {
        let search = Search::new(words);
        search.finds(&search.at(tenant, site), label, &DeviceId::parse(ID).expect("an identifier"))
    }

    #[test]
    fn a_caller_finds_the_tablet_however_the_names_are_run_together() {
        for words in [
            &["受付のタブレット", "あおば薬局本店"][..],
            &["受付のタブレット あおば薬局本店"],
            &["あおば薬局本店", "受付のタブレット"],
            &["あおば薬局本店の受付のタブレット"],
            &["あおば薬局グループ本店受付のタブレット"],
            &["本店　あおば", "タブレット"],
            &["本店受付"],
            &["受付", "本店", "あおば", "4wd8"],
            &[],
        ] {
            assert!(finds(words, TENANT, "本店", "受付のタブレット"), "{words:?}");
        }
        for words in [
            &["受付のタブレット", "あおば薬局駅前店"][..],
            &["みどり薬局本店"],
            &["本店", "受付", "レジ"],
            &["本店本店"],
            &["あおば薬局本"],
            &["グループ店"],
        ] {
            assert!(!finds(words, TENANT, "本店", "受付のタブレット"), "{words:?}");
        }
    }

    #[test]
    fn width_case_spaces_kana_and_dashes_make_no_difference() {
        for (word, label) in [
            ("ﾀﾌﾞﾚｯﾄ", "受付のタブレット"),
            ("たぶれっと", "受付のタブレット"),
            ("受付ＰＣ", "受付 pc"),
            ("レジ−１", "レジ-1"),
            ("がくえん", "ガクエン前"),
        ] {
            assert!(finds(&[word], TENANT, "本店", label), "{word} in {label}");
        }
    }

    #[test]
    fn a_number_is_found_by_any_four_characters_with_or_without_hyphen() {
        for word in ["4WD8-D86E", "4wd8d86e", "d86e", "４ｗｄ８", ID] {
            assert!(finds(&[word], TENANT, "本店", "PC"), "{word}");
        }
        // Two letters are in many numbers by chance.
        for word in ["d8", "zz"] {
            assert!(!finds(&[word], TENANT, "本店", "PC"), "{word}");
        }
    }

    #[test]
    fn a_piece_of_one_character_is_no_piece_unless_it_is_a_whole_name() {
        assert!(finds(&["あおばA"], "あおば", "A", "PC"));
        assert!(!finds(&["あおば店"], "あおば", "本店", "PC"));
    }
}
