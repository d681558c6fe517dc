import t from 'tap'
import { createAnswers } from '../../../src/issuer/answers.ts'

t.test('an issuer that hangs can not be asked without end', async (t) => {
  const answers = createAnswers<string>({ max: 10, clock: () => 0 })
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

function withResolver() {
  let resolve = (): void => undefined
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
