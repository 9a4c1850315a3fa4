//! Who may reserve a serial: the one statement of the rule. What reserves one certificate and what reserves many at once are
//! both made of it.
//!
//! The names in the conditions: `i` is the issuer, `d` the device, `t` its tenant, `s` its site.

/// Whether the issuer may give this device a certificate at a time: it is active and serves the tenant, the tenant is active (gates
/// go on while it is suspended), and a first certificate finds room (that of a device which moved here found it when it moved). A process that has not heard of a CA's rest, or of the
/// tenant's policy or suspension, is stopped here.
macro_rules! may_reserve {
    (generation $generation:literal, at $at:literal) => {
        concat!(
            "i.state = 'active' AND (i.tenant = d.tenant OR (i.tenant IS NULL AND t.issuing = 'pool')) \
             AND (t.state = 'active' OR d.role = 'gate') AND (",
            $generation,
            " > 1 OR EXISTS (SELECT 1 FROM transfer_item m WHERE m.successor = d.id) OR ",
            $crate::policy::has_room!($at),
            ")"
        )
    };
}
pub(crate) use may_reserve;

/// Whether a device may claim an invitation at a time: it is open, not expired, and names exactly this device.
macro_rules! may_claim {
    (at $at:literal) => {
        concat!(
            "invitation.state = 'open' AND invitation.expires_at >= ",
            $at,
            " AND d.tenant = invitation.tenant AND d.site = invitation.site AND d.role = invitation.role \
             AND d.label = invitation.label"
        )
    };
}
pub(crate) use may_claim;
