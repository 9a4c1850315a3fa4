use super::*;
use proptest::prelude::*;

#[test]
fn a_name_is_kept_composed_and_without_spaces_around_it() {
    for (typed, kept) in [
        ("あおば薬局", "あおば薬局"),
        ("　受付PC 2 ", "受付PC 2"),
        ("\u{a0}本店", "本店"),
        ("か\u{3099}っこう", "がっこう"),
        ("Cafe\u{301}", "Café"),
        ("ﾚｼﾞ１号", "ﾚｼﾞ１号"),
        // 葛 and 辻 as two cities write them, and a telephone's symbol in color.
        ("葛\u{e0100}城店", "葛\u{e0100}城店"),
        ("☎\u{fe0f}受付", "☎\u{fe0f}受付"),
        ("🏥本店", "🏥本店"),
    ] {
        assert_eq!(Name::label(typed).unwrap().as_str(), kept, "{typed:?}");
    }
}

#[test]
fn what_nobody_sees_is_refused_and_named() {
    for hidden in [
        '\0',
        '\t',
        '\n',
        '\r',
        '\u{7f}',
        '\u{85}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{180e}',
        '\u{2003}',
        '\u{200b}',
        '\u{200d}',
        '\u{200e}',
        '\u{2028}',
        '\u{2029}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2800}',
        '\u{3164}',
        '\u{e000}',
        '\u{feff}',
        '\u{fe0f}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{ffff}',
        '\u{e0001}',
        '\u{e0041}',
        '\u{f0000}',
        '\u{378}',
    ] {
        for text in [format!("受付{hidden}PC"), format!("{hidden}受付"), format!("PC{hidden}")] {
            let refused = Name::label(&text).unwrap_err();
            assert_eq!(refused, NotAName::Hidden(hidden), "{text:?}");
            let code = format!("U+{:04X}", u32::from(hidden));
            for language in [Language::Ja, Language::En] {
                let said = refused.text(language);
                assert!(said.contains(&code) && Name::parse(&said, 200).is_ok(), "{said}");
            }
        }
    }
}

#[test]
fn a_variation_selector_stands_after_a_kanji_or_a_symbol_alone() {
    for wrong in
        ["PC\u{e0100}", "1\u{fe0f}", "受付\u{fe0f}", "\u{e0100}葛", "葛\u{e0100}\u{e0100}", "☎\u{e0101}"]
    {
        assert!(matches!(Name::label(wrong), Err(NotAName::Hidden(_))), "{wrong:?}");
    }
}

#[test]
fn a_name_is_neither_empty_nor_endless_nor_a_mark_alone() {
    for empty in ["", " ", "　 \u{a0}"] {
        assert_eq!(Name::label(empty), Err(NotAName::Empty));
    }
    assert!(Name::label(&"あ".repeat(64)).is_ok());
    assert_eq!(Name::label(&"あ".repeat(65)), Err(NotAName::TooLong(64)));
    assert!(Name::of_place(&"あ".repeat(100)).is_ok());
    assert_eq!(Name::of_place(&"あ".repeat(101)), Err(NotAName::TooLong(100)));
    assert_eq!(Name::label("\u{3099}"), Err(NotAName::LooseMark('\u{3099}')));
}

#[test]
fn names_that_look_alike_are_one() {
    for (one, other) in [
        ("受付PC 2", "受付ＰＣ２"),
        ("受付pc2", "受付 PC　2"),
        ("ﾚｼﾞ1", "レジ１"),
        ("ﾊ\u{ff9e}ｯｸﾔｰﾄﾞ", "バックヤード"),
        ("は\u{309b}", "ば"),
        ("が", "か\u{3099}"),
        ("葛\u{e0100}城", "葛城"),
        ("㈱あおば", "(株)あおば"),
        ("Café", "CAFE\u{301}"),
    ] {
        assert!(is_same(one, other), "{one} {other}: {} {}", comparison_key(one), comparison_key(other));
    }
    for (one, other) in [("レジ1", "レジ2"), ("ハ", "バ"), ("本店", "支店"), ("PC-1", "PC1")] {
        assert!(!is_same(one, other), "{one} {other}");
    }
}

#[test]
fn one_of_several_is_found_by_its_identifier_or_a_name_that_looks_alike() {
    let all = [
        ("1", "本店"),
        ("2", "ドラッグ1号店"),
        ("3", "駅前店"),
        ("4", "駅前店"),
        ("5", "1"),
        ("6", "東店"),
        ("7", "東 店"),
    ];
    let position = |wanted| position_of(&all, wanted, |one| *one);
    assert_eq!(position("本店"), Ok(0));
    assert_eq!(position("ﾄﾞﾗｯｸﾞ １号店"), Ok(1));
    assert_eq!(position("1"), Ok(0), "an identifier comes before a name");
    assert_eq!(position("4"), Ok(3));
    assert_eq!((position("東店"), position("東 店")), (Ok(5), Ok(6)), "exactly so");
    assert_eq!((position("駅前店"), position("東　店")), (Err(NotOne::Several), Err(NotOne::Several)));
    assert_eq!((position("北店"), position("")), (Err(NotOne::None), Err(NotOne::None)));
}

proptest! {
    #[test]
    fn a_name_is_a_name_again_and_its_key_is_its_own_key(text in ".{0,80}") {
        if let Ok(name) = Name::label(&text) {
            prop_assert_eq!(Name::label(name.as_str()), Ok(name.clone()));
            prop_assert_eq!(comparison_key(&name.key()), name.key());
            prop_assert!(is_same(&text, name.as_str()));
        }
    }

    #[test]
    fn the_key_of_any_text_is_stable(text in any::<String>()) {
        let key = comparison_key(&text);
        prop_assert_eq!(comparison_key(&key), key);
    }
}
