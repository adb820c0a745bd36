//! What the stack makes for signing in: a secret, and a user pool of Amazon Cognito at which people then sign in to a
//! real service.
//!
//! The pool is MiniStack's, whose tokens have the shape of Cognito's and signatures that are right. Its name is
//! replaced by the address that it serves at (`tests/tools/ministack_as_issuer.py`), since the one that it gives itself
//! is AWS's; and it makes secrets with punctuation in them, so that the template itself is looked at for that.
//!
//! Absent on purpose: AWS. Nothing here shows what its Cognito's own pages look like.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Parser;
use file_share::access::Role;
use file_share::access::oidc::{Issuer, TokenRefused};
use file_share::clock::{Clock, SystemClock};
use file_share::config::{OidcArgs, OidcSettings, Problems};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::issuer_sign_in::{Browser, location};
use crate::support::issuer::client;
use crate::support::ministack::{Credentials, Deployment, MiniStack};
use crate::support::program::Program;

const PUBLIC_URL: &str = "https://files.example.org";
const FORM: &str = "application/x-www-form-urlencoded";
/// As `create_test_people.py` has it, in a form.
const PASSWORD: &str = "correct+horse+battery";
/// What only the one who began a sign-in of [`Pool::tokens_of`] knows.
const VERIFIER: &str = "a-verifier-of-a-test-which-has-to-have-43-characters";

static POOL: OnceCell<Pool> = OnceCell::const_new();

/// The stack with a user pool, and people in it.
struct Pool {
    ministack: MiniStack,
    deployment: Deployment,
    /// What the API is started with.
    settings: Vec<(&'static str, String)>,
    /// Another client of the pool, and what somebody gets there.
    other: Value,
}

struct Tokens {
    access: String,
    id: String,
}

impl Pool {
    async fn shared() -> &'static Self {
        POOL.get_or_init(Self::make).await
    }

    async fn make() -> Self {
        let ministack = MiniStack::start_as_issuer().await;
        let settings = [("SIGN_IN", "cognito"), ("PUBLIC_URL", PUBLIC_URL)];
        let deployment = ministack.deploy_with("cognito", &settings).await;
        let user_pool = deployment.output("UserPoolId");
        assert_eq!(
            deployment.output("OidcIssuer"),
            format!("https://cognito-idp.us-east-1.amazonaws.com/{user_pool}")
        );
        let other = ministack.create_people(user_pool).await;
        let mut settings = vec![
            ("ACCESS", String::new()),
            (
                "OIDC_ISSUER",
                format!("{}/{user_pool}", ministack.endpoint()),
            ),
        ];
        for (setting, output) in [
            ("OIDC_CLIENT_ID", "OidcClientId"),
            ("OIDC_ADMINS", "OidcAdmins"),
            ("OIDC_MEMBERS", "OidcMembers"),
            ("OIDC_GUESTS", "OidcGuests"),
            ("PUBLIC_URL", "PublicUrl"),
        ] {
            settings.push((setting, deployment.output(output).to_owned()));
        }
        for (setting, output) in [
            ("OIDC_CLIENT_SECRET", "OidcClientSecretArn"),
            ("SESSION_SECRET", "SessionSecretArn"),
        ] {
            let arn = deployment.output(output);
            let secret = read_secret(&ministack, &deployment.execution, arn).await;
            settings.push((setting, secret.expect("what starts the API may read it")));
        }
        Self {
            ministack,
            deployment,
            settings,
            other,
        }
    }

    fn setting(&self, name: &str) -> &str {
        let found = self.settings.iter().find(|(known, _)| *known == name);
        &found.expect("it is a setting").1
    }

    fn service(&self) -> Program {
        let settings = self.settings.iter();
        let settings: Vec<(&str, &str)> = settings.map(|(name, it)| (*name, it.as_str())).collect();
        Program::aws_api(&self.deployment, &settings)
    }

