CREATE TABLE audit_events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT tessera_now(),
  type text NOT NULL,
  user_id uuid,
  session_id uuid,
  actor text NOT NULL,
  dialect text,
  ip inet,
  user_agent text,
  request_id text,
  detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_at ON audit_events (at);
CREATE INDEX audit_events_user ON audit_events (user_id, id);

COMMENT ON TABLE audit_events IS 'Append only. user_id refers to nothing, so that the trail outlives the user.';
