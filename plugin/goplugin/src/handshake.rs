//! The one line on stdout that tells the host where and how to connect.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;

use crate::multiplexing::Multiplexing;

/// Version of go-plugin's own protocol, the first field.
const CORE_PROTOCOL: u32 = 1;

/// The handshake; its `Display` is the line's text, without the line break.
///
/// Its fields, separated by `|`: core protocol, protocol version, network, address, kind of RPC, certificate (raw
/// standard base64 of the DER), and whether broker multiplexing is supported. A host that does not know the seventh
/// field would read it as part of the sixth, so it is present only if the host shows that it knows.
#[derive(Debug)]
pub(crate) struct Handshake<'a> {
    pub(crate) protocol_version: u32,
    pub(crate) socket: &'a Path,
    pub(crate) certificate: &'a CertificateDer<'static>,
    pub(crate) multiplexing: Multiplexing,
}

impl fmt::Display for Handshake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificate = STANDARD_NO_PAD.encode(self.certificate);
        let socket = self.socket.display();
        write!(f, "{CORE_PROTOCOL}|{}|unix|{socket}|grpc|{certificate}", self.protocol_version)?;
        match self.multiplexing {
            Multiplexing::Unknown => Ok(()),
            Multiplexing::Declined | Multiplexing::Wanted => f.write_str("|true"),
        }
    }
}

impl Handshake<'_> {
    /// Writes the line and flushes it.
    pub(crate) fn announce(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(out, "{self}")?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(multiplexing: Multiplexing) -> String {
        let certificate = CertificateDer::from(vec![0xfb, 0xff, 0x01, 0x02]);
        let handshake = Handshake {
            protocol_version: 5,
            socket: Path::new("/tmp/plugin1"),
            certificate: &certificate,
            multiplexing,
        };
        let mut out = Vec::new();
        handshake.announce(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_line_has_six_fields_for_a_host_that_knows_no_multiplexing() {
        assert_eq!(line(Multiplexing::Unknown), "1|5|unix|/tmp/plugin1|grpc|+/8BAg\n");
    }

    #[test]
    fn the_line_has_a_seventh_field_for_a_host_that_knows_multiplexing() {
        assert_eq!(line(Multiplexing::Wanted), "1|5|unix|/tmp/plugin1|grpc|+/8BAg|true\n");
        assert_eq!(line(Multiplexing::Declined), line(Multiplexing::Wanted));
    }
}
