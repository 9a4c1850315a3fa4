//! What a client asks of the authorization endpoint (OpenID Connect Core section 3.1.2.1), as it was understood.

use super::answer::ReturnAddress;
use super::client::RequestingClient;
use crate::authorization_server::AuthorizationServer;
use crate::error::OAuthError;
use crate::form::FormParameters;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use tegata_core::claims::acr;
use tegata_core::encoding::from_base64url;
use tegata_core::{JwkThumbprint, Language, Timestamp};

/// Longer ones are nobody's: a client keeps what it needs by a name of its own.
const LONGEST_STATE: usize = 2048;

/// It comes back in the ID token, and is kept until then.
const LONGEST_NONCE: usize = 512;

/// A login hint beyond this is none.
const LONGEST_HINT: usize = 128;

/// A request whose client and address are known, and everything else understood.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    /// The product that the access token is to be for.
    pub(crate) audience: String,
    /// What of the product and of the person, separated by spaces.
    pub(crate) scope: Option<String>,
    pub(crate) nonce: Option<String>,
    /// What the verifier has to hash to (RFC 7636).
    pub(crate) challenge: String,
    /// The key that whoever redeems the code has to prove (RFC 9449 section 10).
    #[serde(default)]
    pub(crate) dpop_jkt: Option<JwkThumbprint>,
    prompt: Prompt,
    /// Seconds since the sign-in at most.
    max_age: Option<u32>,
    /// How well it has to be known who asks, the best liked first; anyhow where it is empty.
    acr: Vec<String>,
    /// The language of pages, as a tag.
    language: Option<String>,
    pub(crate) login_hint: Option<String>,
}

/// What the person may be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Prompt {
    /// To sign in, where nobody is signed in.
    IfNeeded,
    /// Nothing at all: `prompt=none`.
    Nothing,
    /// To sign in anew: `login`, and `select_account`, which is the same where one browser has one person.
    SignIn,
}

impl AuthorizationRequest {
    /// Everything but who asks and where the answer goes, which the caller has looked at.
    ///
    /// # Errors
    /// What the client is told.
    pub(crate) fn read(
        tokens: &AuthorizationServer,
        client: &RequestingClient,
        form: &FormParameters,
    ) -> Result<Self, OAuthError> {
        refuse_other_forms(form)?;
        let audience = client.audience(tokens, form)?.to_owned();
        let scope = tokens.sign_in_scope(form.get("scope"), &audience, client.scope_limit())?;
        let state = form.get("state").map(str::to_owned);
        if state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(OAuthError::invalid_request("state is too long"));
        }
        if form.get("nonce").is_some_and(|nonce| nonce.len() > LONGEST_NONCE) {
            return Err(OAuthError::invalid_request("nonce is too long"));
        }
        let text = |name| form.get(name).map(str::to_owned);
        Ok(Self {
            client_id: client.client_id().to_owned(),
            redirect_uri: text("redirect_uri").unwrap_or_default(),
            state,
            audience,
            scope,
            nonce: text("nonce"),
            challenge: challenge(form)?,
            dpop_jkt: dpop_jkt(client, form)?,
            prompt: Prompt::read(form.get("prompt"))?,
            max_age: max_age(form.get("max_age"))?,
            acr: wanted_acr(form)?,
            language: language(form.get("ui_locales")).map(|language| language.tag().to_owned()),
            login_hint: text("login_hint").filter(|hint| hint.len() <= LONGEST_HINT),
        })
    }

    /// With the key that its client proved when it pushed the request (RFC 9449 section 10.1).
    pub(crate) fn proved_by(self, key: Option<JwkThumbprint>) -> Result<Self, OAuthError> {
        match (self.dpop_jkt, key) {
            (Some(named), Some(proved)) if named != proved => {
                Err(OAuthError::invalid_dpop_proof("dpop_jkt is another key than that of the DPoP proof"))
            }
            (named, proved) => Ok(Self { dpop_jkt: proved.or(named), ..self }),
        }
    }

    pub(crate) fn without_login_hint(self) -> Self {
        Self { login_hint: None, ..self }
    }

    /// Where the answer goes.
    pub(crate) fn address(&self) -> ReturnAddress {
        ReturnAddress { redirect_uri: self.redirect_uri.clone(), state: self.state.clone() }
    }

    /// What a client's address is looked up by.
    pub(crate) fn as_form(&self) -> FormParameters {
        FormParameters::of([("redirect_uri", Some(&*self.redirect_uri)), ("state", self.state.as_deref())])
    }

    pub(crate) fn language(&self) -> Option<Language> {
        self.language.as_deref().and_then(Language::parse)
    }

    /// Whether the device is to be let in for itself, whoever uses it.
    pub(crate) fn is_for_the_device(&self) -> bool {
        self.acr.first().is_some_and(|first| first == acr::DEVICE)
    }

    /// Whether anything may be asked of the person.
    pub(crate) fn may_ask(&self) -> bool {
        self.prompt != Prompt::Nothing
    }

    /// Whether the person has to sign in anew.
    pub(crate) fn wants_sign_in(&self) -> bool {
        self.prompt == Prompt::SignIn
    }

    /// How many seconds ago the person may have proved themselves, if the client says; 0 for anew.
    pub(crate) fn longest_since_sign_in(&self) -> Option<u32> {
        if self.wants_sign_in() { Some(0) } else { self.max_age }
    }

    /// Whether a sign-in of that time is young enough.
    pub(crate) fn is_recent(&self, signed_in: Timestamp, now: Timestamp) -> bool {
        self.max_age.is_none_or(|seconds| now.since(signed_in) <= Duration::from_secs(seconds.into()))
    }

    /// Whether a sign-in is known as well as the least that is asked for.
    pub(crate) fn accepts_acr(&self, reached: &str) -> bool {
        let rank = |value: &str| acr::ALL.iter().position(|known| *known == value);
        let least = self.acr.iter().filter_map(|wanted| rank(wanted)).min();
        least.is_none_or(|least| rank(reached).is_some_and(|reached| reached >= least))
    }
}

