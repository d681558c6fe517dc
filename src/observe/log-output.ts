import type { Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'

/** Characters that wait for whoever reads the log, at most. */
const maxWaiting = 8 * 1024 * 1024

/** Milliseconds that the end waits for whoever reads the log. */
const patience = 1000

/** Where log lines go, whatever is below. */
export interface LogOutput {
  write(line: string): void
  /** Resolves when all that waits was written, or is given up after a second. For the end: a process that exits forgets it. */
  flush(): Promise<void>
}

/** What is below. */
export interface LogSink {
  /** Writes a line, or answers false. */
  readonly offer: (line: string) => boolean
  /** Resolves when what was taken is written. */
  readonly written: () => Promise<void>
}

/**
 * Drops the lines that can not be written, and says in a line how many they were once there is room again. Pino's own
 * output sleeps while nobody reads a full pipe, and throws where a disk is full: either would hold the service, or end it.
 * @param now milliseconds since the epoch
 */
export function createLogOutput({ offer, written }: LogSink, now: () => number): LogOutput {
  let dropped = 0
  const tellDropped = (): void => {
    if (dropped > 0 && offer(droppedLine(dropped, now()))) dropped = 0
  }
  const writeAll = async (): Promise<void> => {
    await written()
    tellDropped()
    await written()
  }
  return {
    write(line) {
      tellDropped()
      if (dropped > 0 || !offer(line)) dropped++
    },
    async flush() {
      await Promise.race([writeAll(), wait(patience, undefined, { ref: false })])
    }
  }
}

/** Leaves lines to a stream, and refuses them while 8 MiB wait there. */
export function streamSink(stream: Writable): LogSink {
  return {
    offer(line) {
      if (stream.writableLength >= maxWaiting) return false
      stream.write(line)
      return true
    },
    // its turn comes after all else, or after a failure
    written: () => new Promise((resolve) => stream.write('', () => resolve()))
  }
}

/**
 * Writes lines to a file, or to what behaves like one. A disk that fills up takes a part of a line: such a line counts as
 * not written, and what comes next begins on a line of its own.
 * @param write answers with the octets that it wrote, or throws where there is no room
 */
export function fileSink(write: (text: string) => number): LogSink {
  let isTorn = false
  return {
    offer(line) {
      const text = isTorn ? `\n${line}` : line
      const octets = octetsTaken(write, text)
      const isWhole = octets === Buffer.byteLength(text)
      if (octets > 0) isTorn = !isWhole
      return isWhole
    },
    written: async () => undefined
  }
}

function octetsTaken(write: (text: string) => number, text: string): number {
  try {
    return write(text)
  } catch {
    return 0
  }
}

function droppedLine(dropped: number, time: number): string {
  const warning = { level: 40, time, dropped, msg: 'log lines could not be written' }
  return `${JSON.stringify(warning)}\n`
}
