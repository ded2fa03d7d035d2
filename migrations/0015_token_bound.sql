CREATE TABLE token_bound (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  longest_seconds integer NOT NULL CHECK (longest_seconds >= 3600)
);

COMMENT ON TABLE token_bound IS
  'The longest life that any token may have been signed with. A node raises it at its start, before it signs. It never falls by itself: '
  'tokens of before live on when a setting is lowered.';

-- Both functions run as the owner of the schema, so that a node of the previous release needs no new right while the two run side by side.
DO $$
BEGIN
  EXECUTE format($body$
    CREATE FUNCTION tessera_revocation_outlives_tokens() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_temp AS $function$
    DECLARE
      margin CONSTANT integer := 60;
      announced CONSTANT integer := floor(extract(epoch FROM NEW.expires_at - NEW.created_at))::integer - margin;
      longest integer;
    BEGIN
      -- The previous release reckons the end by its own settings: longer ones than ours mean that it signs longer tokens.
      UPDATE token_bound SET longest_seconds = announced WHERE longest_seconds < announced;
      -- Shared, so that whoever raises the bound waits for the revocations that were written under the old one.
      SELECT longest_seconds INTO STRICT longest FROM token_bound FOR SHARE;
      NEW.expires_at := greatest(NEW.expires_at, NEW.created_at + make_interval(secs => longest + margin));
      RETURN NEW;
    END
    $function$
  $body$, current_schema());
  EXECUTE format($body$
    CREATE FUNCTION tessera_client_raises_token_bound() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_temp AS $function$
    BEGIN
      UPDATE token_bound SET longest_seconds = NEW.access_seconds WHERE longest_seconds < NEW.access_seconds;
      RETURN NEW;
    END
    $function$
  $body$, current_schema());
END
$$;

COMMENT ON FUNCTION tessera_revocation_outlives_tokens IS
  'A revocation lives as long as the longest token, and a minute more: a node''s clock may be a little behind. Whoever announces it need not know any setting.';

CREATE TRIGGER revocation_outlives_tokens BEFORE INSERT ON revocations
FOR EACH ROW EXECUTE FUNCTION tessera_revocation_outlives_tokens();

CREATE TRIGGER client_raises_token_bound BEFORE INSERT OR UPDATE OF access_seconds ON clients
FOR EACH ROW WHEN (NEW.access_seconds IS NOT NULL) EXECUTE FUNCTION tessera_client_raises_token_bound();

-- After the triggers, whose locks hold new rows back until this is committed.
INSERT INTO token_bound (longest_seconds)
SELECT greatest(
  3600,
  (SELECT max(access_seconds) FROM clients),
  (SELECT max(floor(extract(epoch FROM expires_at - created_at)))::integer - 60 FROM revocations)
);

CREATE FUNCTION tessera_tell_token_bound() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- What a node reads again for its keys includes the bound; the previous release understands this word too.
  IF to_regprocedure('tessera_announce(text)') IS NULL THEN
    PERFORM pg_notify('tessera', '{"keys":true}');
  ELSE
    PERFORM tessera_announce('{"keys":true}');
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER token_bound_told AFTER UPDATE ON token_bound FOR EACH ROW EXECUTE FUNCTION tessera_tell_token_bound();
