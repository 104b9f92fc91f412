//! Archives in a bucket, on an S3 server of this machine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use call_api::CallStatus;
use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox, Script};
use http::StatusCode;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{Attribute, ObjectStoreExt as _};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use serde_json::Value;
use support::archive::{kill_50_times, recorded, requests_of_recordings, sha256, written};
use support::tls::with_tls;
use support::{Files, ended_as, id};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const KEY: &str = "key";
const SECRET: &str = "secret";
const URL: &str = "s3://calls/an/archive";

/// The faults of a server.
#[derive(Debug, Default)]
struct Disturbance {
    requests: AtomicUsize,
    /// Some requests fail, before or after they were carried out.
    has_faults: AtomicBool,
    /// Objects are not accepted.
    is_read_only: AtomicBool,
    /// The third part of an upload is refused.
    refuses_third_part: AtomicBool,
    /// The third part of an upload is not answered.
    holds_third_part: AtomicBool,
}

/// An S3 server with the bucket `calls`.
struct Bucket {
    root: PathBuf,
    endpoint: String,
    disturbance: Arc<Disturbance>,
    /// The local folder for downloads.
    state: PathBuf,
}

impl Bucket {
    async fn start(name: &str) -> Self {
        let folder = support::empty_folder(name);
        let root = folder.join("s3");
        fs::create_dir_all(root.join("calls")).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(&root).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let (service, disturbance) = (builder.build(), Arc::new(Disturbance::default()));
        let shared = Arc::clone(&disturbance);
        let router = Router::new().fallback(move |request: Request| {
            answer(service.clone(), Arc::clone(&shared), request)
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            root,
            endpoint,
            disturbance,
            state: folder.join("state"),
        }
    }

    /// Sets up the environment of a program for the bucket.
    fn configure<'a>(&self, program: &'a mut Command) -> &'a mut Command {
        program
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_REGION", "eu-south-2")
            .env("XDG_STATE_HOME", &self.state)
    }

    /// Returns `recording --ids` for the bucket.
    fn archive(&self, sandbox: &Sandbox, files: &Files, more: &[&str]) -> Command {
        self.archive_to(URL, sandbox, files, more)
    }

    fn archive_to(&self, url: &str, sandbox: &Sandbox, files: &Files, more: &[&str]) -> Command {
        let ids = files.ids.to_str().unwrap();
        let arguments = ["recording", "--ids", ids, "--out", url, "--wait", "0s"];
        let mut program = support::program_for(sandbox, &[&arguments, more].concat());
        self.configure(&mut program);
        program
    }

    /// Returns the folder with the objects of the archive.
    fn objects(&self) -> PathBuf {
        self.root.join("calls/an/archive")
    }

    /// Returns the names below a folder of the archive, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.objects().join(folder)) else {
            return Vec::new();
        };
        let entries = entries.map(|entry| entry.unwrap());
        let entries = entries.filter(|entry| entry.file_type().unwrap().is_file());
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Returns the number of calls that are done.
    fn done(&self) -> usize {
        self.names("manifest/saved").len() + self.names("manifest/absent").len()
    }

    /// Returns the entries with an outcome, by the id.
    fn entries(&self, outcome: &str) -> BTreeMap<String, Value> {
        let folder = format!("manifest/{outcome}");
        let entries = self.names(&folder).into_iter().map(|name| {
            let text = fs::read_to_string(self.objects().join(&folder).join(&name)).unwrap();
            let entry: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
            assert_eq!(entry["outcome"], outcome);
            assert_eq!(name, format!("{}.json", entry["id"].as_str().unwrap()));
            (entry["id"].as_str().unwrap().to_owned(), entry)
        });
        entries.collect()
    }

    /// Checks that each odd call has exactly one object and an entry that describes it, and each even one an entry only, and
    /// that nothing is left on this machine.
    fn assert_whole(&self, ids: &[String]) {
        let (saved, absent) = (self.entries("saved"), self.entries("absent"));
        let ids_of = |remainder| {
            let ids = ids.iter().enumerate();
            let ids = ids.filter(move |(index, _)| index % 2 == remainder);
            ids.map(|(_, id)| id).collect::<Vec<_>>()
        };
        assert_eq!(saved.keys().collect::<Vec<_>>(), ids_of(0));
        assert_eq!(absent.keys().collect::<Vec<_>>(), ids_of(1));
        let mut files = Vec::new();
        for entry in saved.values() {
            let file = entry["file"].as_str().unwrap();
            let sound = fs::read(self.objects().join(file)).unwrap();
            assert_eq!(entry["size"], sound.len());
            assert_eq!(entry["sha256"], sha256(&sound));
            assert!(entry["etag"].as_str().unwrap().starts_with('"'), "{entry}");
            assert_eq!(entry["media_type"], "audio/wav");
            assert!(entry["at"].as_str().unwrap().ends_with('Z'));
            files.push(file.to_owned());
        }
        assert_eq!(self.names(""), files);
        assert_eq!(left_in(&self.state), ["lock"]);
    }

    /// Returns a client of the bucket.
    fn client(&self) -> AmazonS3 {
        let _ = rustls::crypto::ring::default_provider().install_default();
        AmazonS3Builder::new()
            .with_bucket_name("calls")
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_access_key_id(KEY)
            .with_secret_access_key(SECRET)
            .build()
            .unwrap()
    }
}

