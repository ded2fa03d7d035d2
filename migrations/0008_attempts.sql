CREATE TABLE attempts (
  subject text NOT NULL,
  origin text NOT NULL CHECK (origin IN ('known', 'unknown')),
  failures integer NOT NULL DEFAULT 0,
  pin_failures integer NOT NULL DEFAULT 0,
  locked_until timestamptz,
  pending jsonb NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (subject, origin)
) WITH (fillfactor = 80);
CREATE INDEX attempts_updated ON attempts (updated_at) WHERE subject LIKE 'unknown:%';

COMMENT ON COLUMN attempts.subject IS 'The id of the user, or "unknown:" and a keyed hash of an identifier that no user has.';
COMMENT ON COLUMN attempts.pending IS 'Reservations of attempts that are being evaluated: id → seconds since the epoch.';

CREATE TABLE known_origins (
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  network text NOT NULL,
  last_login_at timestamptz NOT NULL,
  PRIMARY KEY (user_id, network)
);
CREATE INDEX known_origins_last_login ON known_origins (last_login_at);

COMMENT ON COLUMN known_origins.network IS 'An IPv4 address, or the /64 of an IPv6 address.';
