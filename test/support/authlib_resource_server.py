"""A resource server of Authlib's: says what it makes of each token. stdin and stdout are JSON.

in: {"issuer", "audience", "metadata": {name: document}, "jwks", "tokens": {name: token}, "client_id", "client_secret"}
out: {"tokens": {name: claims or the name of the refusal}, "introspected": the same, "metadata": {name: "valid" or what is wrong}}
"""

import json
import sys

import requests
from authlib.oauth2.rfc6749 import OAuth2Request
from authlib.oauth2.rfc6750.errors import InvalidTokenError
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet

given = json.load(sys.stdin)


class ByKeys(JWTBearerTokenValidator):
    def get_jwks(self):
        return KeySet.import_key_set(given["jwks"])


class ByIntrospection(IntrospectTokenValidator):
    def introspect_token(self, token_string):
        credentials = (given["client_id"], given["client_secret"])
        response = requests.post(given["issuer"] + "/oauth/introspect", data={"token": token_string}, auth=credentials, timeout=5)
        response.raise_for_status()
        return response.json()


def verdict(validator, token_string):
    try:
        token = validator.authenticate_token(token_string)
        validator.validate_token(token, ["profile"], OAuth2Request("GET", "https://api.example.com/orders"))
        return dict(token)
    except InvalidTokenError as refusal:
        return refusal.error


def validity(document):
    try:
        AuthorizationServerMetadata(document).validate()
        return "valid"
    except ValueError as fault:
        return str(fault)


by_keys = ByKeys(issuer=given["issuer"], resource_server=given["audience"])
by_introspection = ByIntrospection()
json.dump(
    {
        "tokens": {name: verdict(by_keys, token) for name, token in given["tokens"].items()},
        "introspected": {name: verdict(by_introspection, token) for name, token in given["tokens"].items()},
        "metadata": {name: validity(document) for name, document in given["metadata"].items()},
    },
    sys.stdout,
)
