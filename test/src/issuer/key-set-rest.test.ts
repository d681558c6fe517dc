import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { KeySet } from '../../../src/issuer/key-set.ts'
import { silentObserver } from '../../../src/observe/observer.ts'
import { findKey } from '../../../src/issuer/find-key.ts'
import {
  a,
  b,
  createKeySet,
  day,
  issuer,
  keyA,
  metadata,
  pass,
  second,
  settled
} from '../../support/key-set-in-time.ts'

const named = (keyId: string) => ({ algorithm: 'EdDSA', keyId }) as const
const minute = 60 * second

/** Lets time pass in steps that are as long as the downloads are apart. */
async function passHours(hours: number): Promise<void> {
  for (let passed = 0; passed < hours * 60; passed += 5) {
    mock.timers.tick(5 * minute)
    await settled()
  }
}

/** A set of an issuer that is not required, used once: its key, and the downloads by then. */
async function usedOnce(t: Test) {
  const { keySet, seen, answer } = createKeySet(t, undefined, false)
  const key = await findKey(keySet, named('a'))
  t.equal(seen.downloads, 1)
  if (key === undefined) throw new Error('the key was not found')
  return { keySet, seen, answer, key }
}

void t.test(
  'META-8: a set in use is kept fresh, and left alone after 6 hours without',
  async (t) => {
    const { keySet, seen } = await usedOnce(t)
    await passHours(5)
    t.equal(seen.downloads, 1 + 60)
    t.ok(keyA(keySet))
    await passHours(6)
    const { downloads } = seen
    t.equal(downloads, 1 + 60 + 72)
    await passHours(48)
    t.equal(seen.downloads, downloads, 'nobody asked')
    t.ok(await findKey(keySet, named('a')))
    t.equal(seen.downloads, downloads + 1, 'the next token has it read')
    await passHours(1)
    t.equal(seen.downloads, downloads + 13, 'and it is kept fresh again')
  }
)

void t.test('META-13: the set of a required issuer never rests', async (t) => {
  const { keySet, seen } = createKeySet(t, undefined, true)
  await keySet.start()
  await settled()
  await passHours(30)
  t.equal(seen.downloads, 1 + 360)
  t.ok(keySet.isUsable)
})

void t.test('META-7: a key withdrawn while the set rested opens nothing', async (t) => {
  const { keySet, answer } = await usedOnce(t)
  await passHours(7)
  answer.jwks = [b]
  t.equal(await findKey(keySet, named('a')), undefined)
  t.notOk(keySet.isFailing, 'so that it is the fault of the token')
  t.ok(await findKey(keySet, named('b')))
})

void t.test(
  'META-7: remembered tokens wake the set, so that withdrawal ends them too',
  async (t) => {
    const { keySet, seen, answer, key } = await usedOnce(t)
    // what verified tokens are compared with, and what they do when it says no
    const present = async () => (Date.now() < key.validUntil ? key : findKey(keySet, named('a')))
    for (let half = 0; half < 16; half++) {
      await passHours(0.5)
      t.equal(await present(), key)
    }
    t.equal(seen.downloads, 1 + 96, 'as if it had never rested')
    answer.jwks = [b]
    await passHours(0.5)
    t.equal(await present(), undefined)
  }
)

void t.test('META-8: who comes within the refresh interval does not wait', async (t) => {
  const { keySet, seen, answer, key } = await usedOnce(t)
  await passHours(6)
  t.equal(key.validUntil, 0, 'at rest')
  const { downloads } = seen
  answer.wait = new Promise(() => undefined)
  t.equal(keyA(keySet), key)
  t.ok(key.validUntil > Date.now())
  t.equal(seen.downloads, downloads)
  await pass(300 * second)
  t.equal(seen.downloads, downloads + 1)
  t.equal(keyA(keySet), key, 'nor for that one')
})

