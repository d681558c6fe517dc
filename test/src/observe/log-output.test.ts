import { Writable } from 'node:stream'
import t from 'tap'
import { createLogOutput, offerToFile, offerToStream } from '../../../src/observe/log-output.ts'

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

/** A file on a disk with room for so many octets. */
function fileWithRoom(room: number) {
  const file = { text: '', room }
  const write = (text: string): void => {
    if (text.length > file.room) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    file.text += text
    file.room -= text.length
  }
  return { file, write }
}

t.test('at most 8 MiB wait for the reader; the rest is dropped, and counted', async (t) => {
  const { stream, arrived, take } = slowPipe()
  const output = createLogOutput(offerToStream(stream), () => now)
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
  const output = createLogOutput(offerToFile(write), () => now)
  for (const line of ['first\n', 'second\n', 'third\n']) output.write(line)
  t.equal(file.text, 'first\n')
  file.room = 1000
  for (const line of ['fourth\n', 'fifth\n']) output.write(line)
  t.equal(file.text, `first\n${droppedLine(2)}fourth\nfifth\n`)
})
