//! How connections are made: with the client certificate of `lensops.yml`, where there is one.

use lensops_core::auth::FromVariable;

use super::error::ConfigError;
use super::settings::Settings;
use crate::connect::{Connector, Identity, Proxies, Resolver, Trust};
use crate::http::{Client, TIMEOUT};

impl Settings {
    /// Connections of the system, with the client certificate that `lensops.yml` names.
    ///
    /// # Errors
    /// A variable that is not set, or one that holds no certificate or key.
    pub fn connector(&self) -> Result<Connector, ConfigError> {
        let Some(named) = &self.project.client_certificate else {
            return Ok(Connector::system());
        };
        let identity = Identity::of(&self.pem(&named.certificate)?, &self.pem(&named.key)?);
        let identity = identity.map_err(|error| ConfigError::Missing(format!("client_certificate: {error}")))?;
        let proxies = Proxies::of(|name| std::env::var(name).ok());
        let trust = Trust::system().as_identity(identity);
        Ok(Connector::new(Resolver::system(), proxies, trust))
    }

    /// Sends requests to the API.
    ///
    /// # Errors
    /// As [`Settings::connector`].
    pub fn client(&self) -> Result<Client, ConfigError> {
        Ok(Client::over(self.connector()?, TIMEOUT))
    }

    /// The PEM text that a variable holds, or the file that it names.
    fn pem(&self, from: &FromVariable) -> Result<String, ConfigError> {
        let name = &from.env;
        let value = self.var(name.as_str());
        let value =
            value.ok_or_else(|| ConfigError::Missing(format!("{name} is not set: client_certificate needs it")))?;
        if value.contains("-----BEGIN ") {
            return Ok(value.replace("\\n", "\n"));
        }
        std::fs::read_to_string(self.root.join(value)).map_err(|source| ConfigError::Read {
            path: format!("the file that {name} names"),
            source,
        })
    }
}
