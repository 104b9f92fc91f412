//! Limits and permissions of this process.

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
