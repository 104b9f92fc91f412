//! The name of a recording's file.

use uuid::Uuid;

/// Returns the name of the file: the call's id with the extension.
pub(super) fn file_name(id: Uuid, extension: Option<&str>) -> String {
    match extension {
        Some(extension) => format!("{id}.{extension}"),
        None => id.to_string(),
    }
}

/// Returns the extension for a file of that type, or else that of the URL if it is plausible.
pub(super) fn extension(media_type: Option<&str>, url: &str) -> Option<String> {
    let essence = media_type.unwrap_or_default().split(';').next();
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    let known = match essence.as_str() {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/wav" | "audio/wave" | "audio/x-wav" | "audio/vnd.wave" => "wav",
        "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
        "audio/aac" => "aac",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/ogg" | "application/ogg" => "ogg",
        "audio/opus" => "opus",
        "audio/webm" | "video/webm" => "webm",
        "audio/basic" => "au",
        "audio/amr" => "amr",
        "video/mp4" => "mp4",
        _ => {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            let (_, ending) = path.rsplit('/').next()?.rsplit_once('.')?;
            // `.part` marks an incomplete file.
            let is_plain = (2..=4).contains(&ending.len())
                && !ending.eq_ignore_ascii_case("part")
                && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
            return is_plain.then(|| ending.to_ascii_lowercase());
        }
    };
    Some(known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_comes_from_type_or_else_url() {
        let mp3 = "https://r.example/a/b.mp3?key=x.exe";
        for (media_type, url, expected) in [
            (Some("audio/mpeg"), "https://r.example/a", Some("mp3")),
            (Some("Audio/X-WAV; rate=8000"), mp3, Some("wav")),
            (Some("application/octet-stream"), mp3, Some("mp3")),
            (None, mp3, Some("mp3")),
            (None, "https://r.example/a.b/c", None),
            (None, "https://r.example/a.%2e%2e", None),
            (None, "https://r.example/a.longer", None),
            (None, "https://r.example/a.Part", None),
            (None, "", None),
        ] {
            assert_eq!(extension(media_type, url).as_deref(), expected, "{url}");
        }
    }
}
