//! What a password must be (guideline Q&A シQ-54): eight characters or more, since a second factor always goes with it, and
//! none of those that everybody tries first. No rule about kinds of characters and no end date: both lead to worse passwords
//! (NIST SP 800-63B section 5.1.1.2).

use tegata_core::Language;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The fewest characters of a password.
pub(crate) const SHORTEST: usize = 8;

/// The most characters of a password: what is hashed has a bound.
const LONGEST: usize = 128;

/// Words that people put digits around, and passwords that lists of stolen ones begin with. Lower-case letters only.
const COMMON: &str = include_str!("common_passwords.txt");

/// A password as it is hashed: composed (NFKC), so that another keyboard types the same. It never prints itself.
pub(crate) struct Password(Zeroizing<String>);

/// Why a password cannot be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UnfitPassword {
    /// It has fewer than eight characters.
    TooShort,
    /// It has more than 128 characters.
    TooLong,
    /// Everybody tries it first.
    Common,
    /// Few different characters, or such as stand in a row.
    Simple,
    /// It is made of the login.
    Login,
}

impl Password {
    /// From what somebody typed; longer ones than any password are cut, and fit none.
    pub(crate) fn typed(text: &str) -> Self {
        Self(Zeroizing::new(text.nfkc().take(LONGEST + 1).collect()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// What is wrong with it for this person, who has typed it twice.
    pub(crate) fn fault(&self, again: &str, login: &str, language: Language) -> Option<&'static str> {
        if let Err(unfit) = self.check(login) {
            return Some(unfit.text(language));
        }
        let is_same = Self::typed(again).as_bytes() == self.as_bytes();
        (!is_same).then(|| {
            language.pick(
                "2回の入力が違います。もう一度入力してください。",
                "The two entries differ. Type both again.",
            )
        })
    }

    /// Whether this person may have it.
    pub(crate) fn check(&self, login: &str) -> Result<(), UnfitPassword> {
        let length = self.0.chars().count();
        if length < SHORTEST {
            return Err(UnfitPassword::TooShort);
        }
        if length > LONGEST {
            return Err(UnfitPassword::TooLong);
        }
        let lower = Zeroizing::new(self.0.to_lowercase());
        let word = lower.trim_matches(|character: char| !character.is_alphabetic());
        let word =
            Zeroizing::new(word.replace('@', "a").replace('0', "o").replace('1', "i").replace('$', "s"));
        if COMMON.lines().any(|common| *common == **word) {
            return Err(UnfitPassword::Common);
        }
        if is_simple(&lower) {
            return Err(UnfitPassword::Simple);
        }
        let login = login.to_lowercase();
        let without = lower.replace(&login, "");
        if !login.is_empty() && without.chars().count() + 4 <= length && without.chars().count() < SHORTEST {
            return Err(UnfitPassword::Login);
        }
        Ok(())
    }
}

/// At most three different characters, or each the neighbor of the one before: `aaaaaaaa`, `12345678`, `abcdefgh`, `87654321`.
fn is_simple(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let mut different = characters.clone();
    different.sort_unstable();
    different.dedup();
    let pairs =
        || characters.windows(2).map(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0])));
    different.len() <= 3 || pairs().all(|step| step == 1) || pairs().all(|step| step == -1)
}

impl UnfitPassword {
    /// In words, for whoever chose it.
    pub(crate) const fn text(self, language: Language) -> &'static str {
        match self {
            Self::TooShort => {
                language.pick("パスワードは8文字以上にしてください。", "Use 8 characters or more.")
            }
            Self::TooLong => {
                language.pick("パスワードは128文字以内にしてください。", "Use 128 characters or fewer.")
            }
            Self::Common => language.pick(
                "よく使われるパスワードのため、推測されやすく使えません。別のものにしてください。",
                "This is one of the passwords that everybody tries first. Choose another.",
            ),
            Self::Simple => language.pick(
                "同じ文字や並んだ文字が続くため使えません。別のものにしてください。",
                "It has too few different characters, or they stand in a row. Choose another.",
            ),
            Self::Login => language.pick(
                "ログインIDをもとにしたパスワードは使えません。別のものにしてください。",
                "It is made of the login ID. Choose another.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_eight_characters_and_is_nothing_that_everybody_tries() {
        let check = |text: &str| Password::typed(text).check("tanaka.hanako");
        for good in
            ["correct horse", "むかしむかしあるところに", "k7#mQ2pz", "薬局の朝は早い", &"xyz7".repeat(32)]
        {
            let expected =
                if good == "薬局の朝は早い" { Err(UnfitPassword::TooShort) } else { Ok(()) };
            assert_eq!(check(good), expected, "{good}");
        }
        for (wrong, why) in [
            ("", UnfitPassword::TooShort),
            ("k7#mQ2p", UnfitPassword::TooShort),
            (&"xyz7".repeat(33), UnfitPassword::TooLong),
            ("password", UnfitPassword::Common),
            ("P@ssw0rd!", UnfitPassword::Common),
            ("Pharmacy2026", UnfitPassword::Common),
            ("yakkyoku01", UnfitPassword::Common),
            ("1qaz2wsx", UnfitPassword::Common),
            ("ｐａｓｓｗｏｒｄ１", UnfitPassword::Common),
            ("12345678", UnfitPassword::Simple),
            ("98765432", UnfitPassword::Simple),
            ("zzzzzzzz", UnfitPassword::Simple),
            ("12121212", UnfitPassword::Simple),
            ("abcdefghij", UnfitPassword::Simple),
            ("Tanaka.Hanako1", UnfitPassword::Login),
        ] {
            assert_eq!(check(wrong), Err(why), "{wrong}");
        }
    }

    #[test]
    fn width_makes_no_other_password_and_case_does() {
        assert_eq!(Password::typed("ＡＢc１２３４５").as_bytes(), b"ABc12345");
        assert_ne!(Password::typed("abc12345").as_bytes(), b"ABc12345");
    }

    #[test]
    fn every_reason_is_said_in_both_languages() {
        for why in [
            UnfitPassword::TooShort,
            UnfitPassword::TooLong,
            UnfitPassword::Common,
            UnfitPassword::Simple,
            UnfitPassword::Login,
        ] {
            assert!(!why.text(Language::Ja).is_ascii() && why.text(Language::En).is_ascii());
        }
    }
}
