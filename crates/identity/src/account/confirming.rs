//! The password again: whoever stands before an unlocked screen is not yet its person.

use crate::password::Password;
use crate::service::{IdentityService, refusal};
use crate::session::SessionHolder;
use crate::throttle::SignInAttempt;
use std::net::IpAddr;
use tegata_core::{Language, LoginId, Refusal};
use tegata_web::TenantWork;

/// What somebody typed as their password, and from where.
#[derive(Clone, Copy)]
pub(crate) struct PasswordTyped<'a> {
    pub(crate) text: &'a str,
    pub(crate) address: Option<IpAddr>,
}

/// Why it is not taken, for the field.
pub(crate) struct PasswordFault(pub(crate) &'static str);

/// The hash of the password that was right.
pub(crate) struct ConfirmedPassword(pub(crate) String);

impl IdentityService {
    /// Whether whoever is signed in knows the password, with a bound on how often they may be wrong.
    ///
    /// # Errors
    /// [`Refusal::TooManySignIns`], or what keeps it from being looked at.
    pub(crate) async fn confirmed(
        &self,
        by: &SessionHolder,
        typed: PasswordTyped<'_>,
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
            address: typed.address,
        };
        let refused =
            async |refusal| self.refused("password.refused", &by.holder.device, refusal, by.at).await;
        let Some(counted) = self.throttle.begin(&attempt, by.at).await? else {
            return Err(refused(Refusal::TooManySignIns).await);
        };
        match self.hasher.verify(Password::typed(typed.text), Some(&known.password)).await {
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
