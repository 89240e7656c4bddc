//! Splits a PEM text into certificates and private keys, and refuses by name every block that does not belong in it.

use secrecy::SecretSlice;

use crate::error::{BundleFault, Error, KeyFault};

/// The blocks of a PEM text, in its order.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    /// Certificates in DER, not yet parsed.
    pub(crate) certificates: Vec<Vec<u8>>,
    /// Private keys by their block's label: `PRIVATE KEY`, `EC PRIVATE KEY` or `RSA PRIVATE KEY`.
    pub(crate) keys: Vec<(String, SecretSlice<u8>)>,
}

const BEGIN: &str = "-----BEGIN ";
/// The number of blocks that are read. Five certificates, a key and its parameters belong in a bundle; the rest is room
/// for repeated certificates.
const MAX_BLOCKS: usize = 16;

impl Bundle {
    /// Reads every block of the text. `EC PARAMETERS` and text between blocks are ignored.
    pub(crate) fn parse(text: &str, field: &'static str) -> Result<Self, Error> {
        let mut bundle = Self::default();
        for block in blocks(text).map_err(|fault| fault.of(field))? {
            bundle.add(block, field)?;
        }
        Ok(bundle)
    }

    fn add(&mut self, block: pem::Pem, field: &'static str) -> Result<(), Error> {
        let label = block.tag().to_owned();
        let protected = block.headers().iter().any(|(_, value)| value.contains("ENCRYPTED"));
        match label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => self.certificates.push(block.into_contents()),
            "EC PARAMETERS" => {}
            _ if protected || label == "ENCRYPTED PRIVATE KEY" => {
                return Err(Error::Key { field, fault: KeyFault::Encrypted(label) });
            }
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => {
                self.keys.push((label, SecretSlice::from(block.into_contents())));
            }
            _ if label.ends_with("PRIVATE KEY") => {
                return Err(Error::Key { field, fault: KeyFault::Unsupported(format!("{label:?}")) });
            }
            _ => return Err(BundleFault::Foreign(label).of(field)),
        }
        Ok(())
    }
}

/// Counts the blocks that begin, because the parser skips one without an end: a truncated bundle must not pass as a
/// shorter one.
fn blocks(text: &str) -> Result<Vec<pem::Pem>, BundleFault> {
    let begun = text.matches(BEGIN).count();
    if begun == 0 {
        return Err(BundleFault::Malformed("no BEGIN line"));
    }
    if begun > MAX_BLOCKS {
        return Err(BundleFault::TooManyBlocks(begun, MAX_BLOCKS));
    }
    if text.contains(r"-----\n") {
        return Err(BundleFault::Malformed(r"line breaks arrived as the two characters \n"));
    }
    let blocks = pem::parse_many(text)
        .map_err(|_| BundleFault::Malformed("a block is not base64, or its lines differ"))?;
    if blocks.len() == begun { Ok(blocks) } else { Err(BundleFault::Malformed("a block has no END line")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    fn parse(text: &str) -> Result<Bundle, String> {
        Bundle::parse(text, "pem_bundle").map_err(|error| error.to_string())
    }

    fn block(label: &str) -> String {
        CERTIFICATE.replace("CERTIFICATE", label)
    }

    #[test]
    fn blocks_are_counted_before_any_of_them_is_read() {
        assert_eq!(parse(&CERTIFICATE.repeat(16)).unwrap().certificates.len(), 16);

        let error = parse(&CERTIFICATE.replace("MAA=", "no base64!").repeat(17)).unwrap_err();

        assert_eq!(error, "pem_bundle: holds 17 PEM blocks; at most 16 are read");
    }

    #[test]
    fn text_between_blocks_and_curve_parameters_do_not_matter() {
        let text = format!(
            "Subject: x\n{}\nnotes\n{CERTIFICATE}{}",
            block("EC PARAMETERS"),
            block("EC PRIVATE KEY")
        );

        let bundle = parse(&text).unwrap();

        assert_eq!(bundle.certificates, [vec![0x30, 0]]);
        assert_eq!(bundle.keys.len(), 1);
    }

    #[test]
    fn windows_line_ends_are_read() {
        assert_eq!(parse(&CERTIFICATE.replace('\n', "\r\n")).unwrap().certificates.len(), 1);
    }

    #[test]
    fn a_bundle_cut_short_is_refused() {
        let text = format!("{CERTIFICATE}{}", &CERTIFICATE[..40]);

        assert_eq!(parse(&text).unwrap_err(), "pem_bundle: is not valid PEM: a block has no END line");
        assert!(parse("").is_err() && parse("MAA=").is_err());
        assert!(parse(&CERTIFICATE.replace("MAA=", "M*A=")).is_err());
    }

    #[test]
    fn escaped_line_breaks_are_named_as_the_cause() {
        let error = parse(&CERTIFICATE.replace('\n', "\\n")).unwrap_err();

        assert!(error.ends_with(r"line breaks arrived as the two characters \n"), "{error}");
    }

    #[test]
    fn encrypted_keys_are_refused_in_both_forms() {
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAA=\n-----END RSA PRIVATE KEY-----\n";

        for text in [old, &block("ENCRYPTED PRIVATE KEY")] {
            assert!(parse(text).unwrap_err().contains("the private key is encrypted"), "{text}");
        }
    }

    #[test]
    fn foreign_blocks_are_refused_by_name() {
        for label in
            ["X509 CRL", "CERTIFICATE REQUEST", "PUBLIC KEY", "TRUSTED CERTIFICATE", "OPENSSH PRIVATE KEY"]
        {
            assert!(parse(&block(label)).unwrap_err().contains(label), "{label}");
        }
    }
}
