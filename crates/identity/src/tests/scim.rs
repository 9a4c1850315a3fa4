//! A directory as Entra ID and Okta are one: by a token it sees and changes the people of its own tenant, and nobody else.

use super::{OPERATOR, TestCompany};
use crate::portal_routes;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tegata_core::{Name, PersonRole, Roles, ScimSecret, ScimTokenId};
use tegata_storage::{NewScimToken, Person};
use tegata_testkit::{Everything, PORTAL, TestResponse, send};

const DAY: Duration = Duration::from_hours(24);

struct Directory<'a> {
    company: &'a TestCompany,
    token: String,
}

impl<'a> Directory<'a> {
    /// Of the tenant that the installation has last, with a token for these roles.
    async fn of(company: &'a TestCompany, roles: &[PersonRole]) -> Self {
        let context = &company.installation.context;
        let new = NewScimToken {
            id: ScimTokenId::random(context.entropy.as_ref()),
            tenant: company.installation.tenant.clone(),
            name: Name::of_place("Entra ID").unwrap(),
            roles: Roles::new(roles.iter().copied()),
            expires_at: context.now().plus(DAY),
        };
        let secret = ScimSecret::random(context.entropy.as_ref());
        let mut transaction = context.ledger.begin(context.now()).await.unwrap();
        transaction.add_scim_token(&new, &secret, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        Self { company, token: secret.reveal().to_owned() }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> TestResponse {
        self.ask_if(method, path, body, &[]).await
    }

    async fn ask_if(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(http::HeaderName, &str)],
    ) -> TestResponse {
        let mut request = Request::builder().method(method).uri(format!("/scim/v2{path}"));
        request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/scim+json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        send(portal_routes(self.company.service.clone()), None, request.body(body).unwrap()).await
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.ask(Method::GET, path, None).await;
        assert_eq!(response.status, StatusCode::OK, "{path}: {}", response.text);
        response.json()
    }

    async fn add(&self, user: Value) -> Value {
        let response = self.ask(Method::POST, "/Users", Some(&user)).await;
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.text);
        response.json()
    }

    async fn patch(&self, path: &str, operations: Value) -> TestResponse {
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
        let body = json!({"schemas": schemas, "Operations": operations});
        self.ask(Method::PATCH, path, Some(&body)).await
    }

    async fn person(&self, login: &str) -> Person {
        let people = self.company.installation.context.ledger.everything().people().await.unwrap();
        people.into_iter().find(|person| person.login == login).unwrap()
    }
}

fn entra(login: &str, key: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": key, "userName": login, "active": true, "displayName": "佐藤 花子",
        "emails": [{"primary": true, "type": "work", "value": "sato@example.jp"}],
        "meta": {"resourceType": "User"},
        "name": {"formatted": "佐藤 花子", "familyName": "佐藤", "givenName": "花子"}, "title": "薬剤師",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "調剤"},
    })
}

