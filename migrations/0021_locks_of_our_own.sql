-- Advisory locks and notification channels belong to every role that may connect. Rows and a channel with a secret name do not.
CREATE TABLE service_locks (
  name text PRIMARY KEY,
  advisory_number integer NOT NULL
);
INSERT INTO service_locks (name, advisory_number)
VALUES ('revocations', 1), ('keys', 2), ('sweep', 3), ('seal', 4), ('administrators', 5);

COMMENT ON TABLE service_locks IS 'A row for each thing that one transaction at a time may do. A row lock takes the right to UPDATE.';
COMMENT ON COLUMN service_locks.advisory_number IS 'Second key of the advisory lock (the first is 1952805747) that version 0.1 takes in its place.';

CREATE TABLE notification_channel (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  name text NOT NULL DEFAULT 'tessera_' || replace(gen_random_uuid()::text, '-', '')
);
INSERT INTO notification_channel DEFAULT VALUES;

COMMENT ON TABLE notification_channel IS
  'Where the nodes listen. The name is a secret of the service: PostgreSQL lets every role send to a channel whose name it knows.';

REVOKE ALL ON service_locks, notification_channel FROM PUBLIC;

-- The service has a role of its own where the owner migrates: whoever may write revocations may lock and listen.
DO $$
DECLARE
  grantee text;
BEGIN
  FOR grantee IN
    SELECT DISTINCT acl.grantee::regrole::text
    FROM pg_class c, aclexplode(c.relacl) AS acl
    WHERE c.oid = 'revocations'::regclass AND acl.privilege_type = 'INSERT' AND acl.grantee NOT IN (0, c.relowner)
  LOOP
    EXECUTE format('GRANT SELECT, UPDATE ON service_locks TO %s', grantee);
    EXECUTE format('GRANT SELECT ON notification_channel TO %s', grantee);
  END LOOP;
END
$$;

CREATE FUNCTION tessera_lock(wanted text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  number integer;
BEGIN
  SELECT l.advisory_number INTO STRICT number FROM service_locks l WHERE l.name = wanted FOR NO KEY UPDATE;
  WHILE NOT pg_try_advisory_xact_lock(1952805747, number) LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (
      SELECT FROM pg_locks held JOIN pg_stat_activity holder ON holder.pid = held.pid
      WHERE held.locktype = 'advisory' AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND held.classid = 1952805747 AND held.objid = number AND held.objsubid = 2 AND held.granted
        AND has_table_privilege(holder.usesysid, 'service_locks'::regclass, 'UPDATE')
    );
    PERFORM pg_sleep(0.01);
  END LOOP;
END
$$;
COMMENT ON FUNCTION tessera_lock IS
  'Holds a row of service_locks to the end of the transaction. It also waits for a node of version 0.1, which takes an advisory '
  'lock in its place; it does not wait for a role that may not lock the row.';

CREATE FUNCTION tessera_announce(news text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(current_setting('tessera.announce', true), '') = 'off' THEN
    RETURN;
  END IF;
  PERFORM pg_notify('tessera', news), pg_notify(c.name, news) FROM notification_channel c;
END
$$;
COMMENT ON FUNCTION tessera_announce IS
  'Tells every node at the commit to look: on the channel of the service, and on that of version 0.1. The setting '
  'tessera.announce (off) keeps one transaction silent, for when the server has no room for notifications.';

CREATE FUNCTION tessera_number_revocation() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM service_locks WHERE name = 'revocations' FOR NO KEY UPDATE;
  NEW.seq := nextval('revocations_seq');
  PERFORM tessera_announce(json_build_object('revocation', NEW.seq)::text);
  RETURN NEW;
END
$$;
CREATE TRIGGER number_revocation BEFORE INSERT ON revocations FOR EACH ROW EXECUTE FUNCTION tessera_number_revocation();

COMMENT ON FUNCTION tessera_number_revocation IS 'In the database, so that nodes of two versions draw their numbers one after the other.';
COMMENT ON COLUMN revocations.seq IS
  'Drawn behind the row of service_locks, which is held to the commit, so that numbers become visible in order: a reader never '
  'finds one below its cursor later.';

CREATE FUNCTION tessera_announce_keys() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM tessera_announce('{"keys":true}');
  RETURN NULL;
END
$$;
CREATE TRIGGER announce_keys AFTER INSERT OR UPDATE ON signing_keys FOR EACH ROW EXECUTE FUNCTION tessera_announce_keys();
