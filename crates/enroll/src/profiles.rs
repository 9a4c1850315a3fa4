//! Configuration profiles for iPhone, iPad and Mac: the device makes its key by itself and comes to the ACME server with
//! the invitation's code.
//!
//! Safari takes a profile only from a page it goes to, so the code comes in a form's body: it is in no URL. In the
//! profile it stands in the clear, as in the invitation, and is worth nothing once the device has used it.

mod plist;

use crate::desk::Desk;
use crate::guest::Guest;
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{DefaultBodyLimit, Form, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use plist::Value;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;
use std::sync::Arc;
use tegata_ca::Issuer;
use tegata_ca::pkcs7::ContentSigner;
use tegata_core::encoding::hex;
use tegata_core::id::Code;
use tegata_core::{Entropy, Platform, Refusal};
use tegata_storage::Invitation;
use tegata_web::Answer;

const MEDIA_TYPE: &str = "application/x-apple-aspen-config";

/// A code and a few words.
const LONGEST_FORM: usize = 1024;

/// `POST {portal}/api/v1/profiles`, as a form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    code: String,
    /// Whether the key is made in the Secure Enclave, which Macs before macOS 14 do not offer to profiles.
    #[serde(default = "yes")]
    hardware_bound: bool,
    /// What the page knows of the device.
    platform: Option<Platform>,
    /// How the device comes for its certificate.
    #[serde(default)]
    by: Door,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Door {
    /// For iOS 16, macOS 13.1 and later.
    #[default]
    Acme,
    /// For those before, and for whatever on a Mac does not find the other kind of key. RSA, made on the device.
    Scep,
}

const fn yes() -> bool {
    true
}

#[derive(Clone)]
struct Profiles {
    desk: Desk,
    signer: Option<Arc<ContentSigner>>,
    /// Whether there is a door for SCEP.
    scep: bool,
}

/// Routes of the portal listener. Without a signer profiles are handed out unsigned, which devices say to their users.
/// Where there is no door for SCEP, no profile leads to it.
pub fn profile_routes(desk: Desk, signer: Option<ContentSigner>, scep: bool) -> Router {
    Router::new()
        .route("/api/v1/profiles", post(profile))
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .with_state(Profiles { desk, signer: signer.map(Arc::new), scep })
}

async fn profile(
    State(Profiles { desk, signer, scep }): State<Profiles>,
    guest: Guest,
    wish: Result<Form<Wish>, FormRejection>,
) -> Answer<Response> {
    let Form(wish) = wish.map_err(|_| Refusal::RequestMalformed)?;
    if wish.by == Door::Scep && !scep {
        return Err(Refusal::NotFound.into());
    }
    // An iPad says that it is a Mac, unless its page knows better.
    let told = wish.platform.or_else(|| (guest.platform == Platform::Macos).then_some(Platform::Apple));
    let desk = desk.serving(guest.calling_itself(told));
    let invitation = desk.open(&wish.code).await?;
    // The device that follows the profile does not say which it is: here it can still be told apart.
    desk.would_permit(&invitation)?;
    // What ACME takes for a permanent identifier; a short code is for fingers.
    Code::parse(&wish.code).ok_or(Refusal::RequestMalformed)?;
    let text = written(&desk, &invitation, &wish)?;
    let bytes = match signer {
        Some(signer) => signer.sign(text.as_bytes(), desk.context.now()).ok_or(Refusal::Internal)?,
        None => text.into_bytes(),
    };
    let headers = [
        (CONTENT_TYPE, MEDIA_TYPE),
        (CONTENT_DISPOSITION, "attachment; filename=\"tegata.mobileconfig\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, bytes).into_response())
}

fn written(desk: &Desk, invitation: &Invitation, wish: &Wish) -> Result<String, Refusal> {
    let context = &desk.context;
    let authority = desk.authorities.for_tenant(&invitation.tenant)?;
    // A device has one profile of a tenant: the next one takes the place of the last.
    let identifier = format!("{}.{}", reversed(context.installation.as_str()), invitation.tenant.as_str());
    let (key, issuer) = (format!("{identifier}.key"), format!("{identifier}.issuer"));
    let uuids = [(); 3].map(|()| uuid(context.entropy.as_ref()));
    let name = format!("{} {}", invitation.site_name, invitation.label);
    let directory = format!("{}/acme/device/directory", context.addresses.portal);
    let scep = format!("{}/scep", context.addresses.public);
    let payload = |kind, identifier, uuid, name| {
        vec![
            ("PayloadType", Value::Text(kind)),
            ("PayloadVersion", Value::Number(1)),
            ("PayloadIdentifier", Value::Text(identifier)),
            ("PayloadUUID", Value::Text(uuid)),
            ("PayloadDisplayName", Value::Text(name)),
        ]
    };
    let mut certificate = payload("com.apple.security.pkcs1", &issuer, &uuids[0], "Tegata CA");
    certificate.push(("PayloadContent", Value::Data(authority.issuer().certificate())));
    let key = match wish.by {
        Door::Acme => {
            acme(payload("com.apple.security.acme", &key, &uuids[1], &name), wish, &directory, &name)
        }
        Door::Scep => {
            let inside = scep_content(authority.issuer(), wish, &scep, &name);
            let mut scep = payload("com.apple.security.scep", &key, &uuids[1], &name);
            scep.push(("PayloadContent", Value::Dictionary(inside)));
            scep
        }
    };
    let mut profile = payload("Configuration", &identifier, &uuids[2], &name);
    profile.extend([
        ("PayloadOrganization", Value::Text(&invitation.tenant_name)),
        ("PayloadContent", Value::List(vec![Value::Dictionary(certificate), Value::Dictionary(key)])),
    ]);
    Ok(plist::document(&Value::Dictionary(profile)))
}

/// One dictionary of a property list.
type Entries<'a> = Vec<(&'static str, Value<'a>)>;

fn acme<'a>(mut acme: Entries<'a>, wish: &'a Wish, directory: &'a str, name: &'a str) -> Entries<'a> {
    acme.extend([
        ("DirectoryURL", Value::Text(directory)),
        ("ClientIdentifier", Value::Text(&wish.code)),
        ("KeyType", Value::Text("ECSECPrimeRandom")),
        ("KeySize", Value::Number(256)),
        ("HardwareBound", Value::Flag(wish.hardware_bound)),
        ("Attest", Value::Flag(false)),
        ("KeyIsExtractable", Value::Flag(false)),
        // Chrome on a Mac could not use the key otherwise; a key of the Secure Enclave is not asked.
        ("AllowAllAppsAccess", Value::Flag(!wish.hardware_bound)),
        ("ExtendedKeyUsage", Value::List(vec![Value::Text("1.3.6.1.5.5.7.3.2")])),
        ("Subject", subject(name)),
    ]);
    acme
}

fn scep_content<'a>(issuer: &'a Issuer, wish: &'a Wish, url: &'a str, name: &'a str) -> Entries<'a> {
    vec![
        ("URL", Value::Text(url)),
        // Comes back as the message of GetCACert, which CA of several is meant.
        ("Name", Value::Text(issuer.id().as_str())),
        ("Subject", subject(name)),
        ("Challenge", Value::Text(&wish.code)),
        ("Key Type", Value::Text("RSA")),
        ("Keysize", Value::Number(2048)),
        // Signing is 1, encrypting is 4: SCEP's answer is encrypted for this key.
        ("Key Usage", Value::Number(5)),
        ("KeyIsExtractable", Value::Flag(false)),
        ("AllowAllAppsAccess", Value::Flag(true)),
        ("CAFingerprint", Value::Octets(fingerprint(issuer))),
    ]
}

/// Devices know SHA-1 and MD5 for this and nothing else; the CA's certificate stands in the signed profile as well.
fn fingerprint(issuer: &Issuer) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, issuer.certificate()).as_ref().to_vec()
}

/// A name of one part; the server does not read it.
fn subject(name: &str) -> Value<'_> {
    Value::List(vec![Value::List(vec![Value::List(vec![Value::Text("CN"), Value::Text(name)])])])
}

fn reversed(host: &str) -> String {
    host.rsplit('.').collect::<Vec<_>>().join(".")
}

/// A random UUID (RFC 9562 section 5.4).
fn uuid(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes).to_uppercase();
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
