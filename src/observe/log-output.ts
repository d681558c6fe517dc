import type { Writable } from 'node:stream'

/** Characters that wait for whoever reads the log, at most. */
const maxWaiting = 8 * 1024 * 1024

/** Where log lines go, whatever is below. */
export interface LogOutput {
  write(line: string): void
}

/** Writes a line, or answers false. */
export type Offer = (line: string) => boolean

/**
 * Drops the lines that can not be written, and says in a line how many they were once there is room again. Pino's own
 * output sleeps while nobody reads a full pipe, and throws where a disk is full: either would hold the service, or end it.
 * @param now milliseconds since the epoch
 */
export function createLogOutput(offer: Offer, now: () => number): LogOutput {
  let dropped = 0
  return {
    write(line) {
      if (dropped > 0 && offer(droppedLine(dropped, now()))) dropped = 0
      if (dropped > 0 || !offer(line)) dropped++
    }
  }
}

/** Leaves lines to a stream, and refuses them while 8 MiB wait there. */
export function offerToStream(stream: Writable): Offer {
  return (line) => {
    if (stream.writableLength >= maxWaiting) return false
    stream.write(line)
    return true
  }
}

/**
 * Writes lines to a file, or to what behaves like one. A disk that fills up takes a part of a line: such a line counts as
 * not written, and what comes next begins on a line of its own.
 * @param write answers with the octets that it wrote, or throws where there is no room
 */
export function offerToFile(write: (text: string) => number): Offer {
  let isTorn = false
  return (line) => {
    const text = isTorn ? `\n${line}` : line
    const octets = octetsTaken(write, text)
    const isWhole = octets === Buffer.byteLength(text)
    if (octets > 0) isTorn = !isWhole
    return isWhole
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
