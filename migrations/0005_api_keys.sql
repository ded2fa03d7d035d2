CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  name text NOT NULL,
  hash bytea NOT NULL UNIQUE,
  hint text NOT NULL,
  scopes text[],
  created_at timestamptz NOT NULL DEFAULT tessera_now(),
  expires_at timestamptz,
  last_used_at timestamptz
);
CREATE INDEX api_keys_user ON api_keys (user_id);
CREATE INDEX api_keys_expiry ON api_keys (expires_at) WHERE expires_at IS NOT NULL;

COMMENT ON COLUMN api_keys.hash IS 'SHA-256 of the whole key: it has 190 bits of randomness, so a slow hash would add nothing.';
COMMENT ON COLUMN api_keys.scopes IS 'NULL: the ordinary rights of the owner.';
