//! `lensops new --openapi`: what a document becomes, what it leaves out, and documents that mean no good.

use serde_json::json;

use crate::harness::Project;

const DOCUMENT: &str = r##"
openapi: 3.1.0
info: {title: "Shop\nof orders", version: "1"}
servers: [{url: https://shop.example.com/api}]
security: [{ApiKey: []}]
paths:
  /orders:
    parameters: [{$ref: "#/components/parameters/Limit"}]
    get:
      operationId: listOrders
      tags: [Orders]
      responses: {"200": {description: ok, content: {application/json: {}}}, "404": {description: off}}
    post: {operationId: createOrder, tags: [Orders], summary: Make one, responses: {"201": {description: made}}}
  /orders/{id}:
    get: {operationId: readOrder, tags: [Orders], responses: {"200": {description: ok}}}
  /orders/export:
    get: {tags: [Orders], security: [{Token: []}], responses: {"200": {description: ok, content: {text/csv: {}}}}}
  /orders/by-date:
    get:
      tags: [Orders]
      parameters: [{name: from, in: query, required: true, schema: {type: string}}]
      responses: {"200": {description: ok}}
  /orders/paid:
    get: {tags: [Orders], security: [{Browser: []}], responses: {"200": {description: ok}}}
  /orders/both:
    get: {tags: [Orders], security: [{ApiKey: [], Token: []}], responses: {"200": {description: ok}}}
  /orders/nowhere:
    get: {tags: [Orders], parameters: [{$ref: "#/components/parameters/None"}], responses: {}}
  /orders/loop:
    get: {tags: [Orders], parameters: [{$ref: "#/components/parameters/A"}], responses: {}}
  /elsewhere: {$ref: "other.yml#/x"}
  /empty: {get: 5}
  /status:
    get: {tags: [Status], security: [], responses: {"200": {description: ok}, "204": {description: nothing}}}
components:
  parameters:
    Limit: {name: limit, in: query, required: true, schema: {type: integer, default: 2}}
    A: {$ref: "#/components/parameters/B"}
    B: {$ref: "#/components/parameters/A"}
  securitySchemes:
    ApiKey: {type: apiKey, in: header, name: X-Api-Key}
    Token: {type: http, scheme: bearer}
    Browser: {type: oauth2, flows: {authorizationCode: {authorizationUrl: /a, tokenUrl: /t, scopes: {}}}}
"##;

#[test]
fn a_document_becomes_a_lens_and_what_cannot_be_asked_a_comment() {
    let project = Project::empty();
    project.write("openapi.yml", DOCUMENT);
    let ran = project.run("new orders --openapi openapi.yml --tag Orders").expect(0);
    assert!(
        ran.out
            .contains("(2 endpoints; 9 operations are comments, with the reason)"),
        "{}",
        ran.out
    );
    assert_eq!(project.read("lenses/orders.yml"), LENS);
    assert_eq!(project.files().len(), 2, "the lens and no more");
    // It stands alone: the document may go.
    std::fs::remove_file(project.root().join("openapi.yml")).unwrap();
    project.run("generate").expect(0);
    project.run("generate --check").expect(0);
}

#[test]
fn several_tags_make_several_lenses() {
    let project = Project::empty();
    project.write("openapi.yml", DOCUMENT);
    project
        .run("new shop --openapi openapi.yml --tag Orders --tag Status")
        .expect(0);
    let status = project.read("lenses/shop_status.yml");
    assert!(
        status.contains("allow: anyone") && status.contains("status: [200, 204]"),
        "{status}"
    );
    assert!(project.read("lenses/shop_orders.yml").contains("lens: shop_orders"));
    // What somebody edited is not replaced.
    project.write("lenses/shop_status.yml", &status.replace("anyone", "[viewer]"));
    let ran = project
        .run("new shop --openapi openapi.yml --tag Orders --tag Status")
        .expect(2);
    assert!(
        ran.err
            .contains("lenses/shop_status.yml is there and says something else"),
        "{}",
        ran.err
    );
}

#[test]
fn documents_that_are_none_or_mean_no_good_end_in_one_line() {
    let many: serde_json::Map<String, serde_json::Value> = (0..6_000)
        .map(|n| (format!("/p{n}"), json!({"get": {"responses": {}}})))
        .collect();
    let head = json!({"openapi": "3.0.0", "info": {}, "paths": many}).to_string();
    let circle = json!({"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/paths/~1b"}, "/b": {"$ref": "#/paths/~1a"}}})
        .to_string();
    let aliases = format!(
        "openapi: 3.0.0\npaths: {{}}\nx0: &x0 [1]\n{}",
        (1..40)
            .map(|n| format!("x{n}: &x{n} [*x{m}, *x{m}]\n", m = n - 1))
            .collect::<String>()
    );
    let deep = format!(
        "{{\"openapi\": \"3.0.0\", \"paths\": {}{}}}",
        "{\"a\":".repeat(100_000),
        "}".repeat(100_000)
    );
    let table = [
        (head, "", "has more than 5000 operations"),
        (
            format!("{{\"x\": \"{}\"}}", "y".repeat(10 * 1024 * 1024)),
            "",
            "it has no text `openapi`",
        ),
        (
            format!("{{\"x\": \"{}\"}}", "y".repeat(33 * 1024 * 1024)),
            "",
            "is larger than 32 MB",
        ),
        (circle, "", "has no operation that can be read"),
        (aliases, "", "budget breached"),
        (deep, "", "recursion limit"),
        (
            "swagger: '2.0'\npaths: {}\n".to_owned(),
            "",
            "it is Swagger 2.0: convert it to OpenAPI 3 first",
        ),
        (
            "openapi: 4.0.0\npaths: {}\n".to_owned(),
            "",
            "it says openapi \"4.0.0\"",
        ),
        ("openapi: 3.1.0\nwebhooks: {}\n".to_owned(), "", "it has no `paths`"),
        ("a: [".to_owned(), "", "openapi.yml:"),
        (
            DOCUMENT.to_owned(),
            " --tag Invoices",
            "no operation of tag \"Invoices\": its tags are Orders, Status",
        ),
    ];
    for (text, tag, told) in table {
        let project = Project::empty();
        project.write("openapi.yml", &text);
        let ran = project.run(&format!("new orders --openapi openapi.yml{tag}")).expect(2);
        let error = ran.err.lines().next().unwrap_or_default();
        assert!(
            error.contains(told) && error.len() < 400,
            "{told}: {}",
            &ran.err[..ran.err.len().min(600)]
        );
        assert_eq!(project.files().len(), 1, "{told}: nothing is left half done");
    }
}

