//! Limits, permissions, proxy and terminal of this process.

use std::sync::OnceLock;

use hyper_util::client::proxy::matcher::Matcher;

/// Makes the files that this process creates readable by their owner only: they hold phone numbers and recordings.
#[cfg(unix)]
pub(crate) fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Other systems inherit the permissions of the folder.
#[cfg(not(unix))]
pub(crate) fn keep_files_private() {}

/// Returns the maximum number of open files, if there is one.
#[cfg(unix)]
pub(crate) fn open_file_limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current?.try_into().ok()
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn open_file_limit() -> Option<usize> {
    None
}

/// Returns the columns of the terminal that a stream goes to, if it is one.
#[cfg(unix)]
pub(crate) fn terminal_width(stream: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Tables are not fitted on other systems.
#[cfg(not(unix))]
pub(crate) fn terminal_width<T>(_: T) -> Option<usize> {
    None
}

/// The source of the proxy that the settings give.
static GIVEN_PROXY: OnceLock<String> = OnceLock::new();

/// Remembers the source of the proxy that the settings give, for errors.
pub(crate) fn set_given_proxy(source: &str) {
    let _ = GIVEN_PROXY.set(source.to_owned());
}

/// Returns the source of the proxy that requests to a URL go through, if there is one.
pub(crate) fn proxy_for(url: &str) -> Option<&'static str> {
    if !url.starts_with("https:") {
        return None;
    }
    if let Some(source) = GIVEN_PROXY.get() {
        return Some(source);
    }
    // `NO_PROXY` may exclude the host.
    let url: http::Uri = url.parse().ok()?;
    Matcher::from_env().intercept(&url)?;
    proxy_variable()
}

/// Returns the environment variable with the proxy for https, if there is one.
pub(crate) fn proxy_variable() -> Option<&'static str> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    names.into_iter().find(is_set)
}
