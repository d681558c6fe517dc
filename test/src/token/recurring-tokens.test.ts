import t from 'tap'
import { RecurringTokens } from '../../../src/token/recurring-tokens.ts'

void t.test('something is kept of a token from its second sight on', async (t) => {
  const tokens = new RecurringTokens<string>(10)
  tokens.keep('token', 'first')
  t.equal(tokens.find('token'), undefined)
  tokens.keep('token', 'second')
  t.equal(tokens.find('token'), 'second')
  tokens.drop((kept) => kept === 'second')
  t.equal(tokens.find('token'), undefined)
})

void t.test('two generations are kept at most', async (t) => {
  const tokens = new RecurringTokens<number>(10)
  const names = Array.from({ length: 100 }, (_, index) => `token-${index * 7919}`)
  for (const [index, name] of names.entries())
    for (const _ of ['first', 'second sight']) tokens.keep(name, index)
  const held = names.filter((name) => tokens.find(name) !== undefined)
  t.ok(held.length >= 10 && held.length <= 20, `${held.length} are held`)
  t.ok(held.includes(names.at(-1) ?? ''), 'the newest')
})
