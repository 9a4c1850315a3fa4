//! The scripts of the pages. Small, our own, and without dependencies: they hold a private key for a moment.

use axum::Router;
use tegata_web::Asset;
use tegata_web::assets::{self, LAYOUT};

macro_rules! assets {
    ($constant:ident, $folder:literal, $content_type:literal: $($name:literal),* $(,)?) => {
        const $constant: &[Asset] = &[$(Asset {
            name: concat!($folder, $name),
            content_type: $content_type,
            bytes: include_bytes!(concat!("../assets/", $folder, $name)),
        }),*];
    };
}

assets! { SCRIPTS, "", "text/javascript; charset=utf-8":
    "api.js",
    "base64.js",
    "begin.js",
    "ceremony.js",
    "countdown.js",
    "csr.js",
    "der.js",
    "des.js",
    "enroll.js",
    "handover.js",
    "home.js",
    "install.js",
    "key.js",
    "kitting.js",
    "other-browser.js",
    "parcel.js",
    "password.js",
    "pkcs12.js",
    "platform.js",
    "probe.js",
    "profile.js",
    "proof.js",
    "renew.js",
    "sealed.js",
    "sha1.js",
    "shop.js",
    "typed.js",
    "view.js",
    "waiting.js",
    "ways.js",
    "why.js",
}

// Pictures of the steps. They hold no words: one serves every language.
assets! { GUIDE, "guide/", "image/svg+xml":
    "android-1.svg",
    "android-2.svg",
    "chromeos-1.svg",
    "chromeos-2.svg",
    "copy-1.svg",
    "copy-3.svg",
    "copy-chrome.svg",
    "copy-safari.svg",
    "firefox-1.svg",
    "firefox-2.svg",
    "firefox-3.svg",
    "ios-1.svg",
    "ios-2.svg",
    "ios-3.svg",
    "linux-1.svg",
    "linux-2.svg",
    "macos-1.svg",
    "macos-2.svg",
    "macos-3.svg",
    "profile-ios-1.svg",
    "profile-ios-3.svg",
    "profile-macos-1.svg",
    "profile-macos-2.svg",
    "profile-macos-3.svg",
    "windows-1.svg",
    "windows-2.svg",
    "windows-3.svg",
}

pub(crate) fn routes() -> Router {
    assets::routes(LAYOUT.iter().chain(SCRIPTS).chain(GUIDE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_file_of_the_folders_is_served_and_none_twice() {
        let files: HashSet<_> = ["", "guide/"].into_iter().flat_map(files_of).collect();
        let served: HashSet<_> = SCRIPTS.iter().chain(GUIDE).map(|asset| asset.name.to_owned()).collect();
        assert_eq!(files, served);
        assert_eq!(served.len(), SCRIPTS.len() + GUIDE.len());
    }

    fn files_of(folder: &str) -> Vec<String> {
        let path = format!("{}/assets/{folder}", env!("CARGO_MANIFEST_DIR"));
        let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
        entries
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| format!("{folder}{}", entry.file_name().into_string().unwrap()))
            .collect()
    }
}
