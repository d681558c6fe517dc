import { LRUCache } from 'lru-cache'
import t from 'tap'
import { createAnswers } from '../../../src/issuer/answers.ts'
import { withResolver } from '../../support/promise.ts'

t.test('an issuer that hangs can not be asked without end', async (t) => {
  const answers = createAnswers<string>({ memory: () => new LRUCache({ max: 10 }), clock: () => 0 })
  const { promise, resolve } = withResolver()
  const ask = async () => {
    await promise
    return { value: 'an answer', usableUntil: 1 }
  }
  const asked = Array.from({ length: 1000 }, (_, index) => answers(String(index), ask))
  const shared = answers('0', ask)
  const refused: unknown = await answers('one more', ask).catch((error: unknown) => error)
  t.match(refused, { kind: 'issuer-unavailable' })
  resolve()
  t.equal(await shared, 'an answer', 'who asks what is asked already waits for that')
  await Promise.all(asked)
  t.equal(await answers('one more', ask), 'an answer')
})

t.test('what was pushed out of the memory can be forgotten as well', async (t) => {
  const answers = createAnswers<string | undefined>({
    memory: () => new LRUCache({ max: 1 }),
    clock: () => 0
  })
  const ask = async () => ({ value: undefined, usableUntil: 1 })
  for (const name of ['one', 'two']) t.equal(await answers(name, ask), undefined)
  t.doesNotThrow(() => answers.forget('one', undefined))
  t.doesNotThrow(() => answers.forget('never asked', undefined))
})
