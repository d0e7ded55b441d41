//! Everything that is stored.

use std::collections::BTreeMap;

use shared::aws;

use super::World;

/// Items by table and key, each as text.
pub type Dump = BTreeMap<(String, String), String>;

impl World {
    /// Every item of these tables.
    pub async fn dump_of(&self, tables: &[&str]) -> Dump {
        let client = aws::dynamodb(&self.server.app.config.aws, &aws::http_client(aws::tls()).unwrap());
        let mut dump = Dump::new();
        for table in tables {
            let mut from = None;
            loop {
                let page = client.scan().table_name(*table).set_exclusive_start_key(from).send().await.unwrap();
                for item in page.items.unwrap_or_default() {
                    let sorted: BTreeMap<_, _> = item.iter().collect();
                    let key = format!("{:?} {:?}", item.get("pk"), item.get("sk"));
                    // a blob's bytes as text, so that a plaintext in it would be found
                    let texts = sorted.iter().map(|(name, value)| match value.as_b() {
                        Ok(blob) => format!("{name}: {}", String::from_utf8_lossy(blob.as_ref())),
                        Err(_) => format!("{name}: {value:?}"),
                    });
                    dump.insert(((*table).to_owned(), key), texts.collect::<Vec<_>>().join("\n"));
                }
                from = page.last_evaluated_key;
                if from.is_none() {
                    break;
                }
            }
        }
        dump
    }

    /// Every item there is.
    pub async fn dump(&self) -> Dump {
        self.dump_of(&local::tables::NAMES).await
    }
}
