//! The sheet that goes with a device: what a person needs who has no mail, on paper.

use askama::Template;
use tegata_core::{Contact, Language, Timestamp};
use tegata_web::japan_date::moment;
use tegata_web::qr::qr_svg;

/// The content of one sheet. It is a secret, as the link is.
#[derive(Clone, Copy, Debug)]
pub struct InvitationSheet<'a> {
    /// The display name of the store.
    pub site: &'a str,
    /// The label that the device will have.
    pub label: &'a str,
    /// The invitation link, which is printed as text and as a QR code.
    pub link: &'a str,
    /// Until when the link works.
    pub expires_at: Timestamp,
    /// A short code to type, and until when.
    pub code: Option<(&'a str, Timestamp)>,
    /// Whom a person at the device may call.
    pub contact: Option<&'a Contact>,
}

/// A page of HTML for each, to print. `None` when a link is too long for a QR code.
pub fn sheets(sheets: &[InvitationSheet<'_>]) -> Option<String> {
    let pages = sheets.iter().map(page).collect::<Option<_>>()?;
    InvitationSheets { pages }.render().inspect_err(|error| tracing::error!(%error, "a sheet failed")).ok()
}

#[derive(Template)]
#[template(path = "sheet.html")]
struct InvitationSheets<'a> {
    pages: Vec<SheetPage<'a>>,
}

struct SheetPage<'a> {
    sheet: &'a InvitationSheet<'a>,
    expires: String,
    code: Option<(&'a str, String)>,
    qr: String,
}

fn page<'a>(sheet: &'a InvitationSheet<'a>) -> Option<SheetPage<'a>> {
    let words = |at| moment(at, Language::Ja);
    Some(SheetPage {
        sheet,
        expires: words(sheet.expires_at),
        code: sheet.code.map(|(code, until)| (code, words(until))),
        qr: qr_svg(sheet.link)?,
    })
}
