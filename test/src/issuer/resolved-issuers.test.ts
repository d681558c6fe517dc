import { mock } from 'node:test'
import t from 'tap'
import type { Test } from 'tap'
import { ResolvedIssuers, type ResolveIssuer } from '../../../src/issuer/resolved-issuers.ts'
import type { TrustedIssuer } from '../../../src/issuer/trusted-issuer.ts'

const name = 'https://id.example.com/a'
const options = { issuer: name, audience: 'api' }

/** Issuers of one resolver, in a time that tests set; nothing is downloaded. */
function create(t: Test, resolve: ResolveIssuer) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const trouble: string[] = []
  const observer = {
    keySetReplaced() {},
    keySkipped() {},
    issuerTrouble: ({ issuer }: { issuer: string }) => void trouble.push(issuer)
  }
  const issuers = new ResolvedIssuers(resolve, { prepare: () => () => true, observer })
  t.teardown(async () => {
    mock.timers.reset()
    await issuers.close()
  })
  const ask = async (iss = name) => (await issuers.ask(iss)) as TrustedIssuer
  const pass = async (milliseconds: number) => {
    mock.timers.tick(milliseconds)
    await new Promise(setImmediate)
  }
  return { issuers, trouble, ask, pass }
}

t.test(
  'an issuer is asked for again after five minutes, and stays if it is the same',
  async (t) => {
    let calls = 0
    const { issuers, ask, pass } = create(t, () => (calls++, { ...options }))
    const issuer = await ask()
    await pass(299_000)
    t.equal(calls, 1)
    for (const expected of [2, 3]) {
      await pass(300_000)
      t.equal(calls, expected)
      t.equal(issuers.find(name), issuer)
      t.notOk(issuer.keySet.isRetired)
    }
  }
)

t.test('an issuer that is no longer known is no longer trusted', async (t) => {
  let answer: typeof options | undefined = options
  const { issuers, ask, pass } = create(t, () => answer)
  const issuer = await ask()
  answer = undefined
  await pass(300_000)
  t.equal(issuers.find(name), undefined)
  t.ok(issuer.keySet.isRetired, 'and neither are its verified tokens')
  t.equal(issuers.ask(name), undefined)
})

t.test('other options of an issuer make another one of it', async (t) => {
  let audience = 'api'
  const { issuers, ask, pass } = create(t, () => ({ ...options, audience }))
  const issuer = await ask()
  audience = 'other'
  await pass(300_000)
  t.ok(issuer.keySet.isRetired)
  t.strictSame([...(issuers.find(name)?.policy.audiences ?? [])], ['other'])
})

t.test('while the resolver fails, who was resolved stays trusted', async (t) => {
  let [calls, fails] = [0, false]
  const { issuers, ask, pass, trouble } = create(t, () => {
    calls++
    if (fails) throw new Error('down')
    return options
  })
  const issuer = await ask()
  fails = true
  await pass(300_000)
  t.equal(issuers.find(name), issuer)
  t.strictSame(trouble, [name])
  fails = false
  await pass(30_000)
  t.equal(calls, 3, 'it is asked again soon')
  t.equal(issuers.find(name), issuer)
})

t.test(
  'a stranger is asked for again after half a minute, a failure after five seconds',
  async (t) => {
    let answer: (() => undefined) | (() => never) = () => undefined
    let calls = 0
    const { ask, pass, trouble } = create(t, () => (calls++, answer()))
    await ask()
    await pass(29_000)
    await ask()
    t.equal(calls, 1)
    await pass(2000)
    answer = () => {
      throw new Error('down')
    }
    for (const expected of [2, 2]) {
      t.match(await ask(), { retryAfterSeconds: 5 })
      t.equal(calls, expected)
    }
    await pass(6000)
    await ask()
    t.equal(calls, 3)
    t.notMatch(trouble.join(), name, 'the log does not tell what strangers write into tokens')
  }
)

t.test('a thousand issuers are kept, and the one that was unused for longest goes', async (t) => {
  const { issuers, ask } = create(t, (issuer) => ({ issuer, audience: 'api' }))
  const first = await ask('https://id.example.com/0')
  const second = await ask('https://id.example.com/1')
  for (let index = 2; index <= 1000; index++) {
    issuers.find('https://id.example.com/0')
    await ask(`https://id.example.com/${index}`)
  }
  t.strictSame([first.keySet.isRetired, second.keySet.isRetired], [false, true])
  t.equal(issuers.find('https://id.example.com/1'), undefined)
})
