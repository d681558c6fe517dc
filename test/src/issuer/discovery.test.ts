import t from 'tap'
import { discover, parseMetadata } from '../../../src/issuer/discovery.ts'
import { IssuerFaultError } from '../../../src/issuer/issuer-fault.ts'
import { fakeFetch } from '../../support/fake-fetch.ts'

function metadataOf(issuer: string) {
  return {
    issuer,
    jwks_uri: 'https://id.example.com/keys',
    userinfo_endpoint: undefined,
    introspection_endpoint: undefined,
    token_endpoint: undefined
  }
}

const openid = '/.well-known/openid-configuration'
const oauth = '/.well-known/oauth-authorization-server'

for (const [issuer, first, second] of [
  ['https://id.example.com', `https://id.example.com${openid}`, `https://id.example.com${oauth}`],
  ['https://id.example.com/', `https://id.example.com${openid}`, `https://id.example.com${oauth}`],
  [
    'https://id.example.com/tenant1',
    `https://id.example.com/tenant1${openid}`,
    `https://id.example.com${oauth}/tenant1`
  ],
  [
    'https://id.example.com/tenant1/',
    `https://id.example.com/tenant1${openid}`,
    `https://id.example.com${oauth}/tenant1`
  ],
  [
    'https://id.example.com:8443/realms/a',
    `https://id.example.com:8443/realms/a${openid}`,
    `https://id.example.com:8443${oauth}/realms/a`
  ]
] as const) {
  void t.test(`META-1: ${issuer} is discovered at ${first}`, async (t) => {
    const { fetch, asked } = fakeFetch({ [first]: metadataOf(issuer) })
    t.strictSame(await discover(issuer, fetch), metadataOf(issuer))
    t.strictSame(asked, [first])
  })

  void t.test(`META-2: where that is missing, ${issuer} is discovered at ${second}`, async (t) => {
    const { fetch, asked } = fakeFetch({ [second]: metadataOf(issuer) })
    t.strictSame(await discover(issuer, fetch), metadataOf(issuer))
    t.strictSame(asked, [first, second])
  })
}

void t.test('META-2: a document of RFC 8414 must be of the issuer as well', async (t) => {
  const url = `https://id.example.com${oauth}`
  const { fetch } = fakeFetch({ [url]: metadataOf('https://other.example.com') })
  await t.rejects(discover('https://id.example.com', fetch), IssuerFaultError)
})

for (const [name, named] of Object.entries({
  'a slash more': 'https://id.example.com/a/',
  'a slash less': 'https://id.example.com',
  'an upper-case host': 'https://ID.example.com/a',
  'an upper-case path': 'https://id.example.com/A',
  'the default port': 'https://id.example.com:443/a',
  'another scheme': 'http://id.example.com/a',
  'a template': 'https://id.example.com/{tenantid}',
  'a list': ['https://id.example.com/a'],
  nothing: undefined
})) {
  void t.test(`META-3, GJ-9, GJ-11: a document whose issuer is ${name} is not used`, async (t) => {
    const issuer = 'https://id.example.com/a'
    const document = { ...metadataOf(issuer), issuer: named }
    const { fetch, asked } = fakeFetch({ [issuer + openid]: document })
    await t.rejects(discover(issuer, fetch), IssuerFaultError)
    t.equal(asked.length, 1)
  })
}

const issuer = 'https://id.example.com'
for (const [name, value, response] of [
  ['HTML', '<!doctype html>'],
  ['an array', [metadataOf(issuer)]],
  ['null', null],
  ['text', '"hello"'],
  ['no jwks_uri', { issuer }],
  ['a jwks_uri that is a number', { issuer, jwks_uri: 5 }],
  ['a jwks_uri that is null', { issuer, jwks_uri: null }],
  ['a relative jwks_uri', { issuer, jwks_uri: '/keys' }],
  ['META-5: a plain http jwks_uri', { issuer, jwks_uri: 'http://id.example.com/keys' }],
  ['META-5: a loopback jwks_uri', { issuer, jwks_uri: 'http://127.0.0.1/keys' }],
  [
    'META-5: a plain http userinfo_endpoint',
    { ...metadataOf(issuer), userinfo_endpoint: 'http://id.example.com/me' }
  ],
  [
    'INT-2: a plain http introspection_endpoint',
    { ...metadataOf(issuer), introspection_endpoint: 'http://id.example.com/introspect' }
  ],
  ['a userinfo_endpoint that is an object', { ...metadataOf(issuer), userinfo_endpoint: {} }],
  ['the right document with status 500', metadataOf(issuer), { status: 500 }],
  ['the right document with status 203', metadataOf(issuer), { status: 203 }],
  ['META-10: a redirect', '', { status: 302, headers: { location: 'https://id.example.com/x' } }]
] as const) {
  void t.test(
    `META-4: ${name} is a failure of the issuer, and nothing is asked further`,
    async (t) => {
      const { fetch, asked, answer } = fakeFetch()
      answer(issuer + openid, value, response)
      await t.rejects(discover(issuer, fetch), IssuerFaultError)
      t.strictSame(asked, [issuer + openid])
    }
  )
}

void t.test('keeps of a document what is used, and nothing else', async (t) => {
  const userinfo_endpoint = 'https://id.example.com/me'
  const introspection_endpoint = 'https://id.example.com/introspect'
  const document = {
    ...metadataOf(issuer),
    userinfo_endpoint,
    introspection_endpoint,
    token_endpoint: 5,
    scopes_supported: {}
  }
  t.strictSame(parseMetadata(document, issuer), {
    ...metadataOf(issuer),
    userinfo_endpoint,
    introspection_endpoint
  })
  for (const token_endpoint of ['http://id.example.com/token', 'http://127.0.0.1/token', '/token'])
    t.equal(parseMetadata({ ...document, token_endpoint }, issuer).token_endpoint, undefined)
  const token_endpoint = 'https://id.example.com/token'
  t.equal(parseMetadata({ ...document, token_endpoint }, issuer).token_endpoint, token_endpoint)
})
