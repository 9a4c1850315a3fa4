//! Accounts of the installation's own, and people who are signed in with them, by curl.

use crate::curl::{Curl, CurlAnswer};
use crate::identity::DeviceIdentity;
use crate::installation::{RunningInstallation, text_of};
use crate::totp;

/// What everybody chooses for a password.
pub const PASSWORD: &str = "the moon over the shop at nine";

/// An account that is set up.
#[derive(Debug)]
pub struct Account {
    /// Identifier of the person.
    pub person: String,
    /// What they sign in with.
    pub login: String,
    /// What the authenticator app holds.
    pub secret: String,
}

/// Somebody who is signed in on a device.
#[derive(Clone, Debug)]
pub struct PersonSession {
    /// What the browser sends.
    pub cookie: String,
    /// What its forms carry.
    pub form_token: String,
    files: [String; 2],
}

impl Account {
    /// Adds a person with these further options of `tegata person add`, and sets the account up.
    #[must_use]
    pub fn add(installation: &RunningInstallation, login: &str, name: &str, options: &[&str]) -> Self {
        let known = ["person", "add", "--login", login, "--name", name];
        let added = installation.tell(&[&known, options].concat());
        Self::set_up(installation, login, (text_of(&added, "person"), &text_of(&added, "setup")))
    }

    /// Sets up the account of a person by their link.
    #[must_use]
    pub fn set_up(installation: &RunningInstallation, login: &str, (person, link): (String, &str)) -> Self {
        let (_, code) = link.split_once('#').expect("a code");
        let at_portal = |path: &str| installation.at_portal(path).header("origin", &installation.portal);
        let page = at_portal("/setup").form(&[("code", code)]).send().expect(200).text();
        let secret = between(&page, "id=\"totp-secret\">", "<").to_owned();
        let chosen =
            [("code", code), ("password", PASSWORD), ("again", PASSWORD), ("totp", &totp::code(&secret, 0))];
        at_portal("/setup/complete").form(&chosen).send().expect(200);
        Self { person, login: login.to_owned(), secret }
    }

    /// Signs the person in, with the next code of the app.
    #[must_use]
    pub fn sign_in(&self, installation: &RunningInstallation, device: &DeviceIdentity) -> PersonSession {
        let form = installation.at_device("/sign-in").as_device(device).send().expect(200);
        let token = between(&form.text(), "name=\"form_token\" value=\"", "\"").to_owned();
        let typed = [
            ("login", &*self.login),
            ("password", PASSWORD),
            ("code", &totp::code(&self.secret, 1)),
            ("form_token", &token),
        ];
        let sent = installation.at_device("/sign-in").as_device(device).header("cookie", &cookies(&form));
        let entered = sent.header("origin", &installation.device).form(&typed).send().expect(303);
        let cookie = cookies(&entered);
        let account = installation.at_device("/account").as_device(device).header("cookie", &cookie);
        let account = account.send().expect(200).text();
        let form_token = between(&account, "name=\"form_token\" value=\"", "\"").to_owned();
        PersonSession { cookie, form_token, files: [device.file("chain.pem"), device.file("key.pem")] }
    }
}

impl PersonSession {
    /// A request of this person, from the page of their browser.
    #[must_use]
    pub fn at(&self, installation: &RunningInstallation, path: &str) -> Curl {
        let asked = installation.at_device(path).presenting(&self.files[0], &self.files[1]);
        asked.header("cookie", &self.cookie).header("origin", &installation.device)
    }

    /// Sends a form of a page, with the seal of the browser.
    #[must_use]
    pub fn send(
        &self,
        installation: &RunningInstallation,
        path: &str,
        fields: &[(&str, &str)],
    ) -> CurlAnswer {
        let sealed = [&[("form_token", &*self.form_token)], fields].concat();
        self.at(installation, path).header("accept", "text/html").form(&sealed).send()
    }

    /// What asks the API to change something.
    #[must_use]
    pub fn asking(
        &self,
        installation: &RunningInstallation,
        path: &str,
        headers: &[(&str, &str)],
        body: &serde_json::Value,
    ) -> Curl {
        let asked = self.at(installation, path).header("x-csrf-token", &self.form_token);
        headers.iter().fold(asked, |asked, (name, value)| asked.header(name, value)).json(body)
    }

    /// Asks the API to change something.
    #[must_use]
    pub fn post(
        &self,
        installation: &RunningInstallation,
        path: &str,
        headers: &[(&str, &str)],
        body: &serde_json::Value,
    ) -> CurlAnswer {
        self.asking(installation, path, headers, body).send()
    }
}

/// What a browser would send back.
#[must_use]
pub fn cookies(answer: &CurlAnswer) -> String {
    let given = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
    let pairs = given.filter_map(|(_, value)| value.split(';').next()).filter(|pair| !pair.ends_with('='));
    pairs.collect::<Vec<_>>().join("; ")
}

/// The text between two others.
#[must_use]
pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split(after).next().unwrap_or_default()
}
