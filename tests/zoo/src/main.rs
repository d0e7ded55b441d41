//! `cargo run -p zoo [-- <file for the root certificate>]`: plays every provider until it is interrupted.

use std::{error::Error, fs, io::Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use zoo::Zoo;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let zoo = Zoo::start().await?;
    let mut out = std::io::stdout().lock();
    for id in zoo.providers() {
        writeln!(out, "{id}: {}", zoo.hosts(id)?.join(", "))?;
    }
    writeln!(out, "TLS for every host name: {}", zoo.address())?;
    writeln!(out, "plain, as /{{host}}/…:    http://{}", zoo.plain_address())?;
    if let Some(file) = std::env::args().nth(1) {
        fs::write(&file, pem(&zoo.root_certificate_der()))?;
        writeln!(out, "root certificate:        {file}")?;
    }
    drop(out);
    tokio::signal::ctrl_c().await?;
    zoo.shutdown().await;
    Ok(())
}

/// RFC 7468 §5.
fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let lines: Vec<&str> = encoded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
