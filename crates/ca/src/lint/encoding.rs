//! Whether a certificate is DER to the last octet, its extensions' values included.

use crate::der::{self, DerReader, MalformedDer, tag};

/// Whether all of it is DER, the values of extensions included. Every BOOLEAN in a certificate has FALSE as its
/// default, which DER leaves out: so it must be TRUE.
pub(super) fn is_der(certificate: &[u8]) -> bool {
    der::is_der(certificate)
        && extension_values(certificate)
            .is_ok_and(|values| values.iter().all(|value| is_one(value) && der::is_der(value)))
}

/// Whether both times have the form that their year wants (RFC 5280 section 4.1.2.5).
pub(super) fn has_sound_times(certificate: &[u8]) -> bool {
    times(certificate).is_ok_and(|times| times.into_iter().all(is_sound_time))
}

fn is_one(bytes: &[u8]) -> bool {
    let mut reader = DerReader::new(bytes);
    reader.element().is_ok() && reader.is_empty()
}

fn is_sound_time(time: &[u8]) -> bool {
    let (is_form, digits) = match time {
        [tag::UTC_TIME, 13, digits @ .., b'Z'] => (true, digits),
        [tag::GENERALIZED_TIME, 15, digits @ .., b'Z'] => (*digits >= b"2050"[..], digits),
        _ => return false,
    };
    is_form && digits.iter().all(u8::is_ascii_digit)
}

fn times(certificate: &[u8]) -> Result<[&[u8]; 2], MalformedDer> {
    let mut fields = TbsFields::open(certificate)?;
    fields.skip_to_validity()?;
    let mut validity = DerReader::new(fields.0.expect(tag::SEQUENCE)?.content);
    let times = [validity.element()?.whole, validity.element()?.whole];
    validity.end()?;
    Ok(times)
}

/// The contents of every extnValue.
fn extension_values(certificate: &[u8]) -> Result<Vec<&[u8]>, MalformedDer> {
    let mut fields = TbsFields::open(certificate)?;
    fields.skip_to_validity()?;
    for _validity_subject_key in 0..3 {
        fields.0.expect(tag::SEQUENCE)?;
    }
    fields.0.optional(tag::context(1))?;
    fields.0.optional(tag::context(2))?;
    let Some(extensions) = fields.0.optional(tag::constructed(3))? else { return Ok(Vec::new()) };
    let mut list = DerReader::new(DerReader::single(extensions.content, tag::SEQUENCE)?.content);
    let mut values = Vec::with_capacity(9);
    while !list.is_empty() {
        let mut extension = DerReader::new(list.expect(tag::SEQUENCE)?.content);
        extension.expect(tag::OID)?;
        extension.optional(tag::BOOLEAN)?;
        values.push(extension.expect(tag::OCTET_STRING)?.content);
        extension.end()?;
    }
    Ok(values)
}

/// The fields of a `TBSCertificate`, one after another.
struct TbsFields<'a>(DerReader<'a>);

impl<'a> TbsFields<'a> {
    fn open(certificate: &'a [u8]) -> Result<Self, MalformedDer> {
        let outer = DerReader::single(certificate, tag::SEQUENCE)?;
        Ok(Self(DerReader::new(DerReader::new(outer.content).expect(tag::SEQUENCE)?.content)))
    }

    fn skip_to_validity(&mut self) -> Result<(), MalformedDer> {
        self.0.optional(tag::constructed(0))?;
        self.0.expect(tag::INTEGER)?;
        self.0.expect(tag::SEQUENCE)?;
        self.0.expect(tag::SEQUENCE)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_seconds_and_zone_and_the_form_of_its_year() {
        let time = |tag: u8, text: &str| is_sound_time(&crate::der::element(tag, &[text.as_bytes()]));
        assert!(time(tag::UTC_TIME, "491231235959Z"));
        assert!(time(tag::GENERALIZED_TIME, "20500101000000Z"));
        for wrong in ["4912312359Z", "491231235959+0900", "491231235959", "4912312359x9Z"] {
            assert!(!time(tag::UTC_TIME, wrong), "{wrong}");
        }
        for wrong in ["20491231235959Z", "20500101000000.5Z", "205001010000Z", "20500101000000"] {
            assert!(!time(tag::GENERALIZED_TIME, wrong), "{wrong}");
        }
    }
}
