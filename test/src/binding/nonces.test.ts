import t from 'tap'
import { createNonces } from '../../../src/binding/nonces.ts'

const secret = 'x'.repeat(32)
const minute = 60_000

t.test('DPOP-23: a thousand nonces are all different, and of the same form', async (t) => {
  let now = 0
  const { current } = createNonces(secret, () => now)
  const nonces = new Set<string>()
  for (; now < 1000 * minute; now += minute) nonces.add(current())
  t.equal(nonces.size, 1000)
  for (const nonce of nonces) t.match(nonce, /^[\w-]{43}$/)
  const first = [...nonces].map((nonce) => nonce.slice(0, 2))
  t.ok(new Set(first).size > 800, 'their beginnings differ as those of random texts do')
})

t.test('DPOP-23: another secret makes other nonces, and so does another process', async (t) => {
  const clock = () => 0
  const made = [secret, 'y'.repeat(32), undefined, undefined].map((text) =>
    createNonces(text, clock).current()
  )
  t.equal(new Set(made).size, 4)
  t.equal(createNonces(secret, clock).current(), made[0])
})

t.test('DPOP-11: a nonce counts for its minute and the next, and a minute before it', async (t) => {
  let now = 0
  const { validUntil } = createNonces(secret, () => now)
  const nonce = createNonces(secret, () => 10 * minute).current()
  const ends = [8, 9, 10, 11, 12].map((time) => {
    now = time * minute
    return validUntil(nonce)
  })
  t.strictSame(ends, [undefined, 12 * minute, 12 * minute, 12 * minute, undefined])
})
