//! The platform that a device claims to be.

use crate::language::Language;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A kind of device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// A PC with Windows.
    Windows,
    /// A Mac with macOS.
    Macos,
    /// An iPhone or iPad.
    Ios,
    /// An Android phone or tablet.
    Android,
    /// A Chromebook of any maker.
    Chromeos,
    /// A computer with another Linux.
    Linux,
    /// An iPhone, iPad or Mac that does not say which: so they come to ACME and SCEP by a profile.
    Apple,
    /// Whatever does not say what it is: printers, routers, servers with a client of their own.
    Other,
}

crate::device::text_form! {
    Platform {
        Windows = "windows", Macos = "macos", Ios = "ios", Android = "android", Chromeos = "chromeos", Linux = "linux",
        Apple = "apple", Other = "other",
    }
}

/// What a `User-Agent` has in it, in lower case, in the order in which it is looked for: an iPhone says "like Mac OS X",
/// an Android device says "Linux".
const WORDS: [(&str, Platform); 13] = [
    ("iphone", Platform::Ios),
    ("ipad", Platform::Ios),
    ("ipod", Platform::Ios),
    ("android", Platform::Android),
    ("cros ", Platform::Chromeos),
    ("windows", Platform::Windows),
    ("win32", Platform::Windows),
    ("win64", Platform::Windows),
    ("macintosh", Platform::Macos),
    ("mac os x", Platform::Macos),
    ("darwin", Platform::Apple),
    ("cfnetwork", Platform::Apple),
    ("linux", Platform::Linux),
];

impl Platform {
    /// The name that people know.
    pub const fn name(self, language: Language) -> &'static str {
        match self {
            Self::Windows => "Windows",
            Self::Macos => "Mac",
            Self::Ios => "iPhone / iPad",
            Self::Android => "Android",
            Self::Chromeos => "ChromeOS",
            Self::Linux => "Linux",
            Self::Apple => "Apple",
            Self::Other => language.pick("その他", "Other"),
        }
    }

    /// The name of what a device says it is; some have said nothing yet.
    pub const fn name_of(platform: Option<Self>, language: Language) -> &'static str {
        match platform {
            Some(platform) => platform.name(language),
            None => language.pick("不明", "Unknown"),
        }
    }

    /// From the `User-Agent` of a request.
    pub fn of_user_agent(user_agent: &str) -> Self {
        let said = user_agent.to_ascii_lowercase();
        let word = WORDS.iter().find(|(word, _)| said.contains(word));
        word.map_or(Self::Other, |(_, platform)| *platform)
    }

    /// Whether a rule that names these lets it in. An Apple device that does not say which it is counts as any; it got
    /// its profile where it did say.
    pub fn is_among(self, allowed: &BTreeSet<Self>) -> bool {
        let also: &[Self] = match self {
            Self::Apple => &[Self::Ios, Self::Macos],
            Self::Ios | Self::Macos => &[Self::Apple],
            _ => &[],
        };
        allowed.contains(&self) || also.iter().any(|other| allowed.contains(other))
    }
}
