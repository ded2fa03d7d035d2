CREATE TABLE passwords (
  user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  hash text NOT NULL,
  cost text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT tessera_now()
);
CREATE INDEX passwords_cost ON passwords (cost);
COMMENT ON COLUMN passwords.cost IS 'The parameters in the hash, m=…,t=…,p=…: the slowest one stored sets the time of every failure.';

CREATE TABLE pins (
  user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  hash text NOT NULL,
  cost text NOT NULL,
  pepper_kid text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT tessera_now()
);
CREATE INDEX pins_cost ON pins (cost);
COMMENT ON COLUMN pins.pepper_kid IS 'The data key that the PIN was keyed with before it was hashed.';

CREATE TABLE totp (
  user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  secret bytea NOT NULL,
  enabled_at timestamptz NOT NULL DEFAULT tessera_now(),
  last_used_step bigint NOT NULL DEFAULT 0
);
COMMENT ON COLUMN totp.secret IS 'Sealed with the totp data key; the user id is bound in.';
COMMENT ON COLUMN totp.last_used_step IS 'The 30-second step of the last accepted code: no code of it or before is accepted again.';

CREATE TABLE recovery_codes (
  user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  code_hash bytea NOT NULL,
  used_at timestamptz,
  PRIMARY KEY (user_id, code_hash)
);
