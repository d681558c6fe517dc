import Fastify from 'fastify'
import t from 'tap'
import { parse } from 'yaml'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { appUnderTest } from '../support/app.ts'

import openapi from '../../plugins/openapi.ts'
import openapiRoutes from '../../routes/openapi.ts'

async function build(t: Test): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(openapi)
  await app.register(openapiRoutes)
  return app
}

t.test('serves one document as JSON and as YAML', async (t) => {
  const app = await build(t)
  const json = await app.inject('/openapi.json')
  const yaml = await app.inject('/openapi.yaml')
  t.equal(json.headers['content-type'], 'application/json; charset=utf-8')
  t.equal(yaml.headers['content-type'], 'application/yaml; charset=utf-8')
  t.equal(json.json().openapi, '3.1.0')
  t.strictSame(parse(yaml.body), json.json())
  t.notMatch(yaml.body, /[&*]a\d/, 'without YAML aliases')
})

t.test('HTTP: a client that has the document is told so', async (t) => {
  const app = await build(t)
  for (const url of ['/openapi.json', '/openapi.yaml', '/docs', '/docs/swagger-ui.js']) {
    const first = await app.inject(url)
    t.equal(first.headers['cache-control'], 'public, max-age=300', url)
    const { etag } = first.headers
    for (const tags of [etag, `"other", W/${etag}`, '*']) {
      const again = await app.inject({ url, headers: { 'if-none-match': tags } })
      t.equal(again.statusCode, 304, `${url} ${tags}`)
      t.equal(again.body, '')
      t.equal(again.headers.etag, etag)
    }
    const other = await app.inject({ url, headers: { 'if-none-match': '"other"' } })
    t.equal(other.statusCode, 200, url)
  }
})

t.test("HEAD's 304 says nothing of the length, which would be that of the document", async (t) => {
  const { app } = await appUnderTest(t)
  for (const url of ['/openapi.json', '/docs']) {
    const head = await app.inject({ method: 'HEAD', url, headers: { 'if-none-match': '*' } })
    t.equal(head.statusCode, 304)
    t.notOk(head.headers['content-length'], url)
    const whole = await app.inject({ method: 'HEAD', url })
    t.ok(Number(whole.headers['content-length']) > 0, url)
  }
})

t.test('clients find the routes under the path of PUBLIC_URL', async (t) => {
  for (const [publicUrl, path] of [
    ['https://api.example.com', '/'],
    ['https://api.example.com/v1', '/v1']
  ] as const) {
    const { app } = await appUnderTest(t, { publicUrl })
    t.same((await app.inject('/openapi.json')).json().servers, [{ url: path }])
  }
})

t.test('OWASP-4: all who read a file share its bytes, however slowly they read', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const sent: unknown[] = []
  app.addHook('onSend', async (_request, _reply, payload) => {
    sent.push(payload)
  })
  await app.register(openapi)
  await app.register(openapiRoutes)
  for (const url of ['/docs/swagger-ui.js', '/openapi.json']) {
    await app.inject(url)
    await app.inject(url)
    const [first, second] = sent.splice(0)
    t.ok(Buffer.isBuffer(first), url)
    t.equal(first, second, url)
  }
})

t.test('the page takes everything from the service itself', async (t) => {
  const app = await build(t)
  const { body, headers } = await app.inject('/docs')
  t.equal(headers['content-type'], 'text/html; charset=utf-8')
  t.match(headers['content-security-policy'], "default-src 'none'; script-src 'self';")
  t.notMatch(headers['content-security-policy'], /unsafe|https?:|\*/)
  const used = [...body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address = '']) => address)
  for (const address of used.filter((address) => !address.startsWith('data:'))) {
    const asset = await app.inject(new URL(address, 'http://service.test/docs').pathname)
    t.equal(asset.statusCode, 200, address)
  }
  t.notMatch(body, /<script>|<style|https?:/, 'nothing inline, nothing from elsewhere')
})
