//! Whose account a sign-in at a provider is: by issuer and subject, as somebody has linked them, and by nothing else.

use crate::service::{IdentityService, refusal};
use ring::digest::{SHA256, digest};
use tegata_core::claims::person_subject;
use tegata_core::encoding::hex;
use tegata_core::name::is_same;
use tegata_core::{LoginId, Name, PersonId, PersonRole, Refusal, Roles, SiteId, Timestamp};
use tegata_federation::ProviderSignIn;
use tegata_storage::{
    Actor, CertificateHolder, CreatesPeople, LedgerError, NewPerson, NewPersonLink, Principal, SignInPerson,
};

/// Of the hash that a login is made of, in bytes.
const LOGIN_HASH: usize = 8;

impl IdentityService {
    /// The account, before this device.
    ///
    /// # Errors
    /// [`Refusal::PersonNotLinked`] where there is none, and the tenant does not let its provider make one.
    pub(super) async fn account_of(
        &self,
        signed_in: &ProviderSignIn,
        issuer: &str,
        creates_people: CreatesPeople,
        holder: &CertificateHolder,
        now: Timestamp,
    ) -> Result<SignInPerson, Refusal> {
        let rows = self.rows(holder);
        let linked = || rows.linked_person(issuer, &signed_in.person, &holder.device);
        if let Some(known) = linked().await.map_err(refusal)? {
            return Ok(known);
        }
        if creates_people == CreatesPeople::Off {
            return Err(Refusal::PersonNotLinked);
        }
        self.create_account(signed_in, issuer, holder, now).await?;
        linked().await.map_err(refusal)?.ok_or(Refusal::PersonNotLinked)
    }

    /// Staff of the sites that the provider names, and nothing more. The login is made of the subject: what a provider lets
    /// people choose for themselves is nobody's name here.
    async fn create_account(
        &self,
        signed_in: &ProviderSignIn,
        issuer: &str,
        holder: &CertificateHolder,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let sites = self.named_sites(signed_in.sites.as_deref().unwrap_or_default(), holder).await?;
        let subject = person_subject(issuer, &signed_in.person);
        let hash = digest(&SHA256, subject.as_bytes());
        let login = format!("sso-{}", hex(&hash.as_ref()[..LOGIN_HASH]));
        let login = LoginId::parse(&login).map_err(|_| Refusal::Internal)?;
        let name = signed_in.display_name.as_deref().and_then(|name| Name::of_place(name).ok());
        let name = name.or_else(|| Name::of_place(login.as_str()).ok()).ok_or(Refusal::Internal)?;
        let tenant = holder.tenant.clone();
        let new = NewPerson {
            id: PersonId::random(self.context.entropy.as_ref()),
            tenant: tenant.clone(),
            login,
            name,
            roles: Roles::new([PersonRole::Staff]),
            sites,
            external_key: None,
            awaits_sites: false,
        };
        let link = NewPersonLink {
            tenant: tenant.clone(),
            person: new.id.clone(),
            issuer: issuer.to_owned(),
            subject: signed_in.person.clone(),
        };
        let actor = Actor::Provider(issuer.to_owned());
        let rows = self.context.ledger.within(Principal::provider(issuer, &tenant).scope());
        let created = async {
            let mut transaction = rows.begin(now).await?;
            transaction.add_person(&new, &actor).await?;
            transaction.link_person(&link, &actor).await?;
            transaction.commit().await
        };
        match created.await {
            // Another sign-in of the person came first.
            Ok(()) | Err(LedgerError::Guard(_)) => Ok(()),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Those of the tenant; a name that none of them has is passed over.
    async fn named_sites(
        &self,
        named: &[String],
        holder: &CertificateHolder,
    ) -> Result<Vec<SiteId>, Refusal> {
        let known = self.rows(holder).sites(&holder.tenant).await.map_err(refusal)?;
        let is_named = |name: &String, id: &SiteId, own: &str| name == id.as_str() || is_same(name, own);
        let meant =
            known.into_iter().filter(|site| named.iter().any(|name| is_named(name, &site.id, &site.name)));
        let sites: Vec<_> = meant.map(|site| site.id).collect();
        if sites.is_empty() { Err(Refusal::PersonWithoutSite) } else { Ok(sites) }
    }
}