    /// What the pool answers to somebody who signs in at this page of it.
    async fn sign_in(&self, page: &str, person: &str) -> Response {
        let shown = client().get(page).send().await.unwrap();
        assert_eq!(shown.status(), StatusCode::OK, "{page}");
        assert!(shown.text().await.unwrap().contains(r#"action="/login""#));
        let (_, query) = page.split_once('?').unwrap();
        let form = format!("{query}&username={person}&password={PASSWORD}");
        let login = format!("{}/login", self.ministack.endpoint());
        let login = client().post(login).header(CONTENT_TYPE, FORM).body(form);
        login.send().await.unwrap()
    }

    /// What somebody gets for the service's own client.
    async fn tokens_of(&self, person: &str) -> Tokens {
        let id = self.setting("OIDC_CLIENT_ID");
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let back = format!("{PUBLIC_URL}/v1/session/callback");
        let query = format!(
            "response_type=code&client_id={id}&redirect_uri={back}&scope=openid+profile+email&nonce=n\
             &code_challenge={challenge}&code_challenge_method=S256"
        );
        let endpoint = self.ministack.endpoint();
        let page = format!("{endpoint}/oauth2/authorize?{query}");
        let answer = self.sign_in(&page, person).await;
        let (_, code) = location(&answer).split_once("code=").unwrap();
        let code = code.split('&').next().unwrap();
        let form = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={back}&code_verifier={VERIFIER}"
        );
        let token = client().post(format!("{endpoint}/oauth2/token"));
        let token = token.basic_auth(id, Some(self.setting("OIDC_CLIENT_SECRET")));
        let answer = token.header(CONTENT_TYPE, FORM).body(form).send();
        let said: Value = answer.await.unwrap().json().await.unwrap();
        let text = |name: &str| said[name].as_str().unwrap_or_else(|| panic!("{said}"));
        Tokens {
            access: text("access_token").to_owned(),
            id: text("id_token").to_owned(),
        }
    }
}

/// Reads a secret as this user.
pub(crate) async fn read_secret(
    ministack: &MiniStack,
    user: &Credentials,
    arn: &str,
) -> Result<String, String> {
    let arguments = ["secretsmanager", "get-secret-value", "--secret-id", arn];
    let answer = ministack.aws(user, &arguments).await?;
    Ok(answer["SecretString"].as_str().unwrap().to_owned())
}

pub(crate) fn is_forbidden<T: std::fmt::Debug>(answer: &Result<T, String>) -> bool {
    answer
        .as_ref()
        .is_err_and(|error| error.contains("AccessDenied"))
}

/// What a token claims.
fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn only_what_starts_the_api_may_read_the_secret_of_sign_ins_and_an_update_keeps_it() {
    let ministack = MiniStack::shared().await;
    let deployment = ministack.deploy("session-secret").await;
    let arn = deployment.output("SessionSecretArn");
    let secret = read_secret(ministack, &deployment.execution, arn).await;
    assert_eq!(secret.as_ref().unwrap().len(), 64);
    let of_links = deployment.output("LinkSecretArn");
    let links = read_secret(ministack, &deployment.execution, of_links).await;
    assert_eq!(links.as_ref().unwrap().len(), 64);
    assert_ne!(links.as_ref().ok(), secret.as_ref().ok());
    // MiniStack leaves this out.
    let template = include_str!("../../deploy/stack.yaml");
    let (_, rest) = template.split_once("\n  SessionSecret:\n").unwrap();
    let (resource, _) = rest.split_once("\n\n").unwrap();
    assert!(resource.contains("\n        ExcludePunctuation: true"));

    // Letters of base64url for 32 bytes, which outlive the stack.
    let receipt_key = deployment.output("ReceiptKeyArn");
    let key = read_secret(ministack, &deployment.execution, receipt_key).await;
    assert_eq!(key.unwrap().len(), 43);
    let (_, rest) = template.split_once("\n  ReceiptKey:\n").unwrap();
    let (resource, _) = rest.split_once("\n\n").unwrap();
    for line in ["    ExcludePunctuation: true", "DeletionPolicy: Retain"] {
        assert!(resource.contains(&format!("\n    {line}")), "{line}");
    }
    let read = read_secret(ministack, &deployment.api, receipt_key).await;
    assert!(is_forbidden(&read), "{read:?}");

    for (program, user) in [
        ("api", &deployment.api),
        ("worker", &deployment.worker),
        ("operator", &deployment.operator),
    ] {
        for arn in [arn, of_links] {
            let read = read_secret(ministack, user, arn).await;
            assert!(is_forbidden(&read), "{program}: {read:?}");
        }
    }
    let name = format!("another-of-{}", deployment.bucket);
    let another = [
        "secretsmanager",
        "create-secret",
        "--name",
        &name,
        "--secret-string",
        "x",
    ];
    let another = ministack.aws(&deployment.admin, &another).await.unwrap();
    let another = another["ARN"].as_str().unwrap();
    let read = read_secret(ministack, &deployment.execution, another).await;
    assert!(is_forbidden(&read), "{read:?}");
    for more in [
        &[
            "secretsmanager",
            "put-secret-value",
            "--secret-id",
            arn,
            "--secret-string",
            "x",
        ] as &[&str],
        &["secretsmanager", "delete-secret", "--secret-id", arn],
        &[
            "s3api",
            "list-object-versions",
            "--bucket",
            &deployment.bucket,
        ],
    ] {
        let answer = ministack.aws(&deployment.execution, more).await;
        assert!(is_forbidden(&answer), "{more:?}: {answer:?}");
    }

    // Another one would end the sign-ins under way, and need all processes started anew.
    ministack.deploy_again(&deployment).await;
    let kept = read_secret(ministack, &deployment.execution, arn).await;
    assert_eq!(kept, secret);
}

#[tokio::test]
async fn a_user_pool_needs_an_https_address_that_people_come_back_to() {
    let ministack = MiniStack::shared().await;
    let refused = ministack.refuses_to_deploy(&[("SIGN_IN", "cognito")]).await;
    assert!(refused.unwrap().contains("SignIn=cognito needs PublicUrl"));
    for address in [
        "http://files.example.org",
        "https://files.example.org/",
        "https://files.example.org?x=1",
        "files.example.org",
    ] {
        let settings = [("SIGN_IN", "cognito"), ("PUBLIC_URL", address)];
        let refused = ministack.refuses_to_deploy(&settings).await;
        let refused = refused.unwrap_or_else(|| panic!("{address} was taken"));
        assert!(refused.contains("must begin with https://"), "{refused}");
    }
}

#[tokio::test]
async fn people_of_the_stacks_user_pool_sign_in_with_the_role_of_their_group_and_out_again() {
    let pool = Pool::shared().await;
    let service = pool.service();
    for (person, role) in [
        ("alice", Some("admin")),
        ("bob", Some("member")),
        ("carol", Some("guest")),
        ("dave", None),
    ] {
        let mut browser = Browser::at(&service.listening_at());
        let page = browser.begin("/").await;
        let answer = pool.sign_in(&page, person).await;
        let back = location(&answer).strip_prefix(PUBLIC_URL).unwrap();
        assert!(back.starts_with("/v1/session/callback?"), "{back}");
        let signed_in = browser.page(back).await;
        let Some(role) = role else {
            assert_eq!(signed_in.status(), StatusCode::FORBIDDEN, "{person}");
            continue;
        };
        assert_eq!(signed_in.status(), StatusCode::FOUND, "{person}");
        let principal = &browser.session().await["principal"];
        assert_eq!(
            (&principal["name"], &principal["role"]),
            (&json!(person), &json!(role))
        );

        let end = browser.json(Method::POST, "/v1/session/end", None).await;
        let there = end.1["signOutAt"].as_str().unwrap();
        let ended = client().get(there).send().await.unwrap();
        let status = ended.status();
        assert_eq!(status, StatusCode::FOUND, "{}", ended.text().await.unwrap());
        let ended = client().get(there).send().await.unwrap();
        assert_eq!(location(&ended), format!("{PUBLIC_URL}/"));
        assert_eq!(browser.session().await["principal"], Value::Null);
    }
    let log = service.log();
    assert!(!log.contains("code=") && !log.contains("eyJ"), "{log}");
}

#[tokio::test]
async fn a_program_of_somebody_in_the_user_pool_has_their_role_by_the_access_token_alone() {
    let pool = Pool::shared().await;
    let service = pool.service();
    let list = async |token: &str, query: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [(AUTHORIZATION.as_str(), bearer.as_str())];
        let path = format!("/v1/files{query}");
        let mut program = Browser::at(&service.listening_at());
        let answer = program.ask(Method::GET, &path, &headers, None).await;
        answer.status().as_u16()
    };
    for (person, own, of_all) in [
        ("alice", 200, 200),
        ("bob", 200, 403),
        ("carol", 403, 403),
        // Whom no role lets in is nobody.
        ("dave", 401, 401),
    ] {
        let tokens = pool.tokens_of(person).await;
        assert_eq!(list(&tokens.access, "").await, own, "{person}");
        assert_eq!(list(&tokens.access, "?owner=all").await, of_all, "{person}");
        assert_eq!(list(&tokens.id, "").await, 401, "{person}");
    }
    for kind in ["access", "id"] {
        assert_eq!(list(pool.other[kind].as_str().unwrap(), "").await, 401);
    }
}

