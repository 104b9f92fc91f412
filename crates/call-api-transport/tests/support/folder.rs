//! A folder for the files of a download.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use call_api_transport::{Download, DownloadError, Downloaded};

/// A validator of the content, which makes a download resumable.
pub(crate) const V1: &str = "etag: \"v1\"\r\n";

/// An empty folder that belongs to one test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("{}-{name}", env!("CARGO_CRATE_NAME"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn part(&self) -> PathBuf {
        self.join("a.part")
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.join("a.mp3")
    }

    /// Returns the names of the files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub(crate) async fn save(&self, download: Download<'_>) -> Result<Downloaded, DownloadError> {
        let target = self.target();
        download
            .to_file(self.part(), "a", move |_| target.clone())
            .await
    }

    /// Asserts that the target has this content, and that there is no other file.
    #[track_caller]
    pub(crate) fn assert_complete(&self, content: &[u8]) {
        assert_eq!(self.names(), ["a.mp3"]);
        assert!(fs::read(self.target()).unwrap() == content);
    }
}
