CREATE TABLE fleet_settings (
  name text PRIMARY KEY,
  value text,
  set_at timestamptz NOT NULL DEFAULT tessera_now()
);

COMMENT ON TABLE fleet_settings IS
  'What all nodes must agree on, as the node had it that started last. The command line reads it here: its environment is seldom the service''s.';
COMMENT ON COLUMN fleet_settings.value IS 'As it would stand in the environment. NULL: not set, and without a default.';
