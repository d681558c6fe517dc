import t from 'tap'
import { formatChallenge, isChallengeText } from '../../../src/token/challenge.ts'
import { parseChallenges } from '../../support/challenge.ts'

void t.test('BEARER-10, BEARER-11: parameters once each, absent ones left out', async (t) => {
  const params = {
    realm: 'api',
    error: 'insufficient_scope',
    error_description: 'More scope is needed',
    scope: 'a b',
    resource_metadata: 'https://api.example.com/.well-known/oauth-protected-resource'
  } as const
  t.same(parseChallenges(formatChallenge(params)), [{ scheme: 'Bearer', params }])
  t.equal(formatChallenge({ realm: 'api', error: undefined }), 'Bearer realm="api"')
})

const forbidden = ['"', '\\', '\n', '\r', '\t', '\u0000', '\u007F', 'é', '😀', '']
void t.test('BEARER-12: text that could break out is never written', async (t) => {
  for (const text of forbidden) {
    t.notOk(isChallengeText(`${text === '' ? '' : 'a'}${text}`), JSON.stringify(text))
    const realm = text === '' ? '' : `a${text}b`
    t.throws(() => formatChallenge({ realm }), { name: 'TypeError', message: /^realm: / })
    t.throws(() => formatChallenge({ realm: 'api', scope: realm }), /^scope: /)
  }
})
