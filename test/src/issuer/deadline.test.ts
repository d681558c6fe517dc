import { mock } from 'node:test'
import t from 'tap'
import { longestWait, orLate } from '../../../src/issuer/deadline.ts'

t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
t.afterEach(() => mock.timers.reset())

t.test('what comes in time is handed on, and no timer stays behind', async (t) => {
  const cleared = t.capture(globalThis, 'clearTimeout', clearTimeout)
  t.equal(await orLate(Promise.resolve('answer')), 'answer')
  await t.rejects(orLate(Promise.reject(new Error('trouble'))), { message: 'trouble' })
  const timers = cleared().map(({ args: [timer] }) => timer)
  t.equal(timers.filter((timer) => timer !== undefined).length, 2)
})

t.test('what takes longer than its patience is late', async (t) => {
  const never = new Promise(() => undefined)
  const [long, short] = [orLate(never), orLate(never, 50)]
  mock.timers.tick(50)
  t.equal(await short, 'late')
  let isOver = false
  void long.then(() => (isOver = true))
  mock.timers.tick(longestWait - 51)
  await new Promise(setImmediate)
  t.notOk(isOver)
  mock.timers.tick(1)
  t.equal(await long, 'late')
})