/// Returns the names of the files in the local folders for downloads.
fn left_in(state: &Path) -> Vec<String> {
    let folders = fs::read_dir(state.join("call-api/archives")).unwrap();
    let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.collect()
}

async fn answer(service: S3Service, disturbance: Arc<Disturbance>, request: Request) -> Response {
    let number = disturbance.requests.fetch_add(1, Ordering::SeqCst);
    let is_on = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
    let is_put = request.method() == http::Method::PUT;
    let has_faults = is_on(&disturbance.has_faults);
    if has_faults && number % 20 == 3 {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let query = request.uri().query().unwrap_or_default();
    let is_third_part = query.contains("partNumber=3");
    let is_refused = (is_on(&disturbance.is_read_only) && is_put)
        || (is_on(&disturbance.refuses_third_part) && is_third_part);
    if is_refused {
        let error = "<Error><Code>AccessDenied</Code></Error>";
        return (StatusCode::FORBIDDEN, error).into_response();
    }
    if is_on(&disturbance.holds_third_part) && is_third_part {
        std::future::pending::<()>().await;
    }
    let Ok(answer) = service.call(request.map(s3s::Body::http_body_unsync)).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if has_faults && number % 20 == 11 {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    answer.map(Body::new)
}

fn error_of(program: &mut Command, code: i32) -> String {
    let output = program.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn succeed(mut program: Command) {
    let output = program.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_kept_once_with_a_manifest() {
    let (sandbox, mut ids) = recorded(6).await;
    let bucket = Bucket::start("bucket").await;
    let files = Files::new("bucket-ids", &ids, "unused");
    let archive = || bucket.archive(&sandbox, &files, &[]);
    succeed(archive());
    bucket.assert_whole(&ids);
    assert_eq!(requests_of_recordings(&sandbox), 3);

    // A second run asks for nothing, also on another machine, and removes what a killed one left; a recording that is gone is
    // downloaded again.
    let before = sandbox.requests().len();
    let folders = fs::read_dir(bucket.state.join("call-api/archives")).unwrap();
    let folder = folders.map(|folder| folder.unwrap().path()).next().unwrap();
    fs::write(folder.join(format!("{}.wav", ids[0])), "left").unwrap();
    succeed(archive());
    bucket.assert_whole(&ids);
    let mut elsewhere = archive();
    elsewhere.env("XDG_STATE_HOME", support::empty_folder("bucket-elsewhere"));
    succeed(elsewhere);
    assert_eq!(sandbox.requests().len(), before);
    fs::remove_file(bucket.objects().join(format!("{}.wav", ids[0]))).unwrap();
    succeed(archive());
    bucket.assert_whole(&ids);
    assert_eq!(requests_of_recordings(&sandbox), 4);

    // Failures are part of the manifest, and are tried again.
    sandbox.run(ended_as(7), Script::new(CallStatus::Dialing));
    ids.push(id(7));
    fs::write(&files.ids, ids.join("\n")).unwrap();
    assert!(error_of(&mut archive(), 10).contains("has not ended"));
    assert_eq!(bucket.entries("failed")[&ids[6]]["error"], "timeout");
    let script = Script::new(CallStatus::Completed).recording(Duration::ZERO);
    sandbox.run(ended_as(7), script);
    succeed(archive());
    bucket.assert_whole(&ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn recording_of_one_call_is_kept_in_a_bucket() {
    let (sandbox, ids) = recorded(1).await;
    let bucket = Bucket::start("bucket-one").await;
    let recording = |more: &[&str]| {
        let arguments = [&["recording", &ids[0], "--out", URL], more].concat();
        let mut program = support::program_for(&sandbox, &arguments);
        bucket.configure(&mut program);
        program
    };
    assert!(error_of(&mut recording(&["--force"]), 2).contains("--force"));
    succeed(recording(&[]));
    succeed(recording(&[]));
    bucket.assert_whole(&ids);
    assert_eq!(requests_of_recordings(&sandbox), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_sync_precede_their_records() {
    let (sandbox, ids) = recorded(4).await;
    let bucket = Bucket::start("bucket-sync").await;
    let files = Files::new("bucket-sync-ids", &ids, "calls.jsonl");
    let sync = || {
        let arguments = ["--recordings", URL, "--recording-wait", "0s"];
        let mut program = files.sync(&sandbox, &arguments);
        bucket.configure(&mut program);
        program
    };
    let broken = FaultRule::new(Fault::status(StatusCode::FORBIDDEN)).operation("recording");
    sandbox.set_faults(Faults::seeded(1).rule(broken)).unwrap();
    error_of(&mut sync(), 5);
    assert_eq!(written(&files.out), [&ids[1..2], &ids[3..]].concat());

    // A bucket that accepts nothing ends the run.
    sandbox.set_faults(Faults::default()).unwrap();
    bucket
        .disturbance
        .is_read_only
        .store(true, Ordering::SeqCst);
    let error = error_of(&mut sync(), 1);
    assert!(
        error.contains("cannot write s3://calls/an/archive/"),
        "{error}"
    );
    assert!(
        error.contains("403 Forbidden: AccessDenied; check"),
        "{error}"
    );
    assert_eq!(bucket.names("manifest/saved").len(), 0);

    bucket
        .disturbance
        .is_read_only
        .store(false, Ordering::SeqCst);
    succeed(sync());
    assert_eq!(written(&files.out), ids);
    bucket.assert_whole(&ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_recording_is_uploaded_in_parts_or_not_at_all() {
    let (sandbox, _) = recorded(0).await;
    let hour = Duration::from_secs(60 * 60);
    let script = Script::new(CallStatus::InProgress).then(hour / 2, CallStatus::Completed);
    sandbox.run(ended_as(1), script.recording(Duration::ZERO));
    sandbox.advance(hour);
    let bucket = Bucket::start("bucket-large").await;
    let files = Files::new("bucket-large-ids", &[id(1)], "unused");
    let parts = || {
        let files = fs::read_dir(&bucket.root).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".part-")).count()
    };
    let Disturbance {
        refuses_third_part,
        holds_third_part,
        ..
    } = &*bucket.disturbance;
    // A failed upload leaves no parts.
    refuses_third_part.store(true, Ordering::SeqCst);
    error_of(&mut bucket.archive(&sandbox, &files, &[]), 1);
    assert_eq!(
        (parts(), bucket.names(""), bucket.done()),
        (0, Vec::new(), 0)
    );
    refuses_third_part.store(false, Ordering::SeqCst);

    holds_third_part.store(true, Ordering::SeqCst);
    let mut program = bucket.archive(&sandbox, &files, &[]);
    let mut child = program.stderr(Stdio::null()).spawn().unwrap();
    while parts() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((bucket.names(""), bucket.done()), (Vec::new(), 0));

    holds_third_part.store(false, Ordering::SeqCst);
    succeed(bucket.archive(&sandbox, &files, &[]));
    bucket.assert_whole(&[id(1)]);
    let entry = &bucket.entries("saved")[&id(1)];
    assert!(entry["size"].as_u64().unwrap() > 10 << 20, "{entry}");
    let path = format!("an/archive/{}.wav", id(1)).into();
    let object = bucket.client().get(&path).await.unwrap();
    let digest = object.attributes.get(&Attribute::Metadata("sha256".into()));
    assert_eq!(entry["sha256"], digest.unwrap().as_ref());
    let media_type = object.attributes.get(&Attribute::ContentType);
    assert_eq!(media_type.unwrap().as_ref(), "audio/wav");
}

#[tokio::test(flavor = "multi_thread")]
async fn checksum_is_sent_for_the_server_to_compare() {
    let (sandbox, ids) = recorded(1).await;
    let bucket = Bucket::start("bucket-checksum").await;
    let files = Files::new("bucket-checksum-ids", &ids, "unused");
    succeed(bucket.archive(&sandbox, &files, &[]));
    let stored = fs::read_dir(&bucket.root)
        .unwrap()
        .map(|file| file.unwrap());
    let stored = stored.filter(|file| {
        let name = file.file_name().into_string().unwrap();
        name.ends_with(".internal.json")
    });
    let digests = stored.map(|file| {
        let stored: Value = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
        stored["checksum_sha256"].is_string()
    });
    // Of the recording and of its entry.
    assert_eq!(digests.collect::<Vec<_>>(), [true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_bucket_is_reported_before_any_request() {
    let (sandbox, ids) = recorded(1).await;
    let bucket = Bucket::start("bucket-unusable").await;
    let files = Files::new("bucket-unusable-ids", &ids, "unused");
    let archive = || bucket.archive(&sandbox, &files, &[]);
    let mut wrong_secret = archive();
    wrong_secret.env("AWS_SECRET_ACCESS_KEY", "other");
    let mut refused = archive();
    refused.env_remove("AWS_ALLOW_HTTP");
    let mut unknown = bucket.archive_to("s3://other", &sandbox, &files, &[]);
    let mut homeless = archive();
    homeless.env("XDG_STATE_HOME", bucket.root.join("calls").join("file"));
    fs::write(bucket.root.join("calls/file"), "").unwrap();
    for (program, expected) in [
        (
            &mut wrong_secret,
            "403 Forbidden: SignatureDoesNotMatch; check the bucket",
        ),
        (&mut refused, "cannot read s3://calls/an/archive: "),
        (
            &mut unknown,
            "404 Not Found: NoSuchBucket; check the bucket",
        ),
        (&mut homeless, "set XDG_STATE_HOME"),
    ] {
        let error = error_of(program, 1);
        assert!(error.contains(expected), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let folders = fs::read_dir(bucket.state.join("call-api/archives")).unwrap();
    let locks = folders.map(|folder| {
        let file = fs::File::create(folder.unwrap().path().join("lock")).unwrap();
        file.lock().unwrap();
        file
    });
    let _held: Vec<_> = locks.collect();
    assert!(error_of(&mut archive(), 1).contains("another run is writing"));
    assert_eq!(sandbox.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bucket_is_reached_through_the_proxy_with_the_given_root() {
    let (sandbox, ids) = recorded(2).await;
    let bucket = Bucket::start("bucket-network").await;
    let files = Files::new("bucket-network-ids", &ids, "unused");
    let target = bucket.endpoint.trim_start_matches("http://").to_owned();
    let (address, certificate) = with_tls("bucket.example", target).await;
    let root = files.ids.with_file_name("root.pem");
    fs::write(&root, certificate).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 1024];
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(buffer[..read].starts_with(b"CONNECT bucket.example:443 "));
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(address).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
            });
        }
    });
    let network = ["--proxy", &proxy, "--cacert", root.to_str().unwrap()];
    let mut program = bucket.archive(&sandbox, &files, &network);
    program
        .env("AWS_ENDPOINT_URL", "https://bucket.example")
        .env_remove("AWS_ALLOW_HTTP");
    succeed(program);
    bucket.assert_whole(&ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_at_once_leave_a_whole_archive() {
    let (sandbox, ids) = recorded(40).await;
    let bucket = Bucket::start("bucket-two").await;
    let files = Files::new("bucket-two-ids", &ids, "unused");
    let elsewhere = support::empty_folder("bucket-two-elsewhere");
    let mut other = bucket.archive(&sandbox, &files, &[]);
    other.env("XDG_STATE_HOME", elsewhere).stderr(Stdio::null());
    let mut other = other.spawn().unwrap();
    succeed(bucket.archive(&sandbox, &files, &[]));
    assert!(other.wait().unwrap().success());
    bucket.assert_whole(&ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_archive_is_whole_in_the_end() {
    let (sandbox, ids) = recorded(500).await;
    let bucket = Bucket::start("bucket-killed").await;
    let files = Files::new("bucket-killed-ids", &ids, "unused");
    bucket.disturbance.has_faults.store(true, Ordering::SeqCst);
    kill_50_times(
        &sandbox,
        || bucket.done(),
        || bucket.archive(&sandbox, &files, &["--jobs", "4"]),
    );
    bucket.assert_whole(&ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_sync_with_recordings_is_whole_in_the_end() {
    let (sandbox, ids) = recorded(500).await;
    let bucket = Bucket::start("bucket-killed-both").await;
    let files = Files::new("bucket-killed-both-ids", &ids, "calls.jsonl");
    bucket.disturbance.has_faults.store(true, Ordering::SeqCst);
    let arguments = ["--recordings", URL, "--recording-wait", "0s", "--jobs", "4"];
    kill_50_times(
        &sandbox,
        || bucket.done(),
        || {
            let mut program = files.sync(&sandbox, &arguments);
            bucket.configure(&mut program);
            program
        },
    );
    bucket.assert_whole(&ids);
    assert_eq!(written(&files.out), ids);
}
