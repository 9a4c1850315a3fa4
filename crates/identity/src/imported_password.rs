//! The first sign-in of somebody whose password another product has hashed: it proves the password and begins no session. The
//! person goes on to the page of setup links, adds the account to an authenticator app, keeps the password if it may be one
//! here, and then signs in with both.

use crate::admission::may_enter_locally;
use crate::password::Password;
use crate::service::{IdentityService, refusal};
use askama::Template;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Language, Refusal, SetupCode, Timestamp};
use tegata_storage::{CertificateHolder, ProvedPassword, SignInCandidate};
use tegata_web::HtmlPage;
use zeroize::Zeroizing;

/// How long the link works that follows at once. Whoever needs longer signs in once more.
const PATIENCE: Duration = Duration::from_mins(30);

/// Somebody who signs in with a password of another product.
pub(crate) struct ImportedSignIn<'a> {
    pub(crate) candidate: &'a SignInCandidate,
    pub(crate) holder: &'a CertificateHolder,
    pub(crate) login: &'a str,
    pub(crate) typed: &'a str,
    pub(crate) now: Timestamp,
}

#[derive(Template)]
#[template(path = "setup-follows.html")]
struct SetupFollowsPage {
    language: Language,
    link: Zeroizing<String>,
}

impl IdentityService {
    /// Gives the code of the setup link by which the person goes on.
    ///
    /// # Errors
    /// [`Refusal::SignInWrong`]; others only to whoever has proved to be the person.
    pub(crate) async fn sign_in_with_imported(
        &self,
        attempt: ImportedSignIn<'_>,
    ) -> Result<SetupCode, Refusal> {
        let ImportedSignIn { candidate, holder, login, typed, now } = attempt;
        let entropy = Arc::clone(&self.context.entropy);
        let passwords = (Zeroizing::new(typed.to_owned()), Password::typed(typed));
        let own = self.hasher.verify_foreign(passwords, &candidate.password, Arc::clone(&entropy)).await?;
        let own = own.ok_or(Refusal::SignInWrong)?;
        may_enter_locally(&candidate.who, holder)?;
        let is_fit = Password::typed(typed).check(login).is_ok();
        let code = SetupCode::random(entropy.as_ref());
        let proved = ProvedPassword {
            person: &candidate.who.person,
            device: &holder.device,
            before: &candidate.password,
            kept: is_fit.then_some(own.as_str()),
            code: &code,
            until: now.plus(PATIENCE),
        };
        let written = async {
            let mut transaction = self.rows(holder).begin(now).await?;
            transaction.prove_imported_password(&proved).await?;
            transaction.commit().await
        };
        written.await.map_err(refusal)?;
        Ok(code)
    }

    /// Leads on to the setup page, which is another site than this.
    pub(crate) fn setup_follows(&self, code: &SetupCode, language: Language) -> Response {
        let (portal, tag) = (&self.context.addresses.portal, language.tag());
        let link = Zeroizing::new(format!("{portal}/setup?lang={tag}#{}", code.reveal()));
        let body = SetupFollowsPage { language, link };
        let title = language.pick("アカウントの設定", "Set up your account");
        HtmlPage::new(language, title, &body).contact(self.contact()).into_response()
    }
}
