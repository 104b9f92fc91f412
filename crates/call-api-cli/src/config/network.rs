//! The proxy and the root certificates.

use std::path::PathBuf;

use super::{NamedProfile, Setting};
use crate::error::CliError;
use crate::settings::Settings;

/// The settings of the network, for buckets.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "object-store"),
    expect(dead_code, reason = "only buckets need them")
)]
pub(crate) struct Network {
    pub(crate) proxy: Option<String>,
    pub(crate) cacert: Option<PathBuf>,
}

/// Returns the proxy that is given, for https; without one, that of the environment applies.
pub(super) fn proxy(settings: &Settings, profile: &NamedProfile) -> Option<Setting<String>> {
    let given = settings.proxy.clone().map(|value| Setting {
        value,
        source: "--proxy".to_owned(),
    });
    given.or_else(|| profile.prefer(profile.profile.proxy.clone(), None))
}

/// Returns the proxy for https; http is for this machine only. Errors for a proxy that is not spoken to over HTTP: requests
/// would go past it.
pub(super) fn https_proxy(proxy: &Setting<String>) -> Result<reqwest::Proxy, CliError> {
    let scheme = proxy.value.split_once("://").map(|(scheme, _)| scheme);
    let is_http = scheme.is_none_or(|scheme| matches!(scheme, "http" | "https"));
    match reqwest::Proxy::https(&proxy.value) {
        Ok(accepted) if is_http => {
            crate::process::set_given_proxy(&proxy.source);
            Ok(accepted)
        }
        _ => Err(CliError::config(format!(
            "the proxy from {} is not a URL such as http://proxy.example:3128",
            proxy.source
        ))),
    }
}

/// Returns the file of root certificates.
pub(super) fn cacert(settings: &Settings, profile: &NamedProfile) -> Option<Setting<PathBuf>> {
    let given = settings.cacert.clone().map(|value| Setting {
        value,
        source: "--cacert".to_owned(),
    });
    let of_profile = profile.profile.cacert.clone();
    given.or_else(|| profile.prefer(of_profile.map(|path| profile.resolve(path)), None))
}
