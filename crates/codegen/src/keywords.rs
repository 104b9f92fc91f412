//! The support of each keyword of OpenAPI 3.0, 3.1 and 3.2. Every use of an unsupported keyword is reported.
//!
//! The table follows the fixed fields of section 4.7 of the [3.0](https://spec.openapis.org/oas/v3.0.4) and section 4.8
//! of the [3.1](https://spec.openapis.org/oas/v3.1.1) specification, and for schemas the vocabularies of [JSON Schema
//! 2020-12](https://json-schema.org/draft/2020-12).

use serde_json::Value;

use super::openapi::Schema as _;
use super::unsupported::Unsupported;
use super::walk::{self, Kind};

/// The support of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeywordSupport {
    /// The SDK supports it.
    Honored,
    /// A step before the generation rewrites it, and reports what is lost.
    Normalized,
    /// It is documentation, or has no meaning for the generated code.
    Documentation,
    /// It is not supported. The text is the behavior instead.
    Reported(&'static str),
}

use KeywordSupport::{Documentation, Honored, Normalized, Reported};

/// Returns the support of a keyword of an object of that kind, or `None` for an unknown keyword.
pub fn keyword_support(kind: Kind, keyword: &str) -> Option<KeywordSupport> {
    Some(match (kind, keyword) {
        (_, keyword) if keyword.starts_with("x-") => Documentation,
        (_, "description" | "summary" | "externalDocs") => Documentation,

        (Kind::Document, "openapi" | "info" | "paths" | "components" | "security" | "servers") => {
            Honored
        }
        (Kind::Document, "$self") => Honored,
        (Kind::Document, "webhooks") => Normalized,
        (Kind::Document, "tags") => Documentation,
        (Kind::Document, "jsonSchemaDialect") => Documentation,

        (Kind::Paths, path) if path.starts_with('/') => Honored,
        (Kind::Callback, _) => Honored,

        (Kind::PathItem, method) if walk::METHODS.contains(&method) => Honored,
        (Kind::PathItem, "$ref" | "parameters" | "query" | "additionalOperations") => Normalized,
        (Kind::PathItem, "servers") => Reported("requests go to the client's base URL"),

        (Kind::Operation, "operationId" | "security") => Honored,
        (Kind::Operation, "parameters" | "requestBody" | "responses" | "callbacks") => Normalized,
        (Kind::Operation, "deprecated") => Documentation,
        (Kind::Operation, "tags") => Documentation,
        (Kind::Operation, "servers") => Reported("requests go to the client's base URL"),

        (
            Kind::Parameter,
            "name" | "in" | "required" | "schema" | "content" | "style" | "explode" | "$ref",
        ) => Normalized,
        (Kind::Parameter, "deprecated" | "example" | "examples") => Documentation,
        (Kind::Parameter, "allowEmptyValue") => {
            Reported("an empty value is sent if the caller sets one")
        }
        (Kind::Parameter, "allowReserved") => Reported("reserved characters are percent-encoded"),

        (Kind::RequestBody, "content" | "required" | "$ref") => Normalized,

        (Kind::Response, "content" | "links" | "$ref") => Normalized,
        (Kind::Response, "headers") => {
            Reported("they have no types: read them from `Response::headers`")
        }

        (Kind::MediaType, "schema" | "itemSchema" | "encoding" | "$ref") => Normalized,
        (Kind::MediaType | Kind::Encoding, "prefixEncoding" | "itemEncoding") => {
            Reported("the parts have their default encoding")
        }
        (Kind::Encoding, "encoding") => Reported("nested parts have their default encoding"),
        (Kind::MediaType, "example" | "examples") => Documentation,
        (Kind::Encoding, "contentType" | "headers" | "style" | "explode" | "allowReserved") => {
            Normalized
        }

        (
            Kind::Header,
            "required" | "schema" | "content" | "style" | "explode" | "deprecated" | "example"
            | "examples" | "$ref" | "allowEmptyValue" | "allowReserved",
        ) => Documentation,
        (Kind::Link, _) | (Kind::Example, _) => Documentation,

        (Kind::Components, "schemas" | "securitySchemes") => Honored,
        (
            Kind::Components,
            "responses" | "parameters" | "requestBodies" | "pathItems" | "mediaTypes",
        ) => Normalized,
        (Kind::Components, "headers" | "examples" | "links" | "callbacks") => Documentation,

        (Kind::SecurityScheme, "type" | "scheme" | "name" | "in" | "$ref") => Honored,
        (Kind::SecurityScheme, "bearerFormat" | "deprecated") => Documentation,
        (Kind::SecurityScheme, "flows" | "openIdConnectUrl" | "oauth2MetadataUrl") => {
            Reported("the client does not obtain tokens: set one, or a provider")
        }

        (
            Kind::Schema,
            "type"
            | "properties"
            | "required"
            | "items"
            | "additionalProperties"
            | "format"
            | "nullable",
        ) => Honored,
        (Kind::Schema, "enum" | "$ref") => Honored,
        (
            Kind::Schema,
            "const"
            | "default"
            | "examples"
            | "allOf"
            | "anyOf"
            | "oneOf"
            | "not"
            | "discriminator"
            | "exclusiveMinimum"
            | "exclusiveMaximum"
            | "minimum"
            | "maximum"
            | "multipleOf"
            | "minLength"
            | "maxLength"
            | "pattern"
            | "minItems"
            | "maxItems"
            | "uniqueItems"
            | "minProperties"
            | "maxProperties"
            | "$defs"
            | "definitions"
            | "prefixItems"
            | "patternProperties"
            | "if"
            | "then"
            | "else"
            | "dependentRequired"
            | "dependentSchemas"
            | "contains"
            | "minContains"
            | "maxContains"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties"
            | "additionalItems"
            | "contentEncoding"
            | "contentMediaType"
            | "contentSchema"
            | "$dynamicRef"
            | "$recursiveRef",
        ) => Normalized,
        (
            Kind::Schema,
            "title" | "example" | "deprecated" | "$comment" | "$schema" | "$id" | "$anchor"
            | "$vocabulary" | "$dynamicAnchor" | "$recursiveAnchor",
        ) => Documentation,
        (Kind::Schema, "readOnly") => Reported("requests may also contain it"),
        (Kind::Schema, "writeOnly") => Reported("responses may also contain it"),
        (Kind::Schema, "xml") => Reported("XML is neither read nor written"),
        _ => return None,
    })
}

