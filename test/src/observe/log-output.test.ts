import { Writable } from 'node:stream'
import t from 'tap'
import { createLogOutput, fileSink, streamSink } from '../../../src/observe/log-output.ts'

const now = 1_700_000_000_000
const mebibyte = `${'x'.repeat(1024 * 1024 - 1)}\n`

function droppedLine(dropped: number): string {
  const msg = 'log lines could not be written'
  return `${JSON.stringify({ level: 40, time: now, dropped, msg })}\n`
}

/** A pipe whose reader takes a chunk only when the test says so. */
function slowPipe() {
  const arrived: string[] = []
  let take = (): void => undefined
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      take = () => {
        arrived.push(chunk)
        done()
      }
    }
  })
  return { stream, arrived, take: () => take() }
}

/** A file on a disk with room for so many octets, which takes what fits. */
function fileWithRoom(room: number) {
  const file = { text: '', room }
  const write = (text: string): number => {
    if (file.room === 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    const taken = Buffer.from(text).subarray(0, file.room)
    file.text += taken.toString()
    file.room -= taken.length
    return taken.length
  }
  return { file, write }
}

t.test('at most 8 MiB wait for the reader; the rest is dropped, and counted', async (t) => {
  const { stream, arrived, take } = slowPipe()
  const output = createLogOutput(streamSink(stream), () => now)
  for (let times = 0; times < 11; times++) output.write(mebibyte)
  t.equal(stream.writableLength, 8 * mebibyte.length)

  take()
  output.write('next\n')
  for (let times = 0; times < 9; times++) {
    await new Promise(setImmediate)
    take()
  }
  await new Promise(setImmediate)
  t.same(arrived.slice(0, 8), Array(8).fill(mebibyte))
  t.same(arrived.slice(8), [droppedLine(3), 'next\n'])
})

t.test('lines that a full disk does not take are dropped, and counted', async (t) => {
  const { file, write } = fileWithRoom(6)
  const output = createLogOutput(fileSink(write), () => now)
  for (const line of ['first\n', 'second\n', 'third\n']) output.write(line)
  t.equal(file.text, 'first\n')
  file.room = 1000
  for (const line of ['fourth\n', 'fifth\n']) output.write(line)
  t.equal(file.text, `first\n${droppedLine(2)}fourth\nfifth\n`)
})

t.test('a line that the disk takes a part of is dropped, and the next begins anew', async (t) => {
  const { file, write } = fileWithRoom(9)
  const output = createLogOutput(fileSink(write), () => now)
  output.write('first\n')
  output.write('zweite Größe\n')
  t.equal(file.text, 'first\nzwe')
  output.write('third\n')
  file.room = 1000
  output.write('fourth\n')
  output.write('fünfte\n')
  t.equal(file.text, `first\nzwe\n${droppedLine(2)}fourth\nfünfte\n`)
})

t.test('a warning that is torn itself is said again', async (t) => {
  const { file, write } = fileWithRoom(3)
  const output = createLogOutput(fileSink(write), () => now)
  output.write('first\n')
  file.room = 10
  output.write('second\n')
  file.room = 1000
  output.write('third\n')
  const torn = droppedLine(1).slice(0, 9)
  t.equal(file.text, `fir\n${torn}\n${droppedLine(2)}third\n`)
})

t.test('a flush waits for the reader, and tells what was dropped', async (t) => {
  const { stream, arrived, take } = slowPipe()
  const output = createLogOutput(streamSink(stream), () => now)
  for (let times = 0; times < 10; times++) output.write(mebibyte)
  let isFlushed = false
  const flushed = output.flush().then(() => (isFlushed = true))
  while (!arrived.includes(droppedLine(2))) {
    t.equal(isFlushed, false)
    take()
    await new Promise(setImmediate)
  }
  take()
  await flushed
  t.same(
    arrived.filter((text) => text !== ''),
    [...Array<string>(8).fill(mebibyte), droppedLine(2)]
  )
})

t.test('a flush waits a second for a reader that does not come, and no longer', async (t) => {
  const { stream } = slowPipe()
  const output = createLogOutput(streamSink(stream), () => now)
  output.write('first\n')
  const alive = setTimeout(() => undefined, 10_000)
  t.teardown(() => clearTimeout(alive))
  const begin = performance.now()
  await output.flush()
  const waited = performance.now() - begin
  t.ok(waited > 900 && waited < 8000, `${waited} ms`)
})

t.test('a flush tells what a disk did not take, where it has room again', async (t) => {
  const { file, write } = fileWithRoom(0)
  const output = createLogOutput(fileSink(write), () => now)
  output.write('first\n')
  await output.flush()
  file.room = 1000
  await output.flush()
  await output.flush()
  t.equal(file.text, droppedLine(1))
})
