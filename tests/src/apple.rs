//! An iPhone, iPad or Mac as far as a configuration profile goes: it reads the profile, makes a key, and follows the
//! payload to the letter.

use crate::acme::{AcmeClient, encoded};
use crate::command::run;
use crate::curl::CurlAnswer;
use crate::installation::{RunningInstallation, text_of};
use crate::openssl::openssl;
use crate::scep::ScepClient;
use rcgen::KeyPair;
use serde_json::{Value, json};

const AS_JSON: &str = "import base64, json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb')), \
                       default=lambda data: base64.b64encode(data).decode()))";

/// What the ACME payload of a profile says.
#[derive(Clone, Debug)]
pub struct Payload {
    /// Where the server is.
    pub directory_url: String,
    /// By what right.
    pub client_identifier: String,
    /// Whether the maker's word is wanted.
    pub attest: bool,
}

/// What the maker says of a key, for a challenge's token.
pub type Attested<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// What is in a profile, whose signature must be the portal's.
pub fn read(installation: &RunningInstallation, signed: &[u8]) -> Value {
    let folder = installation.folder("profile");
    let path = |name: &str| folder.join(name).display().to_string();
    std::fs::write(path("signed"), signed).expect("a file");
    let trusted = installation.tls_ca.display().to_string();
    let verify = ["cms", "-verify", "-inform", "DER", "-in", &path("signed"), "-CAfile", &trusted];
    openssl(&[&verify[..], &["-purpose", "any", "-binary", "-out", &path("plist")]].concat()).good();
    serde_json::from_str(&run("python3", &["-c", AS_JSON, &path("plist")])).expect("a property list")
}

/// The ACME payload of a profile.
pub fn acme_of(profile: &Value) -> &Value {
    let acme = &profile["PayloadContent"][1];
    assert_eq!(acme["PayloadType"], "com.apple.security.acme");
    acme
}

/// What it says.
pub fn payload(acme: &Value) -> Payload {
    Payload {
        directory_url: text_of(acme, "DirectoryURL"),
        client_identifier: text_of(acme, "ClientIdentifier"),
        attest: acme["Attest"].as_bool().expect("a flag"),
    }
}

/// What the device does when the profile is installed: the chain that it gets for its key, in PEM.
pub fn install(
    installation: &RunningInstallation,
    payload: &Payload,
    key: &KeyPair,
    attested: Attested<'_>,
) -> Result<String, CurlAnswer> {
    let mut client = AcmeClient::new(installation, &payload.directory_url);
    good(client.register(None))?;
    let order = good(client.order("permanent-identifier", &payload.client_identifier))?;
    assert_eq!(order.json()["identifiers"][0]["value"], *payload.client_identifier);
    let (challenge, token) = challenge(&client, &order);
    let said = match attested(token.as_bytes()).filter(|_| payload.attest) {
        Some(object) => json!({ "attObj": encoded(&object) }),
        None => json!({}),
    };
    good(client.post(&challenge, &said))?;
    let ready = client.read(order.header("location")).expect(200);
    assert_eq!(ready.json()["status"], "ready", "{ready}");
    let done = good(client.finalize(&order, key))?;
    Ok(client.read(&text_of(&done.json(), "certificate")).expect(200).text())
}

/// What the device does with its profile, by the protocol that it names: the chain and the key, in PEM. What a SCEP
/// client needs lies in the folder `name`.
///
/// # Errors
/// The refusal.
///
/// # Panics
/// Where anything else is in the way.
pub fn follow(
    installation: &RunningInstallation,
    profile: &Value,
    name: &str,
) -> Result<(String, String), Box<CurlAnswer>> {
    let wanted = &profile["PayloadContent"][1];
    if wanted["PayloadType"] == "com.apple.security.acme" {
        let key = KeyPair::generate().expect("a key");
        let chain = install(installation, &payload(wanted), &key, &|_| None)?;
        return Ok((chain, key.serialize_pem()));
    }
    assert_eq!(wanted["PayloadType"], "com.apple.security.scep");
    let wanted = &wanted["PayloadContent"];
    let client = ScepClient::new(installation.folder(name), &text_of(wanted, "URL"));
    client.new_key("device");
    let reply = client.send(&client.first("device", "profile", &text_of(wanted, "Challenge")));
    client.keep(&reply, "device");
    let read = |file: &str| std::fs::read_to_string(client.path(file)).expect("a file");
    Ok((read("device.pem"), read("device.key")))
}

/// The URL and the token of the one challenge of an order.
pub fn challenge(client: &AcmeClient, order: &CurlAnswer) -> (String, String) {
    let url = text_of(&json!({ "url": order.json()["authorizations"][0] }), "url");
    let authorization = client.read(&url).expect(200).json();
    assert_eq!(authorization["status"], "pending");
    let challenge = &authorization["challenges"][0];
    assert_eq!(challenge["type"], "device-attest-01");
    (text_of(challenge, "url"), text_of(challenge, "token"))
}

fn good(answer: CurlAnswer) -> Result<CurlAnswer, CurlAnswer> {
    if answer.status < 300 { Ok(answer) } else { Err(answer) }
}