fn is_refused(response: &TestResponse, status: u16, scim_type: Option<&str>, code: &str) {
    let error = response.json();
    assert_eq!(response.headers[CONTENT_TYPE], "application/scim+json");
    assert_eq!(error["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
    let said = (response.status.as_u16(), error["status"].as_str(), error["scimType"].as_str());
    assert_eq!(said, (status, Some(&*status.to_string()), scim_type), "{}", response.text);
    let detail = error["detail"].as_str().unwrap();
    assert!(detail.starts_with(&format!("{code}: ")), "{code}, not {detail}");
}

#[tokio::test]
async fn entra_id_adds_finds_places_disables_and_deletes_a_person() {
    let company = TestCompany::new().await;
    let directory = Directory::of(&company, &[PersonRole::Staff]).await;
    let path = "/Users?filter=userName%20eq%20%22sato%40example.jp%22";
    assert_eq!(directory.get(path).await["totalResults"], 0);
    let added = directory.add(entra("sato@example.jp", "a-1")).await;
    assert_eq!((&added["userName"], &added["active"]), (&json!("sato@example.jp"), &json!(true)));
    assert_eq!(added["roles"], json!([{"value": "staff"}]));
    assert!(added.get("emails").is_none() && added.get("title").is_none(), "what is not kept is not shown");
    let id = added["id"].as_str().unwrap();
    assert_eq!(added["meta"]["location"], format!("{PORTAL}/scim/v2/Users/{id}"));
    for filter in
        ["userName%20eq%20%22SATO%40example.jp%22", "externalId%20eq%20%22a-1%22", "active%20eq%20true"]
    {
        let found = directory.get(&format!("/Users?filter={filter}")).await;
        assert_eq!(
            (&found["totalResults"], &found["Resources"][0]["id"]),
            (&json!(1), &json!(id)),
            "{filter}"
        );
    }

    let groups = directory
        .get("/Groups?filter=displayName%20eq%20%22%E6%9C%AC%E5%BA%97%22&excludedAttributes=members")
        .await;
    let group = groups["Resources"][0]["id"].as_str().unwrap().to_owned();
    assert!(groups["Resources"][0].get("members").is_none());
    let member = json!([{"op": "Add", "path": "members", "value": [{"value": id}]}]);
    assert_eq!(directory.patch(&format!("/Groups/{group}"), member).await.status, StatusCode::NO_CONTENT);
    assert_eq!(directory.get(&format!("/Users/{id}")).await["groups"][0]["display"], "本店");
    assert_eq!(directory.get(&format!("/Groups/{group}")).await["members"][0]["value"], id);

    let renamed = directory.patch(&format!("/Users/{id}"), json!([
        {"op": "Replace", "path": "displayName", "value": "鈴木 花子"},
        {"op": "Replace", "path": "name.familyName", "value": "鈴木"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "本部"},
        {"op": "Replace", "path": "active", "value": "False"},
    ])).await.json();
    assert_eq!((&renamed["displayName"], &renamed["active"]), (&json!("鈴木 花子"), &json!(false)));
    let back =
        directory.patch(&format!("/Users/{id}"), json!([{"op": "replace", "value": {"active": true}}])).await;
    assert_eq!(back.json()["active"], true, "as Okta writes it");

    let deleted = directory.ask(Method::DELETE, &format!("/Users/{id}"), None).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (StatusCode::NO_CONTENT, ""));
    is_refused(&directory.ask(Method::GET, &format!("/Users/{id}"), None).await, 404, None, "U-38");
    assert_eq!(directory.get("/Users").await["totalResults"], 0);
    assert_eq!(directory.person("sato@example.jp").await.state.as_str(), "disabled");
    let again = directory.add(entra("sato@example.jp", "a-1")).await;
    assert_eq!(again["id"], id, "whoever comes back is who they were");
    assert_eq!(again["active"], true);
    let audit = company.audit().await.join("\n");
    assert!(audit.contains("\"actor\":\"directory:") && !audit.contains("sato") && !audit.contains("花子"));
}

#[tokio::test]
async fn a_directory_gives_no_role_that_its_token_was_not_made_for() {
    let company = TestCompany::new().await;
    let (directory, wide) = (
        Directory::of(&company, &[PersonRole::Staff]).await,
        Directory::of(&company, &[PersonRole::Staff, PersonRole::TenantAdmin]).await,
    );
    let admin = json!({"userName": "admin", "displayName": "本部", "active": true, "roles": [{"value": "tenant-admin"}]});
    is_refused(&directory.ask(Method::POST, "/Users", Some(&admin)).await, 403, None, "U-33");
    let operator = json!({"userName": "x", "displayName": "x", "roles": [{"value": "operator"}]});
    is_refused(&wide.ask(Method::POST, "/Users", Some(&operator)).await, 403, None, "U-33");
    let unknown = json!({"userName": "x", "displayName": "x", "roles": ["root"]});
    is_refused(&wide.ask(Method::POST, "/Users", Some(&unknown)).await, 400, Some("invalidValue"), "U-35");
    let id = wide.add(admin).await["id"].as_str().unwrap().to_owned();
    let path = format!("/Users/{id}");
    for change in [
        json!([{"op": "replace", "path": "active", "value": false}]),
        json!([{"op": "replace", "path": "displayName", "value": "x"}]),
    ] {
        is_refused(&directory.patch(&path, change).await, 403, None, "U-33");
    }
    is_refused(&directory.ask(Method::DELETE, &path, None).await, 403, None, "U-33");
    let staff = directory.add(json!({"userName": "staff", "displayName": "受付"})).await;
    let staff = format!("/Users/{}", staff["id"].as_str().unwrap());
    let risen = json!([{"op": "add", "path": "roles", "value": [{"value": "{\"value\":\"tenant-admin\",\"displayName\":\"x\"}"}]}]);
    is_refused(&directory.patch(&staff, risen.clone()).await, 403, None, "U-33");
    assert_eq!(
        wide.patch(&staff, risen).await.json()["roles"],
        json!([{"value": "staff"}, {"value": "tenant-admin"}])
    );
    assert_eq!(
        wide.patch(&staff, json!([{"op": "remove", "path": "roles[value eq \"tenant-admin\"]"}]))
            .await
            .json()["roles"],
        json!([{"value": "staff"}])
    );
    is_refused(&wide.ask(Method::DELETE, &path, None).await, 409, None, "U-41");
    let demoted = json!([{"op": "replace", "path": "roles", "value": [{"value": "staff"}]}]);
    is_refused(&wide.patch(&path, demoted).await, 409, None, "U-41");
    let put = json!({"userName": "admin", "displayName": "x", "roles": [{"value": "staff"}]});
    is_refused(&wide.ask(Method::PUT, &path, Some(&put)).await, 409, None, "U-41");
    assert_eq!(wide.get(&path).await["displayName"], "本部", "nothing of it was done");
}

#[tokio::test]
async fn a_token_that_is_revoked_while_the_body_is_under_way_does_nothing() {
    let company = TestCompany::new().await;
    let directory = Directory::of(&company, &[PersonRole::Staff]).await;
    let context = &company.installation.context;
    let token = context.ledger.everything().scim_tokens().await.unwrap().remove(0).id;
    let revoked = {
        let (context, token) = (context.clone(), token);
        async move {
            let mut transaction = context.ledger.begin(context.now()).await.unwrap();
            transaction.revoke_scim_token(&token, &OPERATOR).await.unwrap();
            transaction.commit().await.unwrap();
            Ok::<_, std::convert::Infallible>(entra("sato", "a-1").to_string())
        }
    };
    let request = Request::post("/scim/v2/Users")
        .header(AUTHORIZATION, format!("Bearer {}", directory.token))
        .header(CONTENT_TYPE, "application/scim+json")
        .body(Body::from_stream(futures_util::stream::once(revoked)));
    let response = send(portal_routes(company.service.clone()), None, request.unwrap()).await;
    is_refused(&response, 401, None, "U-30");
    assert!(context.ledger.everything().people().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_large_group_comes_and_goes_in_parts_and_again_does_what_is_left() {
    let company = TestCompany::new().await;
    let directory = Directory::of(&company, &[PersonRole::Staff]).await;
    let mut people = Vec::new();
    for number in 0..120 {
        let person = directory.add(json!({"userName": format!("p{number:03}"), "displayName": "x"})).await;
        people.push(json!({"value": person["id"]}));
    }
    let group = format!("/Groups/{}", directory.get("/Groups").await["Resources"][0]["id"].as_str().unwrap());
    let put = async |members: &[Value]| {
        let body = json!({"displayName": "本店", "members": members});
        directory.ask(Method::PUT, &group, Some(&body)).await
    };
    let stranger = [&people[..], &[json!({"value": "a".repeat(26)})]].concat();
    is_refused(&put(&stranger).await, 400, Some("invalidValue"), "U-39");
    assert_eq!(directory.get(&group).await["members"], json!([]), "one who may not come keeps everybody");
    assert_eq!(put(&people[..70]).await.status, StatusCode::OK, "as far as a broken request came");
    let all = put(&people).await.json();
    assert_eq!(all["members"].as_array().unwrap().len(), 120);
    let before = company.audit().await.len();
    assert_eq!(put(&people).await.status, StatusCode::OK);
    assert_eq!(company.audit().await.len(), before, "what is so already is not done again");
    assert_eq!(put(&[]).await.json()["members"], json!([]));
}

#[tokio::test]
async fn a_token_opens_its_own_tenant_alone_and_ends_with_its_time() {
    let mut company = TestCompany::new().await;
    let first = company.installation.tenant.clone();
    let own = Directory::of(&company, &[PersonRole::Staff]).await;
    let (token, id) =
        (own.token.clone(), own.add(entra("sato", "a-1")).await["id"].as_str().unwrap().to_owned());
    company.installation.add_tenant("みどり薬局").await;
    assert_ne!(company.installation.tenant, first);
    let other = Directory::of(&company, &[PersonRole::Staff]).await;
    for path in ["/Users", "/Users?filter=externalId%20eq%20%22a-1%22"] {
        assert_eq!(other.get(path).await["totalResults"], 0);
    }
    let path = format!("/Users/{id}");
    for response in [
        other.ask(Method::GET, &path, None).await,
        other.ask(Method::DELETE, &path, None).await,
        other.ask(Method::PUT, &path, Some(&entra("sato", "a-1"))).await,
        other.patch(&path, json!([{"op": "replace", "path": "active", "value": false}])).await,
    ] {
        is_refused(&response, 404, None, "U-38");
    }
    let group = other.get("/Groups").await["Resources"][0]["id"].as_str().unwrap().to_owned();
    let stolen = other
        .patch(
            &format!("/Groups/{group}"),
            json!([{"op": "add", "path": "members", "value": [{"value": id}]}]),
        )
        .await;
    is_refused(&stolen, 400, Some("invalidValue"), "U-39");
    other.add(entra("sato", "a-1")).await;

    let own = Directory { company: &company, token };
    assert_eq!(own.get("/Users").await["totalResults"], 1);
    for wrong in ["", "x", &"0".repeat(32)] {
        let stranger = Directory { company: &company, token: wrong.to_owned() };
        is_refused(&stranger.ask(Method::GET, "/Users", None).await, 401, None, "U-30");
    }
    company.installation.advance(DAY).await;
    is_refused(&own.ask(Method::GET, "/Users", None).await, 401, None, "U-30");
}

#[tokio::test]
async fn whoever_has_read_an_older_version_changes_nothing() {
    let company = TestCompany::new().await;
    let directory = Directory::of(&company, &[PersonRole::Staff]).await;
    let id = directory.add(entra("sato", "a-1")).await["id"].as_str().unwrap().to_owned();
    let path = format!("/Users/{id}");
    let read = directory.ask(Method::GET, &path, None).await;
    let tag = read.headers[ETAG].to_str().unwrap().to_owned();
    assert_eq!(read.json()["meta"]["version"], tag);
    let known = directory.ask_if(Method::GET, &path, None, &[(IF_NONE_MATCH, &tag)]).await;
    assert_eq!((known.status, known.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    let named = |name: &str| json!({"userName": "sato", "displayName": name, "active": true});
    let changed = directory.ask_if(Method::PUT, &path, Some(&named("一")), &[(IF_MATCH, &tag)]).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_ne!(changed.headers[ETAG], *tag);
    let late = directory.ask_if(Method::PUT, &path, Some(&named("二")), &[(IF_MATCH, &tag)]).await;
    is_refused(&late, 412, None, "U-40");
    is_refused(&directory.ask_if(Method::DELETE, &path, None, &[(IF_MATCH, &tag)]).await, 412, None, "U-40");
    let before = company.audit().await.len();
    let same = directory.ask(Method::PUT, &path, Some(&named("一"))).await;
    assert_eq!(same.headers[ETAG], changed.headers[ETAG]);
    assert_eq!(company.audit().await.len(), before, "what is so already is not done again");
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_in_the_words_of_the_protocol() {
    let company = TestCompany::new().await;
    let directory = Directory::of(&company, &[PersonRole::Staff]).await;
    let id = directory.add(entra("sato", "a-1")).await["id"].as_str().unwrap().to_owned();
    let path = format!("/Users/{id}");
    is_refused(
        &directory.ask(Method::POST, "/Users", Some(&entra("sato", "a-2"))).await,
        409,
        Some("uniqueness"),
        "U-31",
    );
    is_refused(
        &directory.ask(Method::POST, "/Users", Some(&entra("other", "a-1"))).await,
        409,
        Some("uniqueness"),
        "U-31",
    );
    is_refused(
        &directory.ask(Method::PUT, &path, Some(&entra("other", "a-1"))).await,
        400,
        Some("mutability"),
        "U-32",
    );
    is_refused(
        &directory.ask(Method::POST, "/Users", Some(&json!({"displayName": "x"}))).await,
        400,
        Some("invalidValue"),
        "U-35",
    );
    is_refused(
        &directory.ask(Method::POST, "/Users", Some(&json!([]))).await,
        400,
        Some("invalidSyntax"),
        "R-01",
    );
    for (operations, scim_type) in [
        (json!([{"op": "move", "path": "active"}]), "invalidSyntax"),
        (json!([]), "invalidValue"),
        (json!([{"op": "replace", "value": "x"}]), "invalidPath"),
        (json!([{"op": "replace", "path": "[x", "value": "x"}]), "invalidPath"),
        (json!([{"op": "replace", "path": "members[value eq", "value": "x"}]), "invalidPath"),
        (json!([{"op": "replace", "path": "active", "value": "perhaps"}]), "invalidValue"),
        (json!([{"op": "replace", "path": "userName", "value": "other"}]), "mutability"),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), "mutability"),
        (json!([{"op": "remove", "path": "displayName"}]), "invalidValue"),
        (json!([{"op": "add", "path": "externalId", "value": 7}]), "invalidValue"),
    ] {
        let refused = directory.patch(&path, operations.clone()).await;
        assert_eq!(
            (refused.status.as_u16(), refused.json()["scimType"].as_str()),
            (400, Some(scim_type)),
            "{operations}"
        );
    }
    for filter in ["userName%20co%20%22a%22", "title%20eq%20%22a%22", "nonsense"] {
        let refused = directory.ask(Method::GET, &format!("/Users?filter={filter}"), None).await;
        is_refused(&refused, 400, Some("invalidFilter"), "U-39");
    }
    let site = directory.get("/Groups").await["Resources"][0].clone();
    let group = format!("/Groups/{}", site["id"].as_str().unwrap());
    is_refused(&directory.ask(Method::DELETE, &group, None).await, 403, None, "U-44");
    is_refused(
        &directory.ask(Method::POST, "/Groups", Some(&json!({"displayName": "x"}))).await,
        403,
        None,
        "U-44",
    );
    is_refused(
        &directory.patch(&group, json!([{"op": "replace", "path": "displayName", "value": "x"}])).await,
        400,
        Some("mutability"),
        "U-44",
    );
    is_refused(&directory.ask(Method::GET, "/Bulk", None).await, 501, None, "R-03");
    is_refused(&directory.ask(Method::GET, "/Nothing", None).await, 404, None, "R-03");
    is_refused(&directory.ask(Method::DELETE, "/Schemas", None).await, 405, None, "R-04");
    assert_eq!(directory.get(&path).await["displayName"], "佐藤 花子", "nothing of it was done");
}

#[tokio::test]
async fn groups_are_sites_whose_members_come_and_go_and_nobody_else_does() {
    let company = TestCompany::new().await;
    let directory = Directory::of(&company, &[PersonRole::Staff]).await;
    let mut people = Vec::new();
    for login in ["one", "two", "three"] {
        people.push(
            directory.add(json!({"userName": login, "displayName": login})).await["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    let group = format!("/Groups/{}", directory.get("/Groups").await["Resources"][0]["id"].as_str().unwrap());
    let members = async || {
        let shown = directory.get(&group).await;
        let members = shown["members"].as_array().unwrap().iter();
        let names: Vec<_> = members.map(|member| member["display"].as_str().unwrap().to_owned()).collect();
        names.join(" ")
    };
    let of = |people: &[String]| people.iter().map(|person| json!({"value": person})).collect::<Value>();
    for (operation, expected) in [
        (json!({"op": "add", "path": "members", "value": of(&people)}), "one three two"),
        (json!({"op": "remove", "path": format!("members[value eq \"{}\"]", people[0])}), "three two"),
        (json!({"op": "Remove", "path": "members", "value": of(&people[1..2])}), "three"),
        (json!({"op": "replace", "path": "members", "value": of(&people[..2])}), "one two"),
        (json!({"op": "add", "value": {"members": of(&people[2..]), "externalId": "S-7"}}), "one three two"),
        (json!({"op": "remove", "path": "members"}), ""),
    ] {
        let response = directory.patch(&group, json!([operation])).await;
        assert_eq!(response.status, StatusCode::NO_CONTENT, "{}", response.text);
        assert_eq!(members().await, expected, "{operation}");
    }
    let put = json!({"displayName": "本店", "members": of(&people[..1])});
    assert_eq!(directory.ask(Method::PUT, &group, Some(&put)).await.json()["externalId"], "S-7");
    assert_eq!(members().await, "one");
    let asked = format!("/Groups?filter=members%20eq%20%22{}%22", people[0]);
    assert_eq!(directory.get(&asked).await["totalResults"], 1);
    let admin = company.set_up("sato").await;
    let mut transaction =
        company.installation.context.ledger.begin(company.installation.context.now()).await.unwrap();
    transaction.set_break_glass(&admin.id, &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    let refused = directory.patch(&group, json!([{"op": "replace", "path": "members", "value": []}])).await;
    is_refused(&refused, 403, None, "U-43");
    assert_eq!(members().await, "one 田中 花子", "one who stays keeps everybody");
}
