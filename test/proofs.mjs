// The attacks and the faults that the service was built to stand, a line each. A test proves a line by its title: by a slug
// at its end, `… [attack:key-minted-after-revocation]` or `… [fault:lock-held-by-a-stranger]`; for the lines that have a
// number, `case 12:` or `fault 3:` at its beginning (scripts/proofs.mjs). A run of everything fails for a line that no test
// proves, unless a reason stands here.

/**
 * @typedef {object} Line
 * @property {string} text
 * @property {'npm run test:faults' | 'npm run test:system'} [in] the run that proves it, when `npm test` is not the one
 * @property {string} [reason] why there is no test
 */

const long = 'npm run test:faults'

/** @type {Record<string, Line>} by number or slug */
export const attacks = {
  1: { text: 'alg none, in any case, with no signature or an old one' },
  2: { text: 'HS256 keyed with our public key' },
  3: { text: 'a kid that is unknown, missing, a list, huge, a path, SQL' },
  4: { text: 'a withdrawn kid, the kid of another algorithm' },
  5: { text: 'a header that brings its own key or names a URL for it' },
  6: { text: 'crit, zip, any other member of the header' },
  7: { text: 'a claim that is missing, or of a wrong type' },
  8: { text: "no typ, or another's" },
  9: { text: "a token of another kind in an access token's place" },
  10: { text: 'times that are past, absurd, ahead or no numbers' },
  11: { text: 'a malleable copy of a token' },
  12: { text: 'a token of 15 KB, a larger header' },
  13: { text: 'two credentials, one twice, a bad one beside a good cookie' },
  14: { text: 'a token in the query' },
  15: { text: 'tokens of a suspended or deleted user' },
  16: { text: 'the published keys have no private member' },
  17: { text: 'a refresh token used again' },
  18: { text: 'an answer that was lost' },
  19: { text: '50 refreshes at once, on two nodes' },
  20: { text: 'a thief in lock-step with the victim' },
  21: { text: 'a bit flipped, two tokens spliced' },
  22: { text: 'a generation ahead of the row' },
  23: { text: "another dialect's refresh token" },
  24: { text: 'a refresh after the logout, a second logout' },
  25: { text: 'every other session, after a change of password or PIN' },
  26: { text: 'the ends of a session that is refreshed all the time' },
  27: { text: 'a rotation whose transaction fails' },
  28: { text: 'all nodes restarted' },
  29: { text: 'who is unknown, wrong, suspended, locked looks the same' },
  30: { text: '100 wrong logins at once, on two nodes' },
  31: { text: 'the lockout, over dialects, names and origins' },
  32: { text: 'the right secret of a locked account' },
  33: { text: 'all PINs in turn' },
  34: { text: 'one PIN over a thousand names' },
  35: { text: 'long secrets' },
  36: { text: 'NUL in a name' },
  37: { text: 'names that look like another' },
  38: { text: 'SQL in every field' },
  39: { text: 'members of a wrong type' },
  40: { text: 'members that no login has' },
  41: { text: '__proto__ and constructor' },
  42: { text: 'bodies that are too large, too deep, ambiguous or no JSON' },
  43: { text: 'the second factor' },
  44: { text: 'a stored cost below the configured' },
  45: { text: 'the attributes of cookies' },
  46: { text: 'the cross-site rule' },
  47: { text: 'a preflight from a foreign origin' },
  48: { text: 'a login over a live session' },
  49: { text: 'the mode of directus' },
  50: { text: 'what never clears cookies, two cookies of one name' },
  51: { text: 'an API key with a wrong checksum' },
  52: { text: 'an API key that is deleted or expired, or whose owner is suspended' },
  53: { text: "the id of another user's key" },
  54: { text: 'the list of keys' },
  55: { text: 'what an API key may not do' },
  56: { text: 'the quota of keys' },
  57: { text: 'a thousand X-Forwarded-For, and no proxy' },
  58: { text: 'a number or true for TRUST_PROXY' },
  59: { text: 'Retry-After, and a foreign Host' },
  60: { text: '200 slow clients' },
  61: { text: 'methods that a path does not have' },
  62: { text: "identity headers of a client's own, at the gateway", in: 'npm run test:system' },
  63: { text: 'a token in a URL that nobody serves' },
  64: { text: 'no standing admin account' },
  65: { text: "a user's token on operators' routes" },
  66: { text: 'an operator sets secrets, and reads none' },
  67: { text: 'what health and metrics reveal' },

  // Authority that ended before the effect.
  'key-minted-after-revocation': { text: 'an API key minted while its owner, session or token ends' },
  'change-after-the-session-ended': { text: 'what else a session changes while it ends' },
  'operator-ended-meanwhile': { text: "an operator's change while the operator is suspended, demoted or logged out" },
  'caller-ended-meanwhile': { text: 'a token revoked by a client or key that ends meanwhile' },
  'key-by-pin-alone': { text: 'API keys from the cookie of a login by PIN alone' },
  'key-after-an-old-login': { text: 'API keys from a session whose login is old, where that is limited' },
  'keys-that-outlive-a-new-password': { text: 'API keys that live on after a change of password or the end of all sessions' },

  // Sessions, tokens and revocations that outlive what they should.
  'revocation-of-another-environment': { text: 'a long token, revoked from a shell that does not know how long it lives', in: long },
  'lifetime-lowered': { text: 'a token of before the lifetime was lowered, revoked after it', in: long },
  'made-up-keys-at-a-service': { text: 'made-up API keys at a service that verifies by itself' },
  'lenient-verifier': { text: 'tokens of another form, audience, time or spelling at a service that verifies by itself' },
  'strangers-package': { text: 'a dependency on the verifier that is written without its path', in: 'npm run test:system' },
  'ready-in-silence': { text: 'a service that waits for tessera with a wrong credential' },
  'longer-than-any-setting': { text: 'a token that lives longer than any setting has allowed, at the service and at services that verify', in: long },

  // OAuth, and what other people's libraries verify.
  'refresh-token-introspected': { text: 'a refresh token at a resource server that introspects' },
  'other-token-introspected': { text: 'an ID token or an identity token, introspected' },
  'identity-token-for-our-audience': { text: 'an identity token for an audience of our own, or for anybody' },
  'identity-token-for-a-client': { text: 'an identity token, asked for by a client itself' },
  'access-token-without-client': { text: 'an access token at a resource server that is strict about RFC 9068' },
  'other-token-at-a-resource-server': { text: "a token of another kind or audience at somebody else's resource server" },
  'weak-client-key': { text: "a client's key that anybody can sign for, where it is registered" },
  'weak-client-key-at-use': { text: "a client's key that anybody can sign for, in the database already" },
  'two-names-of-one-algorithm': { text: 'EdDSA and Ed25519, at the key and at the assertion' },
  'directus-error-taken-for-success': { text: 'an error that the official client of Directus would take for success' },
  'schema-without-a-name': { text: 'a generator of clients that reads the description: a type or a choice without a name' },
  'example-that-does-not-fit': { text: 'a body of the description that does not fit its own schema' },
  'description-of-a-shared-path': { text: 'a description of one API on the paths that two share' },
  'body-that-is-not-there': { text: 'an answer without a body, in the description' },
  'other-token-at-apache': { text: "a token of another kind or audience at Apache's OpenID module", in: 'npm run test:system' },
  'other-token-at-authlib': { text: "a token of another kind or audience at Authlib's validators", in: 'npm run test:system' },
  'scope-at-refresh': { text: 'a scope at the refresh grant: narrower, wider, unknown' },

  // One stranger's noise: connections and limits.
  'pipelined-without-reading': { text: '1,500 requests on one connection that reads no answer' },
  'queued-on-a-cut-connection': { text: 'what waits behind an answer, when the connection is cut' },
  'unread-answer': { text: 'an answer that stays unread' },
  'hashes-by-one-account': { text: 'one user who changes the password over and over' },
  'introspection-flood': { text: 'a service that uses up its limit of introspections' },
  'feed-starved': { text: 'introspections without end beside the feed of revocations' },
  'wrong-clients-behind-one-address': { text: "wrong clients' credentials, from the address of a good one" },
  'first-theft-in-metrics': { text: 'the increase of a metric at the first theft' },
  'connections-of-one-address': { text: 'more connections of one address than one client needs' },

  // One stranger's noise: guesses, hashes and clocks.
  'name-told-by-statements': { text: 'a guess at a name, with cookies of all sorts beside it: the same statements' },
  'lock-step-in-the-grace-window': { text: 'a thief and a victim in lock-step inside the grace window, from two networks' },
  'guesses-from-many-networks': { text: 'guesses at one name from many small networks, while its owner logs in', in: long },
  'guesses-at-many-names': { text: 'guesses at many names from many networks, while an owner logs in', in: long },
  'right-logins-at-once': { text: 'many right logins of one account at once', in: long },
  'audit-trail-flooded': { text: 'what a stranger can cause at will, and the audit trail' },
  'lock-told-by-statements': { text: 'a wrong code for a locked account: the same statements' },
  'password-confirmed-by-time': { text: 'a right password without the second factor, its hash cheaper or dearer than the others', in: long },
  'waiting-told-from-working': { text: 'refusals that wait beside refusals that hash', in: long },

  // Two readings of one request.
  'demand-dropped': { text: 'a demand at another spelling of /verify' },
  'original-uri-read-twice': { text: 'an original URI that two servers read differently' },
  'foreign-websocket': { text: "a foreign page's WebSocket, with the user's cookie" },
  'cookie-of-another-scope': { text: 'a cookie of an earlier domain or path beside ours' },
  'mistyped-parameter': { text: 'a parameter that a path does not have' },
  'dns-rebinding': { text: "a page of an attacker's name that resolves to loopback" },
  'same-origin-of-a-stranger': { text: 'Sec-Fetch-Site: same-origin at a name that is not ours' },
  'address-with-a-port': { text: 'an address that a proxy writes with a port, in brackets, in quotes' },
  'origin-of-an-app': { text: 'the origin of an app that is nearly a listed one' },
  'preflight-opens': { text: 'what only looks like a CORS preflight' },

  // Secrets and strangers on the machine.
  'credential-to-the-service': { text: 'a credential, or a header that Connection names, on the way to a service', in: 'npm run test:system' },
  'credential-in-a-path': { text: 'a credential in a path, a request id or the name of a client program' },
  'raw-password-in-a-url': { text: 'a raw password in a URL: a slash, an at, a hash, a question mark, a percent sign, a blank, a bracket' },
  'port-of-the-database-taken': { text: 'another program takes the port of the database and asks for the password' },
  'data-dir-of-another-user': { text: 'a data directory that another user prepared, with secrets planted in it' },
  'debugger-by-signal': { text: 'SIGUSR1 to the service, to open a debugger', in: long },
  'advisory-locks-of-a-stranger': { text: 'a database role that can only connect holds every advisory lock', in: long },
  'migration-lock-of-a-stranger': { text: 'the same role holds the lock of migrations', in: long },
  'notifications-of-a-stranger': { text: 'the same role floods the channel of notifications, with forged, huge and empty ones', in: long },
  'notification-queue-full': { text: 'the same role fills the queue of notifications', in: long },

  // A machine that is not ours.
  'misspelled-setting': { text: 'a setting whose name has a slip of the keyboard' },
  'variables-of-kubernetes': { text: 'variables that Kubernetes writes for other services' },
  'control-character-in-a-setting': { text: 'a line end or a blank at the end of a setting' },
  'byte-order-mark': { text: 'a byte order mark before a secret' },

  // Operators.
  'names-that-fold-to-one': { text: 'two names that a reader takes for one' },
  'names-of-mixed-scripts': { text: 'a name of letters that pass for those of another script' },
  'hash-taken-for-a-password': { text: 'the hash of a password, given as the password' },
  'import-of-another-kind': { text: 'a file of another kind, given to the import' },
  'names-of-before': { text: 'names that were stored before names were folded' },
}

