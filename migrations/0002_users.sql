CREATE TABLE users (
  id uuid PRIMARY KEY,
  username text,
  username_canonical text UNIQUE,
  email text,
  email_canonical text UNIQUE,
  email_verified boolean NOT NULL DEFAULT false,
  role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
  epoch integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT tessera_now(),
  CHECK (username IS NOT NULL OR email IS NOT NULL),
  CHECK ((username IS NULL) = (username_canonical IS NULL)),
  CHECK ((email IS NULL) = (email_canonical IS NULL)),
  CHECK (position('@' IN username_canonical) = 0)
);

COMMENT ON COLUMN users.username_canonical IS 'What is compared: made by domain/identifiers.ts, at creation and at login alike.';
COMMENT ON COLUMN users.epoch IS 'Raised when all sessions of the user end; sessions and tokens of an older epoch are dead.';
