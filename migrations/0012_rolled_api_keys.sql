ALTER TABLE api_keys
  ADD COLUMN rolled boolean NOT NULL DEFAULT false,
  ADD COLUMN own_expires_at timestamptz,
  ADD CHECK (rolled OR own_expires_at IS NULL);

COMMENT ON COLUMN api_keys.expires_at IS 'When the key ends: by itself, or with the overlap once it was rolled.';
COMMENT ON COLUMN api_keys.own_expires_at IS 'Of a rolled key: the end that it had before, which is that of every successor.';
