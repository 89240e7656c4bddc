//! Free pairs of loopback ports: a Vault server listens on one and takes the next for its cluster traffic.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a port after the check and before its use.
const FIRST: u16 = 20_000;
const PAIRS: u16 = 6_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// The lower port of a pair that was free a moment ago. Two calls of one process never return the same pair. Two
/// processes start at different ports, and [`crate::Vault`] tries again if it still loses a race.
pub fn free_pair() -> u16 {
    let start = u16::try_from(std::process::id() % u32::from(PAIRS)).unwrap_or(0);
    (0..PAIRS)
        .map(|_| NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(start.wrapping_mul(37)) % PAIRS)
        .map(|pair| FIRST + 2 * pair)
        .find(|&port| is_free(port) && is_free(port + 1))
        .expect("no free pair of loopback ports below the ephemeral range")
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_handed_out() {
        let port = free_pair();

        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)).unwrap();

        assert!(is_free(port));
        assert!(!is_free(port + 1));
    }

    #[test]
    fn two_pairs_never_overlap() {
        let first = free_pair();
        let second = free_pair();

        assert!(first.abs_diff(second) >= 2);
    }
}
