//! The scripts of the pages. Small, our own, and without dependencies: they hold a private key for a moment.

use axum::Router;
use tegata_web::Asset;
use tegata_web::assets::{self, LAYOUT};

macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        const SCRIPTS: &[Asset] = &[$(Asset {
            name: $name,
            content_type: "text/javascript; charset=utf-8",
            bytes: include_bytes!(concat!("../assets/", $name)),
        }),*];
    };
}

scripts! {
    "api.js",
    "base64.js",
    "begin.js",
    "ceremony.js",
    "csr.js",
    "der.js",
    "des.js",
    "enroll.js",
    "install.js",
    "password.js",
    "pkcs12.js",
    "platform.js",
    "probe.js",
    "renew.js",
    "sha1.js",
    "view.js",
}

pub(crate) fn routes() -> Router {
    assets::routes(LAYOUT.iter().chain(SCRIPTS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_script_of_the_folder_is_served_and_none_twice() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        let files: HashSet<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let served: HashSet<_> = SCRIPTS.iter().map(|script| script.name.to_owned()).collect();
        assert_eq!(files, served);
        assert_eq!(served.len(), SCRIPTS.len());
    }
}
