//! The settings of a sandbox. Secrets are made up at start and never printed.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use uuid::Uuid;

use crate::envelope::Dialect;
use crate::faults::Faults;
use crate::shop::{ShopUser, shop_users};
use crate::sign_in::Accounts;

/// How a sandbox is to run.
#[derive(Clone)]
pub struct Config {
    /// Address of the API; loopback only, port 0 picks a free one.
    pub bind: SocketAddr,
    /// Address of the control port; loopback only, port 0 picks a free one.
    pub control_bind: SocketAddr,
    /// The spelling of errors and the order of checks.
    pub dialect: Dialect,
    /// HS256 secret that tokens are signed with.
    pub jwt_secret: String,
    /// Key of the REST store.
    pub service_key: String,
    /// Bearer key of the provider API.
    pub provider_key: String,
    /// Who may sign in besides the users of the tenants, and how.
    pub accounts: Accounts,
    /// The users of the shop, `/orders`.
    pub shop: Vec<ShopUser>,
    /// Seed of everything that is random while it runs: faults and new ids.
    pub seed: u64,
    /// Faults in force from the start.
    pub faults: Faults,
    /// Environment variables of the API service that differ from the start: every flag of every
    /// lens is `true` unless named here.
    pub flags: BTreeMap<String, String>,
}

impl Config {
    /// Free loopback ports, freshly made secrets, no faults, all flags on.
    pub fn loopback(dialect: Dialect) -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            bind: any_port,
            control_bind: any_port,
            dialect,
            jwt_secret: secret(),
            service_key: secret(),
            provider_key: secret(),
            accounts: Accounts::made_up(),
            shop: shop_users(),
            seed: 0,
            faults: Faults::default(),
            flags: BTreeMap::new(),
        }
    }
}

/// 64 hexadecimal digits from the system's source of randomness.
fn secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("bind", &self.bind)
            .field("control_bind", &self.control_bind)
            .field("dialect", &self.dialect)
            .field("jwt_secret", &"[redacted]")
            .field("service_key", &"[redacted]")
            .field("provider_key", &"[redacted]")
            .field("accounts", &self.accounts)
            .field("shop", &self.shop)
            .field("seed", &self.seed)
            .field("faults", &self.faults)
            .field("flags", &self.flags)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_secret() {
        let config = Config::loopback(Dialect::Documented);
        let shown = format!("{config:?}");
        assert!(
            !config
                .shop
                .iter()
                .any(|user| shown.contains(&user.key) || shown.contains(&user.password))
        );
        for secret in [&config.jwt_secret, &config.service_key, &config.provider_key] {
            assert!(!shown.contains(secret.as_str()), "{shown}");
        }
    }

    #[test]
    fn every_sandbox_has_secrets_of_its_own() {
        let (one, two) = (
            Config::loopback(Dialect::Documented),
            Config::loopback(Dialect::Documented),
        );
        assert_ne!(one.jwt_secret, two.jwt_secret);
        assert_ne!(one.service_key, one.provider_key);
    }
}
