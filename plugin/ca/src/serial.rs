//! A certificate's serial number, in the encodings of AWS and Vault.

use std::fmt;

use num_bigint::BigUint;

use crate::error::Error;

/// A positive serial number. `Display` is lowercase hex with colons, as Vault's PKI engine writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Serial(Vec<u8>);

/// The bytes of a serial number made here. RFC 5280 §4.1.2.2 allows 20.
pub(crate) const LENGTH: usize = 16;

impl Serial {
    /// Draws 16 fresh bytes. The top bit is clear (the number is positive) and the next one set (DER keeps all 16 bytes).
    pub(crate) fn random() -> Result<Self, Error> {
        let mut bytes = [0; LENGTH];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::bug("no random bytes for a serial number"))?;
        bytes[0] = bytes[0] & 0x3f | 0x40;
        Ok(Self(bytes.to_vec()))
    }

    /// A serial number from its big-endian bytes; leading zeros are ignored.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        Self(bytes[start..].to_vec())
    }

    /// The big-endian bytes without leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lowercase hex without separators, padded to whole bytes: AWS's default role session name and the `ID=` source identity.
    pub fn hex(&self) -> String {
        if self.0.is_empty() { "00".to_owned() } else { hex::encode(&self.0) }
    }

    /// Decimal of any size: the `Credential` part of a Roles Anywhere `Authorization` header.
    pub fn decimal(&self) -> String {
        BigUint::from_bytes_be(&self.0).to_string()
    }

    /// The number that [`Self::decimal`] writes; `None` unless `digits` is one or more ASCII digits.
    pub fn from_decimal(digits: &str) -> Option<Self> {
        let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = BigUint::parse_bytes(digits.as_bytes(), 10).filter(|_| is_decimal)?;
        Some(Self::from_bytes(&number.to_bytes_be()))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("00");
        }
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_number_has_three_encodings() {
        let serial = Serial::from_bytes(&[0x00, 0x01, 0x23]);

        assert_eq!(serial.to_string(), "01:23");
        assert_eq!(serial.hex(), "0123");
        assert_eq!(serial.decimal(), "291");
    }

    #[test]
    fn decimal_goes_beyond_128_bits() {
        let serial = Serial::from_bytes(&[0xff; 20]);

        assert_eq!(serial.decimal(), "1461501637330902918203684832716283019655932542975");
    }

    proptest! {
        #[test]
        fn a_serial_number_is_read_from_its_decimal_form(bytes in vec(any::<u8>(), 0..=24)) {
            let serial = Serial::from_bytes(&bytes);

            prop_assert_eq!(Serial::from_decimal(&serial.decimal()), Some(serial));
        }
    }

    #[test]
    fn only_digits_are_decimal() {
        for text in ["", "1_000", "+1", "-1", " 1", "1f", "٣"] {
            assert_eq!(Serial::from_decimal(text), None, "{text}");
        }
    }

    #[test]
    fn a_zero_serial_still_reads_as_a_number() {
        let serial = Serial::from_bytes(&[0]);

        assert_eq!(
            (serial.to_string(), serial.hex(), serial.decimal()),
            ("00".into(), "00".into(), "0".into())
        );
    }

    #[test]
    fn fresh_serials_are_positive_sixteen_bytes_and_differ() {
        let serials: Vec<Serial> = (0..64).map(|_| Serial::random().unwrap()).collect();

        assert!(
            serials.iter().all(|serial| serial.as_bytes().len() == LENGTH && serial.as_bytes()[0] < 0x80)
        );
        assert_eq!(serials.iter().collect::<std::collections::HashSet<_>>().len(), 64);
    }
}
