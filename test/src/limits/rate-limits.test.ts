import t from 'tap'
import { parseRateLimits, policyField } from '../../../src/limits/rate-limits.ts'

void t.test('what a text does not name is limited as by default', async (t) => {
  const limits = parseRateLimits('failed=5/10,principal=off')
  t.strictSame(limits, {
    address: { name: 'address', quota: 30_000, window: 60 },
    failed: { name: 'failed', quota: 5, window: 10 }
  })
})

void t.test('off is no limit at all', async (t) => {
  t.strictSame(parseRateLimits('off'), {})
})

void t.test('any other text is none', async (t) => {
  const wrong = [
    '',
    'on',
    '100',
    'principal',
    'principal=0/60',
    'principal=5/0',
    'Address=5/60',
    'user=5/60',
    'principal=5',
    'principal=-5/60',
    'principal=5/1m',
    'off,',
    'a=b=c'
  ]
  for (const text of wrong) t.equal(parseRateLimits(text), undefined, text)
})

void t.test('RATE-1, RATE-2: the policies are a list of names with whole numbers', async (t) => {
  const limits = parseRateLimits('principal=100/60, address=off, failed=9/1') ?? {}
  t.equal(policyField(limits), '"principal";q=100;w=60, "failed";q=9;w=1')
})