impl Prompt {
    fn read(text: Option<&str>) -> Result<Self, OAuthError> {
        let words: Vec<_> = text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
        let known = |word: &&str| matches!(*word, "none" | "login" | "consent" | "select_account");
        if !words.iter().all(known) || (words.contains(&"none") && words.len() > 1) {
            return Err(OAuthError::invalid_request(
                "prompt is none, or of login, consent and select_account",
            ));
        }
        Ok(match words.as_slice() {
            ["none"] => Self::Nothing,
            // There is nothing to consent to: who may use which product is the contract's.
            words if words.contains(&"login") || words.contains(&"select_account") => Self::SignIn,
            _ => Self::IfNeeded,
        })
    }
}

/// Requests come as parameters and ask for a code in the query; everything else is another protocol.
fn refuse_other_forms(form: &FormParameters) -> Result<(), OAuthError> {
    if form.get("request").is_some() {
        let fault = "Send parameters, or push them (RFC 9126)";
        return Err(OAuthError::at_authorization("request_not_supported", fault));
    }
    match form.get("response_type") {
        Some("code") => {}
        None => return Err(OAuthError::invalid_request("response_type is missing")),
        Some(_) => {
            let fault = "The only response_type is code";
            return Err(OAuthError::at_authorization("unsupported_response_type", fault));
        }
    }
    if form.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(OAuthError::invalid_request("The only response_mode is query"));
    }
    Ok(())
}

/// PKCE with S256, always (RFC 9700 section 2.1.1): a plain challenge is the verifier itself.
fn challenge(form: &FormParameters) -> Result<String, OAuthError> {
    let challenge = form.require("code_challenge", "code_challenge is missing: PKCE is required")?;
    if form.get("code_challenge_method") != Some("S256") {
        return Err(OAuthError::invalid_request("code_challenge_method must be S256"));
    }
    if from_base64url(challenge).is_some_and(|hash| hash.len() == 32) {
        Ok(challenge.to_owned())
    } else {
        Err(OAuthError::invalid_request("code_challenge is no base64url of SHA-256"))
    }
}

/// Only of a client whose tokens are bound to keys: to others it would promise what nobody looks at.
fn dpop_jkt(client: &RequestingClient, form: &FormParameters) -> Result<Option<JwkThumbprint>, OAuthError> {
    let Some(text) = form.get("dpop_jkt") else { return Ok(None) };
    if !client.is_dpop_bound() {
        return Err(OAuthError::invalid_request("Tokens of this client are not bound by DPoP"));
    }
    let key = JwkThumbprint::parse(text);
    key.map(Some).ok_or(OAuthError::invalid_request("dpop_jkt is no SHA-256 thumbprint of a key"))
}

fn max_age(text: Option<&str>) -> Result<Option<u32>, OAuthError> {
    let wrong = |_| OAuthError::invalid_request("max_age is a number of seconds");
    text.map(str::parse).transpose().map_err(wrong)
}

