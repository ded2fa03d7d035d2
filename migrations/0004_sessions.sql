CREATE TABLE sessions (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  dialect text NOT NULL,
  amr text[] NOT NULL,
  auth_time timestamptz NOT NULL,
  ip inet,
  user_agent text,
  epoch bigint NOT NULL,
  generation integer NOT NULL DEFAULT 0,
  rotated_at timestamptz,
  expires_at timestamptz NOT NULL,
  idle_expires_at timestamptz,
  revoked_at timestamptz,
  revoked_because text
) WITH (fillfactor = 80);

CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

COMMENT ON TABLE sessions IS 'One row a login. A refresh changes generation, rotated_at and idle_expires_at, none of them indexed: a cheap in-page update.';
COMMENT ON COLUMN sessions.epoch IS 'The effective epoch of the user at login; another one than the user''s: the session is dead.';

CREATE TABLE totp_enrolments (
  session_id uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
  secret bytea NOT NULL,
  expires_at timestamptz NOT NULL
);
COMMENT ON TABLE totp_enrolments IS 'Secrets that were generated for a session and are not enabled yet.';
