import pg from 'pg'
import t, { type Test } from 'tap'
import { pruneAudit, sealAudit, verifyAudit } from '../../src/domain/audit-chain.js'
import { setPassword } from '../../src/domain/operators.js'
import { sweep } from '../../src/repository/index.js'
import { migrate } from '../../src/repository/migrate.js'
import { appendOnlyTables } from '../../src/repository/service-role.js'
import { newApiKey, password, send } from '../support/account.js'
import { startTestApp, testEnvironment, type TestApp } from '../support/app.js'
import { createCli } from '../support/cli.js'
import { createTwoRoles, rowsOf, withClient, type TwoRoles } from '../support/roles.js'

/** The service as its own role, over a schema that another role owns. */
async function startAsServiceRole(t: Test, roles: TwoRoles): Promise<TestApp> {
  const database = { connectionString: roles.serviceUrl, client: () => Promise.reject(new Error('not here')) }
  return startTestApp(t, { database, environment: { MIGRATION_DATABASE_URL: roles.ownerUrl } })
}

await t.test('the whole service runs as a role that owns nothing', async (t) => {
  const roles = await createTwoRoles(t)
  const node = await startAsServiceRole(t, roles)
  const { service } = node.core
  const jane = await node.createUser({ username: 'jane', email: 'jane@example.com', password, pin: '4711', role: 'admin' })
  const owners = await roles.asSuperuser(`select distinct tableowner from pg_tables where schemaname = 'public'`)
  t.strictSame(owners, [{ tableowner: roles.owner }])

  const login = await send(node, { method: 'POST', path: '/api/v1/auth/login', body: { username: 'jane', password } })
  t.equal(login.status, 200)
  const { token, refreshToken } = login.body as { token: string; refreshToken: string }
  t.equal((await send(node, { method: 'POST', path: '/api/v1/auth/login', body: { username: 'jane', password: 'wrong' } })).status, 401)
  t.equal((await send(node, { method: 'POST', path: '/auth/login', body: { name: 'jane', pin: '4711' } })).status, 200)
  const rotated = await send(node, { method: 'POST', path: '/api/v1/auth/refresh', body: { refreshToken } })
  t.equal(rotated.status, 200)
  const made = await send(node, { method: 'POST', path: '/api/v1/auth/keys', token, body: {} })
  t.equal(made.status, 201)
  const { keyId, apiKey } = made.body as { keyId: string; apiKey: string }
  t.equal((await send(node, { path: '/users/me', token: apiKey })).status, 200)
  const rolled = await send(node, { method: 'POST', path: `/api/v1/auth/keys/${keyId}/roll`, token, body: {} })
  t.equal(rolled.status, 201)
  t.equal((await send(node, { method: 'DELETE', path: `/api/v1/auth/keys/${keyId}`, token })).status, 204)
  const generated = await send(node, { method: 'POST', path: '/users/me/tfa/generate', token, body: { password } })
  t.equal(generated.status, 200)
  t.equal((await send(node, { method: 'POST', path: '/users/me/password', token, body: { current: password, new: `${password}!` } })).status, 204)
  t.equal((await send(node, { method: 'POST', path: '/api/v1/auth/logout', token })).status, 200)
  t.equal((await send(node, { path: '/health/ready' })).status, 200)

  await setPassword(service, jane.id, password, { kind: 'operator', id: 'test' })
  t.ok(await newApiKey(node, jane.id))
  t.match(await sweep(node.core.pool), { sessions: 0 })
  const before = node.app.signingKeys.published().length
  await node.app.signingKeys.rotate({ kind: 'operator', id: 'test' })
  t.equal(node.app.signingKeys.published().length, before + 1)
  t.ok(await node.app.signingKeys.revoke(node.app.signingKeys.current().kid, { kind: 'operator', id: 'test' }))
  t.ok(await node.app.signingKeys.maintain({ newestMaySignSeconds: null }))
  await sealAudit(service)
  t.match(await verifyAudit(service, null), { intact: true })
  await t.rejects(pruneAudit(service, new Date('2100-01-01'), { kind: 'operator', id: 'x' }), { code: '42501' })
  t.match(await verifyAudit(service, null), { intact: true }, 'and nothing was deleted')
  t.notMatch(node.logLines.join('\n'), /permission denied/)
})

