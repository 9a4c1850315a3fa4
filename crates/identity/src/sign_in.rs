//! `GET` and `POST {device}/sign-in`: a person proves who they are, on a device.

use crate::address::RequestAddress;
use crate::admission::may_enter_locally;
use crate::alarm::SignInAlarm;
use crate::cookie::{BrowserSecret, CookieName};
use crate::imported_password::ImportedSignIn;
use crate::local_path::LocalPath;
use crate::passkey::sign_in::PasskeyPart;
use crate::password::Password;
use crate::service::{IdentityService, refusal};
use crate::session::{IDLE, LONGEST};
use crate::sign_in_page::SignInView;
use crate::throttle::SignInAttempt;
use crate::typed_factor::TypedFactor;
use crate::typed_secret::TypedSecret;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use tegata_core::{Language, LoginId, PersonId, Refusal, SessionId, SetupCode, Timestamp};
use tegata_storage::{
    CertificateHolder, LedgerError, SecondFactorUse, SignInCandidate, SignInPerson, StartSession,
    StartedSession,
};
use tegata_web::{Presented, Problem, ReaderLanguage, RequestTime, StrictForm, TenantWork, WebResult};

/// Where to go on.
#[derive(Deserialize)]
pub(crate) struct SignInQuery {
    next: Option<String>,
    /// What whoever sends people here believes their login to be (OpenID Connect Core section 3.1.2.1).
    login_hint: Option<String>,
    /// How many seconds ago they may have proved themselves, for a provider that remembers people.
    max_age: Option<u32>,
    /// What somebody brings back who has signed out at the provider.
    state: Option<String>,
}

/// What was typed. A field that was left empty is missing, and as wrong as any other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInForm {
    #[serde(default)]
    login: String,
    #[serde(default)]
    password: TypedSecret,
    #[serde(default)]
    code: TypedSecret,
    /// What a passkey has signed: in the place of the code, or of everything.
    #[serde(default)]
    passkey: String,
    #[serde(default)]
    form_token: String,
    next: Option<String>,
}

/// What whoever has proved to be the person is given.
pub(crate) enum SignedIn {
    /// The token of a session.
    Session(BrowserSecret),
    /// The code of a setup link: their password is another product's, and there is no second factor yet.
    Setup(SetupCode),
}

/// Where whoever signs in goes on, if nobody says otherwise.
pub(crate) const ACCOUNT: &str = "/account";

