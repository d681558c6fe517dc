import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo, LookupFunction } from 'node:net'
import { text } from 'node:stream/consumers'
import { CompactEncrypt } from 'jose'
import t from 'tap'
import type { Test } from 'tap'
import { createTrustedIssuers } from '../../src/issuer/trusted-issuers.ts'
import { startTestIssuer } from '../../src/testing.ts'
import { startApi } from '../support/api.ts'
import { certificate, certificateKey } from '../support/certificate.ts'
import * as hostile from '../support/hostile-issuer.ts'
import { client, opaqueToken, startScene } from '../support/introspection-scene.ts'

t.test('INT-5: a route that is uncached asks about the token each time', async (t) => {
  const { api, calls, answerWith, mint, active } = await startScene(t, {}, (app) => {
    const auth = { uncached: true }
    app.get('/pay', { config: { auth } }, async ({ principal }) => principal.subject)
  })
  for (const path of ['/whoami', '/whoami', '/pay', '/pay', '/whoami'])
    t.equal((await api.ask(opaqueToken, path)).status, 200)
  t.equal(calls.length, 3, 'one that is kept, and one for each payment')
  answerWith(hostile.json({ active: false }))
  t.equal((await api.ask(opaqueToken)).status, 200, 'a kept answer still counts elsewhere')
  t.equal((await api.ask(opaqueToken, '/pay')).status, 401)
  t.equal((await api.ask(opaqueToken)).status, 401, 'and not once it is known to be outdated')
  answerWith(hostile.status(500))
  t.equal((await api.ask(opaqueToken, '/pay')).status, 503, 'an outage is no yes')
  answerWith(hostile.json(active))
  const before = calls.length
  t.equal((await api.ask(await mint(), '/pay')).status, 200)
  t.equal(calls.length, before, 'INT-12: a JWT that is verified here is not asked about')
})

t.test('INT-5: with introspected JWTs too, an uncached route asks each time', async (t) => {
  const { api, calls, mint } = await startScene(t, { tokens: ['opaque'] }, (app) => {
    app.get('/pay', { config: { auth: { uncached: true } } }, async () => 'paid')
  })
  const token = await mint()
  for (const path of ['/whoami', '/pay', '/whoami', '/pay'])
    t.equal((await api.ask(token, path)).status, 200)
  t.equal(calls.length, 3)
})

t.test('INT-6: of 20 uncached requests at once with one token one asks', async (t) => {
  const { api, calls } = await startScene(t, {}, (app) => {
    app.get('/pay', { config: { auth: { uncached: true } } }, async () => 'paid')
  })
  const asked = Array.from({ length: 20 }, () => api.ask(opaqueToken, '/pay'))
  t.ok((await Promise.all(asked)).every(({ status }) => status === 200))
  t.ok(calls.length < 20, `${calls.length} calls`)
})

t.test('introspection.endpoint is asked where the metadata names none', async (t) => {
  const issuer = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => issuer.close())
  const elsewhere = await hostile.startHostileIssuer()
  t.teardown(() => elsewhere.close())
  elsewhere.on('/ask', hostile.json({ active: true, sub: 'ada', aud: issuer.audience }))
  const endpoint = `${elsewhere.issuer}/ask`
  const introspection = { ...client, endpoint }
  const api = await startApi(t, { ...issuer.options, tokens: ['opaque'], introspection })
  t.match(await api.ask(opaqueToken), { status: 200, json: { sub: 'ada' } })
  t.equal(elsewhere.requests('/ask').length, 1)
  const without = await startApi(t, {
    ...issuer.options,
    tokens: ['opaque'],
    introspection: client
  })
  t.equal((await without.ask(opaqueToken)).status, 503)
})

for (const endpoint of ['http://id.example.com/ask', 'http://127.0.0.1/ask', '/ask', '', 5]) {
  t.test(
    `META-5: introspection.endpoint ${JSON.stringify(endpoint)} stops the start`,
    async (t) => {
      const introspection = { ...client, endpoint: endpoint as string }
      const options = { issuer: 'https://id.example.com', audience: 'api', introspection }
      t.throws(
        () =>
          createTrustedIssuers([{ ...options, tokens: ['opaque'] }], { prepare: () => () => true }),
        {
          message:
            /^introspection.endpoint of https:\/\/id.example.com: found .*, allowed: an https/
        }
      )
    }
  )
}

t.test('INT-10: a signed answer may be encrypted, and is checked all the same', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const introspection = { ...client, signedAnswers: true }
  const scene = await startScene(t, { introspection, decryption: { privateKey } })
  const { api, issuer, sound, active, answerWith } = scene
  const seal = async (content: string): Promise<void> => {
    const header = { alg: 'ECDH-ES', enc: 'A256GCM' }
    const sealed = new CompactEncrypt(Buffer.from(content)).setProtectedHeader(header)
    const jwe = await sealed.encrypt(publicKey)
    answerWith((_request, response) => {
      response.setHeader('Content-Type', 'application/token-introspection+jwt')
      response.end(jwe)
    })
  }
  const sign = (claims: object = {}) =>
    sound.mint(
      { iss: issuer.issuer, aud: client.clientId, token_introspection: active, ...claims },
      { header: { typ: 'token-introspection+jwt' } }
    )
  await seal(await sign())
  t.match(await api.ask(opaqueToken), { status: 200, json: { sub: 'ada' } })
  for (const [name, content] of [
    ['not signed', JSON.stringify({ token_introspection: active })],
    ['for another', await sign({ aud: 'other' })],
    ['of another', await sign({ iss: 'https://other.example' })]
  ] as const) {
    await seal(content)
    t.equal((await api.ask(`${opaqueToken}${name.length}`)).status, 503, name)
  }
})

const lookup: LookupFunction = (_hostname, { all }, callback) => {
  if (all) callback(null, [{ address: '127.0.0.1', family: 4 }])
  else callback(null, '127.0.0.1', 4)
}

/** An issuer over TLS that calls every token active, and the forms it got. */
async function startSecureIssuer(t: Test) {
  const forms: string[] = []
  const server = createServer({ cert: certificate, key: certificateKey }, (request, response) => {
    void text(request).then((form) => {
      forms.push(form)
      response.setHeader('Content-Type', 'application/json')
      response.end(JSON.stringify({ active: true, sub: 'ada', aud: 'api' }))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { forms, port: (server.address() as AddressInfo).port }
}

t.test(
  'INT-2: over TLS the certificate of the issuer must be a trusted one, for its name',
  async (t) => {
    const { forms, port } = await startSecureIssuer(t)
    for (const [host, ca, subject] of [
      ['issuer.example', certificate, 'ada'],
      ['issuer.example', undefined, undefined],
      ['other.example', certificate, undefined]
    ] as const) {
      const issuer = `https://${host}:${port}`
      const introspection = { ...client, endpoint: `${issuer}/introspect` }
      const options = { issuer, audience: 'api', tokens: ['opaque'], introspection } as const
      const fetch = { lookup, ...(ca && { ca }) }
      const trusted = createTrustedIssuers([options], { prepare: () => () => true, fetch })
      const only = trusted.get(issuer)
      t.teardown(() => only?.close())
      t.match(
        await only?.opaqueTokens?.(opaqueToken),
        subject ? { subject } : { retryAfterSeconds: 5 }
      )
    }
    t.equal(forms.length, 1, 'nothing is sent before the certificate is checked')
    t.match(forms[0], `token=${opaqueToken}`)
  }
)