const attacks = [
  `update audit_events set detail = '{}'`,
  `update audit_events set type = 'logout' where id = 1`,
  `update audit_seals set mac = mac`,
  `update audit_checkpoints set mac = mac`,
  'delete from audit_events',
  'delete from audit_seals where seq = 1',
  'delete from audit_checkpoints',
  `insert into audit_checkpoints (seq, mac, proof, kid) values (1, '', '', '')`,
  'truncate audit_events',
  'truncate audit_events, audit_seals',
  'drop table audit_events',
  'drop table audit_seals cascade',
  'alter table audit_events disable trigger all',
  'alter table audit_events add column mine text',
  'alter table audit_events owner to current_user',
  'alter table audit_seals rename to gone',
  'drop function tessera_audit_text cascade',
  'create table audit_mine ()',
  'create rule quiet as on insert to audit_events do instead nothing',
  'create policy mine on audit_events',
  'do $$ begin lock table audit_events in exclusive mode; end $$',
  'select 1 from audit_events for update',
  'insert into audit_events (id, type, actor) overriding system value values (1, \'logout\', \'user:x\')',
  'select setval(pg_get_serial_sequence(\'audit_events\', \'id\'), 1)',
  'update schema_migrations set checksum = checksum',
  'delete from schema_migrations',
  'update data_keys set purpose = purpose',
  'delete from signing_keys',
  'drop schema public cascade',
  'set session_replication_role = replica',
]

await t.test('as the role of the service, the trail can be read and appended to, and nothing else', async (t) => {
  const roles = await createTwoRoles(t)
  await migrate(roles.ownerUrl, { serviceUrl: roles.serviceUrl })
  await withClient(roles.serviceUrl, async (client) => {
    await client.query(`insert into audit_events (type, actor) values ('logout', 'user:x')`)
    await client.query(`insert into audit_seals (seq, event_id, mac, kid) values (1, 1, '', '')`)
    for (const sql of attacks) {
      const refused: unknown = await client.query(sql).then(() => 'done', (error: unknown) => error)
      const text = refused instanceof pg.DatabaseError ? `${refused.code ?? ''} ${refused.message}` : String(refused)
      t.match(text, /^(42501 |428C9 |23505 )/, `${sql}: ${text}`)
    }
    t.strictSame(await rowsOf(client, 'select count(*)::int as n from audit_events'), [{ n: 1 }])
    await client.query('grant update on audit_events to current_user') // a warning, and nothing else
    t.strictSame(await rowsOf(client, `select has_table_privilege('audit_events', 'UPDATE') as may`), [{ may: false }])
    const tables = `select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`
    t.strictSame(await rowsOf(client, `${tables} and not has_table_privilege(oid, 'SELECT')`), [], 'every table has its line in the list of rights')
  })
})

await t.test('from one role to two: the owner changes, and what the role was given once is taken back', async (t) => {
  const roles = await createTwoRoles(t)
  await roles.asSuperuser(`alter database ${await databaseOf(roles)} owner to ${roles.service}`)
  await migrate(roles.serviceUrl)
  const asTwo = () => migrate(roles.ownerUrl, { serviceUrl: roles.serviceUrl })
  await t.rejects(asTwo(), { name: 'MigrationError', message: /^[^\n]+$/ })
  await roles.asSuperuser(`reassign owned by ${roles.service} to ${roles.owner}`)
  await roles.asSuperuser(`grant update, delete, truncate on audit_events, audit_seals to ${roles.service}`)
  // By the owner, as an older page of the documentation had it: what others granted only they can take back.
  await roles.asSuperuser(`set role ${roles.owner}; grant all on audit_events, audit_seals to ${roles.service}`)
  t.strictSame(await asTwo(), { applied: [] })
  for (const table of appendOnlyTables) {
    const [row] = await roles.asSuperuser(`select has_table_privilege('${roles.service}', '${table}', 'UPDATE, DELETE, TRUNCATE, TRIGGER') as may`)
    t.strictSame(row, { may: false }, table)
  }
  t.strictSame(await migrate(roles.serviceUrl), { applied: [] }, 'a node that knows the service’s role alone starts as well')
})

async function databaseOf(roles: TwoRoles): Promise<string> {
  const [row] = await roles.asSuperuser('select current_database() as name')
  return String(row?.name)
}

