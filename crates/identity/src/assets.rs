//! The scripts of the pages.

use axum::Router;
use tegata_web::Asset;
use tegata_web::assets;

const SCRIPTS: &[Asset] = &[
    Asset {
        name: "setup.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/setup.js"),
    },
    Asset {
        name: "passkey.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/passkey.js"),
    },
];

pub(crate) fn routes() -> Router {
    assets::routes(SCRIPTS)
}
