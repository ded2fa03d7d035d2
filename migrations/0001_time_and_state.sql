CREATE FUNCTION tessera_now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN statement_timestamp() + coalesce(nullif(current_setting('tessera.clock_shift', true), '')::interval, interval '0');

COMMENT ON FUNCTION tessera_now IS
  'The only clock that SQL asks. The setting tessera.clock_shift (an interval) moves it for one session, in tests.';

CREATE TABLE service_state (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  global_epoch integer NOT NULL DEFAULT 0
);
INSERT INTO service_state DEFAULT VALUES;

COMMENT ON COLUMN service_state.global_epoch IS
  'Raised to end every session of every user at once. It is the upper half of every effective epoch.';

CREATE FUNCTION tessera_effective_epoch(own_epoch integer) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT global_epoch FROM service_state)::bigint * 4294967296 + own_epoch;

COMMENT ON FUNCTION tessera_effective_epoch IS
  'Global epoch * 2^32 + the epoch of one user: what sessions store and tokens carry as "ep".';
