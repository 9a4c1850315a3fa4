//! Which characters are invisible, or change how others are shown.

use crate::language::Language;
use unicode_properties::{EmojiStatus, GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

/// Whether a character is not seen, or changes how the text around it is seen: controls, what turns text around, what has
/// no width, ends of lines and paragraphs, characters that nobody has defined or that are private. Selectors of variants
/// are not among them: they stand behind the character whose glyph they choose.
pub fn hides(character: char) -> bool {
    let is_defined_away = matches!(
        character.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::Surrogate
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    // Spaces of other widths cannot be told from the plain one.
    let is_odd_space = character.general_category() == GeneralCategory::SpaceSeparator
        && !matches!(character, ' ' | '\u{3000}' | '\u{a0}');
    is_defined_away || is_odd_space || is_blank(character)
}

/// Letters, marks and symbols by their category that have no ink: fillers of Hangul, vowels and selectors of scripts that
/// are not shown (`Default_Ignorable_Code_Point`), the empty pattern of Braille.
const fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'
            ..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{1d159}'
    )
}

/// Whether a character chooses the glyph of the one before it.
pub(super) const fn is_selector(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a selector may stand behind `before`: behind kanji, whose variants are how some people and places write their
/// names, and behind symbols that a telephone shows in color.
pub(super) fn selects(before: char, selector: char) -> bool {
    match selector {
        '\u{fe0e}' | '\u{fe0f}' => {
            !before.is_ascii()
                && !matches!(
                    before.emoji_status(),
                    EmojiStatus::NonEmoji | EmojiStatus::NonEmojiButEmojiComponent
                )
        }
        '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => is_kanji(before),
        _ => false,
    }
}

const fn is_kanji(character: char) -> bool {
    matches!(
        character,
        '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'
    )
}

/// Names a character that nobody would see in the message.
pub(super) fn described(character: char, language: Language) -> String {
    let number = u32::from(character);
    let (ja, en) = kind(character);
    match language {
        Language::Ja => format!("名前に{ja} (U+{number:04X}) が含まれています。取り除いてください"),
        Language::En => format!("the name holds {en} (U+{number:04X}): take it out"),
    }
}

fn kind(character: char) -> (&'static str, &'static str) {
    match character {
        '\t' => return ("タブ", "a tab"),
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
            return ("改行", "the end of a line");
        }
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => {
            return ("文字の向きを変える制御文字", "a character that turns text around");
        }
        _ => {}
    }
    match character.general_category() {
        GeneralCategory::Control => ("制御文字", "a control character"),
        GeneralCategory::PrivateUse => {
            ("外字(私用領域の文字)", "a private-use character, which others cannot read")
        }
        GeneralCategory::Unassigned | GeneralCategory::Surrogate => {
            ("定義されていない文字", "a character that is not defined")
        }
        GeneralCategory::SpaceSeparator => ("特殊な幅の空白", "a space of an unusual width"),
        _ => ("見えない文字", "an invisible character"),
    }
}
