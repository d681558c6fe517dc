import t from 'tap'
import { type PresetName, presetNames, withPreset } from '../../../src/issuer/presets.ts'
import type { IssuerOptions } from '../../../src/issuer/issuer-options.ts'
import { createTrustedIssuers } from '../../../src/issuer/trusted-issuers.ts'

const audience = 'https://api.example.com'

function create(options: object) {
  const complete = { issuer: 'https://id.example.com', audience, ...options } as IssuerOptions
  return createTrustedIssuers([complete], { prepare: () => () => true })
}

const guid = '0d4c9f1e-2b7a-4c11-9a53-1f0e8d7c6b5a'
const contradictions: [name: string, options: object, message: RegExp][] = [
  [
    'an unknown preset',
    { preset: 'keycloack' },
    /^preset of https:\/\/id\.example\.com: found "keycloack", allowed: keycloak, auth0, .*logto$/
  ],
  ['a preset that is a list', { preset: ['keycloak'] }, /^preset of .*found \["keycloak"\]/],
  ...issuers('keycloak', [
    'https://id.example.com/realms/a/',
    'https://id.example.com',
    'https://id.example.com/realms/'
  ]),
  [
    'an audience of all tokens of a realm',
    { preset: 'keycloak', issuer: 'https://id.example.com/realms/a', audience: ['api', 'account'] },
    /^audience of https:\/\/id\.example\.com\/realms\/a: found "account", allowed: with preset keyc/
  ],
  ...issuers('auth0', ['https://tenant.auth0.com']),
  ...issuers('okta', [
    'https://dev-1.okta.com',
    'https://dev-1.okta.com/',
    'https://dev-1.okta.com/oauth2'
  ]),
  ...issuers('entra', [
    'https://login.microsoftonline.com/common/v2.0',
    'https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0',
    `https://login.microsoftonline.com/${guid}`
  ]),
  ...issuers('cognito', ['https://cognito-idp.eu-west-1.amazonaws.com']),
  ...issuers('zitadel', ['https://tenant.zitadel.cloud/']),
  ...issuers('authentik', ['https://id.example.com/application/o/api']),
  ...issuers('logto', ['https://tenant.logto.app', 'https://tenant.logto.app/oidc/']),
  [
    'Google for access tokens',
    { preset: 'google', issuer: 'https://accounts.google.com' },
    /^tokens of https:\/\/accounts\.google\.com: found nothing, allowed: with preset google: \["id"\]/
  ],
  [
    'Google for other tokens',
    { preset: 'google', tokens: ['jwt'] },
    /^tokens of .*found \["jwt"\], allowed: with preset google: \["id"\], since Google's access token/
  ],
  [
    'an unknown claim',
    { audienceClaim: 'sub' },
    /^audienceClaim of .*"sub", allowed: aud, client_/
  ],
  ['an unknown mark', { idTokenMarks: ['at_hash'] }, /^idTokenMarks of .*found \["at_hash"\]/],
  [
    'fewer marks with nothing in their place',
    { idTokenMarks: ['nonce'] },
    /^idTokenMarks of https:\/\/id\.example\.com: found \["nonce"\], allowed: nonce and own_audience; f/
  ],
  ...[{}, [], [{}], { a: [] }, { a: null }, { a: {} }, { 'a..b': 'c' }, 'token_use', null].map(
    (requiredClaims): [string, object, RegExp] => [
      `the required claims ${JSON.stringify(requiredClaims)}`,
      { requiredClaims },
      /^requiredClaims of https:\/\/id\.example\.com: found .+, allowed: claims with their values/
    ]
  ),
  [
    'an unknown place',
    { claims: { role: 'a' } },
    /^claims\.role: .*roles, scopes, client, tokenId$/
  ],
  ['a star inside a claim', { claims: { roles: 'a.*.b' } }, /^claims\.roles: found "a\.\*\.b"/],
  [
    'a bad claim beside a preset',
    { preset: 'zitadel', claims: { scopes: '' } },
    /^claims\.scopes: /
  ]
]

function issuers(preset: string, wrong: readonly string[]): [string, object, RegExp][] {
  return wrong.map((issuer) => [
    `${issuer} as an issuer of ${preset}`,
    { preset, issuer },
    new RegExp(`^issuer: found ".+", allowed: with preset ${preset}: `)
  ])
}

for (const [name, options, message] of contradictions)
  void t.test(`OWASP-8: ${name} stops the start in one line`, async (t) => {
    const error = t.throws(() => create(options), { name: 'TypeError', message })
    t.notMatch((error as Error).message, /\n/)
  })

const sound: readonly (readonly [PresetName, string])[] = [
  ['keycloak', 'https://id.example.com/auth/realms/a'],
  ['keycloak', 'http://127.0.0.1:8080'],
  ['auth0', 'https://login.example.com/'],
  ['okta', 'https://dev-1.okta.com/oauth2/default'],
  ['entra', `https://login.microsoftonline.com/${guid}/v2.0`],
  ['entra', `https://sts.windows.net/${guid}/`],
  ['cognito', 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab1'],
  ['zitadel', 'https://tenant.zitadel.cloud'],
  ['authentik', 'https://id.example.com/application/o/api/'],
  ['authentik', 'https://id.example.com/'],
  ['logto', 'https://tenant.logto.app/oidc']
]
for (const [preset, issuer] of sound)
  void t.test(`${issuer} is an issuer of ${preset}`, async (t) => {
    const issuers = create({ preset, issuer })
    t.teardown(() => issuers.get(issuer)?.close())
    t.strictSame(issuers.advertised, [issuer])
  })

void t.test('where UserInfo is closed to an API, the token itself answers', async (t) => {
  const closed = sound.filter(
    ([preset, issuer]) => withPreset({ preset, issuer, audience }).userinfo === 'claims'
  )
  t.strictSame([...new Set(closed.map(([preset]) => preset))], ['entra', 'logto'])
})

void t.test('every preset was looked at', async (t) => {
  const seen = new Set([...sound.map(([preset]) => preset), 'google'])
  t.strictSame([...seen].sort(), [...presetNames].sort())
})

void t.test('without a preset nothing is filled in', async (t) => {
  const options = { issuer: 'https://id.example.com', audience }
  t.equal(withPreset(options), options)
})