void t.test('META-9: known keys go on if the issuer is down when the set wakes', async (t) => {
  const { keySet, seen, answer, key } = await usedOnce(t)
  await passHours(12)
  delete answer.jwks
  t.equal(await findKey(keySet, named('a')), key)
  t.ok(keySet.isFailing)
  t.strictSame(seen.troubles, ['downloading the key set'])
  await pass(minute)
  t.equal(keyA(keySet), key)
  answer.jwks = [a]
  await pass(minute)
  t.notOk(keySet.isFailing, 'healed by itself')
})

void t.test('META-9: unknown key ids meanwhile do not keep known keys out', async (t) => {
  const { keySet, answer, key } = await usedOnce(t)
  await passHours(12)
  delete answer.jwks
  t.equal(await findKey(keySet, named('random')), undefined)
  mock.timers.tick(10 * second)
  t.equal(await findKey(keySet, named('a')), key)
})

void t.test('META-9: but not past a day', async (t) => {
  const { keySet, answer } = await usedOnce(t)
  await passHours(31)
  delete answer.jwks
  t.equal(await findKey(keySet, named('a')), undefined)
  t.ok(keySet.isFailing)
  answer.jwks = [a]
  await pass(5 * second)
  t.ok(await findKey(keySet, named('a')))
})

void t.test(
  'META-6: unknown key ids neither wake a set nor have it read without end',
  async (t) => {
    const { keySet, seen } = await usedOnce(t)
    await passHours(12)
    const { downloads } = seen
    for (let index = 0; index < 300; index++) {
      await findKey(keySet, named(`random ${index}`))
      mock.timers.tick(second)
    }
    t.ok(seen.downloads - downloads <= 11, 'once in 30 s')
    const asked = seen.downloads
    await passHours(1)
    t.equal(seen.downloads, asked)
  }
)

void t.test('a set whose issuer is asked about tokens is kept fresh', async (t) => {
  const { keySet, seen } = await usedOnce(t)
  for (let round = 0; round < 4; round++) {
    await passHours(5)
    keySet.touch()
  }
  t.equal(seen.downloads, 1 + 240)
  await passHours(7)
  const { downloads } = seen
  keySet.touch()
  await settled()
  t.equal(seen.downloads, downloads + 1, 'read again as soon as it is used')
  await passHours(1)
  t.equal(seen.downloads, downloads + 13)
})

void t.test('a set that is retired at rest stays so', async (t) => {
  const { keySet, seen, key } = await usedOnce(t)
  await passHours(6)
  const { downloads } = seen
  keySet.retire()
  t.equal(keyA(keySet), undefined)
  keySet.touch()
  t.equal(await findKey(keySet, named('a')), undefined)
  mock.timers.tick(day)
  await settled()
  t.equal(key.validUntil, 0)
  t.equal(seen.downloads, downloads)
})

void t.test('a set that wakes while it is downloaded asks nothing once it is closed', async (t) => {
  const { keySet, seen, answer } = await usedOnce(t)
  await passHours(6)
  let answered = (): void => undefined
  answer.wait = new Promise((resolve) => {
    answered = () => resolve()
  })
  const download = keySet.refreshForUnknownKey()
  t.ok(keyA(keySet))
  answered()
  await download
  keySet.close()
  const { downloads } = seen
  await passHours(1)
  t.equal(seen.downloads, downloads)
})

void t.test('META-7: a set that takes over from one at rest rests as well', async (t) => {
  const { keySet } = await usedOnce(t)
  await passHours(12)
  const options = {
    issuer,
    insists: false,
    source: async () => {
      return { metadata, jwks: [b], maxAge: undefined }
    },
    prepare: () => () => true,
    observer: silentObserver
  }
  const successor = new KeySet(options)
  t.teardown(() => successor.close())
  successor.succeed(keySet)
  t.equal(keyA(successor), undefined, 'withdrawn meanwhile')
  t.equal(await findKey(successor, named('a')), undefined)
  t.ok(await findKey(successor, named('b')))
})
