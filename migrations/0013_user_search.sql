CREATE INDEX users_username_prefix ON users (username_canonical text_pattern_ops);
CREATE INDEX users_email_prefix ON users (email_canonical text_pattern_ops);

COMMENT ON INDEX users_username_prefix IS 'For operators, who search by how a name begins: a unique index in another order than byte order does not serve.';
