//! PEM encoding. Not in `mod.rs`, which crates without `base64` include.

/// Returns a certificate in PEM.
pub(crate) fn pem(der: &[u8]) -> String {
    use base64::Engine as _;

    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
