//! The DER that rcgen cannot write: names byte for byte as given, put into the output of rcgen.
//!
//! rcgen keeps a name as a map by attribute type, so `DC=com, DC=example` becomes `DC=example` and a leaf no longer names its
//! issuer. Therefore rcgen writes certificates with placeholder names and no signature, and [`replace`] and [`wrap`] finish them.

/// SEQUENCE, constructed.
pub(crate) const SEQUENCE: u8 = 0x30;
/// SET, constructed.
pub(crate) const SET: u8 = 0x31;
/// OBJECT IDENTIFIER.
pub(crate) const OID: u8 = 0x06;
/// INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// One element: its tag, its whole bytes and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) raw: &'a [u8],
    pub(crate) content: &'a [u8],
}

/// Reads the first element and returns the rest; `None` for anything that is not DER with a one-byte tag and a definite
/// length.
pub(crate) fn take(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, after_tag) = input.split_first()?;
    let (&first, after_first) = after_tag.split_first()?;
    let (length, body) = match first {
        0..=0x7f => (usize::from(first), after_first),
        0x81..=0x84 => long_length(after_first, usize::from(first & 0x7f))?,
        _ => return None,
    };
    let content = body.get(..length)?;
    let rest = &body[length..];
    Some((Element { tag, raw: &input[..input.len() - rest.len()], content }, rest))
}

fn long_length(input: &[u8], octets: usize) -> Option<(usize, &[u8])> {
    let digits = input.get(..octets)?;
    let length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
    Some((length, &input[octets..]))
}

/// Reads `input` as one element with the given tag; `None` if more follows.
pub(crate) fn only(input: &[u8], tag: u8) -> Option<Element<'_>> {
    take(input).filter(|(element, rest)| element.tag == tag && rest.is_empty()).map(|(element, _)| element)
}

/// All elements of a constructed element's content.
pub(crate) fn children(mut content: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut found = Vec::new();
    while !content.is_empty() {
        let (element, rest) = take(content)?;
        found.push(element);
        content = rest;
    }
    Some(found)
}

/// Writes one element around the concatenated parts.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    if length < 0x80 {
        out.extend(u8::try_from(length));
    } else {
        let digits = length.to_be_bytes();
        let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
        out.extend(u8::try_from(digits.len()).map(|count| 0x80 | count));
        out.extend_from_slice(digits);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// The bytes to sign, with the algorithm identifier of the signature.
pub(crate) struct Unsigned {
    /// `TBSCertificate` or `CertificationRequestInfo`.
    pub(crate) body: Vec<u8>,
    algorithm: Vec<u8>,
}

/// Splits a certificate or request, and replaces the elements of its signed part at the given positions.
///
/// Positions count within `TBSCertificate` (RFC 5280 §4.1) or `CertificationRequestInfo` (RFC 2986 §4.1). `None` if `signed` has
/// another shape or a replaced element is not a SEQUENCE, as a Name is.
pub(crate) fn replace(signed: &[u8], replacements: &[(usize, &[u8])]) -> Option<Unsigned> {
    let outer = children(only(signed, SEQUENCE)?.content)?;
    let [body, algorithm, _signature] = outer.as_slice() else { return None };
    let mut parts: Vec<&[u8]> = Vec::new();
    for (position, part) in children(body.content)?.into_iter().enumerate() {
        match replacements.iter().find(|(at, _)| *at == position) {
            Some(_) if part.tag != SEQUENCE => return None,
            Some((_, name)) => parts.push(only(name, SEQUENCE)?.raw),
            None => parts.push(part.raw),
        }
    }
    Some(Unsigned { body: element(SEQUENCE, &parts), algorithm: algorithm.raw.to_vec() })
}

/// Adds the signature to the signed part: the finished certificate or request.
pub(crate) fn wrap(unsigned: &Unsigned, signature: &[u8]) -> Vec<u8> {
    let bits = element(BIT_STRING, &[&[0], signature]);
    element(SEQUENCE, &[&unsigned.body, &unsigned.algorithm, &bits])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_form_reads_back_as_written() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let content = vec![7; length];

            let written = element(SEQUENCE, &[&content]);

            let (read, rest) = take(&written).unwrap();
            assert_eq!(
                (read.tag, read.raw, read.content),
                (SEQUENCE, &written[..], &content[..]),
                "length {length}"
            );
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn truncated_and_indefinite_lengths_are_refused() {
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 0x02, 0x01],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x82, 0x01],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 0],
        ] {
            assert_eq!(take(bad), None, "{bad:02x?}");
        }
    }

    #[test]
    fn replacing_a_name_leaves_every_other_byte() {
        let name = element(SEQUENCE, &[&[0x31, 0x00]]);
        let body = element(SEQUENCE, &[&[INTEGER, 1, 5], &name, &[INTEGER, 1, 6]]);
        let signed = element(SEQUENCE, &[&body, &[0x30, 0x02, 0x05, 0x00], &[0x03, 0x02, 0x00, 0xaa]]);
        let longer = element(SEQUENCE, &[&element(SET, &[&[0; 200]])]);

        let unsigned = replace(&signed, &[(1, &longer)]).unwrap();
        let done = wrap(&unsigned, &[0xbb]);

        let outer = children(only(&done, SEQUENCE).unwrap().content).unwrap();
        let inner = children(outer[0].content).unwrap();
        assert_eq!(inner[0].raw, [INTEGER, 1, 5]);
        assert_eq!(inner[1].raw, longer);
        assert_eq!(inner[2].raw, [INTEGER, 1, 6]);
        assert_eq!(outer[1].raw, [0x30, 0x02, 0x05, 0x00]);
        assert_eq!(outer[2].raw, [0x03, 0x02, 0x00, 0xbb]);
    }

    #[test]
    fn only_a_whole_sequence_can_stand_in_for_a_name() {
        let name = element(SEQUENCE, &[]);
        let body = element(SEQUENCE, &[&[INTEGER, 1, 5], &name]);
        let signed = element(SEQUENCE, &[&body, &name, &[0x03, 0x01, 0x00]]);

        assert!(replace(&signed, &[(1, &[INTEGER, 1, 5])]).is_none());
        assert!(replace(&signed, &[(0, &name)]).is_none());
        assert!(replace(&signed, &[(1, &[&name[..], &[0x05, 0x00]].concat())]).is_none());
    }
}
