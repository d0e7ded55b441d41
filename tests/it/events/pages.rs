//! The whole answers that are pages.

pub const PAGES: &[(&str, &str)] = &[
    (
        "callback.another_browser",
        r#"
400
content-type: text/html; charset=utf-8
x-mooring-error: unknown_state
x-request-id: request-callback-another-browser
cache-control: no-store
x-content-type-options: nosniff
referrer-policy: no-referrer
content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'
cross-origin-opener-policy: same-origin
x-frame-options: DENY

<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>We don&#39;t know this link</title>
<link rel="icon" href="/prod/v1/connectors/mooring/image" type="image/svg+xml">
<link rel="stylesheet" href="/prod/connect/style.css">

</head>
<body>
<main class="centred">

<div class="mark neutral" aria-hidden="true"><svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.25" stroke-linecap="round" stroke-linejoin="round"><path d="M6.5 12h11"/></svg></div>
<h1>We don&#39;t know this link</h1>
<p>It was not made here, or it was opened in another browser. Nothing was connected. Go back to the app and start again.</p>


</main>
<footer>
<p class="sealed"><svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" aria-hidden="true"><rect x="3" y="7" width="10" height="7" rx="1.5"/><path d="M5.25 7V5a2.75 2.75 0 0 1 5.5 0v2"/></svg>Credentials are kept sealed by Mooring</p>
<p class="request">Request request-callback-another-browser</p>
</footer>
</body>
</html>
"#,
    ),
    (
        "connect.claim",
        r"
303
location: https://connect.example/prod/connect/acme?link=…
set-cookie: __Host-mooring_link_…=…; Path=/; Max-Age=900; Secure; HttpOnly; SameSite=Lax
x-request-id: request-connect-claim
cache-control: no-store
x-content-type-options: nosniff
referrer-policy: no-referrer
",
    ),
    (
        "connect.framed",
        r#"
200
content-type: text/html; charset=utf-8
content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors https://app.example
cross-origin-opener-policy: unsafe-none
x-request-id: request-connect-framed
cache-control: no-store
x-content-type-options: nosniff
referrer-policy: no-referrer

<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Continue in a new window</title>
<link rel="icon" href="/prod/v1/connectors/mooring/image" type="image/svg+xml">
<link rel="stylesheet" href="/prod/connect/style.css">
<script type="module" src="/prod/connect/page.js"></script>
</head>
<body>
<main class="centred">


<div data-until-done>

<div class="mark neutral" aria-hidden="true"><svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.25" stroke-linecap="round" stroke-linejoin="round"><path d="M6.5 12h11"/></svg></div>
<h1>Continue in a new window</h1>
<p>Orbit CRM opens its connection page in a window of its own, so that you can see where you are.</p>
<p class="actions"><a class="button" href="https://connect.example/prod/connect/acme?token=an-invented-one-time-token&#38;organizationId=porbit" target="_blank" rel="opener">Continue</a></p>
</div>
<div role="status"><div data-when-done data-origins="https://app.example" hidden>

<div class="mark good" aria-hidden="true"><svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.25" stroke-linecap="round" stroke-linejoin="round"><path d="m5 12.5 4.5 4.5L19 7.5"/></svg></div>
<h1>Done</h1>
<p>You are finished in the other window and can go on in Orbit CRM.</p>
</div></div>

</main>
<footer>
<p class="sealed"><svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" aria-hidden="true"><rect x="3" y="7" width="10" height="7" rx="1.5"/><path d="M5.25 7V5a2.75 2.75 0 0 1 5.5 0v2"/></svg>Credentials are kept sealed by Mooring</p>
<p class="request">Request request-connect-framed</p>
</footer>
</body>
</html>
"#,
    ),
    (
        "connect.preview",
        r#"
200
content-type: text/html; charset=utf-8
content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'
cross-origin-opener-policy: unsafe-none
x-request-id: request-connect-preview
cache-control: no-store
x-content-type-options: nosniff
referrer-policy: no-referrer
x-frame-options: DENY

<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Connect an account</title>
<link rel="icon" href="/prod/v1/connectors/mooring/image" type="image/svg+xml">
<link rel="stylesheet" href="/prod/connect/style.css">

</head>
<body>
<main class="centred">

<h1>Connect an account</h1>
<p>This link works once, in the browser that continues here.</p>
<form method="post" action="/prod/connect">
<input type="hidden" name="token" value="an-invented-one-time-token">
<input type="hidden" name="connector" value="acme">
<input type="hidden" name="organizationId" value="porbit">

<div class="actions"><button type="submit">Continue</button></div>
</form>

</main>
<footer>
<p class="sealed"><svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" aria-hidden="true"><rect x="3" y="7" width="10" height="7" rx="1.5"/><path d="M5.25 7V5a2.75 2.75 0 0 1 5.5 0v2"/></svg>Credentials are kept sealed by Mooring</p>
<p class="request">Request request-connect-preview</p>
</footer>
</body>
</html>
"#,
    ),
    (
        "connect.page",
        r#"
200
content-type: text/html; charset=utf-8
content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'
cross-origin-opener-policy: unsafe-none
x-request-id: request-connect-page
cache-control: no-store
x-content-type-options: nosniff
referrer-policy: no-referrer
x-frame-options: DENY

<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Connect Acme to Orbit CRM</title>
<link rel="icon" href="/prod/v1/connectors/mooring/image" type="image/svg+xml">
<link rel="stylesheet" href="/prod/connect/style.css">
<script type="module" src="/prod/connect/page.js"></script>
</head>
<body>
<main class="">

<div class="pair" aria-hidden="true"><span class="tile">O</span><span class="link"></span><span class="tile"><img src="/prod/v1/connectors/acme/image" alt="" width="56" height="56"></span></div>
<div class="centred">
<h1>Connect Acme to Orbit CRM</h1>
<p>You will be asked at Acme to let Orbit CRM work with your account there.</p>

</div>
<dl><div><dt>For</dt><dd>Ada Lovelace</dd></div></dl>

<form method="post" action="/prod/connect/acme" autocomplete="off">
<input type="hidden" name="form_token" value="…">
<input type="hidden" name="link" value="…">


<div class="actions"><button type="submit">Continue to Acme</button></div>
</form>



</main>
<footer>
<p class="sealed"><svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" aria-hidden="true"><rect x="3" y="7" width="10" height="7" rx="1.5"/><path d="M5.25 7V5a2.75 2.75 0 0 1 5.5 0v2"/></svg>Credentials are kept sealed by Mooring</p>
<p class="request">Request request-connect-page</p>
</footer>
</body>
</html>
"#,
    ),
];
