import { fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { createLogOutput, fileSink, type LogOutput, streamSink } from './observe/log-output.ts'

/**
 * Standard output for log lines. No request waits for it, with one exception: a terminal takes lines in the moment they
 * are written, and its user can stop it.
 */
export function logToStandardOutput(): LogOutput {
  const { stdout } = process
  // a reader that went away, or a full disk, is no reason to end: what else is printed goes there as well
  stdout.on('error', () => undefined)
  const sink = isStream() ? streamSink(stdout) : fileSink((text) => writeSync(1, text))
  return createLogOutput(sink, Date.now)
}

/** A pipe, a socket or a terminal; to all else Node's own stream writes as to a file, and does not tell what it did. */
function isStream(): boolean {
  const status = fstatSync(1)
  return status.isFIFO() || status.isSocket() || isatty(1)
}
