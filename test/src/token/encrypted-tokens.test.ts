import { generateKeyPairSync } from 'node:crypto'
import { CompactEncrypt } from 'jose'
import t from 'tap'
import { startTestIssuer } from '../../../src/testing.ts'
import { startJudge } from '../../support/judge.ts'

const usual = { alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT' }

t.test('a token that is padded, as anybody can, is not remembered', async (t) => {
  const issuer = await startTestIssuer({ algorithms: ['ES256'] })
  t.teardown(() => issuer.close())
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 4096 })
  const { verify } = await startJudge(t, { ...issuer.options, decryption: { privateKey } })
  const encrypt = (inner: string, header = {}) =>
    new CompactEncrypt(Buffer.from(inner))
      .setProtectedHeader({ ...usual, ...header })
      .encrypt(publicKey)
  const small = await issuer.mint()
  const large = await issuer.mint({ roles: 'x'.repeat(5000) })
  for (const [name, token, isRemembered] of [
    ['small', await encrypt(small), true],
    ['large', await encrypt(large), true],
    ['padded', await encrypt(small, { x: 'x'.repeat(4000) }), false]
  ] as const) {
    for (let sight = 0; sight < 3; sight++) t.match(await verify(token), { subject: 'ada' })
    t.equal(!(verify(token) instanceof Promise), isRemembered, name)
  }
})
