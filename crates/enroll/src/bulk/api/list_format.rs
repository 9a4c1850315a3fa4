//! How a client writes a list.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;
use tegata_core::Refusal;
use tegata_storage::Site;
use tegata_web::{JudgedLine, Problem, WebResult, lines_of_csv, lines_of_json};
use utoipa::ToSchema;

/// The most lines that a list has.
const MOST_LINES: usize = 1000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JsonListRequest {
    #[schema(value_type = Vec<ListLineSchema>, min_items = 1, max_items = 1000)]
    lines: Vec<Value>,
}

/// A line of a list, as its sender writes it.
#[derive(ToSchema)]
#[schema(as = ListLine)]
#[allow(dead_code)]
struct ListLineSchema {
    /// The site, by name or identifier.
    site: String,
    /// What the device will be called.
    label: String,
    /// `device`, which goes without saying.
    role: Option<String>,
}

/// How a list is written.
pub(super) enum ListFormat {
    Json,
    /// In the charset that its sender names, if any (RFC 7111 section 3).
    Csv(Option<String>),
}

/// The media types of a list.
const LISTS: &str = "application/json, text/csv";

impl ListFormat {
    pub(super) fn of(headers: &HeaderMap) -> WebResult<Self> {
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let (Some(media), None) = (types.next(), types.next()) else {
            return Err(Problem::media_type(LISTS));
        };
        let mut parts = media.to_str().unwrap_or_default().split(';').map(str::trim);
        match parts.next().map(str::to_ascii_lowercase).as_deref() {
            Some("application/json") => Ok(Self::Json),
            Some("text/csv") => Ok(Self::Csv(parts.find_map(charset))),
            _ => Err(Problem::media_type(LISTS)),
        }
    }

    /// What the same octets mean in another form is another list.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Json => "json".into(),
            Self::Csv(None) => "csv".into(),
            Self::Csv(Some(charset)) => format!("csv in {charset}"),
        }
    }

    pub(super) fn lines(&self, bytes: &[u8], sites: &[Site]) -> WebResult<Vec<JudgedLine>> {
        let lines = match self {
            Self::Csv(charset) => lines_of_csv(bytes, charset.as_deref(), sites)
                .map_err(|why| Problem::with_detail(Refusal::ListUnreadable, why.to_string()))?,
            Self::Json if str::from_utf8(bytes).is_err() => {
                let why = "JSON is UTF-8 (RFC 8259 section 8.1)";
                return Err(Problem::with_detail(Refusal::ListUnreadable, why));
            }
            Self::Json => {
                let list: JsonListRequest = serde_json::from_slice(bytes).map_err(|error| {
                    let place = format!("line {} column {}", error.line(), error.column());
                    Problem::with_detail(Refusal::RequestMalformed, place)
                })?;
                lines_of_json(list.lines, sites)
            }
        };
        if lines.is_empty() || lines.len() > MOST_LINES {
            return Err(Refusal::ListSize.into());
        }
        Ok(lines)
    }
}

/// The charset that a parameter of a media type names.
fn charset(parameter: &str) -> Option<String> {
    let (name, value) = parameter.split_once('=')?;
    let value = value.trim().trim_matches('"').to_ascii_lowercase();
    name.trim().eq_ignore_ascii_case("charset").then_some(value)
}
