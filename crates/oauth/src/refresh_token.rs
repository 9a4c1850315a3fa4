//! Refresh tokens as their devices know them.

use serde::{Serialize, Serializer};
use tegata_core::id::InvitationCode;
use tegata_core::{Entropy, FamilyId};

/// One value of a family: the family's name, a dot, and 160 random bits. It never prints itself.
#[derive(Debug)]
pub(crate) struct RefreshToken {
    pub(crate) family: FamilyId,
    pub(crate) secret: InvitationCode,
}

impl RefreshToken {
    /// `None` unless it has the form of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (family, secret) = text.split_once('.')?;
        Some(Self { family: FamilyId::parse(family)?, secret: InvitationCode::parse(secret)? })
    }

    /// A fresh value of the family.
    pub(crate) fn next(family: &FamilyId, entropy: &dyn Entropy) -> Self {
        Self { family: family.clone(), secret: InvitationCode::random(entropy) }
    }

    /// The form in which its device is to know it.
    pub(crate) fn reveal(&self) -> String {
        format!("{}.{}", self.family, self.secret.reveal())
    }
}

/// Written where it is handed to its device, and nowhere else.
impl Serialize for RefreshToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.reveal())
    }
}
