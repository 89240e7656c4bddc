//! The serial number of a certificate in hexadecimal: `CloudTrail` writes it without colons, the engine with them.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// AWS names a session after its certificate. A shorter name of hex digits may as well be a word, such as `beef`.
const MIN_DIGITS_IN_A_NAME: usize = 16;

/// RFC 5280 bounds a serial number to 20 bytes.
const MAX_DIGITS: usize = 40;

/// A serial number. Two are equal if they are one number, however they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HexSerial(String);

/// A text that is no serial number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is not a serial number: give 1 to 40 hexadecimal digits, with or without colons")]
pub struct SerialError(String);

impl HexSerial {
    /// Reads hexadecimal digits in either case, with or without colons, as the engine, `CloudTrail` and openssl print them.
    ///
    /// # Errors
    /// The text has another character, or not 1 to 40 digits.
    pub fn parse(text: &str) -> Result<Self, SerialError> {
        let digits: String = text.chars().filter(|character| *character != ':').collect();
        let is_hex = digits.chars().all(|character| character.is_ascii_hexdigit());
        if !is_hex || digits.is_empty() || digits.len() > MAX_DIGITS {
            return Err(SerialError(text.to_owned()));
        }
        Ok(Self(digits.trim_start_matches('0').to_ascii_lowercase()))
    }

    /// The serial number that AWS gave a session as its name; none for a name of the role's own.
    pub(crate) fn of_session_name(name: &str) -> Option<Self> {
        let is_long = name.len() >= MIN_DIGITS_IN_A_NAME && !name.contains(':');
        is_long.then(|| Self::parse(name).ok()).flatten()
    }
}

/// As the engine prints it: pairs of lower-case digits with colons.
impl fmt::Display for HexSerial {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padded = if self.0.len() % 2 == 1 { format!("0{}", self.0) } else { self.0.clone() };
        for (at, digit) in padded.chars().enumerate() {
            if at > 0 && at % 2 == 0 {
                out.write_str(":")?;
            }
            write!(out, "{digit}")?;
        }
        Ok(())
    }
}

impl Serialize for HexSerial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_cloudtrail_and_of_the_engine_are_one_number() {
        let (plain, colons) = (HexSerial::parse("04F0c1").unwrap(), HexSerial::parse("04:f0:c1").unwrap());

        assert_eq!(plain, colons);
        assert_eq!(plain.to_string(), "04:f0:c1");
    }

    #[test]
    fn a_word_of_hex_digits_is_no_name_that_aws_gave() {
        assert_eq!(HexSerial::of_session_name("deadbeef"), None);
        assert_eq!(HexSerial::of_session_name("payments-api-of-a-cluster"), None);
        assert!(HexSerial::of_session_name("4f0c4f0c4f0c4f0c").is_some());
    }

    #[test]
    fn a_text_that_is_no_number_is_named() {
        for text in ["", ":", "4g", "4f 0c", &"1".repeat(41)] {
            let said = HexSerial::parse(text).unwrap_err().to_string();

            assert!(said.contains(&format!("\"{text}\" is not a serial number")), "{said}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_as_the_same_number(bytes in prop::collection::vec(any::<u8>(), 1..=20)) {
            let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            let serial = HexSerial::parse(&digits.concat()).unwrap();

            prop_assume!(bytes.iter().any(|byte| *byte > 0));
            prop_assert_eq!(HexSerial::parse(&serial.to_string()).unwrap(), serial);
        }
    }
}
