//! Hosts that no proxy stands before: `NO_PROXY` as curl reads it, and loopback always.

use std::net::IpAddr;

/// The hosts of a `NO_PROXY`.
#[derive(Debug, Clone, Default)]
pub(super) struct NoProxy(Vec<Entry>);

#[derive(Debug, Clone)]
enum Entry {
    All,
    /// A domain and those below it, in lower case.
    Domain(String),
    /// An address, or the network of its first bits.
    Network(IpAddr, u32),
}

impl NoProxy {
    /// Reads a list separated by commas or white space.
    pub(super) fn parse(list: &str) -> Self {
        let entries = list
            .split([',', ' ', '\t'])
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        Self(entries.map(Entry::parse).collect())
    }

    /// Whether `host` is asked without a proxy. Loopback always is.
    pub(super) fn holds(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if address.is_some_and(|address| address.is_loopback()) || host == "localhost" || host.ends_with(".localhost") {
            return true;
        }
        self.0.iter().any(|entry| match entry {
            Entry::All => true,
            Entry::Domain(domain) => {
                address.is_none()
                    && host
                        .strip_suffix(domain)
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Entry::Network(network, bits) => address.is_some_and(|address| is_within(address, *network, *bits)),
        })
    }
}

impl Entry {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(address, bits)| (address, Some(bits)));
        if let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>() {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Some(most), |bits| bits.parse().ok());
            if let Some(bits) = bits.filter(|bits| *bits <= most) {
                return Self::Network(address.to_canonical(), bits);
            }
        }
        Self::Domain(text.trim_matches('.').to_ascii_lowercase())
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differs = address.to_bits() ^ network.to_bits();
            differs.leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differs = address.to_bits() ^ network.to_bits();
            differs.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_held_as_curl_holds_it() {
        let table = [
            ("", "api.test", false),
            ("*", "api.test", true),
            ("api.test", "api.test", true),
            ("api.test", "API.test.", true),
            ("test", "api.test", true),
            (".test", "api.test", true),
            ("pi.test", "api.test", false),
            ("other.test, api.test", "api.test", true),
            ("other.test api.test", "v1.api.test", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("0.0.0.0/0", "10.1.2.3", true),
            ("10.0.0.0/99", "10.1.2.3", false),
            ("2001:db8::/32", "2001:db8::1", true),
            ("[2001:db8::1]", "2001:db8::1", true),
            ("3.4", "1.2.3.4", false),
            // Loopback, whatever the list says.
            ("", "localhost", true),
            ("", "api.localhost", true),
            ("", "127.9.9.9", true),
            ("", "::1", true),
            ("", "::ffff:127.0.0.1", true),
            ("", "localhost.test", false),
        ];
        for (list, host, held) in table {
            assert_eq!(NoProxy::parse(list).holds(host), held, "{list:?} {host}");
        }
    }
}
