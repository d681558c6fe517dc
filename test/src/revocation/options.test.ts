import t from 'tap'
import { createSignatureCheck } from '../../../plugins/signature-check.ts'
import { ConfigError } from '../../../src/config/error.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { createTrustedIssuers } from '../../../src/issuer/trusted-issuers.ts'

const issuer = 'https://id.example.com'
const trusted = { issuer, audience: 'https://api.example.com' }
const revoked = { covers: () => false, onRevoked: () => undefined }

const create = (options: object, dependencies: object = { revoked }) =>
  createTrustedIssuers([{ ...trusted, ...options }], {
    prepare: createSignatureCheck,
    ...dependencies
  })

const events = { audience: 'us' }
const wrong: Readonly<Record<string, readonly [object, RegExp]>> = {
  'a client that is none': [
    { backchannelLogout: { clientId: '' } },
    /^backchannelLogout.clientId of https:\/\/id.example.com: found "", allowed: one or more/
  ],
  'no clients': [{ backchannelLogout: { clientId: [] } }, /clientId of .* found \[\]/],
  'a logout that is a switch': [{ backchannelLogout: true }, /found true, allowed: an object/],
  'an unknown member': [{ backchannelLogout: { client: 'a' } }, /found {"client":"a"}/],
  'a stream without audience': [{ securityEvents: {} }, /securityEvents.audience of .* nothing/],
  'a transmitter without keys': [
    { securityEvents: { ...events, issuer: 'https://t.example.com' } },
    /securityEvents.issuer of .*allowed: another transmitter only with jwksUri/
  ],
  'keys at an address that is not allowed': [
    { securityEvents: { ...events, jwksUri: 'http://t.example.com/jwks' } },
    /securityEvents.jwksUri of .*allowed: an https URL/
  ],
  'critical members that are no list': [
    { securityEvents: { ...events, criticalSubjectMembers: 'tenant' } },
    /securityEvents.criticalSubjectMembers of .*allowed: a list/
  ]
}
for (const [name, [options, message]] of Object.entries(wrong))
  void t.test(`${name} stops the start with one line`, async (t) => {
    t.throws(() => create(options), { name: 'TypeError', message })
  })

void t.test('without a store no issuer may end tokens', async (t) => {
  for (const [name, value] of Object.entries({
    backchannelLogout: { clientId: 'app' },
    securityEvents: events
  })) {
    const message = `${name} of ${issuer}: found a value, allowed: only with the option revocationStore`
    t.throws(() => create({ [name]: value }, {}), new TypeError(message))
  }
})

const load = (settings: object) =>
  loadConfig({ LATCHKEY_CONFIG: 'c.json' }, () => JSON.stringify(settings))

void t.test('the JSON file has the names of the options', async (t) => {
  const settings = {
    issuers: [
      {
        ...trusted,
        backchannelLogout: { clientId: ['app', 'spa'] },
        securityEvents: {
          audience: 'us',
          issuer: 'https://t.example.com',
          jwksUri: 'https://t.example.com/jwks',
          criticalSubjectMembers: ['tenant']
        }
      }
    ],
    maxTokenLifetime: 86_400,
    scopeImplies: { all: ['documents:admin'] }
  }
  t.match(load(settings), settings)
  t.ok(create(settings.issuers[0] ?? {}))
})

void t.test('wrong settings are named', async (t) => {
  for (const [settings, message] of [
    [{ maxTokenLifetime: 1 }, /maxTokenLifetime: found 1, allowed: seconds/],
    [{ scopeImplies: { a: 'b' } }, /scopeImplies.*allowed: an object of scopes/],
    [
      { issuers: [{ ...trusted, backchannelLogout: {} }] },
      /issuers\[0\].backchannelLogout.clientId: found nothing, allowed: the client/
    ],
    [
      { issuers: [{ ...trusted, securityEvents: { audience: 'a', jwks: 'x' } }] },
      /issuers\[0\].securityEvents.jwks: found an unknown setting|securityEvents/
    ]
  ] as const)
    t.throws(() => load(settings), { constructor: ConfigError, message })
})
