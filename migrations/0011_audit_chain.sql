CREATE TABLE audit_seals (
  seq bigint PRIMARY KEY,
  event_id bigint NOT NULL UNIQUE,
  mac bytea NOT NULL,
  kid text NOT NULL,
  sealed_at timestamptz NOT NULL DEFAULT tessera_now()
);
CREATE INDEX audit_seals_sealed_at ON audit_seals (sealed_at);

COMMENT ON TABLE audit_seals IS
  'A chain of keyed hashes over audit_events, made in the background: each covers its event, its number and the hash before. '
  'The numbers are the sealer''s and have no gaps, so that what is missing shows.';

CREATE TABLE audit_checkpoints (
  seq bigint PRIMARY KEY,
  mac bytea NOT NULL,
  proof bytea NOT NULL,
  kid text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT tessera_now()
);

COMMENT ON TABLE audit_checkpoints IS
  'Up to here the chain was verified and then deleted, because its time was over. "proof" is keyed, so that nobody else makes one.';

CREATE FUNCTION tessera_audit_text(event audit_events) RETURNS text
LANGUAGE sql STABLE
RETURN jsonb_build_array(
  event.id, (extract(epoch FROM event.at) * 1000000)::bigint, event.type, event.user_id, event.session_id, event.actor,
  event.dialect, host(event.ip), event.user_agent, event.request_id, event.detail
)::text;

COMMENT ON FUNCTION tessera_audit_text IS 'What a seal covers: every column of the event, in one unambiguous text.';
