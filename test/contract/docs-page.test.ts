import Fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'

import openapi from '../../plugins/openapi.ts'
import securityHeaders from '../../plugins/security-headers.ts'
import openapiRoutes from '../../routes/openapi.ts'
import { noChromium, openPage } from '../support/chromium.ts'
import type { Page } from '../support/chromium.ts'

/** A service that tells whoever tries it out what it was sent. */
async function startService(t: Test): Promise<string> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(securityHeaders, { origins: [] })
  await app.register(openapi)
  const schema = { operationId: 'getEcho', summary: 'Say it again', tags: ['caller'] }
  app.get('/echo', { schema }, (request) => ({ heard: request.headers.authorization }))
  await app.register(openapiRoutes)
  return app.listen({ host: '127.0.0.1', port: 0 })
}

async function eventually(page: Page, expression: string): Promise<unknown> {
  return page.evaluate(`new Promise((resolve) => {
    const look = () => { const seen = ${expression}; seen ? resolve(seen) : setTimeout(look, 20) }
    look()
  })`)
}

async function click(page: Page, selector: string): Promise<void> {
  const found = `document.querySelector('${selector}')`
  await eventually(page, `${found} && (${found}.click(), true)`)
}

t.test('the page of the contract in a browser', { skip: noChromium }, async (t) => {
  const origin = await startService(t)
  const page = await openPage(`${origin}/docs`)
  t.teardown(() => page.close())

  await t.test('shows the title and the operations', async (t) => {
    t.match(await eventually(page, `document.querySelector('.info .title')?.innerText`), 'Latchkey')
    t.equal(
      await eventually(page, `document.querySelector('#operations-caller-getEcho a')?.innerText`),
      '/echo'
    )
  })

  await t.test('sends a pasted token with a request that is tried out', async (t) => {
    await click(page, '.auth-wrapper .authorize')
    await eventually(
      page,
      `(document.querySelector('.auth-container input')?.focus(), document.activeElement.matches('input'))`
    )
    await page.evaluate(`document.execCommand('insertText', false, 'a-pasted-token')`)
    await click(page, '.auth-btn-wrapper .authorize')
    await click(page, '.auth-btn-wrapper .btn-done')
    for (const step of ['.opblock-summary-control', '.try-out__btn', '.execute']) {
      await click(page, `#operations-caller-getEcho ${step}`)
    }
    const answer = `document.querySelector('.live-responses-table tbody .response-col_description')`
    t.match(await eventually(page, `${answer}?.innerText`), '"heard": "Bearer a-pasted-token"')
  })

  await t.test('breaks no content security policy and asks nobody else', async (t) => {
    t.strictSame(page.complaints, [])
    t.ok(page.requests.length > 4)
    t.strictSame(
      page.requests.filter(
        (address) => !address.startsWith(`${origin}/`) && !address.startsWith('data:')
      ),
      []
    )
  })
})
