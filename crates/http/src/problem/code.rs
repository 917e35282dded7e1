//! The table of error codes. `specs/problems.md` says the same to humans; a test holds the two together.

use actix_web::http::StatusCode;

macro_rules! codes {
    ($($name:ident $slug:literal $status:ident $title:literal, $detail:literal, $meaning:literal, $remedy:literal;)*) => {
        /// What can be wrong, as the wire says it: stable, one per kind of reaction that a client may have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable name, the last part of `type`.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// The status that it is always sent with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// A short summary, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// What front ends print when nothing more is known of the occurrence.
            pub fn detail(self) -> &'static str {
                match self { $(Self::$name => $detail,)* }
            }

            /// What it means.
            pub fn explanation(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// What a client can do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

codes! {
    BadRequest "bad-request" BAD_REQUEST "Bad request",
        "The request could not be understood",
        "The request breaks the rules of HTTP, for example by a body that ends too early.",
        "Check how the request is put together; repeating it unchanged will not help.";
    MalformedJson "malformed-json" BAD_REQUEST "Malformed JSON",
        "The body is not valid JSON",
        "The body is empty, not UTF-8, not valid JSON, has a key twice in one object, or is nested deeper than 16 levels.",
        "Send one JSON object as RFC 8259 describes it, with nothing before or after it.";
    MalformedForm "malformed-form" BAD_REQUEST "Malformed form",
        "The body is not a valid form",
        "The form in the body has a broken percent-encoding or is not UTF-8.",
        "Encode names and values as application/x-www-form-urlencoded.";
    MalformedQuery "malformed-query" BAD_REQUEST "Malformed query",
        "The query of the address is not valid",
        "The part of the address behind the question mark has a broken percent-encoding or is not UTF-8.",
        "Percent-encode names and values of the query parameters.";
    UnsupportedGrantType "unsupported-grant-type" BAD_REQUEST "Unsupported grant type",
        "grant_type must be password or refresh_token",
        "The token endpoint was asked for a kind of OAuth 2 grant that it does not know.",
        "Use grant_type=password or grant_type=refresh_token.";
    CorsRejected "cors-rejected" BAD_REQUEST "Cross-origin request rejected",
        "This origin, method or header is not allowed across origins",
        "A browser asked whether a page of another origin may send a request, and it may not.",
        "Have the operator add the exact origin of the page to CORS_ORIGINS; send only the methods and headers that the service names.";
    InvalidToken "invalid-token" UNAUTHORIZED "Invalid access token",
        "A valid access token is required",
        "There is no access token in the Authorization header, or it is malformed, expired or revoked, or its user is gone.",
        "Get a new access token with the refresh token, or sign in again.";
    BadCredentials "bad-credentials" UNAUTHORIZED "Bad credentials",
        "Incorrect email or password",
        "No account has this name together with this password. Which of the two is wrong is not told.",
        "Ask the user to type both again.";
    InvalidRefreshToken "invalid-refresh-token" UNAUTHORIZED "Invalid refresh token",
        "The refresh token is not valid",
        "The refresh token is malformed, was used before, has expired, or its session was ended.",
        "Sign in again. Keep only the newest refresh token: each can be used once.";
    WrongUser "wrong-user" FORBIDDEN "Wrong user",
        "Not authorized to access this user's tasks",
        "The user in the path is not the user of the access token.",
        "Use the user_id that came with the token.";
    WrongPassword "wrong-password" FORBIDDEN "Wrong password",
        "The current password is not correct",
        "The password given to confirm the change is not the account's.",
        "Ask the user to type the current password again.";
    NotFound "not-found" NOT_FOUND "Not found",
        "There is nothing at this address",
        "No route of the service has this path.",
        "Check the path.";
    TaskNotFound "task-not-found" NOT_FOUND "Task not found",
        "Task not found",
        "This user has no task with this id. It may have been deleted.",
        "Read the list again.";
    SessionNotFound "session-not-found" NOT_FOUND "Session not found",
        "Session not found",
        "This user has no living session with this id. It may have ended.",
        "Read the list of sessions again.";
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED "Method not allowed",
        "This address does not support this method",
        "The path exists, but not for this method.",
        "Use one of the methods that the Allow header names.";
    RequestTimeout "request-timeout" REQUEST_TIMEOUT "Request timeout",
        "The body did not arrive in time",
        "The body of the request was not received completely within the time limit. Nothing was changed.",
        "Send the request again on a better connection.";
    EmailTaken "email-taken" CONFLICT "Email taken",
        "Email already registered",
        "Another account has this e-mail address, without regard to letter case.",
        "Sign in instead, or use another address.";
    UsernameTaken "username-taken" CONFLICT "Username taken",
        "Username already taken",
        "Another account has this user name, without regard to letter case.",
        "Choose another name, or leave it out to have one made.";
    CursorExpired "cursor-expired" GONE "Cursor expired",
        "The cursor has expired; start again without it",
        "The service no longer remembers the place that the cursor points to.",
        "Read again from the beginning; who follows the changes first drops what they have.";
    PreconditionFailed "precondition-failed" PRECONDITION_FAILED "Precondition failed",
        "The task has changed meanwhile",
        "The task has another version than If-Match names. Nothing was changed.",
        "Read the task again, put the two changes together, and send the request with the new ETag.";
    BodyTooLarge "body-too-large" PAYLOAD_TOO_LARGE "Body too large",
        "The body is too large",
        "The body has more bytes than this route accepts.",
        "Send less. The detail names the limit.";
    UriTooLong "uri-too-long" URI_TOO_LONG "Address too long",
        "The address is too long",
        "The path together with the query has more than 8192 bytes.",
        "Shorten the query.";
    UnsupportedMediaType "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE "Unsupported media type",
        "The body is of a type that this route does not accept",
        "The Content-Type or Content-Encoding of the body is missing or not accepted here.",
        "Send JSON with Content-Type: application/json, uncompressed, in UTF-8. Only the token endpoint takes a form.";
    ValidationFailed "validation-failed" UNPROCESSABLE_ENTITY "Validation failed",
        "The request has values that are not allowed",
        "The request can be read, but values in it break a rule. The member errors names each with its place.",
        "Correct the named values.";
    IdempotencyKeyReused "idempotency-key-reused" UNPROCESSABLE_ENTITY "Idempotency key reused",
        "This Idempotency-Key was sent with another request",
        "The Idempotency-Key is the one of an earlier request of this user that asked for something else, within the last 24 hours. Nothing was changed.",
        "Send a new key with each new request, and the same key only with the same request.";
    QuotaExceeded "quota-exceeded" UNPROCESSABLE_ENTITY "Quota exceeded",
        "There are as many as one user may have",
        "The user already has as many tasks as the service allows to one user. Nothing was created or restored.",
        "Delete what is no longer needed, or ask the operator for a larger quota.";
    TooManyAttempts "too-many-attempts" TOO_MANY_REQUESTS "Too many attempts",
        "Too many attempts; please try again later",
        "Too many sign-ins failed, or too many accounts or sessions were asked for, from this network or for this account or session. No password was looked at.",
        "Repeat the request after the seconds that Retry-After names; RateLimit-Policy says how much is allowed.";
    TooManyRequests "too-many-requests" TOO_MANY_REQUESTS "Too many requests",
        "Too many requests of this user are under way",
        "As many requests of this user are being served as the service allows to one user at once. Nothing was changed.",
        "Send fewer requests at the same time, and repeat this one when another is answered.";
    TooManyKeys "too-many-keys" TOO_MANY_REQUESTS "Too many idempotency keys",
        "Too many idempotency keys; please try again later",
        "As many requests with an Idempotency-Key of this user are remembered as the service remembers of one user, by their number or by the length of their answers. Nothing was changed.",
        "Send the request without a key, or again after the seconds that Retry-After names.";
    HeadersTooLarge "headers-too-large" REQUEST_HEADER_FIELDS_TOO_LARGE "Headers too large",
        "The request has too many or too large headers",
        "The request has more than 64 header fields, or more than 16384 bytes of them.",
        "Send fewer headers; look for cookies that have piled up.";
    InternalError "internal-error" INTERNAL_SERVER_ERROR "Internal error",
        "Something went wrong on our side",
        "The service has a defect or its data are damaged. Whether a change took effect is unknown.",
        "Report the request_id to the operator.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE "Overloaded",
        "The service is busy; please try again in a moment",
        "Too much is to be done right now. Nothing was changed.",
        "Repeat the request after the seconds that Retry-After names.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "Unavailable",
        "The service is unavailable for a moment; please try again",
        "The database did not answer in time. Whether a change took effect is unknown.",
        "Repeat the request after the seconds that Retry-After names; read before repeating a creation.";
    NotReady "not-ready" SERVICE_UNAVAILABLE "Not ready",
        "The service cannot reach its database",
        "The last thing seen of the database was a failure. Only the readiness check sends this.",
        "Send requests to another replica, and ask again after the seconds that Retry-After names.";
}

impl Code {
    /// The code of a slug.
    pub fn parse(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.slug() == slug)
    }

    /// The code for an error that the framework made and that has nothing but a status.
    pub(crate) fn for_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::BodyTooLarge,
            StatusCode::URI_TOO_LONG => Self::UriTooLong,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeadersTooLarge,
            status if status.is_server_error() => Self::InternalError,
            _ => Self::BadRequest,
        }
    }

    /// The value of `error` that RFC 6749 section 5.2 has for it.
    pub(crate) fn oauth(self) -> Option<&'static str> {
        match self {
            Self::UnsupportedGrantType => Some("unsupported_grant_type"),
            Self::BadCredentials | Self::InvalidRefreshToken => Some("invalid_grant"),
            _ if self.status().is_client_error() => Some("invalid_request"),
            _ => None,
        }
    }
}
