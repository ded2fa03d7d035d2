CREATE TABLE clients (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  secret_hash bytea,
  previous_secret_hash bytea,
  previous_secret_expires_at timestamptz,
  jwks jsonb,
  scopes text[] NOT NULL DEFAULT '{}',
  access_seconds integer,
  epoch integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT tessera_now(),
  CHECK (secret_hash IS NOT NULL OR jwks IS NOT NULL)
);

COMMENT ON TABLE clients IS 'Other services that call the OAuth endpoints in their own name.';
COMMENT ON COLUMN clients.secret_hash IS 'SHA-256: a secret has 256 bits of randomness, so a slow hash would add nothing.';
COMMENT ON COLUMN clients.jwks IS 'Public keys for private_key_jwt (RFC 7523).';
COMMENT ON COLUMN clients.access_seconds IS 'NULL: the lifetime of the dialect bearer.';

CREATE TABLE client_assertions (
  client_id uuid NOT NULL REFERENCES clients ON DELETE CASCADE,
  jti text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (client_id, jti)
);
CREATE INDEX client_assertions_expiry ON client_assertions (expires_at);
COMMENT ON TABLE client_assertions IS 'Assertions that were used: one serves once (RFC 7523 §3, jti).';
