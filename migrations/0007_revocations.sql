CREATE SEQUENCE revocations_seq;

CREATE TABLE revocations (
  seq bigint PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('session', 'user', 'api_key', 'client', 'token', 'all')),
  subject text NOT NULL,
  epoch bigint,
  survivor uuid,
  created_at timestamptz NOT NULL DEFAULT tessera_now(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX revocations_expiry ON revocations (expires_at);
CREATE INDEX revocations_subject ON revocations (subject);

COMMENT ON COLUMN revocations.seq IS 'Drawn under an advisory lock, so that numbers become visible in order: a reader never finds one below its cursor later.';
COMMENT ON COLUMN revocations.epoch IS 'user, client, all: tokens with a lower epoch are dead.';
COMMENT ON COLUMN revocations.survivor IS 'user: the one session that lives on, with whatever epoch its tokens carry.';
COMMENT ON COLUMN revocations.expires_at IS 'When the last token that it could concern has expired.';
