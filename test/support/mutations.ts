import * as fc from 'fast-check'
import type { TestAlgorithm } from '../../src/testing.ts'
import { testAlgorithms } from '../../src/testing/keys.ts'

/** One change of a valid token, told so that it can be read in a report of a failure. */
export type Mutation = {
  /** The algorithm of the token that is changed. */
  readonly alg: TestAlgorithm
} & (
  | { readonly kind: 'none' }
  /** One bit of the decoded part is turned over. */
  | { readonly kind: 'bit'; readonly part: number; readonly at: number }
  /** Text of the whole token is replaced. */
  | { readonly kind: 'text'; readonly at: number; readonly remove: number; readonly insert: string }
  /** One part comes from another valid token. */
  | { readonly kind: 'swap'; readonly part: number; readonly from: TestAlgorithm }
  /** The header names another algorithm than the one that signed. */
  | { readonly kind: 'mislabel'; readonly as: TestAlgorithm; readonly keepKid: boolean }
  /** The same token, signed with the key of a stranger. */
  | { readonly kind: 'forge' }
  /** A member is set, or taken out where the value is undefined; signed again. */
  | { readonly kind: 'header' | 'claim'; readonly name: string; readonly value: unknown }
  /** The text of a part is changed, signed again. */
  | {
      readonly kind: 'json'
      readonly part: 'header' | 'claims'
      readonly at: number
      readonly insert: string
    }
)

/** What is known of the valid tokens, so that changes come near to what counts. */
export interface Surroundings {
  readonly issuer: string
  readonly audience: string
  readonly keyIds: readonly string[]
  /** Seconds since the epoch. */
  readonly now: number
}

/** Changes of all kinds; those that leave the signature right come most often, since they reach the most checks. */
export function mutations(surroundings: Surroundings): fc.Arbitrary<Mutation> {
  const part = fc.nat({ max: 2 })
  const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const insert = fc.constantFrom(...characters)
  const kinds = fc.oneof(
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('none') }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('bit'), part, at }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('text'), at, remove: fc.nat({ max: 3 }), insert })
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('swap'), part, from: algorithm }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('mislabel'), as: algorithm, keepKid: fc.boolean() })
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('forge') }) },
    { weight: 6, arbitrary: members('header', headerValues(surroundings)) },
    { weight: 10, arbitrary: members('claim', claimValues(surroundings)) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('json'),
        part: fc.constantFrom('header', 'claims'),
        at,
        insert: fc.oneof(insert, fc.constantFrom(...jsonTexts))
      })
    }
  )
  return fc.tuple(algorithm, kinds).map(([alg, change]) => ({ alg, ...change }))
}

/** All algorithms, the quick ones more often. */
const algorithm: fc.Arbitrary<TestAlgorithm> = fc.oneof(
  { weight: 24, arbitrary: fc.constantFrom('EdDSA', 'Ed25519', 'ES256') },
  { weight: 5, arbitrary: fc.constantFrom(...testAlgorithms) }
)

const characters = [
  '',
  'A',
  '-',
  '_',
  '.',
  '=',
  '==',
  '+',
  '/',
  ' ',
  '\n',
  '\t',
  '"',
  '\u0000',
  'é'
]

const jsonTexts = [
  '\uFEFF',
  '\u00A0',
  '}',
  '{',
  ',',
  '\\u0000',
  '\u{1F600}',
  '"alg":"none",',
  '"kid":"x",',
  '"sub":"mallory",',
  '"aud":"x",',
  '"exp":1,',
  '"__proto__":{},'
]

type Values = Readonly<Record<string, readonly unknown[]>>

/** A member with a value that is made for it, or with any at all. */
function members(kind: 'header' | 'claim', values: Values) {
  const any = [
    undefined,
    null,
    '',
    'x',
    0,
    -1,
    1.5,
    1e300,
    true,
    false,
    [],
    {},
    [[]],
    ['x'],
    '\uD800'
  ]
  return fc.constantFrom(...Object.keys(values)).chain((name) =>
    fc.record({
      kind: fc.constant(kind),
      name: fc.constant(name),
      value: fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...(values[name] ?? [])) },
        { weight: 2, arbitrary: fc.constantFrom(...any) },
        { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) }
      )
    })
  )
}

function headerValues({ keyIds }: Surroundings): Values {
  return {
    alg: [...testAlgorithms, 'none', 'None', 'HS256', 'rs256', 'ES256K', 'Ed448'],
    kid: [...keyIds, 'x', 'k'.repeat(256), 'k'.repeat(257), '../x', "' OR 1=1"],
    typ: ['at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', 'jwt', 'logout+jwt', 'dpop+jwt', 'x/y'],
    cty: ['JWT', 'jwt', 'application/JWT', 'json'],
    crit: [['exp'], ['b64'], ['alg'], ['x']],
    b64: [true, false],
    jwk: [{ kty: 'oct', k: 'AA' }],
    jku: ['http://127.0.0.1:1/jwks'],
    zip: ['DEF'],
    enc: ['A256GCM'],
    extra: ['x']
  }
}

function claimValues({ issuer, audience, now }: Surroundings): Values {
  const times = [-6, -5, -4.5, -4, 0, 0.5, 4, 5, 5.5, 6, 3600].map((offset) => now + offset)
  return {
    iss: [issuer, `${issuer}/`, issuer.toUpperCase(), [issuer], 'https://id.example.com'],
    aud: [
      audience,
      [audience],
      ['x', audience],
      [audience, 5],
      `${audience}/`,
      ['x'],
      [[audience]]
    ],
    sub: ['ada', 'grace', ' ', '__proto__', 5],
    exp: [...times, 8.64e12, 8.64e12 + 1, String(now + 60)],
    nbf: [...times, String(now), -8.64e12],
    iat: [...times, String(now), 8.64e12],
    cnf: [{}, { jkt: 'x' }, { 'x5t#S256': 'x' }, { kid: 'x' }],
    nonce: ['n'],
    at_hash: ['h'],
    events: [{}],
    token_use: ['access', 'id'],
    typ: ['Bearer', 'ID', 'Refresh'],
    azp: [audience, 'client'],
    scope: ['a b', 5, ['a'], { a: 1 }, undefined],
    // an own member of that name, as JSON.parse makes it
    ['__proto__']: [{ scope: 'admin' }],
    extra: ['x']
  }
}
