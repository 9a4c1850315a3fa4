//! The password again: whoever stands before an unlocked screen is not yet its person.

use crate::password::Password;
use crate::service::{IdentityService, refusal};
use crate::session::{BrowserForm, SessionHolder, SignedInForm};
use crate::throttle::SignInAttempt;
use std::net::IpAddr;
use tegata_core::{Language, LoginId, Refusal};
use tegata_web::TenantWork;

/// Why it is not taken, for the field.
pub(crate) struct PasswordFault(pub(crate) &'static str);

/// The hash of the password that was right.
pub(crate) struct ConfirmedPassword(pub(crate) String);

/// A form in which whoever is signed in types their password once more.
pub(crate) trait PasswordForm: BrowserForm {
    fn present_password(&self) -> &str;
}

impl<F: PasswordForm> SignedInForm<F> {
    /// Whether whoever is signed in knows the password, with a bound on how often they may be wrong. What else may be wrong
    /// with the form is looked at before, so that it costs no attempt.
    ///
    /// # Errors
    /// [`Refusal::TooManySignIns`], or what keeps it from being looked at.
    pub(crate) async fn confirm(
        &self,
        service: &IdentityService,
        language: Language,
    ) -> Result<Result<ConfirmedPassword, PasswordFault>, Refusal> {
        service.confirmed(&self.by, self.form.present_password(), self.address, language).await
    }
}

impl IdentityService {
    async fn confirmed(
        &self,
        by: &SessionHolder,
        typed: &str,
        address: Option<IpAddr>,
        language: Language,
    ) -> Result<Result<ConfirmedPassword, PasswordFault>, Refusal> {
        let session = &by.session;
        let login_key = LoginId::parse(&session.login).map_or_else(|_| String::new(), |login| login.key());
        let _place = self.context.shares.enter(TenantWork::SignIn, session.tenant.as_str()).await?;
        let known = self.rows_of(by).sign_in_candidate(&login_key, &by.holder.device).await;
        let known = known.map_err(refusal)?.ok_or(Refusal::SignInNeeded)?;
        let attempt = SignInAttempt {
            tenant: &session.tenant,
            login_key: &login_key,
            known: Some(&session.person),
            device: &by.holder.device,
            address,
        };
        let refused =
            async |refusal| self.refused("password.refused", &by.holder.device, refusal, by.at).await;
        let Some(counted) = self.throttle.begin(&attempt, by.at).await? else {
            return Err(refused(Refusal::TooManySignIns).await);
        };
        match self.hasher.verify(Password::typed(typed), Some(&known.password)).await {
            Ok(true) => {
                counted.was_right();
                return Ok(Ok(ConfirmedPassword(known.password)));
            }
            Ok(false) => {}
            Err(refusal) => {
                counted.was_not_looked_at();
                return Err(refusal);
            }
        }
        refused(Refusal::SignInWrong).await;
        Ok(Err(PasswordFault(language.pick(
            "いまのパスワードが違います。もう一度入力してください。",
            "This is not your password. Type it again.",
        ))))
    }
}