/// MiniStack keeps what it is told of this and holds nobody to it, so what it keeps is looked at.
#[tokio::test]
async fn nobody_signs_up_in_the_user_pool_gives_a_password_to_a_program_or_deletes_it_by_mistake() {
    let pool = Pool::shared().await;
    let (ministack, deployment) = (&pool.ministack, &pool.deployment);
    let user_pool = deployment.output("UserPoolId");
    let ask = async |action: &str, more: &[&str]| {
        let arguments = ["cognito-idp", action, "--user-pool-id", user_pool];
        let arguments = [&arguments[..], more].concat();
        ministack.aws(&deployment.admin, &arguments).await
    };
    let made = &ask("describe-user-pool", &[]).await.unwrap()["UserPool"];
    let only_by_others = &made["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"];
    assert_eq!(only_by_others, &json!(true));
    assert_eq!(made["DeletionProtection"], "ACTIVE");
    assert_eq!(made["Policies"]["PasswordPolicy"]["MinimumLength"], 12);
    let template = include_str!("../../deploy/stack.yaml");
    for resource in ["UserPool", "AdminsGroup", "MembersGroup", "GuestsGroup"] {
        let (_, rest) = template.split_once(&format!("\n  {resource}:\n")).unwrap();
        let (attributes, _) = rest.split_once("    Properties:\n").unwrap();
        for kept in ["DeletionPolicy: Retain\n", "UpdateReplacePolicy: Retain\n"] {
            assert!(attributes.contains(kept), "{resource}: {attributes}");
        }
    }

    let client = pool.setting("OIDC_CLIENT_ID");
    let made = ask("describe-user-pool-client", &["--client-id", client]).await;
    let made = &made.unwrap()["UserPoolClient"];
    assert_eq!(made["AllowedOAuthFlows"], json!(["code"]));
    assert_eq!(
        made["CallbackURLs"],
        json!([format!("{PUBLIC_URL}/v1/session/callback")])
    );
    assert_eq!(
        made["ExplicitAuthFlows"],
        json!(["ALLOW_REFRESH_TOKEN_AUTH"])
    );
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: OidcArgs,
}

