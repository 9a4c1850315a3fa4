//! The style and the scripts of the pages.

use axum::Router;
use tegata_web::Asset;
use tegata_web::assets;

const FILES: &[Asset] = &[
    Asset {
        name: "console.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/console.css"),
    },
    Asset {
        name: "console.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/console.js"),
    },
];

pub(crate) fn routes() -> Router {
    assets::routes(FILES)
}
