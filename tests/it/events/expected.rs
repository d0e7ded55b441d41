//! The whole answers, in the order of the files. `…` stands for what is random.

pub const ANSWERS: &[(&str, &str)] = &[
    (
        "admin.create_project",
        r#"
201
content-type: application/json
x-request-id: request-admin-create-project
cache-control: no-store
x-content-type-options: nosniff

{"allowed_origins":["https://app.example"],"brand":{"colour":null,"logo_url":null},"created_at":1795263900,"environments":["test","live"],"id":"…","name":"Orbit CRM","reconnect_other_account":"deny","redirect_uris":["https://app.example/connected"],"vouches_for_users":false}
"#,
    ),
    (
        "admin.discover",
        r#"
400
content-type: application/json
x-request-id: request-admin-discover
cache-control: no-store
x-content-type-options: nosniff

{"error":"invalid_request","error_description":"issuer: it does not begin with https://","requestId":"request-admin-discover"}
"#,
    ),
    (
        "admin.doctor",
        r#"
200
content-type: application/json
x-request-id: request-admin-doctor
cache-control: no-store
x-content-type-options: nosniff

{"connector":"openai","name":"OpenAI","evidence":"verified","docs_url":"https://platform.openai.com/docs/api-reference/authentication","grants":["api_key"],"redirect_uri":null,"requests":[{"title":"Profile: whose account it is","sender":"mooring","method":"GET","url":"https://api.openai.com/v1/models","headers":[["host","api.openai.com"],["accept","application/json"],["authorization","Bearer ‹api key›"],["user-agent","mooring/0.1.0"]]},{"title":"API call, by passthrough","sender":"mooring","method":"GET","url":"https://api.openai.com/v1","headers":[["host","api.openai.com"],["authorization","Bearer ‹api key›"],["user-agent","mooring/0.1.0"]]}],"asked":[],"findings":[{"severity":"note","code":"inputs_open","what":"The person who connects is asked for `api_key`; stand-ins are shown."}],"verdict":"ready"}
"#,
    ),
    (
        "admin.foreign_project",
        r#"
404
content-type: application/json
x-request-id: request-admin-foreign-project
cache-control: no-store
x-content-type-options: nosniff

{"error":"project_not_found","error_description":"there is no such project","requestId":"request-admin-foreign-project"}
"#,
    ),
    (
        "authorize.device",
        r#"
403
content-type: application/json
x-request-id: request-authorize-device
cache-control: no-store
x-content-type-options: nosniff

{"error":"vouching_required","error_description":"nobody but the app can say who types the code: turn on vouches_for_users with PATCH /v1/admin/projects/{project}","requestId":"request-authorize-device"}
"#,
    ),
    (
        "authorize.front_end",
        r#"
200
content-type: application/json
x-request-id: request-authorize-front-end
cache-control: no-store
x-content-type-options: nosniff

{"authorizationUrl":"https://connect.example/prod/connect/start/att_…?state=acme.att_….…","state":"acme.att_….…","success":true}
"#,
    ),
    (
        "authorize.start",
        r"
302
location: https://provider.example/oauth/authorize?response_type=code&client_id=invented&state=acme.att_invented.an-invented-proof
set-cookie: __Host-mooring_att_invented=…; Path=/; Max-Age=1800; Secure; HttpOnly; SameSite=Lax
referrer-policy: no-referrer
content-security-policy: default-src 'none'; frame-ancestors 'none'
x-frame-options: DENY
x-request-id: request-authorize-start
cache-control: no-store
x-content-type-options: nosniff
",
    ),
    (
        "authorize.unknown_connector",
        r#"
404
content-type: application/json
x-api-version: 2024-02
x-request-id: request-authorize-unknown-connector
cache-control: no-store
x-content-type-options: nosniff

{"code":"CONNECTOR_NOT_FOUND","error":"connector_not_found","error_description":"this connector is unknown, or not enabled for this project","message":"this connector is unknown, or not enabled for this project","requestId":"request-authorize-unknown-connector"}
"#,
    ),
    (
        "callback.denied",
        r"
302
location: https://app.example/settings?tab=apps&error=access_denied&error_description=the+person+did+not+agree&connector=acme
referrer-policy: no-referrer
x-request-id: request-callback-denied
cache-control: no-store
x-content-type-options: nosniff
",
    ),
    (
        "callback.replayed",
        r"
302
location: https://app.example/settings?tab=apps&error=access_denied&error_description=the+person+did+not+agree&connector=acme
referrer-policy: no-referrer
x-request-id: request-callback-replayed
cache-control: no-store
x-content-type-options: nosniff
",
    ),
    (
        "connect.client_document",
        r#"
200
content-type: application/json
cache-control: public, max-age=300
x-request-id: request-connect-client-document
x-content-type-options: nosniff

{"client_id":"https://connect.example/prod/connectors/notes-porbit/client.json","client_name":"Orbit CRM","grant_types":["authorization_code","refresh_token"],"redirect_uris":["https://connect.example/prod/connectors/notes-porbit/oauth/callback"],"response_types":["code"],"token_endpoint_auth_method":"none"}
"#,
    ),
    (
        "connect.not_found",
        r#"
404
content-type: application/json
x-request-id: request-connect-not-found
cache-control: no-store
x-content-type-options: nosniff

{"error":"not_found","error_description":"there is nothing at this address","requestId":"request-connect-not-found"}
"#,
    ),
    (
        "callback.device",
        r#"
404
content-type: application/json
x-request-id: request-callback-device
cache-control: no-store
x-content-type-options: nosniff

{"error":"attempt_not_found","error_description":"there is no such attempt","requestId":"request-callback-device"}
"#,
    ),
    (
        "connections.choices",
        r#"
200
content-type: application/json
x-request-id: request-connections-choices
cache-control: no-store
x-content-type-options: nosniff

{"choices":{},"chosen":{},"requestId":"request-connections-choices","titles":{}}
"#,
    ),
    (
        "connections.list",
        r#"
200
content-type: application/json
access-control-allow-origin: https://app.example
vary: origin
access-control-expose-headers: x-request-id, x-mooring-request-id, retry-after, x-mooring-error
x-request-id: request-connections-list
cache-control: no-store
x-content-type-options: nosniff

{"consistency":"eventual","page":1,"pages":1,"requestId":"request-connections-list","rows":[{"_id":"conn_invented","account":{"email":null,"id":"7","label":"Ada's notes","tenant":null},"active":true,"connectionDefinitionId":"119235696892730","createdAt":1795263900000,"deleted":false,"deprecated":false,"environment":"test","id":"conn_invented","identity":"ada","identityType":"user","key":"conn_invented","lastModifiedBy":"system","name":"Ada's notes","platform":"notes","platformVersion":"1.0.0","scopes":{"granted":[],"missing":[],"requested":[]},"secretsServiceId":"cred_invented","settings":{"allowCustomEvents":false,"oauth":false,"parseWebhookBody":false,"showSecret":false},"state":"connected","tags":[],"throughput":{"key":"conn_invented","limit":0},"tokenSlots":[],"updated":false,"updatedAt":1795263900000,"values":{},"version":"1.0.1"}],"total":1}
"#,
    ),
    (
        "connections.odd_query",
        r#"
200
content-type: application/json
x-request-id: request-connections-odd-query
cache-control: no-store
x-content-type-options: nosniff

{"consistency":"eventual","page":1,"pages":0,"requestId":"request-connections-odd-query","rows":[],"total":0}
"#,
    ),
    (
        "connections.preflight",
        r"
204
access-control-allow-origin: *
access-control-allow-methods: POST
access-control-allow-headers: content-type, x-user-id
access-control-max-age: 600
allow: POST, OPTIONS
x-request-id: request-connections-preflight
cache-control: no-store
x-content-type-options: nosniff
",
    ),
    (
        "connections.repeated_headers",
        r#"
400
content-type: application/json
x-request-id: request-connections-repeated-headers
cache-control: no-store
x-content-type-options: nosniff

{"error":"invalid_request","error_description":"the header authorization was sent more than once","requestId":"request-connections-repeated-headers"}
"#,
    ),
    (
        "connections.repeated_query",
        r#"
400
content-type: application/json
x-request-id: request-connections-repeated-query
cache-control: no-store
x-content-type-options: nosniff

{"error":"invalid_request","error_description":"the parameter identity was sent more than once","requestId":"request-connections-repeated-query"}
"#,
    ),
    (
        "connections.upgrade",
        r#"
400
content-type: application/json
x-request-id: request-connections-upgrade
cache-control: no-store
x-content-type-options: nosniff

{"error":"unsupported_credential_type","error_description":"Notes is connected without a consent to scopes","requestId":"request-connections-upgrade"}
"#,
    ),
    (
        "passthrough.get",
        r#"
200
content-type: application/json
etag: "1"
link: <2>; rel=next
x-mooring-request-id: request-passthrough-get

{"body":[],"headers":[["accept","application/json"],["x-custom","1"],["x-custom","2"],["x-api-key","an-invented-api-key"]],"method":"GET","target":"/v1/items/a%2Fb?q=a%20b%26c&page=2&tag=x&tag=y"}
"#,
    ),
    (
        "passthrough.get_v2",
        r#"
200
content-type: application/json
etag: "1"
link: <2>; rel=next
x-mooring-request-id: request-passthrough-get-v2

{"body":[],"headers":[["accept","application/json"],["x-custom","1,2"],["x-api-key","an-invented-api-key"]],"method":"GET","target":"/v1/items/a%2Fb//c?tag=y&q=a+b%26c&tag=x&r=%zz"}
"#,
    ),
    (
        "passthrough.hostile_path",
        r#"
400
content-type: application/json
x-mooring-error: address_not_allowed
x-request-id: request-passthrough-hostile-path
cache-control: no-store
x-content-type-options: nosniff

{"error":"address_not_allowed","error_description":"the path holds a segment . or .., which would lead out of the API","requestId":"request-passthrough-hostile-path"}
"#,
    ),
    (
        "passthrough.post_v2",
        r#"
200
content-type: application/json
etag: "1"
link: <2>; rel=next
x-mooring-request-id: request-passthrough-post-v2

{"body":[0,255,128,10,13,0],"headers":[["x-api-key","an-invented-api-key"],["accept","*/*"]],"method":"POST","target":"/v1/items"}
"#,
    ),
    (
        "passthrough.unknown_connection",
        r#"
404
content-type: application/json
x-mooring-error: connection_not_found
x-request-id: request-passthrough-unknown-connection
cache-control: no-store
x-content-type-options: nosniff

{"error":"connection_not_found","error_description":"there is no such connection in this project and environment","requestId":"request-passthrough-unknown-connection"}
"#,
    ),
    (
        "token.client_credentials",
        r#"
200
content-type: application/json
pragma: no-cache
x-request-id: request-token-client-credentials
cache-control: no-store
x-content-type-options: nosniff

{"access_token":"….….…","expires_in":1800,"scope":"connect use","token_type":"Bearer"}
"#,
    ),
    (
        "token.one_time",
        r#"
200
content-type: application/json
x-request-id: request-token-one-time
cache-control: no-store
x-content-type-options: nosniff

{"expires_at":1795264200,"token":"…","ttl":300}
"#,
    ),
    (
        "token.session",
        r#"
200
content-type: application/json
x-request-id: request-token-session
cache-control: no-store
x-content-type-options: nosniff

{"expires_at":1795264200,"session":"…","url":"https://connect.example/prod/connect/acme?token=…&organizationId=porbit"}
"#,
    ),
];
