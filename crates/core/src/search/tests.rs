//! What callers say, and what it finds.

use super::*;

const TENANT: &str = "あおば薬局グループ";
const ID: &str = "4wd8d86e0000000000000000zz";

fn finds(words: &[&str], tenant: &str, site: &str, label: &str) -> bool {
    finds_used_by(&[], words, tenant, site, label)
}

fn finds_used_by(people: &[&str], words: &[&str], tenant: &str, site: &str, label: &str) -> bool {
    let search = Search::new(words);
    search.finds(&search.at(tenant, site), label, people, &DeviceId::parse(ID).expect("an identifier"))
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
fn a_number_is_found_by_either_group_with_or_without_hyphen() {
    for word in ["4WD8-D86E", "4wd8d86e", "d86e", "４ｗｄ８", "d86eOOOO", ID] {
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

#[test]
fn one_letter_is_a_whole_name_or_stands_beside_a_longer_word() {
    assert!(
        finds_used_by(&["森 学"], &["森", "学"], "あおば", "本店", "PC"),
        "letters with spaces are one name"
    );
    assert!(finds(&["A"], "あおば", "A", "PC") && !finds(&["A"], "あおば", "A店", "PC"));
    assert!(finds(&["レジ", "2"], "あおば", "本店", "レジ2") && !finds(&["2"], "あおば", "本店", "レジ2"));
}

#[test]
fn a_caller_says_who_they_are_in_place_of_what_the_device_is_called() {
    let people = ["田中 花子", "鈴木 一郎"];
    for words in [&["本店の田中花子"][..], &["鈴木", "あおば"], &["田中"]] {
        assert!(finds_used_by(&people, words, TENANT, "本店", "受付"), "{words:?}");
    }
    for words in [&["田中", "鈴木"][..], &["佐藤"]] {
        assert!(!finds_used_by(&people, words, TENANT, "本店", "受付"), "{words:?}");
    }
}
