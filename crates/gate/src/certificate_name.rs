//! Whom a certificate of Tegata names: `https://INSTALLATION/device/ID` or `https://INSTALLATION/gate/ID`.

use rustls::pki_types::CertificateDer;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HolderKind {
    Device,
    Gate,
}

/// The kind of holder and its identifier; `None` where the certificate names none, or more than one.
pub(crate) fn holder(leaf: &CertificateDer<'_>) -> Option<(HolderKind, String)> {
    let uri = uri(leaf)?;
    let mut parts = uri.strip_prefix("https://")?.split('/');
    let (_installation, kind, id) = (parts.next()?, parts.next()?, parts.next()?);
    let kind = match kind {
        "device" => HolderKind::Device,
        "gate" => HolderKind::Gate,
        _ => return None,
    };
    parts.next().is_none().then(|| (kind, id.to_owned()))
}

/// The one URI of a certificate that Tegata issued.
pub(crate) fn uri(leaf: &CertificateDer<'_>) -> Option<String> {
    let certificate = webpki::EndEntityCert::try_from(leaf).ok()?;
    let mut uris = certificate.valid_uri_names();
    let uri = uris.next().filter(|uri| uri.starts_with("https://"))?;
    uris.next().is_none().then(|| uri.to_owned())
}
