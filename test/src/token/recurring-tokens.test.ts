import t from 'tap'
import { RecurringTokens } from '../../../src/token/recurring-tokens.ts'

/** Keeps something of a token, which is kept from its second sight on. */
function keep<Kept>(tokens: RecurringTokens<Kept>, token: string, kept: Kept): void {
  tokens.keep(token, kept)
  tokens.keep(token, kept)
}

void t.test('something is kept of a token from its second sight on', async (t) => {
  const tokens = new RecurringTokens<string>(10)
  tokens.keep('token', 'first')
  t.equal(tokens.find('token'), undefined)
  tokens.keep('token', 'second')
  t.equal(tokens.find('token'), 'second')
})

void t.test('what meets a condition is dropped', async (t) => {
  const tokens = new RecurringTokens<string>(10)
  keep(tokens, 'one', 'to go')
  keep(tokens, 'two', 'to stay')
  tokens.drop((kept) => kept === 'to go')
  t.equal(tokens.find('one'), undefined)
  t.equal(tokens.find('two'), 'to stay')
})

void t.test('tokens are compared as a whole, not by their end', async (t) => {
  const tokens = new RecurringTokens<number>(10)
  const signature = 's'.repeat(32)
  keep(tokens, `one.${signature}`, 1)
  t.equal(tokens.find(`two.${signature}`), undefined)
  t.equal(tokens.find(signature), undefined)
  t.equal(tokens.find(`one.${signature}`), 1)
})

void t.test('a token stays when others come that share its end', async (t) => {
  const tokens = new RecurringTokens<number>(10)
  const signature = 's'.repeat(32)
  keep(tokens, `one.${signature}`, 1)
  for (let index = 2; index < 100; index++) keep(tokens, `${index}.${signature}`, index)
  t.equal(tokens.find(`one.${signature}`), 1)
  tokens.keep(`one.${signature}`, 100)
  t.equal(tokens.find(`one.${signature}`), 100, 'what is kept of it changes')
})

void t.test('two generations are kept at most', async (t) => {
  const tokens = new RecurringTokens<number>(10)
  const names = Array.from({ length: 100 }, (_, index) => nameOf(index))
  for (const [index, name] of names.entries()) keep(tokens, name, index)
  const held = names.filter((name) => tokens.find(name) !== undefined)
  t.ok(held.length >= 10 && held.length <= 20, `${held.length} are held`)
  t.ok(held.includes(names.at(-1) ?? ''), 'the newest')
})

void t.test('a token in use outlives those that come after it', async (t) => {
  const tokens = new RecurringTokens<number>(10)
  keep(tokens, 'in use', 0)
  for (let index = 0; index < 100; index++) {
    keep(tokens, nameOf(index), index)
    if (index % 5 === 0) tokens.find('in use')
  }
  t.equal(tokens.find('in use'), 0)
})

void t.test(
  'all of many tokens that come in the same order again and again are kept',
  async (t) => {
    const tokens = new RecurringTokens<number>(10_000)
    const names = Array.from({ length: 5000 }, (_, index) => nameOf(index))
    for (let round = 0; round < 100; round++) {
      for (const [index, name] of names.entries())
        if (tokens.find(name) === undefined) tokens.keep(name, index)
    }
    t.same(
      names.filter((name) => tokens.find(name) === undefined),
      []
    )
  }
)

void t.test('tokens are kept from their second sight on, whatever came before', async (t) => {
  const tokens = new RecurringTokens<number>(10_000)
  for (let index = 0; index < 400_000; index++) tokens.keep(nameOf(index), index)
  const names = Array.from({ length: 1000 }, (_, index) => `new-${nameOf(index)}-sign`)
  for (const [index, name] of names.entries()) keep(tokens, name, index)
  t.same(
    names.filter((name) => tokens.find(name) === undefined),
    []
  )
})

function nameOf(index: number): string {
  return `token-${index * 7919}`
}
