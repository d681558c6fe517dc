import t from 'tap'
import { createPrincipal } from '../../../src/token/principal.ts'
import { VerifiedTokens } from '../../../src/token/verified-tokens.ts'

const principal = createPrincipal({ iss: 'https://id.example.com', sub: 'ada', aud: 'a', exp: 9e9 })
const key = { validUntil: 1000 }

/** Keeps a token: only from the second sight on are tokens kept. */
function keep(tokens: VerifiedTokens, token: string, expiresAt = 1000, by = key): void {
  tokens.remember(token, principal, expiresAt, by)
  tokens.remember(token, principal, expiresAt, by)
}

void t.test('a token ends with its time, and with its key', async (t) => {
  const tokens = new VerifiedTokens()
  const key = { validUntil: 500 }
  keep(tokens, 'short', 100)
  keep(tokens, 'long', 1000, key)
  t.equal(tokens.find('short', 99), principal)
  t.equal(tokens.find('short', 100), undefined)
  t.equal(tokens.find('long', 499), principal)
  t.equal(tokens.find('long', 500), undefined)
  key.validUntil = 0
  t.equal(tokens.find('long', 0), undefined)
})

void t.test('between 10,000 and 20,000 tokens are held, whatever comes', async (t) => {
  const tokens = new VerifiedTokens()
  const total = 60_000
  for (let index = 0; index < total; index++) keep(tokens, nameOf(index))
  let held = 0
  for (let index = 0; index < total - 10_000; index++) if (isHeld(tokens, index)) held++
  t.ok(held <= 10_000, `${held} older tokens are held`)
  const newest = Array.from({ length: 9999 }, (_, index) => total - 1 - index)
  t.ok(newest.every((index) => isHeld(tokens, index)))
})

function nameOf(index: number): string {
  return `token-${String(index * 7919).padStart(32, '0')}`
}

function isHeld(tokens: VerifiedTokens, index: number): boolean {
  return tokens.find(nameOf(index), 0) !== undefined
}
