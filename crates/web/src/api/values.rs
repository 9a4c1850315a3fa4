//! Shapes of values that the core defines, which knows of no description.

use std::borrow::Cow;
use tegata_core::policy::Platform;
use tegata_core::{DeviceState, Role};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

fn words<'a>(about: &str, words: impl Iterator<Item = &'a str>) -> RefOr<Schema> {
    let words: Vec<_> = words.collect();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .description(Some(about))
        .build()
        .into()
}

fn text(about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about))
}

macro_rules! shapes {
    ($($(#[$about:meta])* $name:ident $example:literal = $schema:expr;)*) => {$(
        $(#[$about])*
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($example)
            }
        }
    )*};
}

shapes! {
    /// The schema of a [`Role`].
    RoleSchema "Role" = words("What a certificate is for", Role::ALL.iter().map(|role| role.as_str()));

    /// The schema of a [`Platform`].
    PlatformSchema "Platform" = words(
        "What a device is, for the rules of tenant and site",
        Platform::ALL.iter().map(|platform| platform.as_str()),
    );

    /// The schema of a [`DeviceState`].
    DeviceStateSchema "DeviceState" = words(
        "Where a device stands",
        DeviceState::ALL.iter().map(|state| state.as_str()),
    );

    /// The schema of a [`tegata_core::Thumbprint`].
    ThumbprintSchema "Thumbprint" = text("x5t#S256 of RFC 8705: base64url of the SHA-256 of the DER")
        .pattern(Some("^[A-Za-z0-9_-]{43}$"))
        .build()
        .into();

    /// The schema of a [`tegata_core::Contact`].
    ContactSchema "Contact" = ObjectBuilder::new()
        .property("name", text("Who answers"))
        .property("phone", text("The number, as people write it"))
        .required("name")
        .required("phone")
        .description(Some("Whom staff call"))
        .build()
        .into();

    /// The schema of a [`tegata_core::ProductLink`].
    ProductLinkSchema "ProductLink" = ObjectBuilder::new()
        .property("name", text("What staff call it"))
        .property("url", text("Its address"))
        .required("name")
        .required("url")
        .description(Some("Where staff go on once the certificate works"))
        .build()
        .into();
}
