-- Names that a reader takes for one are one: `ß` and `ss`, the two small sigmas. SQL cannot fold them, so the service writes the
-- folded form beside the one in lower case, which the previous version goes on reading and writing. Of plain ASCII both are one,
-- and nothing is written.
ALTER TABLE users ADD COLUMN username_folded text, ADD COLUMN email_folded text;

CREATE UNIQUE INDEX users_username_folded ON users ((coalesce(username_folded, username_canonical)) text_pattern_ops);
CREATE UNIQUE INDEX users_email_folded ON users ((coalesce(email_folded, email_canonical)) text_pattern_ops);

CREATE INDEX users_names_to_fold ON users (id)
  WHERE (username_folded IS NULL AND username_canonical ~ '[^[:ascii:]]')
    OR (email_folded IS NULL AND email_canonical ~ '[^[:ascii:]]');

COMMENT ON COLUMN users.username_folded IS 'Tells names apart (src/domain/name-folding.ts). NULL: as username_canonical.';
COMMENT ON COLUMN users.email_folded IS 'As username_folded.';
COMMENT ON INDEX users_names_to_fold IS 'Rows of before, and of nodes of the previous version, that the service has still to fold.';
