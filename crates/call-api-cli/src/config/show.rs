//! `config show`: the settings that apply, and the source of each.

use anstyle::Style;
use serde::Serialize;

use super::network::{cacert, proxy};
use super::{NamedProfile, Setting, TokenSource, base_url, token_for, variable};
use crate::args::Format;
use crate::error::CommandError;
use crate::escape::escape_control;
use crate::output;
use crate::settings::Settings;
use crate::ui::Ui;

/// An effective setting.
#[derive(Debug, Serialize)]
struct ShownSetting {
    setting: &'static str,
    /// `None` if it is not set; secrets are masked.
    value: Option<String>,
    /// The source, or the reason why it is not usable.
    source: String,
}

/// Prints the settings as they apply to every command, and the source of each.
pub(crate) fn show(
    settings: &Settings,
    output: Option<Format>,
    ui: &Ui,
) -> Result<(), CommandError> {
    let mut warnings = Vec::new();
    let profile = NamedProfile::load(settings, &mut warnings)?;
    for warning in &warnings {
        ui.warn(warning);
    }
    let (base_url, token) = match base_url(settings, &profile) {
        Ok(base_url) => {
            let token = token_for(&base_url, settings, &profile);
            let shown = (Some(mask_password(&base_url.value)), base_url.source);
            (shown, token)
        }
        Err(error) => ((None, error.to_string()), super::token(settings, &profile)),
    };
    let token = match token {
        Ok(Setting { value, source }) => {
            let value = match value {
                TokenSource::Text(_) => "***".to_owned(),
                TokenSource::File(path) => format!("*** in {}", path.display()),
                TokenSource::StandardInput => "*** in standard input".to_owned(),
            };
            (Some(value), source)
        }
        Err(error) => (None, error.to_string()),
    };
    let not_set = || (None, "not set".to_owned());
    let proxy = match (proxy(settings, &profile), crate::process::proxy_variable()) {
        (Some(proxy), _) => (Some(mask_password(&proxy.value)), proxy.source),
        (None, Some(name)) => {
            let value = variable(name)?.unwrap_or_default();
            (Some(mask_password(&value)), name.to_owned())
        }
        (None, None) => not_set(),
    };
    let cacert = cacert(settings, &profile).map(|cacert| {
        let path = cacert.value.display().to_string();
        (Some(path), cacert.source)
    });
    let deadline = settings.deadline.map(|deadline| {
        let deadline = humantime::format_duration(deadline).to_string();
        (Some(deadline), "--deadline".to_owned())
    });
    let file = match profile.has_file {
        true => "read",
        false => "does not exist",
    };
    let rows = [
        (
            "file",
            (Some(profile.path.display().to_string()), file.to_owned()),
        ),
        (
            "profile",
            (profile.name.clone(), profile.chosen_by.to_owned()),
        ),
        ("base_url", base_url),
        ("token", token),
        ("proxy", proxy),
        ("cacert", cacert.unwrap_or_else(not_set)),
        (
            "deadline",
            deadline.unwrap_or_else(|| (Some("45s".to_owned()), "default".to_owned())),
        ),
    ];
    let rows = rows.map(|(setting, (value, source))| ShownSetting {
        setting,
        value,
        source,
    });
    let format = Format::or_default(output);
    if format != Format::Table {
        return Ok(output::print_value(format, &rows)?);
    }
    let cell = |text: &str| (escape_control(text), Style::new());
    let rows = rows.iter().map(|row| {
        let value = row.value.as_deref().unwrap_or("-");
        [cell(row.setting), cell(value), cell(&row.source)]
    });
    Ok(output::table(&["SETTING", "VALUE", "SOURCE"], rows)?)
}

/// Masks the user and the password of a URL.
fn mask_password(url: &str) -> String {
    let masked = url::Url::parse(url).ok().and_then(|mut url| {
        let has_password = !url.username().is_empty() || url.password().is_some();
        (has_password && url.set_username("***").is_ok() && url.set_password(None).is_ok())
            .then(|| url.to_string())
    });
    masked.unwrap_or_else(|| url.to_owned())
}
