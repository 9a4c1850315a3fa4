//! What somebody outside tries with pages, links and codes that are not theirs.

use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use tegata_tests::{Browser, RunningInstallation, csr};

#[test]
fn a_page_of_another_site_cannot_use_a_certificate_nor_frame_pages() {
    let installation = RunningInstallation::start();
    let lost = installation.enroll("調剤室タブレット");
    let mut browser = Browser::open(&installation);
    browser.enroll(&installation.invitation);
    browser.go(&format!("{}/shop", installation.device));
    browser.see("#shop");

    let target = format!("{}/api/v1/loss-reports", installation.device);
    let body = json!({ "device": lost.device }).to_string();
    let (shop, field) = (format!("{}/shop", installation.device), body.trim_end_matches('}'));
    let evil = serve(format!(
        "<!doctype html><title>x</title><p id=done hidden>done</p><iframe id=frame src='{shop}'></iframe>\
         <form id=form method=post enctype='text/plain' action='{target}' target=sink><input name='{field}' value='}}'></form>\
         <iframe name=sink></iframe><script>\
         const post = (options) => fetch('{target}', {{ method: 'POST', credentials: 'include', body: '{body}', ...options }}).catch(() => 0);\
         form.submit();\
         Promise.all([post({{ mode: 'no-cors' }}), post({{ headers: {{ 'content-type': 'application/json' }} }}),\
           new Promise((done) => setTimeout(done, 1500))]).then(() => {{ document.getElementById('done').hidden = false; }});\
         </script>",
    ));
    browser.go(&evil);
    browser.see("#done");
    let shown = installation.tell(&["device", "show", &lost.device]);
    assert_eq!(shown["state"], "active", "no page of another site stops a device: {shown}");
    let complaints = browser.complaints().join("\n");
    assert!(complaints.contains("frame-ancestors"), "the shop was not framed: {complaints}");

    browser.go(&format!("{}/shop", installation.device));
    browser.see(&format!("[data-lost='{}']", lost.device));
}

#[test]
fn a_link_is_good_once_whoever_replays_it_by_whatever_protocol() {
    let installation = RunningInstallation::start();
    let link = installation.invite("one");
    let code = link.split('#').nth(1).expect("a code").to_owned();
    let body = |csr: String| json!({ "code": code, "csr": csr });
    let first = csr::honest();
    let enroll = |csr: String| installation.at_portal("/api/v1/enrollments").json(&body(csr)).send();
    enroll(first.clone()).expect(201);
    assert_eq!(enroll(csr::honest()).problem(), "I-02");
    let est = |csr: String| {
        let door = installation.at_device("/.well-known/est/simpleenroll").body("application/pkcs10", csr);
        door.option("--user", &format!("x:{code}")).send()
    };
    assert_eq!(est(csr::honest()).problem(), "I-02", "used up at one door, used up at all");
    let devices = installation.listed(&["device", "list"]);
    assert_eq!(devices.as_array().map(Vec::len), Some(1), "{devices}");
    let open = installation.at_portal("/api/v1/invitations/open").json(&json!({ "code": code })).send();
    assert_eq!(open.problem(), "I-02", "nor does it tell for whom it was");
}

#[test]
fn no_host_header_changes_an_address_that_a_page_or_a_program_is_given() {
    let installation = RunningInstallation::start();
    for (name, value) in
        [("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example"), ("x-host", "evil.example")]
    {
        for path in ["/", "/enroll", "/.well-known/oauth-authorization-server", "/acme/directory"] {
            let answer = installation.at_portal(path).header(name, value).send().expect(200);
            assert!(!answer.text().contains("evil.example"), "{name} at {path}");
        }
    }
    let strayed = installation.at_portal("/enroll").header("host", "evil.example").send();
    assert_eq!(strayed.problem(), "R-05");
}

/// One page on another origin, for as long as the test runs.
fn serve(page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                page.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), page.as_bytes()].concat());
        }
    });
    format!("http://{address}/")
}
