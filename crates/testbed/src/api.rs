use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, Method, RequestBuilder, redirect};
use serde_json::{Value, json};

/// A thin HTTP client for one running errand. It follows no redirect and knows no proxy.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    base_url: String,
    kept: Option<Kept>,
}

type Kept = Arc<Mutex<Vec<Answer>>>;

impl Api {
    /// A client for the server at `base_url`, such as `http://127.0.0.1:8000`.
    pub fn new(base_url: impl Into<String>) -> Self {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(Duration::from_mins(2))
            .build()
            .expect("a client without options that can fail");
        Self {
            client,
            base_url: base_url.into(),
            kept: None,
        }
    }

    /// The same client, which from now on keeps every answer; its clones share them.
    #[must_use]
    pub fn keeping_answers(self) -> Self {
        Self {
            kept: Some(Arc::default()),
            ..self
        }
    }

    /// The answers so far, if they are kept.
    pub fn answers(&self) -> Vec<Answer> {
        let kept = self.kept.iter();
        kept.flat_map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect()
    }

    /// The server's address, as it was given.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// A request to `path`, which starts with a slash and may carry a query.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let method = Method::from_bytes(method.as_bytes()).expect("a method is a token");
        let request = self.client.request(method, format!("{}{path}", self.base_url));
        Request(request, self.kept.clone())
    }
}

/// A request in the making.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request(RequestBuilder, Option<Kept>);

impl Request {
    /// Adds `Authorization: Bearer <token>`.
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Sends `body` as `application/json`.
    pub fn json(self, body: &Value) -> Self {
        self.raw(body.to_string(), "application/json")
    }

    /// Sends `body` as it is; an empty `content_type` sends none.
    pub fn raw(self, body: impl Into<Vec<u8>>, content_type: &str) -> Self {
        let request = Self(self.0.body(body.into()), self.1);
        if content_type.is_empty() {
            request
        } else {
            request.header(CONTENT_TYPE.as_str(), content_type)
        }
    }

    /// Adds one header; a name given twice is sent twice.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value), self.1)
    }

    /// Adds one header whose value need not be text.
    pub fn header_bytes(self, name: &str, value: &[u8]) -> Self {
        Self(self.0.header(name, value), self.1)
    }

    /// Sends the request and reads the whole answer. Panics if there is none; see [`Self::try_send`].
    pub async fn send(self) -> Answer {
        self.try_send().await.expect("the server answers")
    }

    /// Sends the request and reads the whole answer; the error tells that the connection failed.
    pub async fn try_send(self) -> Result<Answer, reqwest::Error> {
        let response = self.0.send().await?;
        let status = response.status().as_u16();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
            .collect();
        let body = response.bytes().await?.to_vec();
        let answer = Answer {
            status,
            headers,
            body,
        };
        if let Some(kept) = self.1 {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push(answer.clone());
        }
        Ok(answer)
    }
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names, in lower case, and values, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON. Panics with the whole answer if it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}), status {}: {}", self.status, self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A registered user.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's id.
    pub id: i64,
    /// The access token that registration granted.
    pub access: String,
    /// The refresh token that registration granted.
    pub refresh: String,
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
}

impl Person {
    /// Registers `name`, who is then `<name>@example.com`. Panics if the server does not answer 201 with a grant.
    pub async fn register(api: &Api, name: &str) -> Self {
        let (email, password) = (
            format!("{name}@example.com"),
            format!("violet tandem over {name} bridge"),
        );
        let body = json!({ "email": email, "password": password, "username": name });
        let answer = api.request("POST", "/api/auth/register").json(&body).send().await;
        assert_eq!(answer.status, 201, "{name} cannot register: {}", answer.text());
        let grant = answer.json();
        let text = |key: &str| {
            let value = grant.get(key).and_then(Value::as_str);
            value
                .unwrap_or_else(|| panic!("the grant has no text {key}: {grant}"))
                .to_owned()
        };
        let id = text("user_id").parse().expect("user_id is a number");
        Self {
            id,
            access: text("access_token"),
            refresh: text("refresh_token"),
            email,
            password,
        }
    }

    /// A path of this user: `/tasks` becomes `/api/<id>/tasks`.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/{}{rest}", self.id)
    }

    /// A request with this user's access token to a path of theirs, as [`Self::path`] makes it.
    pub fn request(&self, api: &Api, method: &str, rest: &str) -> Request {
        api.request(method, &self.path(rest)).bearer(&self.access)
    }
}
