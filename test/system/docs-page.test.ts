// `/docs` as somebody meets it who opens it, and has no internet.
import t from 'tap'
import { demoAccounts } from '../../src/demo-accounts.js'
import { startTestApp } from '../support/app.js'
import { startBrowser, withoutBrowser } from '../support/browser.js'

t.setTimeout(120_000)

await t.test('the page of the API, in Chromium', { skip: withoutBrowser }, async (t) => {
  const node = await startTestApp(t)
  await node.createUser({ username: 'jane', password: 'correct horse battery' })
  const page = await (await startBrowser(t)).newPage()
  const requested: URL[] = []
  const complaints: string[] = []
  page.on('request', (request) => requested.push(new URL(request.url())))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))

  await page.goto(`${node.url}/docs`)
  const login = page.locator('#operations-bearer-bearerLogin')
  await login.waitFor()

  await t.test('shows every tag, asks nobody else, and breaks no rule of its policy', async (t) => {
    for (const tag of ['auth', 'bearer', 'tokenset', 'account', 'oauth']) t.equal(await page.locator(`.opblock-tag[data-tag="${tag}"]`).count(), 1, tag)
    t.strictSame([...new Set(requested.filter(({ protocol }) => protocol !== 'data:').map(({ origin }) => origin))], [node.url])
    t.strictSame(complaints, [])
  })

  await t.test('sends a call that is tried out', async (t) => {
    await login.locator('.opblock-summary').click()
    await login.locator('.try-out__btn').click()
    await login.locator('textarea').fill(JSON.stringify({ username: 'jane', password: 'correct horse battery' }))
    const answer = page.waitForResponse((response) => response.url() === `${node.url}/api/v1/auth/login`)
    await login.locator('.execute').click()
    t.equal((await answer).status(), 200)
    await login.locator('.live-responses-table .response-col_status', { hasText: '200' }).waitFor()
    t.strictSame(complaints, [])
  })

  await t.test('logs in on the demo by the first Execute, in the description of each API', async (t) => {
    for (const account of demoAccounts) await node.createUser({ ...account, demo: true })
    const logins = { everything: ['auth-authLogin', '/auth/login'], pin: ['pin-authLogin', '/auth/login'], directus: ['directus-authLogin', '/auth/login'], bearer: ['bearer-bearerLogin', '/api/v1/auth/login'], tokenset: ['tokenset-tokensetLogin', '/v1/auth'] }
    for (const [entry, [id = '', path = '']] of Object.entries(logins)) {
      await page.goto(`${node.url}/docs`)
      await page.locator('.topbar select').selectOption({ label: entry })
      await page.locator('.info .title', { hasText: entry === 'everything' ? /^tessera/ : `tessera: ${entry}` }).waitFor()
      const operation = page.locator(`#operations-${id}`)
      await operation.locator('.opblock-summary').click()
      await operation.locator('.try-out__btn').click()
      const answer = page.waitForResponse((response) => response.url() === node.url + path)
      await operation.locator('.execute').click()
      t.equal((await answer).status(), 200, entry)
    }
    t.strictSame(complaints, [])
  })

  await t.test('runs no script that somebody got into it', async (t) => {
    await page.evaluate(`document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.intruded = true">')`)
    await page.evaluate(`document.body.append(Object.assign(document.createElement('script'), { text: 'window.intruded = true' }))`)
    t.equal(await page.evaluate('window.intruded'), undefined)
    t.match(complaints.join('\n'), /Content Security Policy/)
  })
})
