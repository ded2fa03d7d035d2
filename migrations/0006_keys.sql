CREATE TABLE data_keys (
  kid text PRIMARY KEY,
  purpose text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT tessera_now()
);

CREATE TABLE signing_keys (
  kid text PRIMARY KEY,
  alg text NOT NULL,
  public_jwk jsonb NOT NULL,
  published_at timestamptz NOT NULL DEFAULT tessera_now(),
  signs_from timestamptz NOT NULL,
  retired_at timestamptz,
  revoked_at timestamptz
);
COMMENT ON COLUMN signing_keys.signs_from IS 'Later than published_at by the max-age of the JWKS, so that verifiers know the key before they meet it.';
COMMENT ON COLUMN signing_keys.retired_at IS 'When the last token that it signed has expired: from then on it is not published.';

CREATE TABLE key_wraps (
  kid text NOT NULL,
  kek_id text NOT NULL,
  wrapped bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT tessera_now(),
  PRIMARY KEY (kid, kek_id)
);
COMMENT ON TABLE key_wraps IS
  'The secret part of data_keys and signing_keys, sealed by a key-encryption key that is derived from the master secret. '
  'Two wraps of one kid stand side by side while the master secret is being changed.';