/// Of `acr_values`, or of the `claims` parameter where that asks for some (OpenID Connect Core section 5.5.1.1). Values that
/// nobody knows are nobody's wish.
fn wanted_acr(form: &FormParameters) -> Result<Vec<String>, OAuthError> {
    let mut seen = Vec::new();
    let mut known = |value: &&str| {
        let is_new = acr::ALL.contains(value) && !seen.contains(&(*value).to_owned());
        seen.extend(is_new.then(|| (*value).to_owned()));
        is_new
    };
    if let Some(values) = acr_claim(form.get("claims"))? {
        let wanted: Vec<_> =
            values.iter().map(String::as_str).filter(&mut known).map(str::to_owned).collect();
        if wanted.is_empty() && !values.is_empty() {
            let fault = "No value of acr in claims can be reached here";
            return Err(OAuthError::at_authorization("unmet_authentication_requirements", fault));
        }
        return Ok(wanted);
    }
    let values = form.get("acr_values").unwrap_or_default();
    Ok(values.split(' ').filter(known).map(str::to_owned).collect())
}

/// The values that an essential `acr` of the ID token must have. All other claims are told or not, whoever asks.
fn acr_claim(claims: Option<&str>) -> Result<Option<Vec<String>>, OAuthError> {
    let Some(text) = claims else { return Ok(None) };
    let malformed = || OAuthError::invalid_request("claims is no JSON object");
    let claims: Value = serde_json::from_str(text).map_err(|_| malformed())?;
    if !claims.is_object() {
        return Err(malformed());
    }
    let acr = &claims["id_token"]["acr"];
    if acr["essential"] != true {
        return Ok(None);
    }
    let one = acr["value"].as_str().map(|value| vec![value.to_owned()]);
    let many = acr["values"].as_array();
    Ok(one.or_else(|| Some(many?.iter().filter_map(|value| Some(value.as_str()?.to_owned())).collect())))
}

/// The first that there are pages in.
fn language(ui_locales: Option<&str>) -> Option<Language> {
    ui_locales?.split(' ').find_map(Language::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(parameters: &[(&str, &str)]) -> FormParameters {
        FormParameters::of(parameters.iter().map(|(name, value)| (*name, Some(*value))))
    }

    #[test]
    fn a_person_is_asked_what_the_client_says_and_nothing_where_it_says_so() {
        for (text, prompt) in [
            (None, Prompt::IfNeeded),
            (Some("consent"), Prompt::IfNeeded),
            (Some("none"), Prompt::Nothing),
            (Some("login"), Prompt::SignIn),
            (Some("select_account consent"), Prompt::SignIn),
        ] {
            assert_eq!(Prompt::read(text).unwrap(), prompt, "{text:?}");
        }
        for wrong in ["none login", "signup", "LOGIN"] {
            assert!(Prompt::read(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pkce_is_s256_or_nothing() {
        let hash = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let good = form(&[("code_challenge", hash), ("code_challenge_method", "S256")]);
        assert_eq!(challenge(&good).unwrap(), hash);
        for wrong in [
            &[][..],
            &[("code_challenge", hash)],
            &[("code_challenge", hash), ("code_challenge_method", "plain")],
            &[("code_challenge", "short"), ("code_challenge_method", "S256")],
            &[("code_challenge_method", "S256")],
        ] {
            assert_eq!(challenge(&form(wrong)).unwrap_err().error(), "invalid_request", "{wrong:?}");
        }
    }

    #[test]
    fn an_acr_is_wished_for_by_either_parameter_and_unknown_ones_are_no_wish() {
        let wanted = |parameters: &[(&str, &str)]| wanted_acr(&form(parameters));
        assert_eq!(wanted(&[]).unwrap(), Vec::<String>::new());
        assert_eq!(wanted(&[("acr_values", "urn:x urn:tegata:acr:mfa")]).unwrap(), [acr::MFA]);
        let essential = r#"{"id_token":{"acr":{"essential":true,"values":["urn:tegata:acr:device"]}}}"#;
        assert_eq!(wanted(&[("claims", essential), ("acr_values", acr::MFA)]).unwrap(), [acr::DEVICE]);
        let one = r#"{"id_token":{"acr":{"essential":true,"value":"urn:tegata:acr:mfa"}}}"#;
        assert_eq!(wanted(&[("claims", one)]).unwrap(), [acr::MFA]);
        assert_eq!(wanted(&[("claims", r#"{"userinfo":{"name":null}}"#)]).unwrap(), Vec::<String>::new());
        let unknown = r#"{"id_token":{"acr":{"essential":true,"value":"urn:x"}}}"#;
        let error = wanted(&[("claims", unknown)]).unwrap_err();
        assert_eq!(error.error(), "unmet_authentication_requirements");
        for wrong in ["x", "[]", "1"] {
            assert!(wanted(&[("claims", wrong)]).is_err(), "{wrong}");
        }
    }
}
