//! TCP to the first of several addresses that accepts, as RFC 8305 ("happy eyeballs") has it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;

use super::error::{ConnectError, Refused};

/// How long an address is waited for before the next one is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);

/// The most addresses of a host that are tried.
const MOST_ADDRESSES: usize = 16;

/// The addresses to try: families take turns, beginning with that of the first address.
pub(super) fn in_turn(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v4 = found.first().is_some_and(SocketAddr::is_ipv4);
    let (mut same, mut other): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for &address in found {
        let list = if address.is_ipv4() == first_is_v4 {
            &mut same
        } else {
            &mut other
        };
        if !list.contains(&address) {
            list.push(address);
        }
    }
    let mut turns = Vec::new();
    for index in 0..same.len().max(other.len()) {
        turns.extend(same.get(index));
        turns.extend(other.get(index));
    }
    turns.truncate(MOST_ADDRESSES);
    turns
}

/// Connects to the first of `addresses` that accepts. The next one is tried when one refuses, and when it
/// has said nothing for a quarter of a second; the others are then given up.
///
/// # Errors
/// What each address said.
pub(super) async fn connect(host: &str, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let mut waiting = addresses.iter();
    let mut tries = FuturesUnordered::new();
    let mut refused = Vec::new();
    loop {
        match waiting.next() {
            Some(&address) => tries.push(one(address)),
            None if tries.is_empty() => {
                return Err(ConnectError::Refused(Refused::new(host, refused)));
            }
            None => {}
        }
        tokio::select! {
            Some(tried) = tries.next() => match tried {
                (address, Ok(stream)) => return Ok((stream, address)),
                (address, Err(error)) => refused.push((address, error)),
            },
            () = tokio::time::sleep(STAGGER), if waiting.len() > 0 => {}
        }
    }
}

async fn one(address: SocketAddr) -> (SocketAddr, io::Result<TcpStream>) {
    let stream = TcpStream::connect(address).await.and_then(|stream| {
        // Without it small requests wait for the peer's acknowledgement.
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    (address, stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_and_the_resolvers_first_one_begins() {
        let found = addresses(&["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::1]:1", "2.2.2.2:1", "3.3.3.3:1"]);
        let turns = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "3.3.3.3:1"]);
        assert_eq!(in_turn(&found), turns);
        assert_eq!(in_turn(&[]), []);
    }

    #[test]
    fn of_very_many_addresses_the_first_sixteen_are_tried() {
        let many: Vec<SocketAddr> = (1..=200).map(|n| SocketAddr::from(([10, 0, 0, n], 80))).collect();
        assert_eq!(in_turn(&many), many[..16]);
    }
}