/** @type {Record<string, Line>} by number or slug */
export const faults = {
  1: { text: 'PostgreSQL killed ten times in a storm of refreshes', in: long },
  2: { text: 'PostgreSQL killed ten times in a storm of logouts', in: long },
  3: { text: 'PostgreSQL paused for 30 s', in: long },
  4: { text: 'no connection left, a table locked', in: long },
  5: { text: 'the listening connection cut, or silently dead', in: long },
  6: { text: '10,000 logouts on one node, probed on the other', in: long },
  7: { text: 'everything of a user with 10,000 sessions revoked', in: long },
  8: { text: 'a node killed in mid-rotation', in: long },
  9: { text: 'two nodes race for one refresh token, 1,000 times', in: long },
  10: { text: 'what races with a logout or a change of password, 1,000 times', in: long },
  11: { text: 'Redis killed, paused, flushed', in: 'npm run test:system' },
  12: { text: 'no space left under PostgreSQL', in: long },
  13: { text: 'a flood of logins on 200 connections', in: long },
  14: { text: 'SIGTERM with 200 requests in flight', in: long },
  15: { text: 'a node killed, its embedded PostgreSQL orphaned' },
  16: { text: 'four nodes on an empty schema, the migrating one killed' },
  17: { text: 'a signing key rotated under load', in: long },
  18: { text: '1,000 tokens that expire at once', in: long },
  19: { text: 'a backup restored', in: long },

  // Races with a revocation.
  'mint-against-revocation': { text: 'API keys minted and rolled against a revocation, suspension, logout or end_keys, on two nodes', in: long },
  'operator-against-demotion': { text: "operators' changes against their demotion or suspension, on two nodes", in: long },
  'operators-against-each-other': { text: 'operators who change each other at once', in: long },

  // Floods.
  'garbage-flood': { text: 'a service that is flooded with garbage, and tessera with introspections from its address', in: long },
  'pipelined-flood': { text: 'thousands of requests on connections that read no answer', in: long },

  // The database and what stands before it.
  'formats-of-the-database': { text: 'a database with formats of its own: dates, intervals, zones, bytes, isolation' },
  'wrong-database': { text: 'a database of another encoding, read-only, missing; a port where something else answers' },
  'tls-of-the-database': { text: 'TLS only, an unknown authority, a certificate for another name' },
  'stop-by-any-signal': { text: 'SIGHUP, SIGQUIT, SIGINT twice, with a login under way', in: long },
  'terminal-closed': { text: 'the terminal of the service is closed', in: long },
  'stop-while-starting': { text: 'a stop in any moment of a start with the embedded server', in: long },
  'impossible-data-dir': { text: 'a DATA_DIR that cannot be', in: long },
  'two-versions-number-revocations': { text: 'nodes of this version and of the one before it write revocations at once', in: long },

  // Sessions, tokens and revocations that outlive what they should.
  'bound-raised-while-revoking': { text: 'a node with longer lifetimes starts while another one revokes, 50 times', in: long },
  'shell-without-the-services-settings': { text: 'a key rotated and a user created by a shell that has not the settings of the service' },
}
