//! The sheet that goes with a device: what a person needs who has no mail, on paper.

use crate::japan_date::moment;
use crate::qr::qr_svg;
use askama::Template;
use tegata_core::{Contact, Language, Timestamp};

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
    let pages = sheets.iter().map(SheetPage::of).collect::<Option<_>>()?;
    InvitationSheets { pages }.render().inspect_err(|error| tracing::error!(%error, "a sheet failed")).ok()
}

#[derive(Template)]
#[template(path = "invitation-sheets.html")]
struct InvitationSheets<'a> {
    pages: Vec<SheetPage<'a>>,
}

/// A sheet as `invitation-sheet.html` shows it, for templates that include that.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct SheetPage<'a> {
    pub site: &'a str,
    pub label: &'a str,
    pub link: &'a str,
    pub expires: String,
    pub code: Option<(&'a str, String)>,
    pub contact: Option<&'a Contact>,
    pub qr: String,
}

impl<'a> SheetPage<'a> {
    /// `None` when the link is too long for a QR code.
    pub fn of(sheet: &InvitationSheet<'a>) -> Option<Self> {
        let words = |at| moment(at, Language::Ja);
        Some(Self {
            site: sheet.site,
            label: sheet.label,
            link: sheet.link,
            expires: words(sheet.expires_at),
            code: sheet.code.map(|(code, until)| (code, words(until))),
            contact: sheet.contact,
            qr: qr_svg(sheet.link)?,
        })
    }
}
