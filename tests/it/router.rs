//! The router table of `cargo lambda watch` in Cargo.toml leads every route to its function.

use std::collections::BTreeMap;

use shared::routes::{Function, ROUTES};

#[test]
fn the_router_of_cargo_lambda_watch_is_the_table_of_routes() {
    let manifest: toml::Value = toml::from_str(include_str!("../../Cargo.toml")).unwrap();
    let router = manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap();
    let router: BTreeMap<_, _> = router.iter().map(|(path, name)| (path.clone(), name.as_str().unwrap())).collect();

    // a catch-all is `{*name}` there; and as in a deployment, what is nobody's goes to `connect`
    let ours = ROUTES.iter().map(|route| (route.path.replace("{path+}", "{*path}"), route.function.name()));
    let nobodys = ["/", "/{*path}"].map(|path| (path.to_owned(), Function::Connect.name()));
    assert_eq!(router, ours.chain(nobodys).collect());
}
