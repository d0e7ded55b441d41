//! The deployed binaries beside a running local server: `source .mooring/lambda.env && cargo lambda watch`.

use std::fmt::Write;

use shared::config::Config;

/// The lines of `lambda.env`: what the template sets in a deployment, and the endpoints that stand for AWS here. The public
/// address stays the local server's, which shares the tables and so goes on with whatever the binaries began.
#[must_use]
pub fn env(config: &Config) -> String {
    let Config { tables, secrets, aws, .. } = config;
    let public_url = config.public_url.as_ref().map(ToString::to_string).unwrap_or_default();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let lines = [
        ("TABLE_SETTINGS", tables.settings.clone()),
        ("TABLE_FLOWS", tables.flows.clone()),
        ("TABLE_CONNECTIONS", tables.connections.clone()),
        ("TABLE_JOURNAL", tables.journal.clone()),
        ("SECRET_RING_SEED", secrets.ring_seed.clone()),
        ("SECRET_RING_VERSIONS", secrets.ring_versions.clone()),
        ("SECRET_SIGNING_SEED", secrets.signing_seed.clone()),
        ("SECRET_ROOT_KEY", secrets.root_key.clone()),
        ("SECRET_CLIENTS_PREFIX", secrets.clients_prefix.clone()),
        ("DEPLOYMENT_ID", config.deployment_id.clone()),
        ("PUBLIC_URL", public_url.trim_end_matches('/').to_owned()),
        ("AWS_REGION", aws.region.clone()),
        ("AWS_ACCESS_KEY_ID", aws.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", aws.secret_access_key.clone()),
        ("AWS_ENDPOINT_URL_DYNAMODB", text(&aws.dynamodb_endpoint)),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", text(&aws.secrets_manager_endpoint)),
        ("MOORING_EGRESS", if config.loopback_egress { "allow-loopback".to_owned() } else { String::new() }),
    ];
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        // writing to a string does not fail
        let _ = writeln!(text, "export {name}='{value}'");
        text
    })
}
