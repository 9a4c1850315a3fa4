//! What a session holds.

use super::fields::{FieldReader, FieldWriter};
use tegata_core::{DeviceId, SiteId, TenantId, Timestamp};

/// Who a session is of, and how long it lasts. All of it comes from the platform's ID token and stays as it was, but for
/// the last use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionFacts {
    /// Who asks: `device:{id}`, or `person:{hash}` where a person uses the device.
    pub subject: Box<str>,
    /// The device that signed in.
    pub device: DeviceId,
    /// The legal entity it belongs to.
    pub tenant: TenantId,
    /// The store it stands in.
    pub site: SiteId,
    /// The generation of the certificate that signed in.
    pub generation: u32,
    /// The person's session at the platform; none where the device signed in by itself.
    pub sid: Option<Box<str>>,
    /// What kind of sign-in it was.
    pub acr: Box<str>,
    /// The methods of the sign-in, separated by spaces.
    pub amr: Box<str>,
    /// When the person proved who they are, in seconds since the epoch; none where nobody has said it.
    pub auth_time: Option<i64>,
    /// When the platform said all this, by its clock.
    pub issued: Timestamp,
    /// When it was last used, as far as that was written down.
    pub used: Timestamp,
    /// When it is over, however much it is used.
    pub ends: Timestamp,
}

/// What stands for a time or a text that is not there.
const NONE: i64 = i64::MIN;

impl SessionFacts {
    /// The bytes that are sealed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut fields = FieldWriter::with_capacity(320);
        fields
            .text(&self.subject)
            .text(self.device.as_str())
            .text(self.tenant.as_str())
            .text(self.site.as_str())
            .number(i64::from(self.generation))
            .text(self.sid.as_deref().unwrap_or_default())
            .text(&self.acr)
            .text(&self.amr)
            .number(self.auth_time.unwrap_or(NONE));
        for moment in [self.issued, self.used, self.ends] {
            fields.number(moment.seconds());
        }
        fields.finish()
    }

    /// From what was sealed; `None` unless it is all there and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut fields = FieldReader::new(bytes);
        let facts = Self {
            subject: fields.text()?.into(),
            device: DeviceId::parse(fields.text()?)?,
            tenant: TenantId::parse(fields.text()?)?,
            site: SiteId::parse(fields.text()?)?,
            generation: u32::try_from(fields.number()?).ok()?,
            sid: Some(fields.text()?).filter(|sid| !sid.is_empty()).map(Into::into),
            acr: fields.text()?.into(),
            amr: fields.text()?.into(),
            auth_time: Some(fields.number()?).filter(|time| *time != NONE),
            issued: fields.moment()?,
            used: fields.moment()?,
            ends: fields.moment()?,
        };
        fields.is_finished().then_some(facts)
    }
}