await t.test('a role that could do more than append is refused in one line that says how', async (t) => {
  const roles = await createTwoRoles(t)
  const attempt = () => migrate(roles.ownerUrl, { serviceUrl: roles.serviceUrl })
  await attempt()
  const { service, owner } = roles
  const cases: [make: string, undo: string, message: RegExp][] = [
    [`alter role ${service} superuser`, `alter role ${service} nosuperuser`, /superuser/],
    [`alter role ${service} createrole`, `alter role ${service} nocreaterole`, /creates roles/],
    [`grant ${owner} to ${service}`, `revoke ${owner} from ${service}`, /owns audit_checkpoints, or is a member/],
    [`alter table audit_seals owner to ${service}`, `alter table audit_seals owner to ${owner}`, /^[^\n]+$/],
    ['grant create on schema public to public', 'revoke create on schema public from public', /may create objects in the schema public/],
    ['grant delete on audit_events to public', 'revoke delete on audit_events from public', /holds DELETE audit_events/],
    ['grant update (detail) on audit_events to public', 'revoke update (detail) on audit_events from public', /holds UPDATE audit_events/],
    [`grant pg_write_all_data to ${service}`, `revoke pg_write_all_data from ${service}`, /holds (DELETE|UPDATE) audit_/],
  ]
  for (const [make, undo, message] of cases) {
    await roles.asSuperuser(make)
    await t.rejects(attempt(), { name: 'MigrationError', message }, make)
    await roles.asSuperuser(undo)
  }
  t.strictSame(await attempt(), { applied: [] })
})

await t.test('one role in both, another database, or a wrong address: one line', async (t) => {
  const roles = await createTwoRoles(t)
  const others = await createTwoRoles(t)
  const elsewhere = new URL(roles.ownerUrl)
  elsewhere.pathname = new URL(others.ownerUrl).pathname
  await t.rejects(migrate(roles.ownerUrl, { serviceUrl: roles.ownerUrl }), { name: 'MigrationError', message: /both connect as/ })
  await t.rejects(migrate(others.ownerUrl, { serviceUrl: roles.serviceUrl }), { name: 'MigrationError', message: /does not find the schema that was migrated/ })
  const tessera = createCli({ DATABASE_URL: roles.serviceUrl, MASTER_SECRET: testEnvironment.MASTER_SECRET })
  const migrating = (MIGRATION_DATABASE_URL: string) => tessera(['migrate'], { environment: { MIGRATION_DATABASE_URL } })
  t.match(await tessera(['user', 'list'], { environment: { MIGRATION_DATABASE_URL: 'postgres://nobody:secret-word@127.0.0.1:1/x' } }), { status: 1, stdout: '', stderr: /^tessera: cannot use PostgreSQL at 127\.0\.0\.1:1\/x \(ECONNREFUSED\): check that it runs and that MIGRATION_DATABASE_URL is right\n$/ })
  const wrongPassword = new URL(roles.ownerUrl)
  wrongPassword.password = 'secret-word'
  t.match(await migrating(wrongPassword.href), { status: 1, stdout: '', stderr: /^tessera: cannot use .*check user, password and database name in MIGRATION_DATABASE_URL\n$/ })
  t.match(await migrating(roles.serviceUrl), { status: 1, stdout: '', stderr: /^tessera: [^\n]+\n$/ })
})

await t.test('tessera migrate and audit prune as the owner; without it, a refusal that says what is missing', async (t) => {
  const roles = await createTwoRoles(t)
  const alone = createCli({ DATABASE_URL: roles.serviceUrl, MASTER_SECRET: testEnvironment.MASTER_SECRET, ARGON2_MEMORY_KIB: '1024', ARGON2_TIME: '1' })
  const asOwner: typeof alone = (args) => alone(args, { environment: { MIGRATION_DATABASE_URL: roles.ownerUrl } })
  t.match(await alone(['migrate']), { status: 1, stderr: /^tessera: [^\n]+\n$/ })
  t.match(await asOwner(['migrate']), { status: 0, stdout: /applied 0001_/ })
  t.match(await asOwner(['doctor']), { status: 0, stdout: /role +\S+ can only append to the audit trail/ })
  t.match(await alone(['user', 'create', '--username', 'jane']), { status: 0 }, 'the role of the service needs nothing more for every other command')
  t.match(await alone(['audit', 'export']), { status: 0, stdout: /"type":"user_created"/ })
  const prune = ['audit', 'prune', '--before', new Date().toISOString()]
  t.match(await alone(prune), { status: 1, stdout: '', stderr: /^tessera: the role of DATABASE_URL may not delete .*MIGRATION_DATABASE_URL/ })
  t.match(await asOwner(prune), { status: 0, stdout: /^1 events before 2/ })
  t.match(await alone(['audit', 'verify']), { status: 0, stdout: /^intact/ })
})