/// Reports each use of an unsupported or unknown keyword.
pub fn report_unsupported(document: &Value, unsupported: &mut Vec<Unsupported>) {
    walk::walk(document, &mut |kind, pointer, value| {
        for keyword in value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(keyword, _)| keyword)
        {
            match keyword_support(kind, keyword) {
                Some(Reported(instead)) => {
                    unsupported.push(Unsupported::new(
                        &pointer.join(keyword),
                        format!("`{keyword}`"),
                        instead,
                    ));
                }
                None => {
                    let what = format!("`{keyword}`, which OpenAPI does not define here");
                    unsupported.push(Unsupported::new(
                        &pointer.join(keyword),
                        what,
                        "it is ignored",
                    ));
                }
                Some(Honored | Normalized | Documentation) => {}
            }
        }
        if kind == Kind::Schema
            && let Some(discriminator) = value.discriminator()
            && discriminator.default_mapping.is_some()
        {
            unsupported.push(Unsupported::new(
                &pointer.join("discriminator").join("defaultMapping"),
                "`defaultMapping`",
                "a value whose tag is missing or unknown is not read as that schema",
            ));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The fixed fields of each object, from the specifications and from JSON Schema 2020-12.
    const FIELDS: [(Kind, &str); 16] = [
        (
            Kind::Document,
            "openapi $self info jsonSchemaDialect servers paths webhooks components security tags externalDocs",
        ),
        (Kind::Paths, "/{path}"),
        (
            Kind::PathItem,
            "$ref summary description get put post delete options head patch trace query additionalOperations servers \
             parameters",
        ),
        (
            Kind::Operation,
            "tags summary description externalDocs operationId parameters requestBody responses callbacks deprecated \
             security servers",
        ),
        (
            Kind::Parameter,
            "name in description required deprecated allowEmptyValue style explode allowReserved schema example examples \
             content $ref",
        ),
        (Kind::RequestBody, "description content required $ref"),
        (
            Kind::Response,
            "description headers content links $ref summary",
        ),
        (
            Kind::MediaType,
            "schema itemSchema example examples encoding prefixEncoding itemEncoding $ref",
        ),
        (
            Kind::Encoding,
            "contentType headers encoding prefixEncoding itemEncoding style explode allowReserved",
        ),
        (
            Kind::Header,
            "description required deprecated allowEmptyValue style explode allowReserved schema example examples content $ref",
        ),
        (
            Kind::Link,
            "operationRef operationId parameters requestBody description server $ref",
        ),
        (
            Kind::Example,
            "summary description value externalValue $ref",
        ),
        (Kind::Callback, "{expression} $ref"),
        (
            Kind::Components,
            "schemas responses parameters examples requestBodies headers securitySchemes links callbacks pathItems \
             mediaTypes",
        ),
        (
            Kind::SecurityScheme,
            "type description name in scheme bearerFormat flows openIdConnectUrl oauth2MetadataUrl deprecated $ref",
        ),
        (
            Kind::Schema,
            "$schema $id $ref $anchor $dynamicRef $dynamicAnchor $vocabulary $comment $defs \
             prefixItems items contains additionalProperties properties patternProperties dependentSchemas propertyNames \
             if then else allOf anyOf oneOf not unevaluatedItems unevaluatedProperties \
             type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern \
             maxItems minItems uniqueItems maxContains minContains maxProperties minProperties required dependentRequired \
             title description default deprecated readOnly writeOnly examples \
             format contentEncoding contentMediaType contentSchema \
             nullable discriminator xml externalDocs example",
        ),
    ];

    #[test]
    fn keyword_support_covers_the_specifications() {
        for (kind, fields) in FIELDS {
            for field in fields.split_whitespace() {
                assert!(keyword_support(kind, field).is_some(), "{kind:?} {field}");
            }
            assert_eq!(keyword_support(kind, "x-anything"), Some(Documentation));
        }
        assert_eq!(keyword_support(Kind::Schema, "minimun"), None);
    }

    #[test]
    fn unsupported_and_unknown_keywords_are_reported() {
        let document = json!({"paths": {"/a": {"get": {
            "operatonId": "typo",
            "responses": {"200": {"description": "", "headers": {"ETag": {"schema": {"type": "string", "xml": {}}}}}},
        }}}});
        let mut unsupported = Vec::new();
        report_unsupported(&document, &mut unsupported);
        let places: Vec<_> = unsupported
            .iter()
            .map(|loss| loss.pointer.as_str())
            .collect();
        assert_eq!(
            places,
            [
                "/paths/~1a/get/operatonId",
                "/paths/~1a/get/responses/200/headers",
                "/paths/~1a/get/responses/200/headers/ETag/schema/xml",
            ]
        );
    }
}