fn oidc_settings(pool: &Pool) -> OidcSettings {
    let flag = |name: &str| {
        let flag = name.to_ascii_lowercase().replace('_', "-");
        format!("--{flag}={}", pool.setting(name))
    };
    let names = [
        "OIDC_ISSUER",
        "OIDC_CLIENT_ID",
        "OIDC_ADMINS",
        "OIDC_MEMBERS",
        "OIDC_GUESTS",
    ];
    let flags = std::iter::once("file-share".to_owned()).chain(names.map(flag));
    let args = Cli::parse_from(flags).args;
    let settings = Problems::collected(|problems| args.judge(problems));
    settings.unwrap().unwrap()
}

#[tokio::test]
async fn cognitos_tokens_have_the_shape_that_they_are_told_apart_by() {
    let pool = Pool::shared().await;
    let tokens = pool.tokens_of("alice").await;
    let (access, id) = (claims(&tokens.access), claims(&tokens.id));
    let client = pool.setting("OIDC_CLIENT_ID");
    assert_eq!(
        (&access["aud"], &access["client_id"]),
        (&Value::Null, &json!(client))
    );
    assert_eq!(
        (&id["aud"], &id["client_id"]),
        (&json!(client), &Value::Null)
    );
    assert_eq!(
        (&access["token_use"], &id["token_use"]),
        (&json!("access"), &json!("id"))
    );
    assert_eq!(access["cognito:groups"], json!(["admins"]));

    let issuer = Issuer::new(oidc_settings(pool)).unwrap();
    let verify = async |token: &str| issuer.verify_bearer(token, SystemClock.now()).await;
    let identity = verify(&tokens.access).await.unwrap();
    assert_eq!(identity.role(), Some(Role::Admin));
    assert_eq!(verify(&tokens.id).await, Err(TokenRefused::Kind));
    let other = |kind: &str| pool.other[kind].as_str().unwrap().to_owned();
    assert_eq!(verify(&other("access")).await, Err(TokenRefused::Audience));
    assert_eq!(verify(&other("id")).await, Err(TokenRefused::Kind));
    let (signed, _) = tokens.access.rsplit_once('.').unwrap();
    let (_, signature) = tokens.id.rsplit_once('.').unwrap();
    let mixed = verify(&format!("{signed}.{signature}")).await;
    assert_eq!(mixed, Err(TokenRefused::Signature));
}
