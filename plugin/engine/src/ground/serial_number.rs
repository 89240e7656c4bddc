//! Serial numbers of certificates in the forms in which operators have them: Vault's answers, and AWS's records and headers.

use ca::Serial;
use vault_backend::{Fault, quote};

/// The longest serial number, in bytes. Source: RFC 5280, 4.1.2.2.
const MAX_BYTES: usize = 20;

/// Reads `text` as the number in any of its encodings:
///
/// | written | by |
/// | --- | --- |
/// | `0a:1b:…`, any case | Vault |
/// | `0a1b…`, any case, also without a leading zero | the session names of AWS |
/// | `CN=`-less source identities, `ID=0a1b…` | AWS |
/// | decimal digits alone, more than 32 of them | the `Credential` of AWS's signatures |
///
/// Up to 32 digits alone are hexadecimal, because the serial numbers made here have 32 hex digits. Longer ones are decimal.
///
/// # Errors
/// The caller's: `text` has none of these forms, or the number is zero or longer than [`MAX_BYTES`].
pub(crate) fn parse(text: &str) -> Result<Serial, Fault> {
    let refused = || {
        Fault::caller(format!(
            "serial_number: {} is not a serial number (1 to {MAX_BYTES} bytes, in hexadecimal with or without colons, or in decimal)",
            quote(text)
        ))
    };
    let bare = text.trim().strip_prefix("ID=").unwrap_or(text.trim());
    let digits: String = bare.chars().filter(|character| *character != ':').collect();
    let is_decimal =
        !bare.contains(':') && digits.len() > 32 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let serial =
        if is_decimal { Serial::from_decimal(&digits) } else { hexadecimal(&digits) }.ok_or_else(refused)?;
    if (1..=MAX_BYTES).contains(&serial.as_bytes().len()) { Ok(serial) } else { Err(refused()) }
}

/// The number that hex digits of either case write, also an odd count of them; `None` for any other character.
fn hexadecimal(digits: &str) -> Option<Serial> {
    let even = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("0{digits}") };
    hex::decode(even).ok().map(|bytes| Serial::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_serial_number_is_read_from_every_encoding(bytes in proptest::array::uniform16(any::<u8>())) {
            let mut bytes = bytes;
            bytes[0] = bytes[0] & 0x3f | 0x40;
            let serial = Serial::from_bytes(&bytes);
            let (hex, colons, decimal) = (serial.hex(), serial.to_string(), serial.decimal());

            for text in [hex.clone(), hex.to_uppercase(), colons.clone(), format!("ID={hex}"), decimal] {
                prop_assert_eq!(&parse(&text).unwrap(), &serial, "{}", text);
            }
        }
    }

    #[test]
    fn leading_zeros_do_not_count() {
        for text in ["0a:1b", "a1b", "00:0a:1b", "0A1B"] {
            assert_eq!(parse(text).unwrap().hex(), "0a1b", "{text}");
        }
    }

    #[test]
    fn what_is_no_serial_number_is_refused_with_the_value_and_the_bound() {
        for text in ["", "00", "xyz", "1 2", &"f".repeat(42)] {
            let fault = parse(text).unwrap_err();

            assert!(fault.to_string().contains("1 to 20 bytes"), "{fault}");
        }
    }
}
