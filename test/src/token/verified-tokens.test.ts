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

void t.test('a token is kept from its second sight on', async (t) => {
  const tokens = new VerifiedTokens()
  tokens.remember('token', principal, 1000, key)
  t.equal(tokens.find('token', 0), undefined)
  tokens.remember('token', principal, 1000, key)
  t.equal(tokens.find('token', 0), principal)
})

void t.test('it ends with its time, and with its key', async (t) => {
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

void t.test('tokens are compared as a whole, not by their end', async (t) => {
  const tokens = new VerifiedTokens()
  const signature = 's'.repeat(32)
  keep(tokens, `one.${signature}`)
  t.equal(tokens.find(`two.${signature}`, 0), undefined)
  t.equal(tokens.find(signature, 0), undefined)
  t.equal(tokens.find(`one.${signature}`, 0), principal)
})

void t.test('it holds between 10,000 and 20,000 tokens, whatever comes', async (t) => {
  const tokens = new VerifiedTokens()
  const total = 60_000
  for (let index = 0; index < total; index++) keep(tokens, nameOf(index))
  let held = 0
  for (let index = 0; index < total - 10_000; index++) if (isHeld(tokens, index)) held++
  t.ok(held <= 10_000, `${held} older tokens are held`)
  const newest = Array.from({ length: 9999 }, (_, index) => total - 1 - index)
  t.ok(newest.every((index) => isHeld(tokens, index)))
})

void t.test('a token in use outlives those that come after it', async (t) => {
  const tokens = new VerifiedTokens()
  keep(tokens, 'in use')
  for (let index = 0; index < 60_000; index++) {
    keep(tokens, nameOf(index))
    if (index % 5000 === 0) tokens.find('in use', 0)
  }
  t.equal(tokens.find('in use', 0), principal)
})

function nameOf(index: number): string {
  return `token-${String(index * 7919).padStart(32, '0')}`
}

function isHeld(tokens: VerifiedTokens, index: number): boolean {
  return tokens.find(nameOf(index), 0) !== undefined
}
