import { fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'

/** Characters that wait for whoever reads the log, at most. */
const maxWaiting = 8 * 1024 * 1024

/**
 * Standard output for log lines. Pino's own sleeps while nobody reads a full pipe, and throws where a disk is full: either
 * would hold the service, or end it. Here such lines are dropped, and a line says how many once there is room again.
 */
export function createLogOutput(): { write(line: string): void } {
  const offer = isStream() ? offerToStream() : offerToFile
  let dropped = 0
  return {
    write(line) {
      if (dropped > 0 && offer(droppedLine(dropped))) dropped = 0
      if (dropped > 0 || !offer(line)) dropped++
    }
  }
}

/** Whether Node writes there without waiting. */
function isStream(): boolean {
  const status = fstatSync(1)
  return status.isFIFO() || status.isSocket() || isatty(1)
}

/** Writes a line, or answers false. */
type Offer = (line: string) => boolean

function offerToStream(): Offer {
  const { stdout } = process
  // a reader that went away is no reason to end
  stdout.on('error', () => undefined)
  return (line) => {
    if (stdout.writableLength >= maxWaiting) return false
    stdout.write(line)
    return true
  }
}

function offerToFile(line: string): boolean {
  try {
    writeSync(1, line)
    return true
  } catch {
    return false
  }
}

function droppedLine(dropped: number): string {
  const warning = { level: 40, time: Date.now(), dropped, msg: 'log lines could not be written' }
  return `${JSON.stringify(warning)}\n`
}