const LENS: &str = r##"# lenses/orders.yml: the one file a person edits. `lensops generate` turns it into everything else.
# From the OpenAPI document of Shop\nof orders, tag Orders; nothing depends on it any more.
# Its server: https://shop.example.com/api. Set API_BASE_URL, or `api_base_url` of lensops.yml, to yours.
lens: orders
template_set: http
flags: []
tenants: [main]
auth:                                            # each variable holds a secret; no file has it
  ApiKey: {header: X-Api-Key, value: {env: ORDERS_APIKEY}}
  Token: {bearer: {env: ORDERS_TOKEN}}
users:                                           # one a way to sign in; give them the roles that your API knows
  ApiKey: {role: ApiKey, auth: ApiKey}
  Token: {role: Token, auth: Token}
endpoints:
  - {name: listOrders, get: /orders, query: {limit: "2"}, expect: {status: 200, json: true}, allow: [ApiKey]}
  - {name: orders_export, get: /orders/export, expect: {status: 200}, allow: [Token]}
# Left out of the document, with the reason:
# POST /orders (Make one): it changes something: say what it sends, what it `creates` and what is its `undo`
# GET /orders/{id}: its path is open: name what another endpoint `creates`, such as $id
# GET /orders/by-date: its query parameter "from" is required, and the document gives no example of it
# GET /orders/paid: it is signed in to by "Browser": it has no flow of client credentials, and lensops opens no browser
# GET /orders/both: it wants ApiKey and Token at once: a user has one way to sign in
# GET /orders/nowhere: a parameter is a reference that leads nowhere within the document
# GET /orders/loop: a parameter is a reference that leads nowhere within the document
# /elsewhere: it has no description, or one behind a reference that leads nowhere within the document
# GET /empty: it has no description, or one behind a reference that leads nowhere within the document
"##;
