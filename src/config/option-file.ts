import { readFileSync } from 'node:fs'
import { wrongOption } from './option-check.ts'

/**
 * Reads a text file, as all options that name files do unless a test or a cache stands in. A byte order mark, which some
 * editors put first, is no part of the text.
 */
export function readUtf8(path: string): string {
  return new TextDecoder().decode(readFileSync(path))
}

/**
 * Reads the file that an option names.
 * @throws {TypeError} that names the option and the file, if it can not be read
 */
export function readOptionFile(name: string, path: string, readFile = readUtf8): string {
  try {
    return readFile(path)
  } catch (cause) {
    const { code = 'unreadable' } = cause as NodeJS.ErrnoException
    const found = `${JSON.stringify(path)} (${code})`
    throw wrongOption(name, found, 'a readable file', { cause })
  }
}
