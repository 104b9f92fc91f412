//! `--proxy`, `--cacert` and `config show`.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::fs;
use std::process::Command;

use call_api_sandbox::Sandbox;
use snapbox::str;
use support::tls::with_tls;
use support::{EXAMPLE, assert_shown, empty_folder, program, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn get(base_url: &str, more: &[&str]) -> Command {
    let arguments = ["get", EXAMPLE, "--base-url", base_url, "--fields", "status"];
    let mut command = program(&[&arguments, more].concat());
    command.env("CALL_API_TOKEN", Sandbox::DEFAULT_TOKEN);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn cacert_is_trusted() {
    let sandbox = support::sandbox().await;
    let target = sandbox.base_url().trim_start_matches("http://").to_owned();
    let (address, certificate) = with_tls("localhost", target).await;
    let url = format!("https://localhost:{}", address.port());
    let file = empty_folder("cacert").join("root.pem");
    fs::write(&file, certificate).unwrap();
    let path = file.to_str().unwrap();
    let output = get(&url, &["--cacert", path]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = get(&url, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(9), "{output:?}");

    let mut shown = run(&mut get(&url, &["--cacert", "/nowhere.pem"]));
    fs::write(&file, "no certificate").unwrap();
    shown.push_str(&run(&mut get(&url, &["--cacert", path])));
    assert_shown(
        shown,
        str![[r#"
? 3
error: cannot read the certificates /nowhere.pem from --cacert: No such file or directory (os error 2); check that the file exists and is readable
? 3
error: a root certificate cannot be used: there is no certificate in it; give it in PEM

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_carries_https_only() {
    let sandbox = support::sandbox().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 1024];
        let read = stream.read(&mut buffer).await.unwrap();
        let refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refusal.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    });
    // This machine is reached directly.
    let output = get(sandbox.base_url(), &["--proxy", &proxy])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!asked.is_finished());

    let output = get(
        "https://calls.example",
        &["--proxy", &proxy, "--deadline", "2s"],
    )
    .output();
    assert_eq!(output.unwrap().status.code(), Some(9));
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("CONNECT calls.example:443 "), "{asked}");
    assert!(!asked.contains(Sandbox::DEFAULT_TOKEN));
}

/// A proxy that is not spoken to over HTTP would be ignored, and requests would go past it.
#[test]
fn proxy_with_another_scheme_is_refused() {
    let mut shown = String::new();
    for proxy in [
        "ftp://proxy.example:3128",
        "socks5://proxy.example",
        "http://",
    ] {
        let arguments = ["--proxy", proxy];
        shown.push_str(&run(&mut get("https://calls.example", &arguments)));
    }
    let refused =
        "? 3\nerror: the proxy from --proxy is not a URL such as http://proxy.example:3128\n";
    assert_eq!(shown, refused.repeat(3));
}

#[test]
fn config_show_has_sources_and_no_secrets() {
    let home = empty_folder("home-show");
    let folder = home.join(".config/call-api");
    fs::create_dir_all(&folder).unwrap();
    let show = |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["config", "show", "-o", "json"], arguments].concat();
        let mut command = program(&arguments);
        command.env("HOME", &home).envs(variables.iter().copied());
        let shown = run(&mut command);
        // The document may have another server, or none.
        match call_api::DEFAULT_BASE_URL {
            Some(url) => shown.replace(
                &format!("\"{url}\",\n    \"source\": \"the API document\""),
                "[SERVER]",
            ),
            None => regex::Regex::new("null,\n    \"source\": \"no base URL is set[^\"]*\"")
                .unwrap()
                .replace(&shown, "[SERVER]")
                .into_owned(),
        }
    };
    let mut shown = show(&[], &[]);
    fs::write(
        folder.join("config.toml"),
        "profile = \"work\"\n\n[profiles.work]\nbase_url = \"https://work.example\"\ntoken = \"canary-51c0\"\n\
         proxy = \"http://user:canary-51c0@proxy.example:3128\"\ncacert = \"root.pem\"\n",
    )
    .unwrap();
    shown.push_str("---\n");
    shown.push_str(&show(&["--deadline", "5s"], &[]));
    shown.push_str("---\n");
    let variables = [
        ("CALL_API_TOKEN_FILE", "/run/token"),
        ("HTTPS_PROXY", "http://a:canary-51c0@b.example"),
    ];
    shown.push_str(&show(
        &[
            "--base-url",
            "https://other.example",
            "--proxy",
            "http://c.example",
        ],
        &variables,
    ));
    shown.push_str("---\n");
    // The token of the profile is for another service.
    shown.push_str(&show(&["--base-url", "https://other.example"], &[]));
    assert!(!shown.contains("canary"), "{shown}");
    assert_shown(
        shown,
        str![[r#"
[
  {
    "setting": "file",
    "value": "[HOME]home-show/.config/call-api/config.toml",
    "source": "does not exist"
  },
  {
    "setting": "profile",
    "value": null,
    "source": "not set"
  },
  {
    "setting": "base_url",
    "value": [SERVER]
  },
  {
    "setting": "token",
    "value": null,
    "source": "no token is set; set CALL_API_TOKEN, use --token-file FILE (`-` is standard input), or add token_file to a profile in [HOME]home-show/.config/call-api/config.toml"
  },
  {
    "setting": "proxy",
    "value": null,
    "source": "not set"
  },
  {
    "setting": "cacert",
    "value": null,
    "source": "not set"
  },
  {
    "setting": "deadline",
    "value": "45s",
    "source": "default"
  }
]
---
warning: other users can read [HOME]home-show/.config/call-api/config.toml, which holds a token; run: chmod 600 [HOME]home-show/.config/call-api/config.toml
[
  {
    "setting": "file",
    "value": "[HOME]home-show/.config/call-api/config.toml",
    "source": "read"
  },
  {
    "setting": "profile",
    "value": "work",
    "source": "the file"
  },
  {
    "setting": "base_url",
    "value": "https://work.example",
    "source": "profile /"work/" in [HOME]home-show/.config/call-api/config.toml"
  },
  {
    "setting": "token",
    "value": "***",
    "source": "profile /"work/" in [HOME]home-show/.config/call-api/config.toml"
  },
  {
    "setting": "proxy",
    "value": "http://***@proxy.example:3128/",
    "source": "profile /"work/" in [HOME]home-show/.config/call-api/config.toml"
  },
  {
    "setting": "cacert",
    "value": "[HOME]home-show/.config/call-api/root.pem",
    "source": "profile /"work/" in [HOME]home-show/.config/call-api/config.toml"
  },
  {
    "setting": "deadline",
    "value": "5s",
    "source": "--deadline"
  }
]
---
warning: other users can read [HOME]home-show/.config/call-api/config.toml, which holds a token; run: chmod 600 [HOME]home-show/.config/call-api/config.toml
[
  {
    "setting": "file",
    "value": "[HOME]home-show/.config/call-api/config.toml",
    "source": "read"
  },
  {
    "setting": "profile",
    "value": "work",
    "source": "the file"
  },
  {
    "setting": "base_url",
    "value": "https://other.example",
    "source": "--base-url"
  },
  {
    "setting": "token",
    "value": "*** in /run/token",
    "source": "CALL_API_TOKEN_FILE"
  },
  {
    "setting": "proxy",
    "value": "http://c.example",
    "source": "--proxy"
  },
  {
    "setting": "cacert",
    "value": "[HOME]home-show/.config/call-api/root.pem",
    "source": "profile /"work/" in [HOME]home-show/.config/call-api/config.toml"
  },
  {
    "setting": "deadline",
    "value": "45s",
    "source": "default"
  }
]
---
warning: other users can read [HOME]home-show/.config/call-api/config.toml, which holds a token; run: chmod 600 [HOME]home-show/.config/call-api/config.toml
[
  {
    "setting": "file",
    "value": "[HOME]home-show/.config/call-api/config.toml",
    "source": "read"
  },
  {
    "setting": "profile",
    "value": "work",
    "source": "the file"
  },
  {
    "setting": "base_url",
    "value": "https://other.example",
    "source": "--base-url"
  },
  {
    "setting": "token",
    "value": null,
    "source": "the token of profile /"work/" in [HOME]home-show/.config/call-api/config.toml is for https://work.example and is not sent to the base URL from --base-url; set a token for it with CALL_API_TOKEN or --token-file"
  },
  {
    "setting": "proxy",
    "value": "http://***@proxy.example:3128/",
    "source": "profile /"work/" in [HOME]home-show/.config/call-api/config.toml"
  },
  {
    "setting": "cacert",
    "value": "[HOME]home-show/.config/call-api/root.pem",
    "source": "profile /"work/" in [HOME]home-show/.config/call-api/config.toml"
  },
  {
    "setting": "deadline",
    "value": "45s",
    "source": "default"
  }
]

"#]],
    );
}
