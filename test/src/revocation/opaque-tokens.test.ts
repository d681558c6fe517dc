import t from 'tap'
import { Marks } from '../../../src/revocation/marks.ts'
import { silentObserver } from '../../../src/observe/observer.ts'
import { plainMapping } from '../../../src/token/claim-mapping.ts'
import { createOpaqueTokens } from '../../../src/token/opaque-tokens.ts'
import { refusals } from '../../../src/token/refusal.ts'

const issuer = 'https://id.example.com'
const now = Math.floor(Date.now() / 1000)

void t.test('a mark ends opaque tokens too, those with a kept answer at once', async (t) => {
  const marks = new Marks()
  const judge = createOpaqueTokens({
    policy: {
      issuer,
      audiences: new Set(['api']),
      audienceClaim: 'aud',
      requiredClaims: [],
      idTokenMarks: [],
      algorithms: new Set(),
      types: new Set(),
      clockTolerance: 5
    },
    mapping: plainMapping,
    introspect: async (token) => ({ sub: token, aud: 'api', exp: now + 600, iat: now - 60 }),
    cacheSeconds: 30,
    observer: silentObserver,
    revoked: marks
  })
  const isGood = async (token: string) => 'subject' in (await judge(token))
  t.ok((await isGood('ada')) && (await isGood('bob')))

  marks.add({ kind: 'subject', issuer, value: 'ada', issuedUntil: now })

  t.equal(await judge('ada'), refusals.revoked)
  t.ok(await isGood('bob'))
  marks.add({ kind: 'subject', issuer, value: 'cyd', issuedUntil: now })
  t.equal(await judge('cyd'), refusals.revoked, 'one that was not asked about before')
})