pub(crate) async fn show(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    time: RequestTime,
    headers: HeaderMap,
    Query(query): Query<SignInQuery>,
) -> WebResult<Response> {
    let holder = service.context.device(certificate.as_ref(), time.now()).await?;
    if let Some(state) = &query.state
        && let Some(address) = service.way_on_after(state, &holder.device, time.now()).await
        && let Ok(address) = HeaderValue::try_from(address)
    {
        return Ok((StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response());
    }
    let next = path_of(query.next.as_deref());
    let login = query.login_hint.unwrap_or_default();
    let view = SignInView { next: &next, login: &login, max_age: query.max_age, refusal: None };
    // Whoever is on the way to somewhere has nothing to choose here. Whoever has just signed out has.
    if query.next.is_some() && service.is_only_provider(&holder).await? {
        return Ok(redirect(&view.start_path(), language));
    }
    service.sign_in_page(&holder, &headers, language, view).await
}

pub(crate) async fn submit(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    RequestAddress(address): RequestAddress,
    time: RequestTime,
    headers: HeaderMap,
    StrictForm(form): StrictForm<SignInForm>,
) -> WebResult<Response> {
    let holder = service.context.device(certificate.as_ref(), time.now()).await?;
    let next = path_of(form.next.as_deref());
    let secret = BrowserSecret::of(&headers, CookieName::Form);
    let outcome = if secret.is_some_and(|secret| secret.made(&form.form_token)) {
        service.proven(&holder, &form, address, &headers, time.now()).await
    } else {
        Err(Refusal::FormOutdated)
    };
    match outcome {
        Ok(SignedIn::Session(session)) => Ok(entered(&session, &next, language)),
        Ok(SignedIn::Setup(code)) => Ok(service.setup_follows(&code, language)),
        Err(refusal @ (Refusal::Unavailable | Refusal::TenantBusy | Refusal::Internal)) => {
            Err(Problem::from(refusal))
        }
        Err(refusal) => {
            let view = SignInView { next: &next, login: &form.login, max_age: None, refusal: Some(refusal) };
            service.sign_in_page(&holder, &headers, language, view).await
        }
    }
}

impl IdentityService {
    /// By whatever was filled in.
    async fn proven(
        &self,
        holder: &CertificateHolder,
        form: &SignInForm,
        address: Option<std::net::IpAddr>,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<SignedIn, Refusal> {
        let is_passkey_alone = !form.passkey.is_empty() && form.login.is_empty() && form.password.is_empty();
        if is_passkey_alone {
            self.sign_in_by_passkey(holder, form, headers, now).await.map(SignedIn::Session)
        } else {
            self.sign_in(holder, form, address, headers, now).await
        }
    }

    /// Nothing here can be guessed, so nothing is throttled: nobody keeps a person with a passkey out.
    ///
    /// # Errors
    /// [`Refusal::PasskeyWrong`] and [`Refusal::PasskeyCopied`]; others only to whoever has proved to be the person.
    async fn sign_in_by_passkey(
        &self,
        holder: &CertificateHolder,
        form: &SignInForm,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<BrowserSecret, Refusal> {
        let entered = async {
            let proven = self.proven_passkey(&form.passkey, PasskeyPart::Alone, holder, headers, now).await?;
            may_enter_locally(&proven.person.who, holder)?;
            let factor = SecondFactorUse::Passkey(proven.used);
            self.start_session(&proven.person.who, holder, factor, headers, now).await.map_err(refusal)
        };
        match entered.await {
            Ok(secret) => Ok(secret),
            Err(refusal) => Err(self.refused("session.refused", &holder.device, refusal, now).await),
        }
    }

    /// By a password, with whatever stands beside it.
    ///
    /// # Errors
    /// [`Refusal::SignInWrong`] whatever was wrong; others only to whoever has proved to be the person, or tried too often.
    async fn sign_in(
        &self,
        holder: &CertificateHolder,
        form: &SignInForm,
        address: Option<std::net::IpAddr>,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<SignedIn, Refusal> {
        // No login is so long that its key could not be: nobody has it.
        let login_key = LoginId::parse(&form.login).map_or_else(|_| String::new(), |login| login.key());
        let candidate = self.rows(holder).sign_in_candidate(&login_key, &holder.device).await;
        let candidate = candidate.map_err(refusal)?;
        let known = candidate.as_ref().filter(|candidate| candidate.is_known_here);
        let attempt = SignInAttempt {
            tenant: &holder.tenant,
            login_key: &login_key,
            known: known.map(|known| &known.who.person),
            device: &holder.device,
            address,
        };
        let refused = async |refusal| self.refused("session.refused", &holder.device, refusal, now).await;
        let Some(counted) = self.throttle.begin(&attempt, now).await? else {
            return Err(refused(Refusal::TooManySignIns).await);
        };
        let password = Password::typed(&form.password);
        // A company whose staff all come at nine, or somebody with one of its devices, leaves room for others.
        let _place = match self.context.shares.enter(TenantWork::SignIn, holder.tenant.as_str()).await {
            Ok(place) => place,
            Err(busy) => {
                counted.was_not_looked_at();
                return Err(busy);
            }
        };
        if let Some(candidate) = candidate.as_ref().filter(|candidate| candidate.is_imported) {
            let attempt =
                ImportedSignIn { candidate, holder, login: &form.login, typed: &form.password, now };
            return match self.sign_in_with_imported(attempt).await {
                Ok(code) => {
                    counted.was_right();
                    Ok(SignedIn::Setup(code))
                }
                Err(busy @ (Refusal::Unavailable | Refusal::Internal)) => {
                    counted.was_not_looked_at();
                    Err(busy)
                }
                Err(refusal) => Err(refused(refusal).await),
            };
        }
        let hash = candidate.as_ref().map(|candidate| candidate.password.as_str());
        let is_right = match self.hasher.verify(password, hash).await {
            Ok(is_right) => is_right,
            Err(refusal) => {
                counted.was_not_looked_at();
                return Err(refusal);
            }
        };
        // Looked at whether the password is right or not, so that the time does not tell.
        let factor = if form.passkey.is_empty() {
            self.second_factor(holder, candidate.as_ref(), &form.code, now).await?
        } else {
            self.passkey_factor(candidate.as_ref(), &form.passkey, holder, headers, now).await?
        };
        let (Some(candidate), Some(factor), true) = (&candidate, factor, is_right) else {
            return Err(refused(Refusal::SignInWrong).await);
        };
        if let Err(refusal) = may_enter_locally(&candidate.who, holder) {
            return Err(refused(refusal).await);
        }
        match self.start_session(&candidate.who, holder, factor, headers, now).await {
            Ok(secret) => {
                counted.was_right();
                Ok(SignedIn::Session(secret))
            }
            Err(LedgerError::Refused(refusal)) => Err(refused(refusal).await),
            Err(error) => {
                counted.was_not_looked_at();
                Err(refusal(error))
            }
        }
    }

    /// The second factor, if it fits. Whether it was used before, only the transaction knows that uses it.
    async fn second_factor(
        &self,
        holder: &CertificateHolder,
        candidate: Option<&SignInCandidate>,
        typed: &str,
        now: Timestamp,
    ) -> Result<Option<SecondFactorUse>, Refusal> {
        Ok(match (TypedFactor::parse(typed), candidate) {
            (TypedFactor::Totp(code), Some(candidate)) => {
                let secret = self.unseal_totp(&candidate.who.person, &candidate.totp).await?;
                secret.step_of(code, now, candidate.totp_step).map(SecondFactorUse::Totp)
            }
            (TypedFactor::Code(code), _) => {
                let nobody = || PersonId::random(self.context.entropy.as_ref());
                let person = candidate.map_or_else(nobody, |candidate| candidate.who.person.clone());
                let has = self.rows(holder).has_person_code(&person, &code.hash(), now).await;
                has.map_err(refusal)?.then(|| SecondFactorUse::Code(code.hash()))
            }
            _ => None,
        })
    }

    /// A passkey in the place of the code, if it is this person's and fits. What is wrong with it is told to nobody here: the
    /// password may be wrong too.
    async fn passkey_factor(
        &self,
        candidate: Option<&SignInCandidate>,
        answer: &str,
        holder: &CertificateHolder,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<SecondFactorUse>, Refusal> {
        match self.proven_passkey(answer, PasskeyPart::BesidePassword, holder, headers, now).await {
            Ok(proven) => {
                let is_theirs =
                    candidate.is_some_and(|candidate| candidate.who.person == proven.person.who.person);
                Ok(is_theirs.then_some(SecondFactorUse::Passkey(proven.used)))
            }
            Err(refusal @ (Refusal::Unavailable | Refusal::Internal)) => Err(refusal),
            Err(_) => Ok(None),
        }
    }

    /// A new token for every sign-in: nobody knows it who knew the browser's before.
    pub(crate) async fn start_session(
        &self,
        who: &SignInPerson,
        holder: &CertificateHolder,
        factor: SecondFactorUse,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<BrowserSecret, LedgerError> {
        let entropy = self.context.entropy.as_ref();
        let secret = BrowserSecret::random(entropy);
        let new = StartSession {
            id: SessionId::random(entropy),
            token_hash: secret.hash(),
            replaces: BrowserSecret::of(headers, CookieName::Session).map(|before| before.hash()),
            tenant: holder.tenant.clone(),
            person: who.person.clone(),
            device: holder.device.clone(),
            factor,
            idle_until: now.plus(IDLE),
            expires_at: now.plus(LONGEST),
        };
        let mut transaction = self.rows(holder).begin(now).await?;
        let begun = transaction.start_session(&new).await?;
        transaction.commit().await?;
        // Whoever watches the log or the numbers is woken.
        if begun == StartedSession::Emergency {
            self.alarms.ring(SignInAlarm::EmergencyCode, &new);
        }
        if who.break_glass.is_some() {
            self.alarms.ring(SignInAlarm::BreakGlass, &new);
        }
        Ok(secret)
    }
}

pub(crate) fn entered(secret: &BrowserSecret, next: &str, language: Language) -> Response {
    let mut response = redirect(next, language);
    let headers = response.headers_mut();
    headers.append(SET_COOKIE, secret.given(CookieName::Session));
    headers.append(SET_COOKIE, CookieName::Form.taken_back());
    response
}

/// Goes on with `GET` (RFC 9110 section 15.4.4), in the language of the page before.
pub(crate) fn redirect(path: &str, language: Language) -> Response {
    let joint = if path.contains('?') { '&' } else { '?' };
    let location = format!("{path}{joint}lang={}", language.tag());
    let location = HeaderValue::try_from(location).unwrap_or(HeaderValue::from_static(ACCOUNT));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

pub(crate) fn path_of(next: Option<&str>) -> String {
    next.and_then(LocalPath::parse).map_or(ACCOUNT.to_owned(), |path| path.as_str().to_owned())
}
