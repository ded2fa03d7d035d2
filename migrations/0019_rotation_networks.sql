-- A constant default: no row is rewritten, and the lock lasts a moment. The version before leaves the columns alone.
ALTER TABLE sessions
  ADD COLUMN rotated_from text,
  ADD COLUMN crossed_generation integer,
  ADD COLUMN crossings integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN sessions.rotated_from IS 'The network that the last rotation was asked for from: an IPv4 address, or the /64 of an IPv6 address.';
COMMENT ON COLUMN sessions.crossed_generation IS 'The last generation whose predecessor was used from another network than the rotation.';
COMMENT ON COLUMN sessions.crossings IS 'How many generations in a row, up to crossed_generation, that happened to.';
